"""Caption scores in words: the sentence and the small table that are read first. Scores are shown times 100."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, is_microworld

from . import measures as m

if TYPE_CHECKING:
    from ..caption_scores import CaptionScores

SAID = (m.CIDER, m.CLIPSCORE)
"""The scores in the sentence."""
TABLE = (m.BLEU[0], m.BLEU[3], m.ROUGE, m.CIDER, m.METEOR, m.NLTK_METEOR, m.SPICE, m.CLIPSCORE, m.REFCLIPSCORE)
"""The scores in the small table."""
MARK = "*"
"""Stands behind CLIPScores of an encoder that has the judge's weights."""


def sentence(result: CaptionScores) -> str:
    """For each encoder CIDEr-D and CLIPScore with interval, chance and n; then what was left out."""
    start = MICROWORLD if is_microworld(result) else ""
    parts = [_of_encoder(result, encoder) for encoder in result.encoders]
    return f"{start}{'; '.join(parts)}. Scores are times 100, as papers print them.{''.join(_notes(result))}"


def answer(result: CaptionScores) -> str:
    """Whose captions score highest and lowest by the first measure of the sentence, times 100."""
    measure = next((measure for measure in SAID if measure in result.measures), m.ROUGE)
    ranked = Ranked(f"{measure} × 100", hundred, "", lambda encoder: result.claim(encoder, measure))
    return ranking.answer(result, ranked)


def _of_encoder(result: CaptionScores, encoder: str) -> str:
    shown = [measure for measure in SAID if measure in result.measures] or [m.ROUGE]
    n = result.claim(encoder, m.ROUGE)["n"]
    said = " and ".join(f"a {measure} of {_level(result, encoder, measure)}" for measure in shown)
    return f"{encoder}'s captions of {n} pictures have {said}"


def _level(result: CaptionScores, encoder: str, measure: str) -> str:
    claim = result.claim(encoder, measure)
    interval = f"95 % interval {hundred(claim['low'])} to {hundred(claim['high'])}, " if pd.notna(claim["low"]) else ""
    seeds = f", mean of {claim['n_seeds']} seeds" if claim["n_seeds"] > 1 else ""
    value = f"{hundred(claim['value'])}{mark(result, encoder, measure)}"
    return f"{value} ({interval}chance {hundred(claim['chance'])}{seeds})"


def _notes(result: CaptionScores) -> list[str]:
    """What a reader has to know beside the numbers, each a sentence that begins with a blank."""
    about, judge = result.provenance, result.provenance["judge"]
    notes = []
    if result.judged_by_itself:
        notes.append(f" {MARK} The judge {judge['model']} has this encoder's own weights.")
    if missing := about["pictures_without_references"]:
        notes.append(f" {missing} captioned pictures have no reference and are left out.")
    if empty := about["empty_captions"]:
        notes.append(f" {empty} captions are empty.")
    if cut := judge.get("texts_cut"):
        notes.append(f" {cut} texts are longer than the judge reads and were cut.")
    if skipped := _skipped(result):
        notes.append(f" Not computed: {skipped}.")
    return notes


def _skipped(result: CaptionScores) -> str:
    """The measures left out, those of one reason together; nltk's METEOR is not missed where METEOR 1.5 is there."""
    by_reason: dict[str, list[str]] = {}
    for measure, reason in sorted(result.skipped.items()):
        if measure != m.NLTK_METEOR or m.METEOR in result.skipped:
            by_reason.setdefault(reason, []).append(measure)
    return "; ".join(f"{', '.join(measures)} ({reason})" for reason, measures in by_reason.items())


def hundred(value: float) -> str:
    """A score times 100, with one decimal."""
    return f"{100 * value:.1f}"


def mark(result: CaptionScores, encoder: str, measure: str) -> str:
    """A star behind what the encoder's own weights judged."""
    judged = measure in (m.CLIPSCORE, m.REFCLIPSCORE)
    return MARK if judged and encoder in result.judged_by_itself else ""


def headline(result: CaptionScores) -> pd.DataFrame:
    """A row an encoder and group of pictures: scores times 100, each beside chance."""
    rows = [_row(result, encoder, group) for encoder in result.encoders for group in result.groups]
    frame = pd.DataFrame(rows)
    return frame.drop(columns="pictures of") if len(result.groups) == 1 else frame


def _row(result: CaptionScores, encoder: str, group: str) -> dict[str, Any]:
    shown = [measure for measure in TABLE if measure in result.measures]
    row: dict[str, Any] = {"encoder": encoder, "pictures of": group}
    row["pictures"] = int(result.claim(encoder, m.ROUGE, group=group)["n"])
    for measure in shown:
        claim = result.claim(encoder, measure, group=group)
        cell = f"{hundred(claim['value'])} ({hundred(claim['chance'])})" if pd.notna(claim["value"]) else "–"
        row[f"{measure} (chance)"] = cell + mark(result, encoder, measure)
        if measure == m.CIDER and pd.notna(claim["low"]):
            row[f"{measure}, 95 % interval"] = f"{hundred(claim['low'])} to {hundred(claim['high'])}"
    return row
