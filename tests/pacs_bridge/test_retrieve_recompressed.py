"""C-MOVE and C-GET of images that are kept in another lossless form than they came in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE
from storage.mover import Mover
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import CT, ORIGIN
from tests.pacs_bridge.retrieving import (
    RETRIEVER,
    Node,
    associated,
    get,
    identifier,
    know,
    listening,
    move,
)
from tests.storage.pictures import Picture

HTJ2K = "1.2.840.10008.1.2.4.201"
CONTENT = Picture().dataset("1.2.9.1", study="1.2.9")
ASKED = {"StudyInstanceUID": "1.2.9"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house that keeps one image as HTJ2K, which came in explicit VR little endian."""
    with open_house(tmp_path_factory.mktemp("recompressed")) as opened:
        opened.archive.receive(
            CONTENT,
            ORIGIN,
            sop_class_uid=CT,
            sop_instance_uid="1.2.9.1",
            transfer_syntax_uid=EXPLICIT_LE,
        )
        opened.archive.settle()
        opened.people.set_recompression("hammer", "htj2k")
        mover = Mover(opened.archive, quiet_s=0)
        mover.run_once(datetime.now(UTC) + timedelta(seconds=60))
        know(opened, RETRIEVER, "hammer", 0)
        yield opened


@pytest.mark.parametrize(
    ("taken", "sent_in"),
    [
        ((EXPLICIT_LE,), EXPLICIT_LE),
        ((IMPLICIT_LE,), IMPLICIT_LE),
        ((EXPLICIT_LE, HTJ2K), HTJ2K),
    ],
)
def test_it_goes_as_it_came_unless_the_form_that_is_kept_is_taken(
    house: House, taken: tuple[str, ...], sent_in: str
) -> None:
    taker = Node()
    separate = [(CT, (each,)) for each in taken]
    with (
        listening((CT, taken)) as node,
        associated(house, storage=separate, take=taker.take) as association,
    ):
        know(house, "PACS", "hammer", node.port)
        assert move(association, identifier("STUDY", **ASKED))[-1].counts == (None, 1, 0, 0)
        assert get(association, identifier("STUDY", **ASKED))[-1].counts == (None, 1, 0, 0)

    for (arrived,) in (node.arrived, taker.arrived):
        assert arrived.syntax == sent_in
        if sent_in == EXPLICIT_LE:
            assert arrived.dataset == CONTENT
        elif sent_in == IMPLICIT_LE:
            assert Picture().pixels in arrived.dataset
        else:
            assert len(arrived.dataset) < len(CONTENT)
