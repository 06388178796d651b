"""Plugs Lysbro together: settings, command line, processes, demonstration."""
