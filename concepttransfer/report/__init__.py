"""Saved results become one page that needs nothing else: no network, no model, no torch."""

from __future__ import annotations

from typing import Any

from .page import build

__all__ = ["build", "report_study"]


def __getattr__(name: str) -> Any:
    """`report_study` runs analyses: what that takes is loaded only when it is asked for."""
    if name != "report_study":
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    from .whole import report_study

    return report_study
