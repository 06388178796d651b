"""The casebook's one face: cases from referral to read reply, put together from its parts."""

from __future__ import annotations

from storage.referring import Referring
from storage.signing import Signing
from storage.verbs import Verbs


class Casebook(Referring, Verbs, Signing):
    """The cases of one exchange: read them, refer, move them along, sign.

    Each verb is one transaction: who may is asked of `casework.access`, what follows of
    `casework.lifecycle`, and the row changes only if it is still as it was read.
    """
