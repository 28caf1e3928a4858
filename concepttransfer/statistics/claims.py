"""What an estimate is about, as analyses collect it for `Result.estimates`; and q over a family of claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .estimate import Estimate, false_discovery

ABOVE = ", above chance"
"""The end of a measure from which chance was taken off."""
CHANCE = "chance"
"""What a claim is `against` when chance was taken off."""
RANDOM = "-random"
AT = "@"
"""What follows it in an encoder's name says where the encoder is read: `beit@layer:6`."""


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
    return stem(system).endswith(RANDOM)


def stem(system: str) -> str:
    """The encoder without where it is read: `beit` of `beit@layer:6`."""
    return system.partition(AT)[0]


def layer_of(system: str) -> int | None:
    """The layer at which an encoder is read, where its name says one: 6 of `beit@layer:6`."""
    _, is_layer, number = system.partition(f"{AT}layer:")
    return int(number) if is_layer and number.removeprefix("-").isdecimal() else None


def learnt(system: str) -> str:
    """The name without what says that it is a random control: `beit@layer:6` of `beit-random@layer:6`."""
    return stem(system).removesuffix(RANDOM) + system.removeprefix(stem(system))


def is_control(control: str, of: str) -> bool:
    """Whether it is, by its name, the random control of another encoder or of the one whose relative that is.

    `beit-random` is that of `beit` and of `beit-ft`, `beit-random@layer:6` that of `beit@layer:6`.
    """
    same_place = control.partition(AT)[2] == of.partition(AT)[2]
    return is_random(control) and same_place and f"{stem(of)}-".startswith(stem(control).removesuffix("random"))


def corrected(rows: Sequence[Claim]) -> list[Claim]:
    """The same claims with q. What is tested once counts once, though it is said of a level and of its surplus."""
    keys = [(c.system, c.measure.removesuffix(ABOVE), "" if c.against == CHANCE else c.against) for c in rows]
    family = {key: c.estimate.p for key, c in zip(keys, rows, strict=True) if np.isfinite(c.estimate.p)}
    q = dict(zip(family, false_discovery(list(family.values())), strict=True))
    return [
        replace(c, estimate=replace(c.estimate, q=float(q[key]))) if np.isfinite(c.estimate.p) else c
        for key, c in zip(keys, rows, strict=True)
    ]
