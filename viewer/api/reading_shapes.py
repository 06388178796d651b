"""What the API answers of second readings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from casework.model import Reading
from viewer.api.calls import Answer


class ReadingShape(Answer):
    """A second reading."""

    state: str = Field(description="asked, taken, signed or dropped")
    blinded: bool
    asked_by: str
    asked_at: datetime
    note: str
    asked_of: str = Field(description="empty: of any colleague")
    reader: str
    taken_until: datetime | None
    signed_at: datetime | None
    content: dict[str, Any] | None = Field(description="once it is signed")
    after_version: int = Field(description="of the reply that there was; 0: before the reply")
    compared_with: str
    comparison: str = Field(description="agree, minor, major, or empty")
    comparison_text: str
    compared_by: str
    compared_at: datetime | None
    decided_by: str = Field(description="the third, who signed after a major difference")

    @classmethod
    def of(cls, reading: Reading) -> ReadingShape:
        """Return the shape of a second reading."""
        return cls(
            state=reading.state,
            blinded=reading.is_blinded,
            asked_by=reading.asked_by,
            asked_at=reading.asked_at,
            note=reading.note,
            asked_of=reading.wanted_name,
            reader=reading.reader_name,
            taken_until=reading.taken_until,
            signed_at=reading.signed_at,
            content=None if reading.content is None else dict(reading.content),
            after_version=reading.after_version,
            compared_with=reading.first_name,
            comparison=reading.comparison,
            comparison_text=reading.comparison_text,
            compared_by=reading.compared_by,
            compared_at=reading.compared_at,
            decided_by=reading.decided_by,
        )
