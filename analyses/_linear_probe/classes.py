"""Multinomial probes of the class: CLIP's protocol on all training pictures, and on a few of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from concepttransfer.probing import Sweep, accuracy_of, fit_probes, sweep
from concepttransfer.probing.splits import Part, Splits
from concepttransfer.statistics import Floats

Codes = NDArray[np.int64]
SHOTS = (1, 2, 4, 8, 16)
JUDGED = 4
"""Few-shot probes choose their strength on so many validation pictures of a class, and on no more than shots."""
FEW_STEPS = 200


class HasNames(Protocol):
    """Names of classes, in the order of their codes."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names."""


@dataclass(frozen=True)
class Pictures:
    """One encoder's pooled features of three parts, and the code of each picture's concept.

    Attributes:
        splits: where they are from.
        train, validation, test: [n, dim].
        y_train, y_validation, y_test: [n].
        row_ids: of the test pictures.
    """

    splits: Splits
    train: Floats
    validation: Floats
    test: Floats
    y_train: Codes
    y_validation: Codes
    y_test: Codes
    row_ids: tuple[str, ...]


def pictures_of(splits: Splits, concepts: HasNames) -> Pictures:
    """Read the features of the rows whose concept is known.

    Raises:
        BadInputError: a value is no number.
    """
    at = {name: code for code, name in enumerate(concepts.names)}

    def read(part: Part) -> tuple[Floats, Codes]:
        known = splits.known(part)
        codes = np.array([at[splits.truth[row]] for row in known.row_ids], dtype=np.int64)
        return known.pooled().astype(np.float64), codes

    parts = [read(part) for part in (splits.train, splits.validation, splits.test)]
    (train, y_train), (validation, y_validation), (test, y_test) = parts
    return Pictures(splits, train, validation, test, y_train, y_validation, y_test, splits.known(splits.test).row_ids)


@dataclass(frozen=True)
class Predicted:
    """What a probe says of the test pictures.

    Attributes:
        codes: [n] the class with the largest logit.
        probability: [n] that of the right class; 0 for a class without training pictures.
        sweep: how the strength was chosen.
    """

    codes: Codes
    probability: Floats
    sweep: Sweep


def probe_classes(pictures: Pictures) -> Predicted:
    """Sweep the strength on validation pictures, refit on both parts, predict. Radford et al. 2021, appendix A.3.

    Raises:
        BadInputError: fewer than two classes have training pictures.
    """
    p = pictures
    found = _swept(p.train, p.y_train, p.validation, p.y_validation)
    x, y = np.concatenate([p.train, p.validation]), np.concatenate([p.y_train, p.y_validation])
    return _predicted(x, y, p, found)


def probe_few(pictures: Pictures, shots: int, rng: np.random.Generator) -> Predicted:
    """The same on `shots` training pictures of each class, its strength chosen on no more validation pictures.

    The validation pictures judge only; a class with fewer pictures gives all that it has.
    """
    p = pictures
    learning, judging = drawn(p.y_train, shots, rng), drawn(p.y_validation, min(shots, JUDGED), rng)
    x, y = p.train[learning], p.y_train[learning]
    return _predicted(x, y, p, _swept(x, y, p.validation[judging], p.y_validation[judging], FEW_STEPS))


def drawn(codes: Codes, n: int, rng: np.random.Generator) -> Codes:
    """Rows of at most `n` pictures of each class."""
    order = rng.permutation(len(codes))
    chosen = [order[codes[order] == code][:n] for code in np.unique(codes)]
    return np.sort(np.concatenate(chosen)) if chosen else order


def _swept(x: Floats, y: Codes, x_judge: Floats, y_judge: Codes, max_steps: int = 1000) -> Sweep:
    known, codes = np.unique(y, return_inverse=True)
    if len(x_judge) == 0:
        return Sweep(1.0, np.array([]), np.array([]))
    at = np.searchsorted(known, y_judge).clip(max=len(known) - 1)
    truth = np.where(known[at] == y_judge, at, -1) if len(known) else y_judge
    return sweep(x, codes, x_judge, accuracy_of(truth), max_steps=max_steps)


def _predicted(x: Floats, y: Codes, pictures: Pictures, found: Sweep) -> Predicted:
    known, codes = np.unique(y, return_inverse=True)
    logits = fit_probes(x, codes, [found.strength]).scores(pictures.test)[0]
    logits -= logits.max(1, keepdims=True)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    every = np.zeros((len(logits), int(max(known.max(), pictures.y_test.max(initial=0))) + 1))
    every[:, known] = shares
    right = every[np.arange(len(every)), pictures.y_test]
    return Predicted(known[logits.argmax(1)].astype(np.int64), right, found)


def without_training(all_pictures: Sequence[Pictures]) -> Codes:
    """The classes of test pictures of which some encoder has no training picture."""
    missing = [np.setdiff1d(p.y_test, np.concatenate([p.y_train, p.y_validation])) for p in all_pictures]
    return np.unique(np.concatenate(missing)).astype(np.int64)
