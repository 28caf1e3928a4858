"""Naming errors in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent, two

from . import estimates as est

if TYPE_CHECKING:
    from ..awa_errors import AwaErrors


def sentence(result: AwaErrors) -> str:
    """For each encoder: share named right, and nearness of the wrong names, with interval, chance and n."""
    parts = [_of_encoder(result, encoder) for encoder in result.encoders]
    start = MICROWORLD if is_microworld(result) else ""
    missed = result.provenance.get("pictures_not_scored", 0)
    end = f" {missed} captioned pictures have no known class and are left out." if missed else ""
    return f"{start}{'; '.join(parts)}.{end}"


def _of_encoder(result: AwaErrors, encoder: str) -> str:
    right = result.claim(encoder, est.RIGHT)
    seeds = f" (mean of {right['n_seeds']} seeds)" if right["n_seeds"] > 1 else ""
    said = f"{encoder} names {percent(right['value'])} % of {right['n']} pictures right{seeds} {beside(right, percent)}"
    wup, overlap = result.claim(encoder, est.WUP), result.claim(encoder, est.OVERLAP)
    if pd.isna(wup["value"]):
        return f"{said} and none wrongly"
    said += f", and its wrong names of {wup['n']} pictures have a Wu-Palmer similarity of {two(wup['value'])} "
    said += beside(wup, two)
    if pd.notna(overlap["value"]):
        said += f" and {two(overlap['value'])} of the true class's attributes {beside(overlap, two)}"
    return said + (" (too few for a p)" if pd.isna(wup["p"]) else "")


def answer(result: AwaErrors) -> str:
    """Who names most and fewest pictures right; for the first also how near its wrong names are."""
    ranked = Ranked("pictures named right", percent, " %", lambda encoder: result.claim(encoder, est.RIGHT))
    best = max(result.encoders, key=lambda encoder: result.claim(encoder, est.RIGHT)["value"])
    near = result.claim(best, est.WUP)
    if pd.isna(near["value"]):
        return ranking.answer(result, ranked)
    wrong = (
        f" Wrong names by {best} have a Wu-Palmer similarity to the truth of {two(near['value'])} {beside(near, two)}."
    )
    return ranking.answer(result, ranked) + wrong


def headline(result: AwaErrors) -> pd.DataFrame:
    """A row an encoder; published values stand beside, where there are any."""
    frame = pd.DataFrame([_row(result, encoder) for encoder in result.encoders])
    return frame.dropna(axis="columns", how="all")


def _row(result: AwaErrors, encoder: str) -> dict[str, Any]:
    right = result.claim(encoder, est.RIGHT)
    return {
        "encoder": encoder,
        "pictures": int(right["n"]),
        "named right, %": round(100 * right["value"], 1),
        "95 % interval": f"{percent(right['low'])} to {percent(right['high'])}" if pd.notna(right["low"]) else None,
        "chance, %": round(100 * right["chance"], 1),
        "published, %": 100 * result.published(encoder, est.RIGHT),
        "Wu-Palmer of wrong names (chance; uniform)": _near(result, encoder, est.WUP),
        "attributes shared (chance; uniform)": _near(result, encoder, est.OVERLAP),
    }


def _near(result: AwaErrors, encoder: str, measure: str) -> str | None:
    claim, published = result.claim(encoder, measure), result.published(encoder, measure)
    if pd.isna(claim["value"]):
        return None
    uniform = result.claim(est.UNIFORM, measure, group="")["value"]
    return f"{two(claim['value'])} ({two(claim['chance'])}; {two(uniform)})" + (
        f", published {two(published)}" if pd.notna(published) else ""
    )
