"""Where a rehearsal is played: SQLite and a folder, or PostgreSQL and a bucket of a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from storage.testing import empty_url
from tests.postgres import Server as Postgres
from tests.rehearsal.rehearsal import Place
from tests.storage.s3.servers import Server as S3


def embedded(folder: Path) -> Place:
    """Return a place with SQLite in the data folder and a store beside it."""
    return Place(
        folder / "data",
        {"LYSBRO_STORE": str(folder / "store")},
        lambda: "",
        describe="SQLite, a folder",
    )


@contextmanager
def on_servers(folder: Path, postgres: Postgres, s3: S3) -> Iterator[Place]:
    """Give a place with its database and its bucket on servers."""
    with ExitStack() as stack:
        yield Place(
            folder / "data",
            bucket_of(s3),
            databases_of(postgres, folder, stack),
            describe=f"PostgreSQL, S3 ({s3.name})",
        )


def bucket_of(s3: S3) -> dict[str, str]:
    """Make a bucket and return the settings that name it."""
    place = s3.place()
    return {
        "LYSBRO_STORE": f"s3://{place.bucket}",
        "LYSBRO_S3_ENDPOINT": place.endpoint,
        "LYSBRO_S3_ACCESS_KEY": place.access_key,
        "LYSBRO_S3_SECRET_KEY": place.secret_key,
    }


def databases_of(postgres: Postgres, folder: Path, stack: ExitStack) -> Callable[[], str]:
    """Return what makes a new database each time it is called; all are dropped with the stack."""

    def fresh() -> str:
        return stack.enter_context(empty_url(folder, server=postgres.url("postgres")))

    return fresh
