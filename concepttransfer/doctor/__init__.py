"""Is everything here that a run needs? Each thing is looked at as it would be used, and comes with its remedy."""

from .examination import examine
from .finding import Finding, State

__all__ = ["Finding", "State", "examine"]
