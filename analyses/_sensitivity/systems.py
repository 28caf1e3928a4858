"""What each system learnt from: pictures or texts, and what was done to the texts, read from its fits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from concepttransfer.errors import BadInputError
from concepttransfer.feature_adapters.spec import SHIFTS
from concepttransfer.statistics.claims import is_random
from concepttransfer.training.recipe import ONLY_HOW

if TYPE_CHECKING:
    from concepttransfer.transfer import Transfer

PICTURES, BLIND, CONTROL, OTHER, UNKNOWN = "pictures", "blind", "random control", "another recipe", "not known"
NAMES = {
    "none": "none",
    "noise": "noise",
    "mean_shift": "mean shift",
    "negated_mean": "negated mean",
    "random_shift": "random shift",
    "linear": "linear",
    "covariance": "covariance",
}
"""Kinds of feature adapters, as people read them."""
UNMOVED = ("none", "noise")
SHIFTED = tuple(NAMES[kind] for kind in SHIFTS)


@dataclass(frozen=True)
class System:
    """One entry of a study and what its fits learnt from.

    Attributes:
        name: of the entry.
        kind: what was done to the texts; or `pictures`, `blind`, `random control`, `another recipe`, `not known`.
        noise: standard deviation of the noise in training; NaN: not fitted on texts.
        magnitude: length of the shift, the mean over seeds; 0: none; NaN: no shift, such as a linear map.
    """

    name: str
    kind: str
    noise: float = np.nan
    magnitude: float = np.nan

    @property
    def reads_texts(self) -> bool:
        """Whether it was fitted on texts."""
        return self.kind in NAMES.values()

    @property
    def words(self) -> str:
        """What was done, with its numbers."""
        if not self.reads_texts:
            return self.kind
        length = f" of {self.magnitude:.2f}" if self.kind in SHIFTED else ""
        noise = f", noise {self.noise:g}" if self.noise and self.kind != "noise" else f" {self.noise:g}"
        return f"{self.kind}{length}{noise if self.noise else ''}"


def systems_of(transfers: Sequence[Transfer]) -> list[System]:
    """Each system once, in the order given.

    Sweeps are over systems that differ in what was done to the texts alone: those that learnt from texts and differ
    from most of these in anything else, such as a tuned language model, are of `another recipe`.

    Raises:
        BadInputError: the fits of one name were made by different recipes.
    """
    found: dict[str, list[Transfer]] = {}
    for transfer in transfers:
        found.setdefault(transfer.encoder, []).append(transfer)
    made = [_system(name, fits) for name, fits in found.items()]
    rests = {one.name: _rest(found[one.name][0]) for one in made if one.reads_texts}
    most = Counter(rests.values()).most_common(1)
    return [replace(one, kind=OTHER) if one.reads_texts and rests[one.name] != most[0][0] else one for one in made]


def _rest(fit: Transfer) -> str:
    """A recipe without what is done to the texts."""
    said = _recipe(fit) or {}
    return json.dumps({name: value for name, value in said.items() if name != "feature_adapter"}, sort_keys=True)


def _recipe(fit: Transfer) -> dict[str, Any] | None:
    """What changed the weights of a fit; None: not known."""
    recipe = fit.meta.get("recipe")
    return None if recipe is None else {name: value for name, value in recipe.items() if name not in ONLY_HOW}


def _system(name: str, fits: Sequence[Transfer]) -> System:
    recipes = [_recipe(fit) for fit in fits]
    if any(recipe != recipes[0] for recipe in recipes):
        raise BadInputError(f"The fits of `{name}` were made by different recipes. Fit them again by one.")
    if is_random(name):
        return System(name, CONTROL)
    if recipes[0] is None:
        return System(name, UNKNOWN)
    recipe = recipes[0]
    if recipe.get("reads", "pictures") == "pictures":
        return System(name, BLIND if name == BLIND or name.endswith(f"-{BLIND}") else PICTURES)
    adapter = recipe.get("feature_adapter") or {"kind": "none"}
    kind = adapter["kind"]
    magnitude = 0.0 if kind in UNMOVED else _length(fits) if kind in SHIFTS else np.nan
    return System(name, NAMES[kind], float(adapter.get("noise", 0.0)), magnitude)


def _length(fits: Sequence[Transfer]) -> float:
    """Of the shift that was fitted, the mean over seeds."""
    states = [fit.feature_adapter_state() for fit in fits]
    return float(np.mean([float(state["shift"].double().norm()) for state in states if state]))


def base_of(systems: Sequence[System]) -> System | None:
    """The system to which shifts are compared: of those that are not moved, the one with the noise of most others."""
    unmoved = [one for one in systems if one.kind in UNMOVED]
    if not unmoved:
        return None
    noises = Counter(one.noise for one in systems if one.reads_texts and one.kind not in UNMOVED)
    return max(unmoved, key=lambda one: (noises.get(one.noise, 0), one.noise > 0, -one.noise))
