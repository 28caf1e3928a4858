"""What a benchmark measured, and what it was to reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

KEYS = ("name", "unit", "ours", "baseline", "ratio", "goal", "met", "machine", "versions", "date")
"""What each entry of a results file says, in this order."""

_COMPARED = {"ratio": "ours / baseline", "ours": "ours", "difference": "ours - baseline"}


@dataclass(frozen=True)
class Goal:
    """A bound for the ratio, for ours, or for how much ours is above the baseline."""

    of: Literal["ratio", "ours", "difference"]
    sense: Literal[">=", "<="]
    bound: float

    def met(self, ours: float, baseline: float) -> bool:
        """Is it reached?"""
        value = {"ratio": ours / baseline, "ours": ours, "difference": ours - baseline}[self.of]
        return value >= self.bound if self.sense == ">=" else value <= self.bound

    def __str__(self) -> str:
        return f"{_COMPARED[self.of]} {self.sense} {self.bound:g}"


@dataclass(frozen=True)
class Measurement:
    """One figure of both sides. What has no goal is told for information.

    Attributes:
        name: what was measured, with what makes it comparable.
        unit: of `ours` and `baseline`.
        ours, baseline: of that pair of runs whose ratio is the median.
        goal: or None.
    """

    name: str
    unit: str
    ours: float
    baseline: float
    goal: Goal | None = None

    @property
    def ratio(self) -> float:
        """Ours over the baseline."""
        return self.ours / self.baseline

    @property
    def met(self) -> bool | None:
        """Is the goal reached? None without one."""
        return None if self.goal is None else self.goal.met(self.ours, self.baseline)

    def entry(self, machine: str, versions: dict[str, str], date: str) -> dict[str, Any]:
        """As it is written to a results file."""
        goal = None if self.goal is None else str(self.goal)
        figures = (round(value, 4) for value in (self.ours, self.baseline, self.ratio))
        values = (self.name, self.unit, *figures, goal, self.met, machine, versions, date)
        return dict(zip(KEYS, values, strict=True))


def rate(name: str, unit: str, n: int, ours: float, baseline: float, goal: Goal | None) -> Measurement:
    """`n` things a second, from the seconds that both sides took for them."""
    return Measurement(name, unit, n / ours, n / baseline, goal)


def at_least(ratio: float) -> Goal:
    """Ours over the baseline is to be so much or more."""
    return Goal("ratio", ">=", ratio)


def at_most(ratio: float) -> Goal:
    """Ours over the baseline is to be so much or less."""
    return Goal("ratio", "<=", ratio)
