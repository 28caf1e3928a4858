"""Numbers in words, the same in every analysis; and what a sentence about the microworld begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from .result import Result

MICROWORLD = "In the microworld, whose networks learnt from drawings, "
"""How a sentence about the embedded world begins."""


def is_microworld(result: Result) -> bool:
    """Whether the result is about the embedded world, which everything that is shown must say."""
    return bool(result.provenance.get("microworld")) or "microworld" in result.study


def percent(share: float) -> str:
    """A share in per cent, with one decimal."""
    return f"{100 * share:.1f}"


def two(value: float) -> str:
    """Two decimals."""
    return f"{value:.2f}"


def signed(value: float) -> str:
    """Two decimals with their sign; what rounds to nothing has none."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def beside(claim: pd.Series[Any], show: Callable[[float], str]) -> str:
    """What stands in brackets behind a value: its interval, where there is one, and chance."""
    interval = f"95 % interval {show(claim['low'])} to {show(claim['high'])}, " if claim["low"] == claim["low"] else ""
    return f"({interval}chance {show(claim['chance'])})"
