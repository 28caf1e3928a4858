"""What a zero-shot classifier and linear probes say of the same pictures. One fit of a probe is tested on all sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.probing.probed_sets import ProbedSet, ProbedSets
from concepttransfer.progress import progress
from concepttransfer.statistics import Floats
from concepttransfer.statistics.claims import is_random

from .._linear_probe.classes import Codes, Pictures, pictures_of, probe_classes, probe_few

MOST_SHOTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, eq=False)
class Said:
    """One encoder on one data set.

    Attributes:
        encoder, on: names.
        row_ids: of the pictures.
        names: of the classes.
        truth: [n] the code of each picture's class.
        probe: [n] what a probe on all training pictures says.
        few: by number of training pictures of a class, [n_draws, n] what probes say; none of a random control.
        zero_shot: [n] the class whose text is nearest; None for an encoder that reads no texts.
        n_training: mean number of pictures of a class that the full probe learnt from.
    """

    encoder: str
    on: str
    row_ids: tuple[str, ...]
    names: tuple[str, ...]
    truth: Codes
    probe: Codes
    few: Mapping[int, Codes]
    zero_shot: Codes | None
    n_training: float

    def right(self, said: Codes) -> Floats:
        """1 where a prediction [..., n] is right."""
        return np.asarray(said == self.truth, dtype=np.float64)


def say(all_sets: Sequence[ProbedSets], *, n_draws: int, seed: int) -> list[list[Said]]:
    """Of each encoder, one for each data set.

    Args:
        all_sets: of each encoder, over the same data sets.
        n_draws: draws of few training pictures; 0: probes learn from all only.
        seed: of the draws.

    Raises:
        EmptyDataError: there is no encoder, or nothing to learn from or to test on.
        BadInputError: training pictures of one class only.
        MismatchError: the encoders are tested on other pictures.
    """
    if not all_sets:
        raise EmptyDataError("There is nothing to probe. Name an encoder with --encoder NAME.")
    groups = [list(_groups(one)) for one in all_sets]
    with progress(sum(map(len, groups)), "probe", unit="probe", even=False) as bar:
        found = [_of_encoder(one, mine, n_draws, seed, bar) for one, mine in zip(all_sets, groups, strict=True)]
    for place, first in enumerate(found[0]):
        for mine in found[1:]:
            if len(mine) != len(found[0]) or mine[place].row_ids != first.row_ids:
                raise MismatchError(
                    f"{mine[0].encoder} and {first.encoder} are tested on other pictures of `{first.on}`. Encode the "
                    "same data for both."
                )
    return found


def _groups(one: ProbedSets) -> Iterator[list[ProbedSet]]:
    """The data sets of one encoder whose probe is the same."""
    by_key: dict[str, list[ProbedSet]] = {}
    for each in one.sets:
        by_key.setdefault(each.learns_from, []).append(each)
    yield from by_key.values()


def _of_encoder(one: ProbedSets, groups: Sequence[list[ProbedSet]], n_draws: int, seed: int, bar: Any) -> list[Said]:
    found: dict[str, Said] = {}
    for group in groups:
        found |= {each.on: each for each in _of_group(one.encoder, group, n_draws, seed)}
        bar.update()
    return [found[each.on] for each in one.sets]


def _of_group(encoder: str, group: Sequence[ProbedSet], n_draws: int, seed: int) -> Iterator[Said]:
    each = [pictures_of(one.splits, one) for one in group]
    for one, pictures in zip(group, each, strict=True):
        _refuse(encoder, one, pictures)
    first = each[0]
    together = replace(
        first, test=np.concatenate([p.test for p in each]), y_test=np.concatenate([p.y_test for p in each])
    )
    ends = np.cumsum([len(p.y_test) for p in each])[:-1]
    full = np.split(probe_classes(together).codes, ends)
    with_few = n_draws > 0 and not is_random(encoder)
    few = {shots: _few(together, shots, n_draws, seed) for shots in _shots(first) if with_few}
    learnt = len(first.y_train) + len(first.y_validation)
    n_classes = len(np.unique(np.concatenate([first.y_train, first.y_validation])))
    for place, (one, pictures) in enumerate(zip(group, each, strict=True)):
        yield Said(
            encoder=encoder,
            on=one.on,
            row_ids=pictures.row_ids,
            names=one.names,
            truth=pictures.y_test,
            probe=full[place],
            few={shots: np.split(said, ends, axis=1)[place] for shots, said in few.items()},
            zero_shot=None if one.texts is None else _nearest(one, pictures),
            n_training=learnt / n_classes,
        )


def _few(pictures: Pictures, shots: int, n_draws: int, seed: int) -> Codes:
    """[n_draws, n] what probes on so many pictures of a class say."""
    draws = [np.random.default_rng([seed, 5, shots, draw]) for draw in range(n_draws)]
    return np.stack([probe_few(pictures, shots, rng).codes for rng in draws])


def _shots(pictures: Pictures) -> list[int]:
    """As many as fewer than half of a class's training pictures allow; at least one."""
    typical = float(np.median(np.bincount(pictures.y_train)[np.unique(pictures.y_train)]))
    return [shots for shots in MOST_SHOTS if shots <= max(typical / 1.5, 1)]


def _nearest(one: ProbedSet, pictures: Pictures) -> NDArray[np.int64]:
    found: NDArray[np.int64] = one.texts.cosines(pictures.row_ids).argmax(axis=1)  # type: ignore[union-attr]
    return found


def _refuse(encoder: str, one: ProbedSet, pictures: Pictures) -> None:
    for part, y in (("train", pictures.y_train), ("test", pictures.y_test)):
        if len(y) == 0:
            raise EmptyDataError(
                f"No {part} picture of `{one.on}` has a known class ({one.splits.how}). Name other data with --on."
            )
    if len(np.unique(pictures.y_train)) < 2:
        raise BadInputError(
            f"All {len(pictures.y_train)} training pictures of {encoder} for `{one.on}` are of one class, "
            f"`{one.names[pictures.y_train[0]]}`. A probe tells classes apart: give two or more."
        )
