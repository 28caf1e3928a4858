"""What an estimate is about, as analyses collect it for `Result.estimates`; and q over a family of claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .statistics import Estimate, false_discovery

ABOVE = ", above chance"
"""The end of a measure from which chance was taken off."""
CHANCE = "chance"
"""What a claim is `against` when chance was taken off."""
RANDOM = "-random"


@dataclass(frozen=True)
class Claim:
    """An estimate and what it is about; the fields are those of `Result.estimates`."""

    system: str
    group: str
    measure: str
    against: str | None
    estimate: Estimate


def is_random(system: str) -> bool:
    """Whether an encoder is a random control, by its name."""
    return system.endswith(RANDOM)


def corrected(rows: Sequence[Claim]) -> list[Claim]:
    """The same claims with q. What is tested once counts once, though it is said of a level and of its surplus."""
    keys = [(c.system, c.measure.removesuffix(ABOVE), "" if c.against == CHANCE else c.against) for c in rows]
    family = {key: c.estimate.p for key, c in zip(keys, rows, strict=True) if np.isfinite(c.estimate.p)}
    q = dict(zip(family, false_discovery(list(family.values())), strict=True))
    return [
        replace(c, estimate=replace(c.estimate, q=float(q[key]))) if np.isfinite(c.estimate.p) else c
        for key, c in zip(keys, rows, strict=True)
    ]
