"""Fetches one earlier study from a node: by C-GET where that is offered, else by C-MOVE to us.

Either way it comes through the one intake, and only what is missing is asked for. When it is
fetched, and whether again, others decide.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from casework.custody import Door, Origin
from casework.errors import Conflict, Refused, Unavailable
from casework.model import ApplicationEntity
from lysbro.wiring import Parts
from pacs_bridge.dimse import Command
from pacs_bridge.fetching import Fetcher, Told, fetching, some_objects, whole_study
from pacs_bridge.prior_contexts import pairs_to_get
from pacs_bridge.prior_finding import Calling, objects_at
from storage.archive import Intake
from storage.header import Header
from storage.levels import text_of
from storage.prior_queue import PriorFetch

log = structlog.get_logger()

_INDEXED_S = 15.0  # until what the receiver has acknowledged is in the index, at most
_LOOK_S = 0.1
_UNKNOWN_DESTINATION = 0xA801
_BROKEN_OFF = frozenset({"aborted", "gone"})

_Identifiers = Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class PriorFetching:
    """One study on its way from one node."""

    parts: Parts
    fetch: PriorFetch
    node: ApplicationEntity
    calling: Calling
    lease_s: float

    def run(self) -> None:
        """Fetch what is missing of the study and note that it is here; raise when it is not."""
        fetch, before = self.fetch, self._here()
        wanted: _Identifiers = whole_study(fetch.study_uid)
        if before:  # an attempt before this one was cut off, or something had come already
            missing = self._missing(before)
            if not missing:
                self._done(len(before))
                return
            wanted = some_objects(fetch.study_uid, missing)
        was_moved, why = self._carried(wanted)
        have = self._settled(at_least=fetch.expected_instances or 0, was_moved=was_moved)
        self._require_person()
        missing = {}
        if fetch.expected_instances is None or len(have) < fetch.expected_instances:
            missing = self._missing(have)
        if missing:
            raise Refused(
                f"{fetch.node} has given {len(have)} of the {len(have) + len(missing)} objects of "
                f"the study{why}.",
                code="incomplete",
            )
        self._done(len(have))

    def _carried(self, wanted: _Identifiers) -> tuple[bool, str]:
        """Have everything sent; tell whether by C-MOVE, and why something was not kept.

        A node that offers C-GET and then breaks off, or leaves something out, is asked to move it.
        """
        fetch, begin = self.fetch, self._begin()
        try:
            with fetching(
                self.node, pairs_to_get(fetch.modalities), calling=self.calling, begin=begin
            ) as peer:
                if not peer.offers_get:
                    self._move(peer, wanted)
                    return True, ""
                told = [peer.get(keys, progress=self._progress()) for keys in wanted]
                self._tell("C-GET", told)
                is_whole = not any(each.status or each.failed for each in told)
                if (is_whole and peer.kept.objects) or not peer.offers_move:
                    return False, _why(peer)
        except Unavailable as error:
            if error.code not in _BROKEN_OFF:
                raise
            log.info("C-GET broken off", node=fetch.node, study=fetch.study_uid, why=error.message)
        have = self._settled(at_least=0, was_moved=False)
        if have:  # what C-GET has brought is not moved again
            wanted = some_objects(fetch.study_uid, self._missing(have))
        with fetching(self.node, (), calling=self.calling, begin=begin) as peer:
            self._move(peer, wanted)
        return True, ""

    def _move(self, peer: Fetcher, wanted: _Identifiers) -> None:
        """Have everything sent to our own receiver."""
        fetch, own = self.fetch, self.calling.title
        if not peer.offers_move:
            raise Refused(
                f"{fetch.node} lets us fetch nothing: no C-GET, no C-MOVE.", code="no-way"
            )
        self.parts.prior_queue.moving(fetch, lease_s=self.lease_s)
        try:
            told = [peer.move(keys, destination=own, progress=self._progress()) for keys in wanted]
        finally:
            self.parts.prior_queue.moved(fetch)
        self._tell("C-MOVE", told)
        if any(each.status == _UNKNOWN_DESTINATION for each in told):
            raise Refused(
                f"{fetch.node} does not know {own} as a destination. Have its address entered "
                "there.",
                code="unknown-destination",
            )
        bad = next((each for each in told if each.status and not each.completed), None)
        if bad is not None:
            said = f", {bad.comment}" if bad.comment else ""
            raise Refused(
                f"{fetch.node} did not send the study: status {bad.status:04X}{said}.",
                code="not-sent",
            )

    def _begin(self) -> Callable[[Command, str], Intake]:
        """Return what takes in an object of the study, and refuses one that is of another."""
        fetch, node = self.fetch, self.node
        origin = Origin(
            site=fetch.site,
            door=Door.PRIOR,
            calling_ae=node.title,
            called_ae=self.calling.title,
            peer=f"{node.host}:{node.port}",
            association=secrets.token_hex(8),
        )

        def require(header: Header) -> None:
            number = text_of(header.attributes, "PatientID").strip()
            if header.study_uid != fetch.study_uid or number != fetch.patient_id.strip():
                raise Refused("It is of another study, or of another patient.", code="not-asked")

        def begin(command: Command, transfer_syntax: str) -> Intake:
            return self.parts.archive.begin(
                origin,
                sop_class_uid=command.affected_class,
                sop_instance_uid=command.affected_instance,
                transfer_syntax_uid=transfer_syntax,
                require=require,
            )

        return begin

    def _here(self) -> frozenset[str]:
        return self.parts.prior_queue.here(self.fetch)

    def _missing(self, have: Collection[str]) -> Mapping[str, str]:
        listed = objects_at(self.node, self.fetch.study_uid, calling=self.calling)
        return {uid: series for uid, series in listed.items() if uid not in have}

    def _settled(self, *, at_least: int, was_moved: bool) -> frozenset[str]:
        """Return what is in the index, once what was acknowledged can be there."""
        self.parts.archive.settle()
        until = time.monotonic() + (_INDEXED_S if was_moved else 0.0)
        while True:
            have = self._here()
            if len(have) >= max(1, at_least) or time.monotonic() >= until:
                return have
            time.sleep(_LOOK_S)

    def _require_person(self) -> None:
        """Raise Conflict when what has come by C-MOVE is of another patient than was told."""
        number = self.parts.prior_queue.patient_of(self.fetch)
        if number is not None and number.strip() != self.fetch.patient_id.strip():
            raise Conflict(
                f"What {self.fetch.node} sent is of another patient than it had told. It is kept "
                "as it came, and is listed for no case of this one. Tell the site.",
                code="other-patient",
            )

    def _done(self, have: int) -> None:
        fetch, remark = self.fetch, ""
        if fetch.expected_instances and have < fetch.expected_instances:
            remark = (
                f"{fetch.node} has given {have} of the {fetch.expected_instances} images that it "
                "had told of, and has no more."
            )
        self.parts.prior_queue.fetched(fetch, remark=remark)
        log.info("earlier study fetched", node=fetch.node, study=fetch.study_uid, instances=have)

    def _progress(self) -> Callable[[], None]:
        """Return what keeps the lease while objects come."""
        extended = time.monotonic()

        def progress() -> None:
            nonlocal extended
            now = time.monotonic()
            if now - extended > self.lease_s / 3:
                extended = now
                self.parts.prior_queue.extend_lease(self.fetch, lease_s=self.lease_s)

        return progress

    def _tell(self, way: str, told: Sequence[Told]) -> None:
        log.info(
            f"fetched by {way}",
            node=self.fetch.node,
            study=self.fetch.study_uid,
            completed=sum(each.completed for each in told),
            failed=sum(each.failed for each in told),
            status=max((each.status for each in told), default=0),
        )


def _why(peer: Fetcher) -> str:
    return f" ({peer.kept.refused[-1].rstrip('.')})" if peer.kept.refused else ""
