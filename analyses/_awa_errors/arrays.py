"""What the figures of naming errors draw and no table holds: distributions, confusions, example rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import Floats

from . import estimates as est
from .chance import Naming, WrongNames
from .confusions import Codes

N_BINS = 25
MOST_CLASSES = 50
N_EXAMPLES = 8
KEYS = {est.WUP: "wup", est.OVERLAP: "overlap"}


def figure_arrays(
    namings: Sequence[Naming],
    errors: Sequence[WrongNames],
    similarities: Mapping[str, Floats],
    names: Sequence[str],
    seed: int,
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """All that the figures draw, encoders in the order given.

    Returns:
        `edges` [N_BINS + 1]; `wup_errors`, `wup_chance`, `overlap_errors`, `overlap_chance` [n_encoders, N_BINS]:
        shares of the wrong names; `confusions` [n_encoders, k, k + 1]: shares of a class's pictures by what was named,
        last: another name or none; `examples`: places of rows. And the k classes of `confusions`, like ones together.
    """
    edges = np.linspace(0, 1, N_BINS + 1)
    arrays: dict[str, NDArray[Any]] = {"edges": edges}
    for measure, similarity in similarities.items():
        if key := KEYS.get(measure):
            arrays[f"{key}_errors"] = np.stack([_histogram(similarity, e.observed, edges) for e in errors])
            arrays[f"{key}_chance"] = np.stack([_histogram(similarity, e.by_chance, edges) for e in errors])
    shown = _shown(namings, similarities)
    arrays["confusions"] = np.stack([_confusions(naming, shown) for naming in namings])
    arrays["examples"] = _examples(namings[0], np.random.default_rng([seed, 2]))
    return arrays, [names[code] for code in shown]


def _histogram(similarity: Floats, shares: Floats, edges: Floats) -> Floats:
    """Shares in each bin; a value on an edge that rounding moved stays in its bin."""
    places = np.clip(np.searchsorted(edges, similarity.ravel() + 1e-9, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(places, weights=shares.ravel(), minlength=len(edges) - 1).astype(np.float64)


def _shown(namings: Sequence[Naming], similarities: Mapping[str, Floats]) -> Codes:
    """The classes of the confusions: those there are, at most so many with the most errors; alike ones side by side."""
    here = np.unique(namings[0].truth)
    errors = np.sum([np.bincount(x.truth, x.wrong.sum(0), minlength=x.n_concepts) for x in namings], axis=0)
    kept = np.sort(here[np.argsort(-errors[here], kind="stable")][:MOST_CLASSES])
    similarity = np.mean([s for m, s in similarities.items() if m != est.OVERLAP], axis=0)[np.ix_(kept, kept)]
    return kept[_leaves(1 - (similarity + similarity.T) / 2)].astype(np.int64)


def _leaves(distance: Floats) -> NDArray[np.intp]:
    """Average-linkage order in which neighbours are as near as the tree allows. Bar-Joseph et al. 2001."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(distance) < 3:
        return np.arange(len(distance))
    flat = squareform(np.maximum(distance, 0) * ~np.eye(len(distance), dtype=bool), checks=False)
    return np.asarray(leaves_list(linkage(flat, "average", optimal_ordering=True)), dtype=np.intp)


def _confusions(naming: Naming, shown: Codes) -> Floats:
    """[k, k + 1] shares of each class's pictures, mean over seeds; last column: a name not shown, or none."""
    columns = np.full(naming.n_concepts + 1, len(shown))
    columns[shown] = np.arange(len(shown))
    rows = np.full(naming.n_concepts, len(shown))
    rows[shown] = np.arange(len(shown))
    table = np.zeros((len(shown) + 1, len(shown) + 1))
    for named in naming.named:
        np.add.at(table, (rows[naming.truth], columns[named]), 1)
    shares: Floats = table[:-1] / np.maximum(table[:-1].sum(1, keepdims=True), 1)
    return shares


def _examples(naming: Naming, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows drawn at random, of different classes as far as there are: half named right by its first seed, half not."""
    right = naming.named[0] == naming.truth
    drawn: list[int] = []
    for group in (right, ~right):
        order = rng.permutation(np.flatnonzero(group))
        _, first = np.unique(naming.truth[order], return_index=True)
        first = first[~np.isin(naming.truth[order[first]], naming.truth[drawn])] if drawn else first
        wanted = np.concatenate([order[np.sort(first)], np.delete(order, first)])
        drawn += [int(row) for row in wanted[: N_EXAMPLES // 2]]
    return np.array(drawn, dtype=np.int64)
