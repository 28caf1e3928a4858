"""Concept recall in words: the sentence and the small tables that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, is_microworld, percent, two

from . import presence as m
from .groups import Kind

if TYPE_CHECKING:
    from ..concept_recall import ConceptRecall

MOST_NAMED = 5


def sentence(result: ConceptRecall) -> str:
    """For each encoder the share of true words that it says, and the nearness of nouns; then what one has to know."""
    start = MICROWORLD if is_microworld(result) else ""
    parts = [_of_encoder(result, encoder) for encoder in result.encoders]
    return f"{start}{'; '.join(parts)}.{''.join(_notes(result))}"


def answer(result: ConceptRecall) -> str:
    """Who says most and fewest of the true words of the first kind measured."""
    kind = result.kinds[0]
    ranked = Ranked(
        f"true {kind} that the captions say", percent, " %", lambda encoder: result.claim(encoder, m.RECALL, group=kind)
    )
    return ranking.answer(result, ranked)


def _of_encoder(result: ConceptRecall, encoder: str) -> str:
    shares = [f"{_level(result, encoder, m.RECALL, kind, percent, ' %')} of the true {kind}" for kind in result.kinds]
    said = ", ".join(shares[:-1]) + (" and " if len(shares) > 1 else "") + shares[-1]
    seeds = int(result.claim(encoder, m.RECALL, group=result.kinds[0])["n_seeds"])
    mean = f" (mean of {seeds} seeds)" if seeds > 1 else ""
    near = result.claim(encoder, m.WUP)
    nearness = (
        f"; the noun nearest to a true one has a Wu-Palmer similarity of {_level(result, encoder, m.WUP, 'nouns', two)}"
        if pd.notna(near["value"])
        else ""
    )
    return f"{encoder}'s captions of {result.provenance['pictures']} pictures{mean} say {said}{nearness}"


def _level(result: ConceptRecall, encoder: str, measure: str, group: str, show: Any, unit: str = "") -> str:
    claim = result.claim(encoder, measure, group=group)
    if pd.isna(claim["value"]):
        return "no share that is known"
    interval = f"95 % interval {show(claim['low'])} to {show(claim['high'])}, " if pd.notna(claim["low"]) else ""
    return f"{show(claim['value'])}{unit} ({interval}chance {show(claim['chance'])})"


def _notes(result: ConceptRecall) -> list[str]:
    """What a reader has to know beside the numbers, each a sentence that begins with a blank."""
    about = result.provenance
    counts = [f"{len(about['words'][kind])} {kind}" for kind in result.kinds]
    source = "listed" if about["words_listed"] else "most frequent in the references"
    notes = [
        f" Measured are the {source}: {', '.join(counts)}; parts of speech by {result.tagger}, not to be compared "
        "with numbers by another tagger."
    ]
    if never := about["listed_but_in_no_reference"]:
        more = f" and {len(never) - MOST_NAMED} more" if len(never) > MOST_NAMED else ""
        notes.append(f" No reference says {', '.join(never[:MOST_NAMED])}{more}: these words have no recall.")
    if missing := about["pictures_without_references"]:
        notes.append(f" {missing} captioned pictures have no reference and are left out.")
    if empty := about["empty_captions"]:
        notes.append(f" {empty} captions are empty.")
    return notes


def headline(result: ConceptRecall) -> pd.DataFrame:
    """A row an encoder and kind of words: shares in per cent, each beside chance."""
    frame = pd.DataFrame([_row(result, encoder, kind) for encoder in result.encoders for kind in result.kinds])
    return frame.dropna(axis="columns", how="all")


def _row(result: ConceptRecall, encoder: str, kind: Kind) -> dict[str, Any]:
    recall = result.claim(encoder, m.RECALL, group=kind)
    interval = f"{percent(recall['low'])} to {percent(recall['high'])}" if pd.notna(recall["low"]) else None
    shown = {f"{name}, % (chance)": _beside(result, encoder, name, kind, percent) for name in (m.PRECISION, m.F1)}
    return {
        "encoder": encoder,
        "words": f"{len(result.provenance['words'][kind])} {kind}",
        "pictures": result.provenance["pictures"],
        "recall, % (chance)": _beside(result, encoder, m.RECALL, kind, percent),
        "recall, 95 % interval": interval,
        **shown,
        "Wu-Palmer (chance)": _beside(result, encoder, m.WUP, kind, two),
        "of missed words (chance)": _beside(result, encoder, m.MISSED, kind, two),
    }


def _beside(result: ConceptRecall, encoder: str, measure: str, group: str, show: Any) -> str | None:
    claim = result.claim(encoder, measure, group=group)
    return f"{show(claim['value'])} ({show(claim['chance'])})" if pd.notna(claim["value"]) else None


def words_frame(result: ConceptRecall, kind: Kind) -> pd.DataFrame:
    """A row a word and encoder."""
    rows = []
    for group in result.provenance["words"][kind]:
        _, category, word = group.split("/", 2)
        for encoder in result.encoders:
            recall = result.claim(encoder, m.RECALL, group=group)
            row = {"word": word, "category": category, "encoder": encoder, "true of": recall["n"]}
            for measure in (m.PRECISION, m.RECALL, m.F1):
                claim = result.claim(encoder, measure, group=group)
                row |= {measure: claim["value"], f"{measure}, chance": claim["chance"]}
            rows.append(row)
    return pd.DataFrame(rows)
