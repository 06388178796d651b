"""Asks a node by C-FIND how many instances of a study it has (PS3.4 C.4.1).

First for Number of Study Related Instances (0020,1208); a node that does not give it is asked for
the series and their numbers, and one that gives neither for the instances themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from casework.errors import Invalid, NotFound, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge.identifier import MAX_IDENTIFIER_BYTES, read_identifier, write_identifier
from pacs_bridge.scu import Wait, associated, find
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE, STUDY_ROOT_FIND
from pacs_bridge.tls import TlsFiles

_MOST_ANSWERS = 100_000
_Keys = Mapping[str, Any]


def instances_at(
    node: ApplicationEntity,
    study_uid: str,
    *,
    calling: str,
    wait: Wait | None = None,
    tls: TlsFiles | None = None,
) -> int:
    """Return how many instances of a study a node has.

    Raises NotFound when the node does not know the study, Unavailable or Refused when it gives no
    usable answer.
    """
    contexts = [build_context(UID(STUDY_ROOT_FIND), [UID(EXPLICIT_LE), UID(IMPLICIT_LE)])]
    with associated(node, contexts, calling=calling, wait=wait, tls=tls) as association:
        study = {"StudyInstanceUID": study_uid}
        asked = {**study, "NumberOfStudyRelatedInstances": ""}
        found = [keys for keys in ask(association, "STUDY", asked) if _is_of(keys, study_uid)]
        if not found:
            raise NotFound(f"{node.title} does not know the study.", code="no-such-study")
        count = number_in(found[0], "NumberOfStudyRelatedInstances")
        return count if count is not None else _counted(association, study)


def _counted(association: Association, study: _Keys) -> int:
    """Return the sum over a study's series, each by its number or by its instances."""
    asked = {**study, "SeriesInstanceUID": "", "NumberOfSeriesRelatedInstances": ""}
    in_all = 0
    for series in list(ask(association, "SERIES", asked)):
        count = number_in(series, "NumberOfSeriesRelatedInstances")
        if count is None:
            uid = {"SeriesInstanceUID": series.get("SeriesInstanceUID", ""), "SOPInstanceUID": ""}
            count = sum(1 for _ in ask(association, "IMAGE", {**study, **uid}))
        in_all += count
    if not in_all:
        raise Unavailable("The node names a study without any instance.", code="not-answered")
    return in_all


def ask(association: Association, level: str, keys: _Keys) -> Iterator[dict[str, Any]]:
    """Put one question of a level (study root) and give the keys of each answer.

    Raises Unavailable when an answer cannot be read, or they have no end.
    """
    context = next(c for c in association.accepted_contexts if c.abstract_syntax == STUDY_ROOT_FIND)
    syntax = str(context.transfer_syntax[0])
    identifier = write_identifier(
        {"QueryRetrieveLevel": level, **keys}, transfer_syntax=syntax, charset_terms=()
    )
    for number, match in enumerate(
        find(association, int(context.context_id or 1), STUDY_ROOT_FIND, identifier), start=1
    ):
        if number > _MOST_ANSWERS or len(match) > MAX_IDENTIFIER_BYTES:
            raise Unavailable("The node answers without end.", code="endless")
        try:
            yield read_identifier(match, transfer_syntax=syntax)
        except Invalid as error:
            raise Unavailable(
                f"The node's answer cannot be read: {error.message}", code="not-answered"
            ) from error


def _is_of(keys: _Keys, study_uid: str) -> bool:
    """Tell whether an answer is of the study: a node that ignores the key answers with others."""
    return str(keys.get("StudyInstanceUID", "")) == study_uid


def number_in(keys: _Keys, keyword: str) -> int | None:
    """Return a count that an answer tells, or None."""
    text = str(keys.get(keyword, "")).strip()
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31 else None
