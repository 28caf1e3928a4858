"""Probes in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, is_microworld, percent, signed, two

from . import attributes as attr
from . import claims

if TYPE_CHECKING:
    from ..linear_probe import LinearProbe

ORDER = (attr.FOLDS, attr.STANDARD, attr.SEEN)


def main_setting(result: LinearProbe) -> str | None:
    """The setting that is spoken of first: held-out classes where there are any."""
    return next((name for name in ORDER if name in result.settings), None)


def sentence(result: LinearProbe) -> str:
    """For each encoder accuracy, average precision of attributes and selectivity, with interval, chance and n."""
    parts = [_of_encoder(result, encoder) for encoder in result.encoders]
    start = MICROWORLD if is_microworld(result) else ""
    return f"{start}{'; '.join(parts)}.{_left_out(result)}"


def answer(result: LinearProbe) -> str:
    """From whose features a probe reads most and fewest classes."""
    ranked = Ranked(
        "pictures whose class a linear probe reads", percent, " %", lambda e: result.claim(e, claims.ACCURACY)
    )
    return ranking.answer(result, ranked)


def _of_encoder(result: LinearProbe, encoder: str) -> str:
    right = result.claim(encoder, claims.ACCURACY)
    seeds = f" (mean of {right['n_seeds']} seeds)" if right["n_seeds"] > 1 else ""
    said = f"a linear probe on {encoder} reads the class of {percent(right['value'])} % of {right['n']} pictures{seeds}"
    said += f" {_beside(right, percent)}"
    setting = main_setting(result)
    level = result.claim(encoder, setting or "")
    if setting is None or pd.isna(level["value"]):
        return said
    selective = result.claim(encoder, setting, against=claims.CONTROL)
    held = "on other pictures of the same classes" if setting == attr.SEEN else "on classes held out"
    said += f", and attributes {held} with a mean average precision of {two(level['value'])} {_beside(level, two)}, "
    said += f"{signed(selective['value'])} above a control task"
    if pd.notna(selective["low"]):
        said += f" (95 % interval {signed(selective['low'])} to {signed(selective['high'])})"
    return said


def _beside(claim: pd.Series[Any], show: Any) -> str:
    interval = f"95 % interval {show(claim['low'])} to {show(claim['high'])}, " if pd.notna(claim["low"]) else ""
    return f"({interval}chance {show(claim['chance'])})"


def _left_out(result: LinearProbe) -> str:
    said = ""
    if missed := result.provenance["pictures_not_probed"]:
        said += f" {missed} test pictures have no known class and are left out."
    if untrained := result.provenance["classes_without_training"]:
        shown = ", ".join(untrained[:3]) + (", ..." if len(untrained) > 3 else "")
        said += f" {len(untrained)} classes have no training picture ({shown}): their pictures count as read wrongly."
    if attr.SEEN in result.settings and attr.FOLDS not in result.settings:
        said += " Too few classes to hold any out: attribute probes are class probes here."
    return said


def headline(result: LinearProbe) -> pd.DataFrame:
    """A row an encoder."""
    return pd.DataFrame([_row(result, encoder) for encoder in result.encoders]).dropna(axis="columns", how="all")


def _row(result: LinearProbe, encoder: str) -> dict[str, Any]:
    right = result.claim(encoder, claims.ACCURACY)
    row = {
        "encoder": encoder,
        "pictures": int(right["n"]),
        "accuracy, %": round(100 * right["value"], 1),
        "95 % interval": f"{percent(right['low'])} to {percent(right['high'])}" if pd.notna(right["low"]) else None,
        "chance, %": round(100 * right["chance"], 1),
    }
    for setting in (name for name in ORDER if name in result.settings):
        level, selective = result.claim(encoder, setting), result.claim(encoder, setting, against=claims.CONTROL)
        said = f"{two(level['value'])} ({two(level['chance'])}; {signed(selective['value'])})"
        row[f"{setting} (chance; selectivity)"] = None if pd.isna(level["value"]) else said
    return row
