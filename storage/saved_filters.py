"""What people keep of the worklist under names of their own: their tabs, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from casework.errors import Conflict, Invalid, NotFound
from casework.model import Actor
from casework.saved_filters import MOST_FILTERS, SavedFilter, Wanted, normal_name, read_wanted
from storage.case_rows import AnyRow
from storage.database import Database
from storage.folding import fold_text
from storage.reading_tables import saved_filters

_LEAST_NAMED = 3


class SavedFilters:
    """The saved filters of everybody, each seen by their own person only."""

    _database: Database

    def saved_filters(self, actor: Actor) -> Sequence[SavedFilter]:
        """Return what a person has saved, in their order."""
        with self._database.read() as conn:
            return _of(conn, actor)

    def save_filter(
        self, actor: Actor, name: str, wanted: Wanted, *, is_default: bool = False
    ) -> SavedFilter:
        """Keep a filter under a name, at the end; the same name again is the same filter."""
        name = normal_name(name)
        with self._database.begin() as conn:
            known = _of(conn, actor)
            same = next((each for each in known if each.name == name), None)
            if same is None and len(known) >= MOST_FILTERS:
                raise Conflict(
                    f"You have {MOST_FILTERS} filters. Remove one first.", code="too-many-filters"
                )
            if is_default:
                _no_default(conn, actor)
            values = {"wanted": wanted.asked(), "is_default": is_default}
            if same is None:
                conn.execute(
                    insert(saved_filters).values(
                        actor_id=actor.id, name=name, position=len(known) + 1, **values
                    )
                )
            else:
                conn.execute(
                    update(saved_filters).where(saved_filters.c.id == same.id).values(**values)
                )
            return next(each for each in _of(conn, actor) if each.name == name)

    def change_filter(
        self,
        actor: Actor,
        filter_id: int,
        *,
        name: str | None = None,
        wanted: Wanted | None = None,
        is_default: bool | None = None,
        position: int | None = None,
    ) -> SavedFilter:
        """Change what is given of a filter; `position` counts from 1."""
        with self._database.begin() as conn:
            known = list(_of(conn, actor))
            present = _one(known, filter_id)
            values: dict[str, object] = {}
            if name is not None:
                values["name"] = normal_name(name)
                if any(e.name == values["name"] and e.id != filter_id for e in known):
                    raise Conflict(
                        f"You have a filter {values['name']} already.", code="filter-exists"
                    )
            if wanted is not None:
                values["wanted"] = wanted.asked()
            if is_default is not None:
                _no_default(conn, actor)
                values["is_default"] = is_default
            if values:
                conn.execute(
                    update(saved_filters).where(saved_filters.c.id == filter_id).values(**values)
                )
            if position is not None:
                known.remove(present)
                known.insert(max(0, position - 1), present)
                _put_in_order(conn, [each.id for each in known])
            return _one(_of(conn, actor), filter_id)

    def order_filters(self, actor: Actor, ids: Sequence[int]) -> Sequence[SavedFilter]:
        """Put a person's filters into an order, which names each of them once."""
        with self._database.begin() as conn:
            known = {each.id for each in _of(conn, actor)}
            if known != set(ids) or len(ids) != len(known):
                raise Invalid("Name each of your filters once.", code="bad-order")
            _put_in_order(conn, ids)
            return _of(conn, actor)

    def drop_filter(self, actor: Actor, filter_id: int) -> None:
        """Remove a filter; the cases stay as they are."""
        with self._database.begin() as conn:
            left = [each.id for each in _of(conn, actor) if each.id != filter_id]
            _one(_of(conn, actor), filter_id)
            conn.execute(delete(saved_filters).where(saved_filters.c.id == filter_id))
            _put_in_order(conn, left)


def forget_filters_of(conn: Connection, actor_id: str) -> None:
    """Remove what a person saved, whose access has ended."""
    conn.execute(delete(saved_filters).where(saved_filters.c.actor_id == actor_id))


def forget_filters_naming(conn: Connection, people: Sequence[tuple[str, str]]) -> None:
    """Remove the saved filters whose words name one of some people who are erased, each given by
    number and folded name.
    """
    names = {part for _, name in people for part in _parts(name)}
    numbers = [number for number, _ in people if number]
    for row in conn.execute(select(saved_filters.c.id, saved_filters.c.wanted)).all():
        words = fold_text(str(row.wanted.get("q", ""))).replace(",", " ").split()
        if any(
            len(word) >= _LEAST_NAMED
            and (
                any(part.startswith(word) for part in names)
                or any(number.casefold().startswith(word) for number in numbers)
            )
            for word in words
        ):
            conn.execute(delete(saved_filters).where(saved_filters.c.id == row.id))


def _parts(folded_name: str) -> list[str]:
    return folded_name.replace("^", " ").replace("-", " ").split()


def _of(conn: Connection, actor: Actor) -> Sequence[SavedFilter]:
    asked = (
        select(saved_filters)
        .where(saved_filters.c.actor_id == actor.id)
        .order_by(saved_filters.c.position, saved_filters.c.id)
    )
    return [_saved(row) for row in conn.execute(asked)]


def _saved(row: AnyRow) -> SavedFilter:
    return SavedFilter(row.id, row.name, read_wanted(row.wanted), row.is_default)


def _one(known: Sequence[SavedFilter], filter_id: int) -> SavedFilter:
    found = next((each for each in known if each.id == filter_id), None)
    if found is None:
        raise NotFound(f"You have no filter {filter_id}.", code="no-such-filter")
    return found


def _no_default(conn: Connection, actor: Actor) -> None:
    conn.execute(
        update(saved_filters).where(saved_filters.c.actor_id == actor.id).values(is_default=False)
    )


def _put_in_order(conn: Connection, ids: Sequence[int]) -> None:
    for position, filter_id in enumerate(ids, start=1):
        conn.execute(
            update(saved_filters).where(saved_filters.c.id == filter_id).values(position=position)
        )
