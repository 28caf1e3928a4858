"""Encoders on plain and shifted data, made up: pictures around their class's direction, and texts around it too."""

from __future__ import annotations

import numpy as np

from concepttransfer.concepts.class_texts import ClassTexts
from concepttransfer.features import Features
from concepttransfer.probing.probed_sets import ProbedSet, ProbedSets
from concepttransfer.probing.splits import Part, Splits

N_CLASSES, DIM = 8, 12
NAMES = tuple(f"class {k}" for k in range(N_CLASSES))


def features(values, ids):
    values = np.asarray(values, dtype=np.float64)
    return Features(None, f"key {values.sum():.9f}", values[:, None], tuple(ids), "m", "e", "space")


def part(centres, name, per_class, noise, rng):
    """Pictures of every class, and the class of each."""
    codes = np.repeat(np.arange(len(centres)), per_class)
    ids = [f"{name} {code}-{n}" for n, code in enumerate(codes)]
    made = features(centres[codes] + noise * rng.normal(size=(len(codes), centres.shape[1])), ids)
    return Part(made, tuple(ids)), {row: NAMES[code] for row, code in zip(ids, codes, strict=True)}


def sets_of(encoder, *, noise=1.0, shifts=(), texts=None, seed=0, per_class=12, train=16):
    """One encoder: trained, tuned and tested on pictures of equal noise, then tested with more noise on shifted ones.

    `texts` is the noise of the class texts; None: it reads none.
    """
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng([seed, 1]).normal(size=(N_CLASSES, DIM))
    learning, judging = (part(centres, f"{name} of {encoder}", train, noise, rng) for name in ("train", "validation"))
    found = []
    for on, how_much in (("plain", noise), *((f"shifted-{k}", one) for k, one in enumerate(shifts))):
        test, truth = part(centres, f"{on} picture", per_class, how_much, rng)
        truth = learning[1] | judging[1] | truth
        splits = Splits(encoder, on, "tests", learning[0], judging[0], test, truth, "made up")
        read = None
        if texts is not None:
            spoken = centres + texts * np.random.default_rng([seed, 2]).normal(size=centres.shape)
            ids = [f"{name}#0" for name in NAMES]
            read = ClassTexts(
                encoder, on, "tests", test.features, features(spoken, ids), names=NAMES, templates=("{}",)
            )
        found.append(ProbedSet(NAMES, splits, read))
    return ProbedSets(encoder, "tests", tuple(found), "projected")
