"""The answer in a sentence, however many encoders there are: the highest and the lowest, and the random controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..statistics.claims import is_random
from .wording import MICROWORLD, beside, is_microworld

if TYPE_CHECKING:
    import pandas as pd

    from .result import Result

FEW = 3
"""So many encoders are each named."""
SURE = 0.05
"""A q below it counts as above chance."""


@dataclass(frozen=True)
class Ranked:
    """A measure by which encoders are ranked.

    Attributes:
        words: what the value is of, such as `of pictures named right`.
        show: a value in figures.
        unit: behind the value, such as ` %`.
        claim: the claim about an encoder.
    """

    words: str
    show: Callable[[float], str]
    unit: str
    claim: Callable[[str], pd.Series[Any]]

    def value(self, encoder: str) -> str:
        """`48.2 % (95 % interval 40.1 to 56.0, chance 2.0)`."""
        claim = self.claim(encoder)
        return f"{self.show(claim['value'])}{self.unit} {beside(claim, self.show)}"


def answer(result: Result, ranked: Ranked, rows: str = "pictures") -> str:
    """Who is first and last among the encoders that learnt, and how far the random controls come.

    Args:
        result: whose encoders are ranked.
        ranked: by what.
        rows: what n counts.
    """
    known = [encoder for encoder in result.encoders if ranked.claim(encoder)["value"] == ranked.claim(encoder)["value"]]
    start = MICROWORLD if is_microworld(result) else ""
    if not known:
        return f"{start}nothing could be measured."
    ordered = sorted(known, key=lambda encoder: -ranked.claim(encoder)["value"])
    learnt = [encoder for encoder in ordered if not is_random(encoder)] or ordered
    controls = [encoder for encoder in ordered if is_random(encoder) and encoder not in learnt]
    said = f"{start}{ranked.words}: {_learnt(ranked, learnt)}.{_controls(ranked, controls)}"
    said += f" n = {int(ranked.claim(ordered[0])['n']):,} {rows}{_above(ranked, ordered)}."
    return said[:1].upper() + said[1:]


def _learnt(ranked: Ranked, encoders: list[str]) -> str:
    if len(encoders) <= FEW:
        return "; ".join(f"{encoder} {ranked.value(encoder)}" for encoder in encoders)
    most, least = encoders[0], encoders[-1]
    lowest = f"{least} is lowest of {len(encoders)} with {ranked.value(least)}"
    return f"{most} is highest with {ranked.value(most)}; {lowest}"


def _controls(ranked: Ranked, controls: list[str]) -> str:
    if not controls:
        return ""
    which = "The random control" if len(controls) == 1 else f"The best of {len(controls)} random controls"
    return f" {which}, {controls[0]}, has {ranked.value(controls[0])}."


def _above(ranked: Ranked, encoders: list[str]) -> str:
    claims = [ranked.claim(encoder) for encoder in encoders]
    tested = [claim for claim in claims if claim["q"] == claim["q"]]
    if not tested:
        return ", too few to test"
    above = sum(bool(claim["q"] < SURE and claim["value"] > claim["chance"]) for claim in tested)
    if len(tested) == 1:
        return f"; {'above' if above else 'not surely above'} chance (q {'<' if above else '≥'} {SURE})"
    every = f"all {above}" if above == len(tested) else f"{above or 'none'} of {len(tested)}"
    return f"; {every} encoders {'is' if above < 2 else 'are'} above chance (q < {SURE})"
