"""The modality gap in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent, two
from concepttransfer.statistics.claims import is_random

from . import claims as c
from .moves import NONE

if TYPE_CHECKING:
    from ..modality_gap import ModalityGap


def sentence(result: ModalityGap) -> str:
    """Each encoder's numbers, n, where adapters were fitted, and what was cut or left out."""
    start = MICROWORLD if is_microworld(result) else ""
    said = f"{start}{'; '.join(_of_encoder(result, encoder) for encoder in result.encoders)}."
    known = result.provenance
    said += f" n = {known['pictures']:,} pictures with {known['captions']:,} captions; {_fitted_on(result)}."
    if left := known["pictures_not_drawn"]:
        said += f" {left:,} more pictures were not drawn (--rows)."
    for encoder, n_cut in known["cut"].items():
        if n_cut:
            said += f" {n_cut:,} captions were longer than {encoder} reads and were cut."
    if known["left_out"]:
        said += f" Without a text tower: {', '.join(known['left_out'])}."
    return said[:1].upper() + said[1:]


def _of_encoder(result: ModalityGap, encoder: str) -> str:
    matched, apart = result.claim(encoder, c.MATCHED), result.claim(encoder, c.DISTANCE)
    share, nearest = result.claim(encoder, c.SHARE), result.claim(encoder, c.NEAREST)
    captions = result.claim(encoder, c.CAPTIONS)
    return (
        f"{encoder}: pictures and their captions have a mean cosine of {two(matched['value'])} "
        f"{beside(matched, two)}, captions of different pictures {two(captions['value'])}; the centroids are "
        f"{two(apart['value'])} apart {beside(apart, two)}, {percent(share['value'])} % of the variance; the nearest "
        f"picture of {percent(nearest['value'])} % of captions is theirs {beside(nearest, percent)}"
        + _after(result, encoder)
    )


def _after(result: ModalityGap, encoder: str) -> str:
    """The adapter that brings captions nearest to their pictures, behind what is said without one."""
    best = _best(result, encoder)
    return f"; after `{best[0]}` the cosine is highest, {best[1]}" if best else ""


def _best(result: ModalityGap, encoder: str) -> tuple[str, str] | None:
    """The adapter that brings captions nearest to their pictures, and how near; None: there is none."""
    values = {one: result.claim(encoder, c.MATCHED, group=one) for one in result.adapters if one != NONE}
    if not values:
        return None
    best = max(values, key=lambda one: values[one]["value"])
    return best, f"{two(values[best]['value'])} {beside(values[best], two)}"


def _fitted_on(result: ModalityGap) -> str:
    name = result.provenance["fitted_on"]
    pairs = result.provenance["pairs"]
    return f"adapters fitted on {pairs:,} captions of `{name}`" if name else "adapters fitted on the other pictures"


def answer(result: ModalityGap) -> str:
    """Who has captions nearest to their pictures, beyond chance; and the adapter that brings them nearest."""
    said = ranking.answer(
        result,
        Ranked("mean cosine of pictures with their captions", two, "", lambda one: result.claim(one, c.MATCHED)),
    )
    learnt = next((one for one in result.encoders if not is_random(one)), result.encoders[0])
    best = _best(result, learnt)
    return f"{said} After the adapter `{best[0]}` {learnt} has the highest, {best[1]}." if best else said


def headline(result: ModalityGap) -> pd.DataFrame:
    """A row an encoder and adapter."""
    return pd.DataFrame([_row(result, encoder, one) for encoder in result.encoders for one in result.adapters])


def _row(result: ModalityGap, encoder: str, adapter: str) -> dict[str, Any]:
    def claim(measure: str) -> pd.Series[Any]:
        return result.claim(encoder, measure, group=adapter)

    matched, nearest, kept = claim(c.MATCHED), claim(c.NEAREST), claim(c.KEPT)
    return {
        "encoder": encoder,
        "adapter": adapter,
        "cosine with their pictures": f"{two(matched['value'])} ({two(matched['low'])} to {two(matched['high'])})",
        "with other pictures": two(matched["chance"]),
        "with themselves before": two(kept["value"]) if pd.notna(kept["value"]) else "1.00",
        "nearest picture theirs %": f"{percent(nearest['value'])} ({percent(nearest['chance'])})",
        "centroids apart": two(claim(c.DISTANCE)["value"]) if adapter == NONE else None,
    }
