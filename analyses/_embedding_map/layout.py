"""The map itself: UMAP, which keeps near pictures near. Nothing is ever measured in it."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

SPECTRAL = 30
"""With fewer pictures the map starts from random places: the spectral start needs more than it has."""


def coordinates(values: NDArray[np.float32], *, n_neighbors: int, min_dist: float, seed: int) -> NDArray[np.float32]:
    """[n, 2] places of the pictures, by UMAP (McInnes et al. 2018) on one thread, so that a seed gives one map.

    The exact neighbours are given to it: of fewer than 4,096 pictures it would itself ask for each distance by a call.

    Args:
        values: [n, dim].
        n_neighbors: of each picture, itself among them; at most all.
        min_dist: how near two pictures may come.
        seed: of start and steps.
    """
    from sklearn.neighbors import NearestNeighbors

    n_neighbors = min(n_neighbors, len(values))
    distances, indices = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(values).kneighbors(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on parts of it that need tensorflow, on threads, on graphs in several pieces
        import umap

        made = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            init="spectral" if len(values) >= SPECTRAL else "random",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(indices, distances.astype(np.float32)),
        ).fit_transform(values)
    return np.asarray(made, dtype=np.float32)
