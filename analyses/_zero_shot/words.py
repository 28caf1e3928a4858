"""Zero-shot accuracy in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent

from . import claims

if TYPE_CHECKING:
    from ..zero_shot import ZeroShot


def sentence(result: ZeroShot) -> str:
    """For each encoder top-1, top-5, mean per class and calibration error, with interval, chance and n."""
    parts = [_of_encoder(result, encoder) for encoder in result.encoders]
    start = MICROWORLD if is_microworld(result) else ""
    return f"{start}{'; '.join(parts)}.{left_out(result)}"


def answer(result: ZeroShot) -> str:
    """Whose texts name most and fewest pictures."""
    ranked = Ranked("pictures whose class a text names", percent, " %", lambda e: result.claim(e, claims.TOP1))
    return ranking.answer(result, ranked) + left_out(result)


def left_out(result: Any) -> str:
    """What was not measured, and why."""
    said = ""
    if reasons := result.provenance.get("left_out"):
        each = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        said += f" Left out: {each}."
    if missed := result.provenance.get("pictures_not_named"):
        said += f" {missed} pictures have no known class and are left out."
    if cut := result.provenance.get("texts_cut"):
        said += f" {cut} texts were longer than a text tower reads and were cut."
    return said


def _of_encoder(result: ZeroShot, encoder: str) -> str:
    top1 = result.claim(encoder, claims.TOP1)
    said = f"{encoder} names {percent(top1['value'])} % of {top1['n']} pictures by their nearest class name "
    said += beside(top1, percent)
    five, mean = result.claim(encoder, claims.TOP5), result.claim(encoder, claims.PER_CLASS)
    if pd.notna(five["value"]):
        said += f", {percent(five['value'])} % by one of five {beside(five, percent)}"
    said += f", {percent(mean['value'])} % as a mean of {mean['n_clusters']} classes {beside(mean, percent)}"
    error = result.claim(encoder, claims.ERROR)
    return said + f"; its probabilities are off by {percent(error['value'])} points {_calibrated(error)}"


def _calibrated(error: pd.Series[Any]) -> str:
    interval = f"95 % interval {percent(error['low'])} to {percent(error['high'])}, " if pd.notna(error["low"]) else ""
    return f"({interval}calibrated {percent(error['chance'])})"


def headline(result: ZeroShot) -> pd.DataFrame:
    """A row an encoder."""
    return pd.DataFrame([_row(result, encoder) for encoder in result.encoders]).dropna(axis="columns", how="all")


def _row(result: ZeroShot, encoder: str) -> dict[str, Any]:
    top1 = result.claim(encoder, claims.TOP1)
    row: dict[str, Any] = {
        "encoder": encoder,
        "templates": f"{result.provenance['templates'][encoder]} ({result.provenance['n_templates'][encoder]})",
        "pictures": int(top1["n"]),
    }
    for measure in (claims.TOP1, claims.TOP5, claims.PER_CLASS):
        row |= _shown(result.claim(encoder, measure), measure)
    error = result.claim(encoder, claims.ERROR)
    row["calibration error (calibrated), points"] = f"{percent(error['value'])} ({percent(error['chance'])})"
    return row


def _shown(claim: pd.Series[Any], measure: str) -> dict[str, Any]:
    if pd.isna(claim["value"]):
        return {f"{measure}, %": None}
    interval = f" ({percent(claim['low'])} to {percent(claim['high'])})" if pd.notna(claim["low"]) else ""
    chance = {f"chance of {measure}, %": round(100 * claim["chance"], 1)}
    return {f"{measure}, %": f"{percent(claim['value'])}{interval}"} | chance
