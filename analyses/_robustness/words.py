"""Effective robustness in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result.wording import MICROWORLD, is_microworld, percent
from concepttransfer.statistics.claims import is_random

from .._zero_shot.words import left_out
from .._zero_shot_probe.words import points
from . import claims

if TYPE_CHECKING:
    from ..robustness import Robustness


def sentence(result: Robustness) -> str:
    """The line of each shifted set, and how far above it each classifier lies, with interval and n."""
    start = MICROWORLD if is_microworld(result) else ""
    lines = []
    for on in result.shifted:
        slope = result.about(on, claims.LINE, claims.SLOPE)
        ends = (
            f" (95 % interval {slope['low']:.2f} to {slope['high']:.2f})" if pd.notna(slope["low"]) else ", held at 1"
        )
        lines.append(f"{on} has a slope of {slope['value']:.2f}{ends}")
    n = result.provenance["n_ordinary"]
    said = f"{start}the line of {n} probes on logit axes from {result.plain} to {'; '.join(lines)}."
    for encoder, how in result.systems:
        parts = [_on(result, encoder, how, on) for on in result.shifted]
        if parts := [part for part in parts if part]:
            said += (
                f" {encoder}, {how}, {percent(result.about(result.plain, encoder, how)['value'])} % on plain pictures: "
            )
            said += "; ".join(parts) + "."
    return said[:1].upper() + said[1:] + f" Chance of an effective robustness is 0.{left_out(result)}"


def _on(result: Robustness, encoder: str, how: str, on: str) -> str:
    found, level = result.about(on, encoder, claims.EFFECTIVE + how), result.about(on, encoder, how)
    if pd.isna(found["value"]):
        return ""
    return f"{percent(level['value'])} % of {level['n']} on {on}, {points(found)} from the line"


def answer(result: Robustness) -> str:
    """How far the zero-shot classifiers that learnt lie above the line, on average over shifted sets."""
    start = MICROWORLD if is_microworld(result) else ""
    on = claims.EVERY if len(result.shifted) > 1 else result.shifted[0]
    zero = [encoder for encoder, how in result.systems if how == claims.ZERO_SHOT]
    learnt = [encoder for encoder in zero if not is_random(encoder)] or zero
    parts = []
    for encoder, how in [(one, claims.ZERO_SHOT) for one in learnt] or list(result.systems):
        found = result.about(on, encoder, claims.EFFECTIVE + how)
        if pd.notna(found["value"]):
            parts.append(f"{encoder} {how} is {points(found)} from the line of probes")
    what = f"the mean of {len(result.shifted)} shifted sets" if len(result.shifted) > 1 else on
    n = result.about(result.shifted[0], *result.systems[0])["n"]
    said = "; ".join(parts) or "no line can be fitted"
    return f"{start}{said}, on {what} (n = {int(n):,} pictures each; 0: as robust as a probe).{left_out(result)}"


def headline(result: Robustness) -> pd.DataFrame:
    """A row a classifier: accuracy on plain pictures, and on each shifted set accuracy and effective robustness."""
    rows = []
    for encoder, how in result.systems:
        row: dict[str, Any] = {"encoder": encoder, "classifier": how}
        row[f"{result.plain}, %"] = round(100 * result.about(result.plain, encoder, how)["value"], 1)
        for on in result.shifted:
            level, found = result.about(on, encoder, how), result.about(on, encoder, claims.EFFECTIVE + how)
            robust = f" ({points(found)})" if pd.notna(found["value"]) else ""
            row[f"{on}, % (above the line)"] = f"{percent(level['value'])}{robust}"
        rows.append(row)
    return pd.DataFrame(rows)
