"""Runoff in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent, signed
from concepttransfer.scoring.token_scores import BLANK, NONE, OTHER

from . import estimates as est
from .truth import CLASSES

if TYPE_CHECKING:
    from ..runoff import Runoff


def sentence(result: Runoff) -> str:
    """For each encoder what the picture adds to a word, and the share of things named that are not there; notes."""
    start = MICROWORLD if is_microworld(result) else ""
    parts = "; ".join(_of_encoder(result, encoder) for encoder in result.encoders)
    return f"{start}{parts}.{''.join(_notes(result))}"


def answer(result: Runoff) -> str:
    """To whose captions the picture adds most and least; of the first how much that it names is not there."""
    words = "nats by which the picture makes a word of its caption likelier than a blank picture does"
    ranked = Ranked(words, signed, "", lambda encoder: result.claim(encoder, est.GAINS[BLANK]))
    said = ranking.answer(result, ranked)
    best = max(result.encoders, key=lambda encoder: _known(ranked.claim(encoder)["value"]))
    absent = result.claim(best, est.ABSENT, group=est.EVERYTHING)
    if pd.isna(absent["value"]):
        return said
    return f"{said} Of all that {best} names {percent(absent['value'])} % is not there {beside(absent, percent)}."


def _known(value: float) -> float:
    return value if value == value else float("-inf")


def _of_encoder(result: Runoff, encoder: str) -> str:
    claim = result.claim(encoder, est.GAINS[BLANK])
    if pd.isna(claim["value"]):
        return f"{encoder}'s captions have no words"
    early, late = (result.claim(encoder, est.GAINS[BLANK], group=group) for group in (est.EARLY, est.LATE))
    seeds = f" (mean of {claim['n_seeds']} seeds)" if claim["n_seeds"] > 1 else ""
    words = (
        f"a word of {encoder}'s captions of {claim['n']} pictures{seeds} is {signed(claim['value'])} nats likelier "
        f"with the picture than with a blank one {beside(claim, signed)}, early in the caption {_plain(early)}, late "
        f"{_plain(late)}"
    )
    return words + _absent(result, encoder)


def _plain(claim: pd.Series[Any]) -> str:
    return signed(claim["value"]) if pd.notna(claim["value"]) else "unknown"


def _absent(result: Runoff, encoder: str) -> str:
    claim = result.claim(encoder, est.ABSENT, group=est.EVERYTHING)
    if pd.isna(claim["value"]):
        return ""
    first, later = (result.claim(encoder, est.ABSENT, group=group)["value"] for group in (est.FIRST, est.LATER))
    by_order = (
        f": {percent(first)} % of what it names first, {percent(later)} % of what later" if later == later else ""
    )
    unasked = result.claim(encoder, est.RUNOFF, group=est.NOT_THERE)
    tail = (
        f"; {percent(unasked['value'])} % of this is no likelier than with a blank picture"
        if pd.notna(unasked["value"])
        else ""
    )
    return f"; of all that it names {percent(claim['value'])} % is not there {beside(claim, percent)}{by_order}{tail}"


def _notes(result: Runoff) -> list[str]:
    """What a reader has to know beside the numbers, each a sentence that begins with a blank."""
    about = result.provenance
    notes = []
    if about["truth"] is None:
        notes.append(" What the pictures contain is not known: they have neither references nor known classes.")
    elif about["truth"] == CLASSES:
        notes.append(" Only names of classes are judged, against the class of the picture.")
    elif missing := about["pictures_without_references"]:
        notes.append(f" Of {missing} pictures without references no names are judged.")
    if not about["others"]:
        notes.append(" No other picture could be put in a picture's place.")
    if empty := about["empty_captions"]:
        notes.append(f" {empty} captions are empty.")
    return notes


def headline(result: Runoff) -> pd.DataFrame:
    """A row an encoder: gains in nats a word, and shares in per cent beside chance."""
    return pd.DataFrame([_row(result, encoder) for encoder in result.encoders]).dropna(axis="columns", how="all")


def _row(result: Runoff, encoder: str) -> dict[str, Any]:
    claim = result.claim(encoder, est.GAINS[BLANK])
    interval = f"{signed(claim['low'])} to {signed(claim['high'])}" if pd.notna(claim["low"]) else None
    by_group = {group: _value(result, encoder, est.GAINS[BLANK], group) for group in (est.EARLY, est.LATE)}
    return {
        "encoder": encoder,
        "pictures": claim["n"],
        "over blank, nats a word": _value(result, encoder, est.GAINS[BLANK], est.ALL),
        "95 % interval": interval,
        **by_group,
        "over another picture": _value(result, encoder, est.GAINS[OTHER], est.ALL),
        "over none": _value(result, encoder, est.GAINS[NONE], est.ALL),
        "named, not there, % (chance)": _share(result, encoder, est.ABSENT, est.EVERYTHING),
        "of the first": _share(result, encoder, est.ABSENT, est.FIRST),
        "of later ones": _share(result, encoder, est.ABSENT, est.LATER),
        "not there and unasked, %": _share(result, encoder, est.RUNOFF, est.NOT_THERE),
    }


def _value(result: Runoff, encoder: str, measure: str, group: str) -> str | None:
    value = result.claim(encoder, measure, group=group)["value"]
    return signed(value) if pd.notna(value) else None


def _share(result: Runoff, encoder: str, measure: str, group: str) -> str | None:
    claim = result.claim(encoder, measure, group=group)
    if pd.isna(claim["value"]):
        return None
    chance = f" ({percent(claim['chance'])})" if pd.notna(claim["chance"]) else ""
    return f"{percent(claim['value'])}{chance}"
