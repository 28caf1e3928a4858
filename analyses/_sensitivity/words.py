"""Sensitivity in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result.ranking import SURE
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent

from .._prefix_length.scores import CIDER, RIGHT
from .systems import PICTURES, SHIFTED, UNMOVED, System

if TYPE_CHECKING:
    from ..sensitivity import Sensitivity

UNITS = {RIGHT: " % named right", CIDER: " CIDEr-D × 100"}
NO_TEXTS = (
    "none of the systems named learnt from texts, so there is no noise and no shift to compare; give some "
    "`recipe: {reads: texts, feature_adapter: ...}`"
)


def sentence(result: Sensitivity) -> str:
    """Every system by the main score, with what differs from the system without a shift."""
    start = MICROWORLD if is_microworld(result) else ""
    each = "; ".join(_of_system(result, one) for one in result.systems)
    n = result.provenance["pictures"]
    missing = "" if any(one.reads_texts for one in result.systems) else f" {NO_TEXTS[:1].upper()}{NO_TEXTS[1:]}."
    return f"{start}of {n} pictures: {each}.{missing}"


def _of_system(result: Sensitivity, system: System) -> str:
    measure = result.measures[0]
    claim = result.claim(system.name, measure)
    named = f"{system.name} ({system.words})" if system.words != system.name else system.name
    return f"{named} has {percent(claim['value'])}{UNITS[measure]} {beside(claim, percent)}{_change(result, system)}"


def _change(result: Sensitivity, system: System) -> str:
    """`, 3.1 less than close (q .012)`; nothing for the base."""
    base = result.base
    if base is None or base.name == system.name:
        return ""
    change = result.claim(system.name, result.measures[0], against=base.name)
    if pd.isna(change["value"]):
        return ""
    said = "more" if change["value"] > 0 else "less"
    q = f", q {change['q']:.2g}" if pd.notna(change["q"]) else ""
    ends = f"95 % interval of the difference {percent(change['low'])} to {percent(change['high'])}"
    return f", {percent(abs(change['value']))} {said} than {base.name} ({ends}{q})"


def answer(result: Sensitivity) -> str:
    """What noise gives, which shifts take, and how far the upper bound is."""
    start = MICROWORLD if is_microworld(result) else ""
    base = result.base
    if base is None:
        return f"{start}{NO_TEXTS}." if start else f"{NO_TEXTS[:1].upper()}{NO_TEXTS[1:]}."
    said = [_level(result, base)]
    said += [_level(result, one) for one in result.systems if one.kind in UNMOVED and one.name != base.name][:1]
    said += [_level(result, one) for one in result.systems if one.kind == PICTURES][:1]
    text = f"{start}{'; '.join(said)}. {_shifts(result)} n = {result.provenance['pictures']} pictures."
    return text[:1].upper() + text[1:]


def _level(result: Sensitivity, system: System) -> str:
    measure = result.measures[0]
    claim = result.claim(system.name, measure)
    how = "learnt from pictures" if system.kind == PICTURES else f"from texts, {system.words}"
    return f"{system.name} ({how}) {percent(claim['value'])}{UNITS[measure]} {beside(claim, percent)}"


def _shifts(result: Sensitivity) -> str:
    """How many shifts change the main score surely, and by how much the worst."""
    base, measure = result.base, result.measures[0]
    moved = [one for one in result.systems if one.kind in SHIFTED]
    if base is None or not moved:
        return "No shift was tried."
    changes = {one.name: result.claim(one.name, measure, against=base.name) for one in moved}
    sure = sum(bool(change["q"] < SURE) for change in changes.values())
    worst = min(moved, key=lambda one: changes[one.name]["value"])
    low = changes[worst.name]
    ends = f"95 % interval {percent(low['low'])} to {percent(low['high'])}, chance 0"
    return (
        f"Of {len(moved)} shifts {sure or 'none'} surely change that of {base.name} (q < {SURE}); the lowest, "
        f"{worst.words}, by {percent(low['value'])} ({ends})."
    )


def headline(result: Sensitivity) -> pd.DataFrame:
    """A row a system."""
    return pd.DataFrame([_row(result, one) for one in result.systems]).dropna(axis="columns", how="all")


def _row(result: Sensitivity, system: System) -> dict[str, Any]:
    row: dict[str, Any] = {"system": system.name, "texts": system.kind, "noise": system.noise}
    row["shift"] = f"{system.magnitude:.2f}" if system.reads_texts and pd.notna(system.magnitude) else None
    for measure in result.measures:
        claim = result.claim(system.name, measure)
        ends = f"{percent(claim['low'])} to {percent(claim['high'])}; chance {percent(claim['chance'])}"
        row[UNITS[measure].strip().removeprefix("% ")] = f"{percent(claim['value'])} ({ends})"
        if result.base is not None and result.base.name != system.name:
            change = result.claim(system.name, measure, against=result.base.name)
            row[f"less {result.base.name}, {measure}"] = (
                f"{100 * change['value']:+.1f} ({percent(change['low'])} to {percent(change['high'])})"
                if pd.notna(change["value"])
                else None
            )
    return row
