"""Decides: cases, lifecycle, findings, delivery, access, audit. Standard library only, no I/O."""
