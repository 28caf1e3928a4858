"""What an analysis gives back: tables, figures, words, and what of it can be compared or pointed at."""

from __future__ import annotations

from .result import ESTIMATES, Result

__all__ = ["ESTIMATES", "Result"]
