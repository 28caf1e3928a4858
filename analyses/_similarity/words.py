"""Similarities in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, is_microworld, two

from . import claims as c
from . import measures as m

if TYPE_CHECKING:
    from ..similarity import Similarity

SHORT = {m.CKA: "CKA", m.RSA: "RSA", m.NEIGHBOURS: "neighbours", m.PROCRUSTES: "Procrustes"}


def sentence(result: Similarity) -> str:
    """Which encoders are most and least alike, and how alike each is to the language model."""
    start = MICROWORLD if is_microworld(result) else ""
    parts = [part for part in (_of_pictures(result), _of_classes(result)) if part]
    said = f"{start}{'; '.join(parts)}."
    if left := result.provenance["pictures_not_drawn"]:
        said += f" {left} more pictures were not drawn (--rows)."
    if why := result.provenance["no_language_model"]:
        said += f" The language model is not compared: {why}."
    return said[:1].upper() + said[1:]


def _of_pictures(result: Similarity) -> str:
    pairs = result.estimates[(result.estimates["group"] == c.PICTURES) & (result.estimates["measure"] == m.CKA)]
    if not len(pairs):
        return ""
    ordered = pairs.sort_values("value", ascending=False, kind="stable")
    most, least = ordered.iloc[0], ordered.iloc[-1]
    start = f"of {most['n']} pictures, {most['system']} and {most['against']} have "
    if len(pairs) == 1:
        return f"{start}a debiased CKA of {_full(most)}"
    last = f"{least['system']} and {least['against']} the lowest, {_full(least)}"
    return f"{start}the highest debiased CKA, {_full(most)}, {last}"


def answer(result: Similarity) -> str:
    """The most and least alike encoders, and which one is nearest to the language model."""
    start = MICROWORLD if is_microworld(result) else ""
    said = [f"{start}{_of_pictures(result)}."] if _of_pictures(result) else []
    if any(pd.notna(result.between(encoder, m.CKA, c.LANGUAGE_MODEL)["value"]) for encoder in result.encoders):
        words = "debiased CKA with the language model's word vectors of class names"
        ranked = Ranked(words, two, "", lambda encoder: result.between(encoder, m.CKA, c.LANGUAGE_MODEL))
        said.append(ranking.answer(result, ranked, rows="class names").removeprefix(start))
    text = " ".join(one[:1].upper() + one[1:] for one in said)
    return text or sentence(result)


def _of_classes(result: Similarity) -> str:
    claims = [(encoder, result.between(encoder, m.CKA, c.LANGUAGE_MODEL)) for encoder in result.encoders]
    known = [(encoder, claim) for encoder, claim in claims if pd.notna(claim["value"])]
    if not known:
        return ""
    each = ", ".join(f"{encoder} {_full(claim)}" for encoder, claim in known)
    return f"with the language model's word vectors of {known[0][1]['n']} class names the debiased CKA is: {each}"


def _full(claim: pd.Series[Any]) -> str:
    few = " (too few for a p)" if pd.isna(claim["p"]) else ""
    interval = f"95 % interval {two(claim['low'])} to {two(claim['high'])}"
    return f"{two(claim['value'])} ({interval}, chance {two(claim['chance'])}){few}"


def headline(result: Similarity) -> pd.DataFrame:
    """A row an encoder; columns without any value are left out."""
    frame = pd.DataFrame([_row(result, encoder) for encoder in result.encoders])
    return frame.dropna(axis="columns", how="all")


def _row(result: Similarity, encoder: str) -> dict[str, Any]:
    others = [(other, result.between(encoder, m.CKA, other)) for other in result.encoders if other != encoder]
    nearest = max(others, key=lambda pair: pair[1]["value"], default=None)
    loss = result.claim(encoder, c.STITCHING)
    row: dict[str, Any] = {
        "encoder": encoder,
        "most alike (CKA)": f"{nearest[0]} {two(nearest[1]['value'])}" if nearest else None,
    }
    for measure, short in SHORT.items():
        claim = result.between(encoder, measure, c.LANGUAGE_MODEL)
        row[f"{short} with words (chance)"] = _cell(claim)
    row["stitching loss"] = f"{loss['value']:.3f}" if pd.notna(loss["value"]) else None
    return row


def _cell(claim: pd.Series[Any]) -> str | None:
    return f"{two(claim['value'])} ({two(claim['chance'])})" if pd.notna(claim["value"]) else None
