"""What the numbers of `embedding-map` say, in a sentence and in the few figures that matter."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer import ranking
from concepttransfer.ranking import Ranked
from concepttransfer.wording import MICROWORLD, beside, is_microworld, signed, two

from .claims import LEANING
from .groups import CATEGORY, CLASS, PERCEPTION
from .scores import KMEANS_RAND, PURITY, SILHOUETTE

if TYPE_CHECKING:
    from ..embedding_map import EmbeddingMap

SIDES = ("what the thing is", "how it looks", "neither more")


def sentence(result: EmbeddingMap) -> str:
    """To which side each encoder leans, with interval; without categories or attributes, the purity of classes."""
    known = result.provenance
    if not known["classes"]:
        n = len(result.encoders)
        return f"A map of {known['pictures']} pictures by {n} encoder(s); nothing is measured, for no class is known."
    about = f"the {known['neighbours_looked_at']} nearest neighbours of {known['pictures']} pictures"
    about += f" of {len(known['classes'])} classes"
    begin = f"{MICROWORLD}{about}" if is_microworld(result) else about[0].upper() + about[1:]
    leanings = {encoder: result.claim(encoder, PURITY + LEANING) for encoder in result.encoders}
    if all(pd.isna(one["value"]) for one in leanings.values()):
        told = [f"{e} {100 * p['value']:.1f} % {beside(p, _percent)}" for e, p in _purities(result, CLASS)]
        return f"{begin} are of the same class: {', '.join(told)}."
    sides = {side: [e for e, one in leanings.items() if _side(one) == side] for side in SIDES}
    told = [f"{side}: {_listed(leanings, names)}" for side, names in sides.items() if names]
    return f"{begin} go by {'; by '.join(told)}. (Category less perception, each adjusted for chance; 0: alike.)"


def answer(result: EmbeddingMap) -> str:
    """Which encoder goes most by category and which most by perception, and how the random controls do."""
    known = result.provenance
    if not len(result.estimates):
        return sentence(result)
    leans = result.estimates["measure"].eq(PURITY + LEANING).any()
    if not leans:
        return sentence(result)
    k, n_classes = known["neighbours_looked_at"], len(known["classes"])
    words = f"how much rather the {k} nearest neighbours are of one category than alike in looks"
    ranked = Ranked(f"{words} (0: both alike, each adjusted for chance)", signed, "", partial(_leaning, result))
    return ranking.answer(result, ranked, rows=f"pictures of {n_classes} classes")


def _leaning(result: EmbeddingMap, encoder: str) -> pd.Series[Any]:
    return result.claim(encoder, PURITY + LEANING)


def _purities(result: EmbeddingMap, grouping: str) -> list[tuple[str, pd.Series[Any]]]:
    return [(encoder, result.claim(encoder, PURITY, against=grouping)) for encoder in result.encoders]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _side(leaning: pd.Series[Any]) -> str:
    return SIDES[0] if leaning["low"] > 0 else SIDES[1] if leaning["high"] < 0 else SIDES[2]


def _listed(leanings: dict[str, pd.Series[Any]], encoders: list[str]) -> str:
    one = [(name, leanings[name]) for name in encoders]
    return ", ".join(f"{name} {signed(v['value'])} ({signed(v['low'])} to {signed(v['high'])})" for name, v in one)


def headline(result: EmbeddingMap) -> pd.DataFrame:
    """A row an encoder: purity by class, category and perception beside chance, the leaning, and two other measures."""
    return pd.DataFrame([_row(result, encoder) for encoder in result.encoders])


def _row(result: EmbeddingMap, encoder: str) -> dict[str, Any]:
    row: dict[str, Any] = {"encoder": encoder}
    for grouping in (CLASS, CATEGORY, PERCEPTION):
        row[f"neighbours of one {grouping} (chance)"] = _cell(result.claim(encoder, PURITY, against=grouping))
    leaning = result.claim(encoder, PURITY + LEANING)
    if pd.notna(leaning["value"]):
        ends = f"({signed(leaning['low'])} to {signed(leaning['high'])})"
        row["category less perception"] = f"{signed(leaning['value'])} {ends}"
    row["silhouette of classes (chance)"] = _cell(result.claim(encoder, SILHOUETTE, against=CLASS))
    row["k-means and classes (chance)"] = _cell(result.claim(encoder, KMEANS_RAND, against=CLASS))
    return {name: value for name, value in row.items() if value is not None}


def _cell(claim: pd.Series[Any]) -> str | None:
    return f"{two(claim['value'])} ({two(claim['chance'] + 0.0)})" if pd.notna(claim["value"]) else None
