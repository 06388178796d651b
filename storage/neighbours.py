"""Reads small objects that lie near each other in a pack at once, and hashes each.

A call for each would be slow over a network. Says only which are sound; why others are not, whoever
looks at one alone finds out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from casework.errors import NotFound, Unavailable
from storage.journal import new_digest
from storage.objects import ObjectStore
from storage.rows import InstanceRow
from storage.tables import IN_PACK

_AT_ONCE_BYTES = 8 << 20


def read_together(
    store: ObjectStore, found: Iterable[InstanceRow]
) -> Iterator[tuple[InstanceRow, bool]]:
    """Yield each instance, in the order given, and whether it was read and is sound."""
    for run in _neighbours(found):
        held = _read_run(store, run) if len(run) > 1 else {}
        for instance in run:
            data = held.get(instance.pk)
            yield instance, data is not None and _is_sound(instance, data)


def _neighbours(found: Iterable[InstanceRow]) -> Iterator[list[InstanceRow]]:
    """Yield instances that lie near each other in one pack together, the others alone."""
    run: list[InstanceRow] = []
    for instance in found:
        where = instance.location
        if run and not (
            where.where == IN_PACK
            and where.container == run[0].location.container
            and where.offset >= run[0].location.offset
            and where.offset + where.length - run[0].location.offset <= _AT_ONCE_BYTES
        ):
            yield run
            run = []
        run.append(instance)
    if run:
        yield run


def _read_run(store: ObjectStore, run: Sequence[InstanceRow]) -> dict[int, memoryview]:
    """Return the bytes of neighbours by one reading; nothing when that fails."""
    first, last = run[0].location, run[-1].location
    length = last.offset + last.length - first.offset
    try:
        with store.open_range(first.container, first.offset, length) as stream:
            data = memoryview(stream.read())
    except (NotFound, OSError, Unavailable):
        return {}
    return {
        each.pk: data[start : start + each.location.length]
        for each in run
        for start in [each.location.offset - first.offset]
    }


def _is_sound(instance: InstanceRow, data: memoryview) -> bool:
    if instance.received is not None:  # what it gives back has to be looked at, too
        return False
    digest = new_digest(instance.transfer_syntax_uid)
    content = data[instance.location.dataset_offset :]
    digest.update(content)
    return digest.hexdigest() == instance.bytes_sha256 and len(content) == instance.size_bytes
