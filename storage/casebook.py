"""The casebook's one face: cases from referral to read reply, put together from its parts."""

from __future__ import annotations

from storage.drafting import Drafting
from storage.histories import Histories
from storage.lesion_steps import LesionSteps
from storage.outcomes import Outcomes
from storage.referring import Referring
from storage.saved_filters import SavedFilters
from storage.second_readings import SecondReadings
from storage.workitem_making import WorkItemMaking
from storage.workitem_steps import WorkItems
from storage.worklist_board import Boards


class Casebook(
    Referring, LesionSteps, Drafting, WorkItemMaking, WorkItems, SecondReadings, Outcomes,
    Histories, SavedFilters, Boards,
):  # fmt: skip
    """The cases of one exchange: read them, refer, move them along, sign; and all as work items.

    Each verb is one transaction: who may is asked of `casework.access`, what follows of
    `casework.lifecycle`, and the row changes only if it is still as it was read.
    """
