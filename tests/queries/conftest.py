"""An exchange with the objects of `stored`, one for each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.queries.stored import Exchange, fill, open_exchange


@pytest.fixture(scope="package")
def exchange(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Exchange]:
    """Give an exchange that holds everything; nothing is added to it."""
    with open_exchange(tmp_path_factory.mktemp("queries"), server=database_server) as opened:
        fill(opened)
        yield opened
