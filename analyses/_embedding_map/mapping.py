"""Every encoder in turn: its features, its map, and its scores, with a bar over the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.errors import BadInputError
from concepttransfer.features import Features
from concepttransfer.progress import progress

from .claims import with_perception
from .groups import CLASS
from .labels import Labels
from .layout import coordinates
from .rows import name_of, values_of
from .scores import Score, of_classes, of_grouping
from .space import Space, measured, steps


@dataclass(frozen=True)
class Settings:
    """Options of the measurement; `neighbours` is as many as are looked at."""

    cosine: bool
    neighbours: int
    umap_neighbours: int
    umap_min_dist: float
    n_permutations: int
    seed: int


@dataclass(frozen=True)
class Mapped:
    """One encoder: places [n, 2], purities [2, 2 + n_attributes] as `Labels.purities`, scores by grouping."""

    places: NDArray[np.float32]
    purities: NDArray[np.float64]
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)


def refuse_options(rows: int, neighbours: int, umap_neighbours: int, umap_min_dist: float, n_permutations: int) -> None:
    """Stop at an option that is out of range.

    Raises:
        BadInputError: one is.
    """
    least = {"rows": (rows, 4), "neighbours": (neighbours, 1), "umap-neighbours": (umap_neighbours, 2)}
    least["n-permutations"] = (n_permutations, 20)
    if bad := [(name, value, low) for name, (value, low) in least.items() if value < low]:
        name, value, low = bad[0]
        raise BadInputError(f"--{name} {value}: {low} is the least.")
    if not 0 <= umap_min_dist <= 1:
        raise BadInputError(f"--umap-min-dist {umap_min_dist}: it lies between 0 and 1.")


def map_all(
    features: Sequence[Features], ids: Sequence[str], labels: Labels | None, settings: Settings
) -> dict[str, Mapped]:
    """Each encoder's map and scores, by its name."""
    every = [values_of(one, ids, cosine=settings.cosine) for one in features]
    each = 1 + (steps(labels.n_clusters) + 1 + len(labels.groupings) if labels else 0)
    found = {}
    with progress(each * len(features), "map and measure features", unit="step") as bar:
        for one, values in zip(features, every, strict=True):
            places = coordinates(
                values,
                n_neighbors=settings.umap_neighbours,
                min_dist=settings.umap_min_dist,
                seed=settings.seed,
            )
            bar.update()
            found[name_of(one)] = _measured(values, places, labels, settings, bar) if labels else _only(places)
    return found


def _only(places: NDArray[np.float32]) -> Mapped:
    return Mapped(places, np.zeros((2, 0)))


def _measured(
    values: NDArray[np.float32], places: NDArray[np.float32], labels: Labels, settings: Settings, bar: Any
) -> Mapped:
    space = measured(
        values,
        labels.truth,
        labels.left_out(settings.seed),
        settings.neighbours,
        labels.n_clusters,
        settings.seed,
        bar.update,
    )
    return Mapped(places, labels.purities(space), _scores(space, labels, settings, bar))


def _scores(space: Space, labels: Labels, settings: Settings, bar: Any) -> dict[str, dict[str, Score]]:
    orders = labels.permutations(settings.n_permutations, settings.seed)
    found = {CLASS: of_classes(space, settings.n_permutations, settings.seed)}
    bar.update()
    for grouping in labels.groupings:
        found[grouping.name] = of_grouping(space, grouping, orders)
        bar.update()
    return with_perception(found)
