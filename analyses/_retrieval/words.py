"""Retrieval in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent

from .._zero_shot.words import left_out
from . import claims
from .search import AT

if TYPE_CHECKING:
    from ..retrieval import Retrieval


def sentence(result: Retrieval) -> str:
    """For each encoder recall at 1, 5 and 10 both ways, with interval, chance and n."""
    parts = [_of_encoder(result, encoder) for encoder in result.encoders]
    start = MICROWORLD if is_microworld(result) else ""
    return f"{start}{'; '.join(parts)}.{without(result)}"


def answer(result: Retrieval) -> str:
    """Whose pictures find their captions most often, and whose least."""
    measure = claims.recall(claims.CAPTIONS, 1)
    words = f"pictures that find a caption of their own first of {result.provenance['captions']:,}"
    return ranking.answer(result, Ranked(words, percent, " %", lambda e: result.claim(e, measure))) + without(result)


def without(result: Retrieval) -> str:
    """What was not searched, and why."""
    return left_out(result)


def _of_encoder(result: Retrieval, encoder: str) -> str:
    n, captions = result.provenance["pictures"], result.provenance["captions"]
    said = []
    for direction, words in (
        (claims.CAPTIONS, f"of {n:,} pictures find a caption of their own among the first {{}} of {captions:,}"),
        (claims.PICTURES, f"of the captions find their picture among the first {{}} of {n:,}"),
    ):
        shares = [result.claim(encoder, claims.recall(direction, k)) for k in AT]
        values = ", ".join(f"{percent(one['value'])} % {beside(one, percent)}" for one in shares)
        said.append(f"{values} {words.format(', '.join(map(str, AT)))}")
    return f"by {encoder} {said[0]}, and {said[1]}"


def headline(result: Retrieval) -> pd.DataFrame:
    """A row an encoder and direction."""
    rows = [_row(result, encoder, d) for encoder in result.encoders for d in (claims.CAPTIONS, claims.PICTURES)]
    return pd.DataFrame(rows)


def _row(result: Retrieval, encoder: str, direction: str) -> dict[str, Any]:
    row: dict[str, Any] = {"encoder": encoder, "a picture": direction, "pictures": result.provenance["pictures"]}
    for k in AT:
        claim = result.claim(encoder, claims.recall(direction, k))
        interval = f" ({percent(claim['low'])} to {percent(claim['high'])})" if pd.notna(claim["low"]) else ""
        row[f"recall@{k}, % (chance)"] = f"{percent(claim['value'])}{interval} ({percent(claim['chance'])})"
    rank = result.claim(encoder, claims.median_rank(direction))
    row["median rank (chance)"] = f"{rank['value']:g} ({rank['chance']:g})"
    return row
