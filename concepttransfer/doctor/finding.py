"""What was looked at, what was found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: `libraries`, `devices`, `language`, `cache`, `plug-ins`, `weights`, `data` or `size`.
        what: the thing.
        state: fine; usable, but worse than it could be; or missing, so that something will not run.
        found: what is there.
        remedy: what to do, in one line; empty if nothing need be done.
    """

    area: str
    what: str
    state: State
    found: str
    remedy: str = ""

    @classmethod
    def ok(cls, area: str, what: str, found: str) -> Finding:
        """A thing that is as it should be."""
        return cls(area, what, State.OK, found)

    @classmethod
    def warning(cls, area: str, what: str, found: str, remedy: str) -> Finding:
        """A thing that works, but not as it could."""
        return cls(area, what, State.WARNING, found, remedy)

    @classmethod
    def missing(cls, area: str, what: str, found: str, remedy: str) -> Finding:
        """A thing without which something does not run."""
        return cls(area, what, State.MISSING, found, remedy)
