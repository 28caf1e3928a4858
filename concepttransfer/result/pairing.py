"""Which measures of a Result are means over rows of its table, so that two encoders can be compared row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Paired:
    """One such measure, and where its parts stand in the table.

    Attributes:
        measure: as `Result.estimates` names it.
        column: what is summed over rows; a row where it is missing does not count.
        over: columns whose sum it is divided by; none: the number of rows that count.
        times: what the ratio is multiplied by.
        cluster: the column that says which rows are drawn together, such as `class`; empty: each row by itself.
        where: column -> the value that a row must have to belong to this measure.
        low, high: between which it lies by its nature.
        both: added to the measure's name where two encoders are compared: over the rows that count for both.
    """

    measure: str
    column: str
    over: tuple[str, ...] = ()
    times: float = 1.0
    cluster: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    low: float = 0.0
    high: float = 1.0
    both: str = ""

    @property
    def between(self) -> str:
        """The name of the measure where two encoders are compared."""
        return self.measure + self.both
