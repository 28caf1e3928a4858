"""Which pictures are measured, and their features: the same rows of each encoder, in an order that is stratified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, ShapeError
from concepttransfer.features import Features
from concepttransfer.statistics.resampling import Ints

FEWEST = 4
"""A map of fewer pictures shows nothing."""
_BLOCK = 256


def common_rows(features: Sequence[Features]) -> list[str]:
    """The pictures that all the features are of, in the order of the first.

    Raises:
        EmptyDataError: there are no features.
        MismatchError: features of different pictures.
        BadInputError: two of one name.
        ShapeError: fewer than 4 pictures.
    """
    if not features:
        raise EmptyDataError("There are no features to map. Name encoders: concepttransfer embedding-map --encoder all")
    first, names = features[0], set[str]()
    for one in features:
        if name_of(one) in names:
            raise BadInputError(f"Two sets of features are named `{name_of(one)}`. Give each encoder once.")
        names.add(name_of(one))
        if set(one.row_ids) != set(first.row_ids) or one.manifest_id != first.manifest_id:
            raise MismatchError(
                f"The features of {name_of(one)} ({len(one)} pictures) and of {name_of(first)} ({len(first)} pictures) "
                "are of different pictures. Encode the same data with both."
            )
    if len(first) < FEWEST:
        raise ShapeError(f"{len(first)} picture(s): a map needs {FEWEST} or more. Give more, or a larger --limit.")
    return list(first.row_ids)


def name_of(features: Features) -> str:
    """The encoder's name in its study, else its id."""
    return features.encoder or features.encoder_id


def drawn(rows: Sequence[str], truth: Mapping[str, str], at_most: int, seed: int) -> list[str]:
    """At most so many rows, without replacement, in an order of which every beginning has its classes in balance.

    Pictures of each class are shuffled; then come the first of every class, the second of every class, and so on. Rows
    without a class are left out where others have one.

    Raises:
        BadInputError: fewer than 4 are allowed.
    """
    if at_most < FEWEST:
        raise BadInputError(f"--rows {at_most}: {FEWEST} or more pictures are needed.")
    known = [row for row in rows if row in truth] or list(rows)
    rng = np.random.default_rng([seed, len(known)])
    shuffled = [known[at] for at in rng.permutation(len(known))]
    turn, seen = dict[str, int](), dict[str, int]()
    for row in shuffled:
        label = truth.get(row, "")
        turn[row] = seen[label] = seen.get(label, 0) + 1
    return sorted(shuffled, key=turn.__getitem__)[:at_most]


def refuse_classes(truth: Ints, n_classes: int) -> None:
    """Stop where classes cannot be told apart by any measure.

    Raises:
        EmptyDataError: there is one class.
        ShapeError: no class has two pictures.
    """
    if n_classes < 2:
        raise EmptyDataError(
            "All pictures are of one class: nothing can be grouped. Give pictures of two classes or more; --on FOLDER "
            "takes a folder of folders, one a class."
        )
    if np.bincount(truth).max() < 2:
        raise ShapeError(
            f"{len(truth)} pictures of {n_classes} classes: no class has two, so that none can be a group. "
            "Give more pictures of each, or a larger --limit."
        )


def values_of(features: Features, rows: Sequence[str], *, cosine: bool) -> NDArray[np.float32]:
    """[n, dim] mean over tokens of these rows; centred, and in units of their spread, which changes no measure.

    Args:
        features: of one encoder.
        rows: in the order wanted.
        cosine: bring every row to length 1 first, so that distances are by angle.

    Raises:
        BadInputError: values that are not finite, or rows that are all equal.
    """
    places = features.indices(rows)
    blocks = (features.values[places[at : at + _BLOCK]] for at in range(0, len(places), _BLOCK))
    found = np.concatenate([np.asarray(block, dtype=np.float64).mean(1) for block in blocks])
    if bad := int((~np.isfinite(found)).any(1).sum()):
        raise BadInputError(
            f"The features of {name_of(features)} hold values that are not finite (in {bad} of {len(found)} rows). "
            "Encode again with --force."
        )
    if cosine:
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    found -= found.mean(0)
    spread = float(np.sqrt((found**2).sum(1).mean()))
    if spread < 1e-9:
        raise BadInputError(
            f"The features of {name_of(features)} are the same for all {len(found)} pictures: there is nothing to map."
        )
    return (found / spread).astype(np.float32)
