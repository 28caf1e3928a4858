"""The table of runoff, a row a picture, encoder and seed; and the captions that are shown word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from concepttransfer.scoring.token_scores import BLANK, PICTURE
from concepttransfer.statistics import Floats

from .estimates import GAINS, Systems, per_row
from .spoken import THIRDS, Bools, Spoken

N_EXAMPLES = 6
OF = ("", "there", "not there")
"""What a word names, by `Spoken.is_of`."""
COLUMNS = {
    "row_id": "string",
    "encoder": "string",
    "seed": "int64",
    "on": "string",
    "caption": "string",
    "other": "string",
    "words": "int64",
    "loglikelihood": "float64",
    "over_blank": "float64",
    "over_other": "float64",
    "over_none": "float64",
    "early_over_blank": "float64",
    "late_over_blank": "float64",
    "named": "Int64",
    "not_there": "Int64",
    "not_there_unasked": "Int64",
}


def frame(systems: Systems, rows: Sequence[str], known: Bools) -> pd.DataFrame:
    """All rows, encoder by encoder, seed by seed."""
    return pd.concat([_of_one(one, rows, known) for some in systems.values() for one in some], ignore_index=True)


def _of_one(one: Spoken, rows: Sequence[str], known: Bools) -> pd.DataFrame:
    n = len(rows)
    every = np.ones(len(one.words.row), dtype=bool)
    counted = per_row(one.words, every, n)
    gains = {f"over_{name}": _mean(one, every, n, name) for name in GAINS}
    thirds = {f"{THIRDS[t]}_over_blank": _mean(one, one.words.third == t, n, BLANK) for t in (0, 2)}
    absent = ~one.is_true
    unasked = absent & (one.things.scores[PICTURE] <= one.things.scores.get(BLANK, -np.inf))
    named = [np.ones(len(absent), dtype=bool), absent, unasked]
    counts = [pd.array(per_row(one.things, mask, n).astype(int), dtype="Int64") for mask in named]
    for column in counts:
        column[~known] = pd.NA
    return pd.DataFrame(
        {
            "row_id": list(rows),
            "encoder": one.scores.encoder,
            "seed": one.scores.seed,
            "on": one.scores.on,
            "caption": [one.scores.texts[row] for row in rows],
            "other": [one.scores.others.get(row) for row in rows],
            "words": counted.astype(int),
            "loglikelihood": per_row(one.words, every, n, one.words.scores[PICTURE]),
            **gains,
            **thirds,
            **dict(zip(("named", "not_there", "not_there_unasked"), counts, strict=True)),
        }
    )


def _mean(one: Spoken, mask: Bools, n_rows: int, over: str) -> Floats:
    """[n_rows] mean gain of a word; NaN where there is none, or nothing to compare with."""
    if over not in one.words.scores:
        return np.full(n_rows, np.nan)
    top, bottom = per_row(one.words, mask, n_rows, one.words.gain(over)), per_row(one.words, mask, n_rows)
    return np.where(bottom > 0, top / np.maximum(bottom, 1), np.nan)


def examples(systems: Systems, rows: Sequence[str]) -> dict[str, dict[str, list[list[Any]]]]:
    """Pictures at equal steps of the first encoder's mean gain, and what the first seed of each encoder says of them.

    Returns:
        Row id -> encoder -> a triple for each word: the word, its gain over a blank picture, what it names (`OF`).
    """
    firsts = {name: some[0] for name, some in systems.items()}
    first = next(iter(firsts.values()))
    every = np.ones(len(first.words.row), dtype=bool)
    gain = np.nan_to_num(_mean(first, every, len(rows), BLANK), nan=-np.inf)
    order = np.argsort(gain, kind="stable")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(N_EXAMPLES, len(rows))).round().astype(np.int64))
    return {rows[n]: {name: _marked(one, int(n)) for name, one in firsts.items()} for n in order[chosen][::-1]}


def _marked(one: Spoken, row: int) -> list[list[Any]]:
    at = np.flatnonzero(one.words.row == row)
    gains: Mapping[int, float] = dict(zip(at.tolist(), one.words.gain(BLANK)[at].tolist(), strict=True))
    return [
        [word, round(gains[n], 3), OF[one.is_of[n]]] for word, n in zip(one.reads[row].words, at.tolist(), strict=True)
    ]
