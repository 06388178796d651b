"""Which table is in a backup of the casebook, which a rebuild derives, and which is left out.

The one place where this stands; a test fails when a table is in none of the lists. No queries.
"""

from __future__ import annotations

from sqlalchemy import Table

from storage import casebook_tables as book
from storage import erasure_tables as erasure
from storage import order_tables as ordering
from storage import photo_tables as photo
from storage import prior_tables as prior
from storage import tables as index

WHOLE: tuple[Table, ...] = (
    book.sites,
    book.site_quotas,
    book.aes,
    book.site_certificates,
    book.users,
    book.tokens,
    book.cases,
    book.case_studies,
    book.messages,
    book.reports,
    book.jobs,
    book.sent_instances,
    book.promises,
    book.destinations,
    book.routes,
    book.reply_channels,
    book.commitments,
    book.commitment_items,
    book.captures,
    book.outcomes,
    book.reading_preferences,
    book.draft_keys,
    book.queue_keys,
    book.lesions,
    photo.devices,
    photo.photographs,
    book.workitems,
    book.workitem_subscribers,
    book.workitem_subscriptions,
    ordering.orders,
    ordering.order_steps,
    ordering.order_stations,
    ordering.hl7_senders,
    book.audit,
    book.audit_head,
    index.completeness_evidence,
    index.sender_questions,
    index.performed_steps,
    erasure.erasures,
    erasure.erased_cases,
    erasure.legal_holds,
    erasure.retention_rules,
    index.recompressions,
    prior.prior_rules,
    prior.prior_questions,
    prior.prior_answers,
    prior.prior_fetches,
)
"""Backed up as they are, and put back in this order: what is referred to comes first."""

IN_PART: tuple[Table, ...] = (index.studies, index.instances, index.packs, index.custody)
"""Derived from the packs, with what these cannot know taken from the backup: how complete a study
was judged, how a conflict was settled, when a pack was put, what happened to an instance since."""

DERIVED: tuple[Table, ...] = (index.patients, index.series, index.copies, index.site_usage)
"""Derived from the packs alone."""

LEFT_OUT: tuple[Table, ...] = (
    book.sessions,  # everybody signs in again
    book.sign_in_failures,
    ordering.hl7_messages,  # their senders were told, and send again what was refused
    index.segments,  # of one node's spool, which tells itself
    index.pack_intents,  # of a process that is gone
    index.nodes,  # each says again that it is there
    index.turns,  # of a process that is gone
    index.rebuild_runs,
    index.rebuild_packs,
    erasure.erasing_instances,  # within one transaction only
    erasure.erasure_objects,  # of an erasure that has begun; its tombstone in the store is enough
    erasure.erasure_studies,
    erasure.erasure_packs,
    erasure.erasure_nodes,
    index.mirror_objects,  # the mirror is looked at again
    index.mirror_reads,
)
"""Of a moment, and of no use to another database."""
