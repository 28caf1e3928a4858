"""Which captions make which batch: decided before any split over processes and micro-batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError, EmptyDataError
from ..storage import digest

Indices = NDArray[np.int64]

WINDOW = 8
"""Batches are cut from so many batches' captions, sorted by length: little padding, and still much chance."""

HELD_OUT_AT_MOST = 2000
"""Rows whose validation loss is measured, however large the share that a recipe holds out."""


@dataclass(frozen=True)
class Batch:
    """Captions of one step, or some of them.

    Attributes:
        step: the optimiser step, from 0.
        samples: each caption's place in the whole batch of the step, from which its dropout mask is drawn.
        rows: each caption's row.
        choices: which of the row's captions it is.
    """

    step: int
    samples: Indices
    rows: Indices
    choices: Indices

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> Batch:
        return Batch(self.step, self.samples[part], self.rows[part], self.choices[part])

    def share(self, process: int, n_processes: int) -> Batch:
        """The captions of one process: every n-th, so that all processes get as long ones."""
        return self[process::n_processes]

    def parts(self, size: int) -> Iterator[Batch]:
        """Micro-batches of at most `size` captions, in order."""
        return (self[start : start + size] for start in range(0, len(self), size))

    def draws(self, seed: int, what: str = "dropout") -> list[int]:
        """An integer for each caption, by seed, step, sample and what is drawn from it."""
        return [draw(seed, what, self.step, int(sample)) for sample in self.samples]


class BatchPlan:
    """All batches of a fit, each computable by itself, so that a resumed run needs no past.

    Rows come in a new order each epoch, each with one of its captions, chosen by seed, epoch and row. A batch may go
    over the end of an epoch; none is cut short. Inside a window of batches, captions are sorted by length.
    """

    def __init__(self, lengths: Sequence[Sequence[int]], rows: Indices, batch_size: int, seed: int) -> None:
        """Plan, without drawing anything yet.

        Args:
            lengths: for each row of the data, the length of each of its captions, in any unit.
            rows: the rows trained on; each has a caption.
            batch_size: captions a batch.
            seed: of order and choices.
        """
        self.lengths, self.rows, self.batch_size, self.seed = lengths, rows, batch_size, seed
        self._window = lru_cache(maxsize=1)(self._sorted_window)
        self._epoch = lru_cache(maxsize=2)(self._drawn_epoch)

    def batch(self, step: int) -> Batch:
        """The whole batch of one step, its captions from short to long."""
        window, place = divmod(step, WINDOW)
        rows, choices = self._window(window)
        part = slice(place * self.batch_size, (place + 1) * self.batch_size)
        return Batch(step, np.arange(self.batch_size), rows[part], choices[part])

    def _sorted_window(self, window: int) -> tuple[Indices, Indices]:
        size = WINDOW * self.batch_size
        rows, choices = self._stream(window * size, (window + 1) * size)
        lengths = np.array([self.lengths[row][choice] for row, choice in zip(rows, choices, strict=True)])
        by_length = np.argsort(lengths, kind="stable").reshape(WINDOW, self.batch_size)
        order = generator(self.seed, "window", window).permutation(WINDOW)
        flat = by_length[order].reshape(-1)
        return rows[flat], choices[flat]

    def _stream(self, start: int, stop: int) -> tuple[Indices, Indices]:
        n = len(self.rows)
        rows, choices = [], []
        for epoch in range(start // n, (stop - 1) // n + 1):
            part = slice(max(start - epoch * n, 0), min(stop - epoch * n, n))
            epoch_rows, epoch_choices = self._epoch(epoch)
            rows.append(epoch_rows[part])
            choices.append(epoch_choices[part])
        return np.concatenate(rows), np.concatenate(choices)

    def _drawn_epoch(self, epoch: int) -> tuple[Indices, Indices]:
        drawn = generator(self.seed, "epoch", epoch)
        order = drawn.permutation(len(self.rows))
        counts = np.array([len(self.lengths[row]) for row in self.rows], dtype=np.int64)
        choices = (drawn.random(len(self.rows)) * counts).astype(np.int64)
        return self.rows[order], choices[order]


def hold_out(texts: Sequence[Sequence[str]], share: float) -> tuple[Indices, Indices]:
    """Rows to train on and rows for the validation loss (at most 2,000), the same for every seed; both in order.

    Rows without a text are in neither.

    Raises:
        EmptyDataError: no row has a text.
        BadInputError: nothing would be left to train on.
    """
    usable = np.array([row for row, captions in enumerate(texts) if captions], dtype=np.int64)
    if not len(usable):
        raise EmptyDataError("No row has a text to train on. Name training data with captions.")
    n = min(max(round(share * len(usable)), 1), HELD_OUT_AT_MOST) if share else 0
    if n >= len(usable):
        raise BadInputError(
            f"Holding {n} of {len(usable)} rows out leaves none to train on. Give more, or validation: 0."
        )
    out = np.sort(generator("held out", len(usable)).choice(usable, n, replace=False))
    return np.setdiff1d(usable, out), out


def validation_batches(plan: BatchPlan, rows: Indices, size: int) -> list[Batch]:
    """The first caption of each held-out row, in batches of similar length."""
    order = np.argsort([plan.lengths[row][0] for row in rows], kind="stable")
    whole = Batch(0, np.arange(len(rows)), rows[order], np.zeros(len(rows), dtype=np.int64))
    return list(whole.parts(size))


def draw(*parts: object) -> int:
    """An integer below 2**63 that follows from the parts and looks random."""
    return int(digest(*parts)[:16], 16) >> 1


def generator(*parts: object) -> np.random.Generator:
    """A generator of random numbers that follows from the parts."""
    return np.random.Generator(np.random.PCG64(draw(*parts)))
