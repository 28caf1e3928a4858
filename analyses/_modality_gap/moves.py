"""What becomes of captions when CLOSE's feature adapters move them, each fitted on pairs that are not evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from concepttransfer.errors import BadInputError
from concepttransfer.feature_adapters import FeatureAdapterSpec
from concepttransfer.features.pairs import Aligned
from concepttransfer.statistics import Floats

NONE = "none"
FOLDS = 5
"""Without other pairs, pictures are parted so often, and each part is moved by what was fitted on the others."""


@dataclass(frozen=True)
class Move:
    """An adapter whose effect is measured.

    Attributes:
        name: what it is called.
        spec: what it does.
        as_in_training: noise is drawn too, one draw a caption.
        directions: how many random directions its numbers are the mean over.
    """

    name: str
    spec: FeatureAdapterSpec
    as_in_training: bool = False
    directions: int = 1


def moves(magnitudes: str, noise: float, directions: int) -> list[Move]:
    """Nothing, noise, both mean shifts, random shifts of some magnitudes, the linear map, and the covariance.

    Raises:
        BadInputError: a magnitude is no number from 0 up.
    """
    on_pairs: Any = {"paired": "other pairs"}
    listed = [Move(NONE, FeatureAdapterSpec())]
    if noise:
        spec = FeatureAdapterSpec(kind="noise", noise=noise)
        listed.append(Move(f"noise {noise:g}", spec, as_in_training=True))
    listed += [
        Move("mean shift", FeatureAdapterSpec(kind="mean_shift", **on_pairs)),
        Move("negated mean", FeatureAdapterSpec(kind="negated_mean", **on_pairs)),
    ]
    for magnitude in _numbers(magnitudes):
        spec = FeatureAdapterSpec(kind="random_shift", magnitude=magnitude)
        listed.append(Move(f"random shift {magnitude:g}", spec, directions=directions))
    listed.append(Move("linear", FeatureAdapterSpec(kind="linear", **on_pairs)))
    covariance = FeatureAdapterSpec(kind="covariance", noise=noise, **on_pairs)
    return [*listed, Move("covariance", covariance, as_in_training=True)]


def _numbers(listed: str) -> list[float]:
    try:
        found = [float(word) for word in listed.split(",") if word.strip()]
    except ValueError:
        found = [-1.0]
    if not all(0 <= value < np.inf for value in found):
        raise BadInputError(f"--magnitudes {listed}: wanted are lengths of shifts from 0 up, such as 0.2,0.5,1.")
    return list(dict.fromkeys(found))


def moved(move: Move, aligned: Aligned, elsewhere: Aligned | None, seed: int) -> Iterator[Floats]:
    """The captions [m, dim] as the adapter leaves them, once for each random direction.

    Args:
        move: the adapter.
        aligned: what is evaluated.
        elsewhere: the pairs on which it is fitted; None: those of the other pictures, in turn.
        seed: of random directions and noise.
    """
    for direction in range(move.directions):
        made = np.empty_like(aligned.captions)
        for fitted_on, captions in _parts(move, aligned, elsewhere, seed):
            made[captions] = _apply(move, fitted_on, aligned.captions[captions], captions, seed + direction)
        yield made


def _parts(
    move: Move, aligned: Aligned, elsewhere: Aligned | None, seed: int
) -> Sequence[tuple[tuple[Floats, Floats] | None, np.ndarray]]:
    """Pairs on which the adapter is fitted, and the numbers of the captions that it then moves."""
    every = np.arange(len(aligned.captions))
    if not move.spec.needs_pairs:
        return [(None, every)]
    if elsewhere is not None:
        return [((elsewhere.beside, elsewhere.captions), every)]
    folds = np.random.default_rng([seed, 5]).permutation(len(aligned.row_ids)) % FOLDS
    parted = folds[aligned.of]
    return [
        ((aligned.beside[parted != fold], aligned.captions[parted != fold]), np.flatnonzero(parted == fold))
        for fold in np.unique(folds)
    ]


def _apply(move: Move, pairs: tuple[Floats, Floats] | None, captions: Floats, numbers: np.ndarray, seed: int) -> Floats:
    import torch

    from concepttransfer.feature_adapters import fit_adapter

    pictures, texts = pairs or (None, None)
    adapter = fit_adapter(move.spec, pictures, texts, seed, dim=captions.shape[1])
    draws = [(seed << 32) + int(number) for number in numbers] if move.as_in_training else None
    features = torch.as_tensor(captions, dtype=torch.float32)[:, None]
    made: Floats = adapter(features, draws)[:, 0].double().numpy()
    return made
