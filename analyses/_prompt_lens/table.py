"""The table of prompt-lens, a row a position of a picture's prompt; spreads for figures; and the pictures shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from concepttransfer.scoring.prompt_readings import PromptReadings, read_positions
from concepttransfer.statistics import Floats

from .estimates import Systems, cut_losses
from .words import Sought, is_true

N_EXAMPLES, MOST_PLACES, SHOWN_WORDS = 6, 9, 2
PERCENTILES = (2.5, 10.0, 50.0, 90.0, 97.5)
COLUMNS = {
    "row_id": "string",
    "encoder": "string",
    "seed": "int64",
    "on": "string",
    "position": "int64",
    "length": "float64",
    "cosine": "float64",
    "nearest": "string",
    "last_layer": "string",
    "lost": "float64",
}


def frame(systems: Systems) -> pd.DataFrame:
    """All positions, encoder by encoder, seed by seed, picture by picture; `position` counts from 1."""
    return pd.concat([_of_one(one) for some in systems.values() for one in some], ignore_index=True)


def _of_one(one: PromptReadings) -> pd.DataFrame:
    n, m = one.arrays["norms"].shape
    lost = cut_losses(one) if one.cuts is not None else np.full((n, m), np.nan)
    return pd.DataFrame(
        {
            "row_id": np.repeat(one.row_ids, m),
            "encoder": one.encoder,
            "seed": one.seed,
            "on": one.on,
            "position": np.tile(np.array(one.positions) + 1, n),
            "length": _flat(one.arrays["norms"] / one.arrays["word_norm"][0]),
            "cosine": _flat(one.arrays["nearest_cosine"][..., 0]),
            "nearest": [joined(place) for places in one.nearest for place in places],
            "last_layer": [joined(place) for places in one.lens(one.n_layers) for place in places],
            "lost": _flat(lost),
        }
    )


def _flat(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(-1)


def shown(token: str) -> str:
    """A token as it is shown: without blanks around it; in quotes without a letter; blanks alone are written out."""
    if not token.strip():
        return repr(token)[1:-1].replace(" ", "␣")
    word = token.strip()
    return word if any(map(str.isalnum, word)) else f"“{word}”"


def joined(place: Sequence[str]) -> str:
    """The words at one place, the best first, each once as they are shown."""
    return ", ".join(dict.fromkeys(map(shown, place)))


def spreads(systems: Systems) -> dict[str, np.ndarray[Any, Any]]:
    """How single positions scatter: `spread [n_encoders, 3, 5]`, percentiles of length, nearest and mean cosine.

    `word_spread [3, 5]` holds those of the language model's own words.
    """
    found = []
    for some in systems.values():
        lengths = np.concatenate([(one.arrays["norms"] / one.arrays["word_norm"][0]).ravel() for one in some])
        near = np.concatenate([one.arrays["nearest_cosine"][..., 0].ravel() for one in some])
        mean = np.concatenate([one.arrays["mean_cosine"].ravel() for one in some])
        found.append([np.percentile(values, PERCENTILES) for values in (lengths, near, mean)])
    first = next(iter(systems.values()))[0].arrays
    words = [first["word_norm"][1:] / first["word_norm"][0], first["word_cosine"][1:], first["word_mean_cosine"][1:]]
    at = np.arange(101)
    return {
        "spread": np.array(found),
        "word_spread": np.array([np.interp(PERCENTILES, at, values) for values in words]),
    }


def examples(systems: Systems, sought: Sought) -> dict[str, Any]:
    """Pictures, spread evenly over those that were read, and how the first seed of each encoder reads them.

    Returns:
        Row id -> `name`, the class, and `read`: encoder -> for each shown position its number from 1 and its cells: the
        nearest words, then those of three layers; each cell is a list of pairs of a word and whether it is true.
    """
    firsts = {name: some[0] for name, some in systems.items()}
    rows = next(iter(firsts.values())).row_ids
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(N_EXAMPLES, len(rows))).round().astype(np.int64))
    found: dict[str, Any] = {}
    for n in chosen:
        true = sought.true_of(int(n))
        read = {name: _cells(one, int(n), true) for name, one in firsts.items()}
        found[rows[n]] = {"name": sought.of[int(n)] or "", "read": read}
    return found


def layers_shown(n_layers: int) -> list[int]:
    """Three layers, the last one among them."""
    return sorted({max(1, round(n_layers / 3)), max(1, round(2 * n_layers / 3)), n_layers})


def _cells(one: PromptReadings, row: int, true: set[str]) -> list[Mapping[str, Any]]:
    places = read_positions(len(one.positions), MOST_PLACES)
    read = [one.nearest[row], *(one.lens(number)[row] for number in layers_shown(one.n_layers))]
    return [{"position": one.positions[p] + 1, "cells": [_cell(words[p], true) for words in read]} for p in places]


def _cell(place: Sequence[str], true: set[str]) -> list[list[Any]]:
    """The first words of a place, each once, and whether each is true."""
    words = list(dict.fromkeys(map(shown, place)))[:SHOWN_WORDS]
    return [[word, is_true(word, true)] for word in words]
