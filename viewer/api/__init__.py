"""The JSON API: what the pages, and machines with a token, drive Lysbro with."""
