"""What a claim carries, and how interval, chance and p are computed."""

from __future__ import annotations

from .estimate import LEVEL, MEASURABLE_CLUSTERS, MEASURABLE_ROWS, Estimate, Floats, bca, false_discovery, permutation_p

__all__ = [
    "LEVEL",
    "MEASURABLE_CLUSTERS",
    "MEASURABLE_ROWS",
    "Estimate",
    "Floats",
    "bca",
    "false_discovery",
    "permutation_p",
]
