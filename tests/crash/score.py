"""What rounds of kills did and what was wrong after them, by point. Plays nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


@dataclass
class Verdict:
    """What is wrong after a start; each is a promise that was not kept."""

    lost: list[str] = field(default_factory=list)  # acknowledged, without row or bytes
    strangers: list[str] = field(default_factory=list)  # visible, and never sent whole
    twice: list[str] = field(default_factory=list)  # more than one row
    fates: list[str] = field(default_factory=list)  # not what the table of points says
    traces: list[str] = field(default_factory=list)  # a point left nothing where it should
    leftovers: list[str] = field(default_factory=list)  # temporary files
    alarms: list[str] = field(default_factory=list)  # rotten, missing, faults of the database
    slow: list[str] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, list[str]]:
        """Return what is wrong, by kind; empty when all is well."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if value}

    def add(self, other: Verdict) -> None:
        """Take over what another has found."""
        for f in fields(self):
            getattr(self, f.name).extend(getattr(other, f.name))


@dataclass
class Count:
    """What happened at one point."""

    rounds: int = 0
    reached: int = 0
    cuts: int = 0
    acknowledged: int = 0
    adopted: int = 0
    torn: int = 0
    lost: int = 0


@dataclass
class Score:
    """What a campaign did and found."""

    points: dict[str, Count] = field(default_factory=dict)
    kills: int = 0
    verdict: Verdict = field(default_factory=Verdict)

    def of(self, point: str) -> Count:
        """Return the count of a point."""
        return self.points.setdefault(point, Count())

    def add(self, other: Score) -> None:
        """Add another campaign."""
        self.kills += other.kills
        self.verdict.add(other.verdict)
        for name, count in other.points.items():
            mine = self.of(name)
            for f in fields(Count):
                setattr(mine, f.name, getattr(mine, f.name) + getattr(count, f.name))

    def table(self) -> str:
        """Return the counts as a table in Markdown."""
        names = [f.name for f in fields(Count)]
        lines = ["| point | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        total = Count()
        for point, count in self.points.items():
            lines.append(f"| {point} | " + " | ".join(str(getattr(count, n)) for n in names) + " |")
            for n in names:
                setattr(total, n, getattr(total, n) + getattr(count, n))
        lines.append("| all | " + " | ".join(str(getattr(total, n)) for n in names) + " |")
        return "\n".join(lines)
