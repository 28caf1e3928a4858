"""What the numbers of `embedding-map` say, in a sentence and in the few figures that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent, signed, two
from concepttransfer.statistics.claims import is_random

from .claims import LEANING
from .groups import CATEGORY, CLASS, PERCEPTION
from .scores import KMEANS_RAND, PURITY, SILHOUETTE

if TYPE_CHECKING:
    from ..embedding_map import EmbeddingMap

SIDES = ("what is in them", "how they look", "neither more")


def sentence(result: EmbeddingMap) -> str:
    """To which side each encoder leans, with interval; without categories or attributes, the purity of classes."""
    known = result.provenance
    if not known["classes"]:
        n = len(result.encoders)
        return f"A map of {known['pictures']} pictures by {n} encoder(s); nothing is measured, for no class is known."
    about = f"{known['pictures']:,} pictures of {len(known['classes'])} classes"
    begin = f"The {known['neighbours_looked_at']} nearest neighbours of {about}"
    if is_microworld(result):
        begin = MICROWORLD + begin[0].lower() + begin[1:]
    if not _leans(result):
        told = [f"{e} {100 * p['value']:.1f} % {beside(p, _percent)}" for e, p in _purities(result, CLASS)]
        return f"{begin} are of the same class: {', '.join(told)}."
    told = [f"{side}: {_listed(result, names)}" for side, names in _by_side(result).items() if names]
    return f"{begin} go by {'; by '.join(told)}. (Category less perception, each adjusted for chance; 0: alike.)"


def answer(result: EmbeddingMap) -> str:
    """How far pictures group by class, and which encoders go by category and which by perception."""
    known = result.provenance
    if not known["classes"]:
        return sentence(result)
    words = f"of a picture's {known['neighbours_looked_at']} nearest neighbours, those of the same class"
    ranked = Ranked(words, percent, " %", lambda encoder: result.claim(encoder, PURITY, against=CLASS))
    said = ranking.answer(result, ranked, rows=f"pictures of {len(known['classes'])} classes")
    if not _leans(result):
        return said
    by_category, by_looks, _ = _by_side(result).values()
    return f"{said} Rather by category than by looks go {_named(by_category)}; rather by looks {_named(by_looks)}."


def _named(encoders: list[str]) -> str:
    """Encoders that learnt by name, and random controls by their number."""
    controls = sum(is_random(encoder) for encoder in encoders)
    counted = [f"{controls} random control{'s' if controls != 1 else ''}"] if controls else []
    return ", ".join([encoder for encoder in encoders if not is_random(encoder)] + counted) or "none surely"


def _leaning(result: EmbeddingMap, encoder: str) -> pd.Series[Any]:
    return result.claim(encoder, PURITY + LEANING)


def _leans(result: EmbeddingMap) -> bool:
    return bool(result.estimates["measure"].eq(PURITY + LEANING).any())


def _by_side(result: EmbeddingMap) -> dict[str, list[str]]:
    sides = {encoder: _side(_leaning(result, encoder)) for encoder in result.encoders}
    return {side: [encoder for encoder, its in sides.items() if its == side] for side in SIDES}


def _purities(result: EmbeddingMap, grouping: str) -> list[tuple[str, pd.Series[Any]]]:
    return [(encoder, result.claim(encoder, PURITY, against=grouping)) for encoder in result.encoders]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _side(leaning: pd.Series[Any]) -> str:
    return SIDES[0] if leaning["low"] > 0 else SIDES[1] if leaning["high"] < 0 else SIDES[2]


def _listed(result: EmbeddingMap, encoders: list[str]) -> str:
    one = [(name, _leaning(result, name)) for name in encoders]
    return ", ".join(f"{name} {signed(v['value'])} ({signed(v['low'])} to {signed(v['high'])})" for name, v in one)


def headline(result: EmbeddingMap) -> pd.DataFrame:
    """A row an encoder: purity by class, category and perception beside chance, the leaning, and two other measures."""
    return pd.DataFrame([_row(result, encoder) for encoder in result.encoders])


def _row(result: EmbeddingMap, encoder: str) -> dict[str, Any]:
    row: dict[str, Any] = {"encoder": encoder}
    for grouping in (CLASS, CATEGORY, PERCEPTION):
        row[f"one {grouping} (chance)"] = _cell(result.claim(encoder, PURITY, against=grouping))
    leaning = result.claim(encoder, PURITY + LEANING)
    if pd.notna(leaning["value"]):
        ends = f"({signed(leaning['low'])} to {signed(leaning['high'])})"
        row["category less perception"] = f"{signed(leaning['value'])} {ends}"
    row["silhouette of classes (chance)"] = _cell(result.claim(encoder, SILHOUETTE, against=CLASS))
    row["k-means and classes (chance)"] = _cell(result.claim(encoder, KMEANS_RAND, against=CLASS))
    return {name: value for name, value in row.items() if value is not None}


def _cell(claim: pd.Series[Any]) -> str | None:
    return f"{two(claim['value'])} ({two(claim['chance'] + 0.0)})" if pd.notna(claim["value"]) else None
