"""The table of caption scores, a row a picture, encoder and seed; and which pictures are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from concepttransfer.captioning import Captions
from concepttransfer.statistics import Floats

from . import measures as m
from . import pairs
from .chance import Counted
from .claims import Captioner, Key
from .ngrams import Ints

N_EXAMPLES = 8
Scored = Mapping[Key, tuple[m.Measure, Counted]]
_BLEU = m.BLEU[0]


def tables(
    ordered: Sequence[Captions],
    captioners: Sequence[Captioner],
    rows: Sequence[str],
    said: Sequence[Sequence[str]],
    groups: Mapping[str, Ints],
    scored: Mapping[str, Scored],
    anew: Sequence[NDArray[Any]],
) -> pd.DataFrame:
    """All rows, encoder by encoder, seed by seed.

    Args:
        ordered: the captions, in the order of `said`.
        captioners: which of them are whose.
        rows: ids of the pictures.
        said: the captions' texts.
        groups: the pictures of each group, `all` first.
        scored: what was counted, by group.
        anew: whether each text is not among those of the training.
    """
    domain = np.full(len(rows), None, dtype=object)
    for name, members in list(groups.items())[1:]:
        domain[members] = name
    parts = []
    for one in captioners:
        for seed, place in enumerate(one.places):
            parts.append(
                pd.DataFrame(
                    {
                        "row_id": list(rows),
                        "encoder": one.name,
                        "seed": ordered[place].seed,
                        "on": ordered[place].on,
                        "domain": domain,
                        "caption": list(said[place]),
                        **_words(scored["all"], one.name, seed),
                        "cider_d_domain": _by_domain(scored, groups, one.name, seed, len(rows)),
                        **_others(scored["all"], one.name, seed),
                        "not_in_training": anew[place],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _words(scored: Scored, system: str, seed: int) -> dict[str, Any]:
    counts = scored[system, _BLEU][1].own[seed]
    matched = counts[:, pairs.MATCHED].astype(np.int64)
    cider = counts[:, pairs.CIDER_D] if (system, m.CIDER) in scored else np.nan
    return {
        "words": counts[:, pairs.WORDS].astype(np.int64),
        "reference_words": counts[:, pairs.NEAREST].astype(np.int64),
        **{f"matched_{n + 1}": column for n, column in enumerate(matched.T)},
        "rouge_l": counts[:, pairs.ROUGE_L],
        "cider_d": cider,
    }


def _by_domain(scored: Mapping[str, Scored], groups: Mapping[str, Ints], system: str, seed: int, n_rows: int) -> Floats:
    found = np.full(n_rows, np.nan)
    for name, members in list(groups.items())[1:]:
        if (system, m.CIDER) in scored[name]:
            found[members] = scored[name][system, m.CIDER][1].own[seed, :, pairs.CIDER_D]
    return found


def _others(scored: Scored, system: str, seed: int) -> dict[str, Any]:
    """METEOR (nltk's where METEOR 1.5 is missing), SPICE and the judge's scores; NaN where there are none."""

    def column(*measures: str) -> Any:
        for measure in measures:
            if (system, measure) in scored:
                how, counted = scored[system, measure]
                return how.formula(counted.own[seed])
        return np.nan

    return {
        "meteor": column(m.METEOR, m.NLTK_METEOR),
        "spice": column(m.SPICE),
        "clipscore": column(m.CLIPSCORE),
        "refclipscore": column(m.REFCLIPSCORE),
    }


def examples(table: pd.DataFrame, n: int) -> Ints:
    """Places of `n` pictures at equal steps from the lowest to the highest score of the first encoder's first seed."""
    first = table[(table["encoder"] == table["encoder"].iloc[0]) & (table["seed"] == table["seed"].iloc[0])]
    score = first["cider_d"] if first["cider_d"].notna().any() else first["rouge_l"]
    order = np.argsort(score.to_numpy(), kind="stable")
    chosen = np.unique(np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(np.int64))
    return order[chosen].astype(np.int64)
