"""The table of concept recall, a row a picture, encoder and seed; and which pictures are shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from concepttransfer.captioning import Captions

from .groups import KINDS
from .presence import Said
from .words import Word

N_EXAMPLES = 8
COLUMNS = {
    "row_id": "string",
    "encoder": "string",
    "seed": "int64",
    "on": "string",
    "caption": "string",
    **{f"{kind}_{what}": "int64" for kind in KINDS for what in ("true", "said", "both")},
    "wup": "float64",
}


def table(
    ordered: Sequence[Captions], rows: Sequence[str], systems: Sequence[Said], words: Sequence[Word]
) -> pd.DataFrame:
    """All rows, encoder by encoder, seed by seed.

    Args:
        ordered: the captions, by encoder and seed.
        rows: ids of the pictures.
        systems: what each encoder says, in the same order; others may follow.
        words: the words that are measured.
    """
    columns = {kind: np.array([n for n, w in enumerate(words) if w.kind == kind], dtype=np.int64) for kind in KINDS}
    of = {one.system: one for one in systems}
    parts = []
    seeds: dict[str, int] = {}
    for captions in ordered:
        place = seeds[captions.encoder] = seeds.get(captions.encoder, -1) + 1
        one, texts = of[captions.encoder], captions.texts()
        counts = {
            f"{kind}_{what}": table_of[:, columns[kind]].sum(1)
            for kind in KINDS
            for what, table_of in (
                ("true", one.true),
                ("said", one.said[place]),
                ("both", one.true & one.said[place]),
            )
        }
        about = {"row_id": list(rows), "encoder": captions.encoder, "seed": captions.seed, "on": captions.on}
        parts.append(pd.DataFrame({**about, "caption": [texts[r] for r in rows], **counts, "wup": _wup(one, place)}))
    return pd.concat(parts, ignore_index=True)


def _wup(one: Said, place: int) -> NDArray[np.float64]:
    """[n_rows] mean nearness of the true nouns; NaN without any."""
    true = one.true & np.isfinite(one.near[place])
    near = np.where(true, one.near[place], 0.0).sum(1)
    return np.where(true.any(1), near / np.maximum(true.sum(1), 1), np.nan)


def examples(scored: pd.DataFrame, n_rows: int) -> NDArray[np.int64]:
    """Places of pictures at equal steps from the lowest to the highest recall of nouns of the first encoder's seed."""
    first = scored.iloc[:n_rows]
    recall = first["nouns_both"].to_numpy() / np.maximum(first["nouns_true"].to_numpy(), 1)
    order = np.argsort(recall, kind="stable")
    chosen = np.unique(np.linspace(0, n_rows - 1, min(N_EXAMPLES, n_rows)).round().astype(np.int64))
    return np.asarray(order[chosen], dtype=np.int64)
