"""Features of several encoders as arrays over the same pictures, pooled; and their means over the same classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from concepttransfer.concepts.class_names import ClassNames
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.features import Features
from concepttransfer.statistics import Floats

from .measures import FEWEST, refuse_features

_BLOCK = 256


def name_of(features: Features) -> str:
    """The encoder's name in its study, else its id."""
    return features.encoder or features.encoder_id


def pooled(features: Sequence[Features]) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
    """The mean over tokens of each encoder's features, [n, dim] by its name, and the rows in their common order.

    Raises:
        EmptyDataError: there are no features.
        MismatchError: features of different pictures.
        BadInputError: two of one name, values that are not finite, rows that are all equal.
        ShapeError: fewer than 4 pictures.
    """
    if not features:
        raise EmptyDataError(
            "There are no features to compare. Name encoders: concepttransfer similarity --encoder all"
        )
    rows = list(features[0].row_ids)
    found: dict[str, NDArray[np.float32]] = {}
    for one in features:
        name = name_of(one)
        if name in found:
            raise BadInputError(f"Two sets of features are named `{name}`. Give each encoder once.")
        if set(one.row_ids) != set(rows) or one.manifest_id != features[0].manifest_id:
            raise MismatchError(
                f"The features of {name} ({len(one)} pictures) and of {name_of(features[0])} ({len(rows)} pictures) "
                "are of different pictures. Encode the same data with both."
            )
        found[name] = _mean_of_tokens(one)[one.indices(rows)]
        refuse_features(found[name], name)
    return found, rows


def _mean_of_tokens(features: Features) -> NDArray[np.float32]:
    """[n, dim], read a block at a time: all tokens of all pictures may be more than memory holds."""
    blocks = (features.values[start : start + _BLOCK] for start in range(0, len(features), _BLOCK))
    return np.concatenate([np.asarray(block, dtype=np.float32).mean(1) for block in blocks])


def chosen(features: Mapping[str, NDArray[np.float32]], at_most: int, seed: int) -> dict[str, Floats]:
    """The same `at_most` rows of each, drawn without replacement: what grows with pairs of rows has to end somewhere.

    Raises:
        BadInputError: fewer than 4 are allowed.
    """
    if at_most < FEWEST:
        raise BadInputError(f"--rows {at_most}: {FEWEST} or more pictures are needed.")
    n = len(next(iter(features.values())))
    rows = np.sort(np.random.default_rng([seed, n]).permutation(n)[:at_most])
    return {name: values[rows].astype(np.float64) for name, values in features.items()}


def class_means(
    features: Mapping[str, NDArray[np.float32]], rows: Sequence[str], names: ClassNames
) -> tuple[dict[str, Floats], Floats, list[str]]:
    """Each encoder's mean feature of each class, the names' word vectors, and the classes that have a picture.

    Classes of the same word are one row of word vectors twice, so that only the first with pictures is kept.
    """
    at = {name: code for code, name in enumerate(names.names)}
    codes = np.array([at[names.truth[row]] if row in names.truth else -1 for row in rows], dtype=np.int64)
    there = np.unique(codes[codes >= 0])
    _, first = np.unique(names.vectors[there], axis=0, return_index=True) if len(there) else ((), np.array([], int))
    there = there[np.sort(first)]
    means = {name: _means(values, codes, there) for name, values in features.items()}
    return means, names.vectors[there].astype(np.float64), [names.names[code] for code in there]


def _means(values: NDArray[np.float32], codes: NDArray[np.int64], there: NDArray[np.int64]) -> Floats:
    if not len(there):
        return np.zeros((0, values.shape[1]))
    return np.stack([values[codes == code].mean(0, dtype=np.float64) for code in there])
