"""Decides: case, referral, lifecycle, findings, delivery, access and audit. Standard library only, no I/O."""
