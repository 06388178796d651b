"""The command line: `lysbro` and its subcommands.

Exit status 0 done, 1 the thing failed, 2 the call is wrong.
"""

from __future__ import annotations

from lysbro.cli.root import main

__all__ = ["main"]
