"""Pictures with their captions, as a CLIP's two towers read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import BadInputError, EmptyDataError
from ..manifest import Manifest
from ..progress import progress
from ..training.batch_plan import Batch, Indices, generator

if TYPE_CHECKING:
    from PIL.Image import Image

    from .towers import Towers

COUNTED = 1_000_000
"""Of so many captions at most it is counted how many are longer than the text tower reads."""
MAX_UNREADABLE = 0.01
"""More unreadable pictures than this share stop the training."""


@dataclass(frozen=True)
class Loaded:
    """Some pairs of a batch.

    Attributes:
        pictures: `[m, 3, height, width]`; zeros where a picture cannot be read.
        tokens: `[m, context]`.
        readable: whether each picture could be read, `[m]`.
    """

    pictures: Tensor
    tokens: Tensor
    readable: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def parts(self, size: int) -> list[Loaded]:
        """Micro-batches of at most `size` pairs, in order."""
        columns = (torch.split(column, size) for column in (self.pictures, self.tokens, self.readable))
        return [Loaded(*part) for part in zip(*columns, strict=True)] if len(self) else []


class PairPlan:
    """All batches of a training, each computable by itself, so that a resumed run needs no past.

    Rows come in a new order each epoch, each with one of its captions, drawn. What is left of an epoch after its last
    whole batch is dropped: a batch never holds a picture twice, whose captions would be each other's negatives.
    """

    def __init__(self, counts: Sequence[int], rows: Indices, batch_size: int, seed: int) -> None:
        """Plan, without drawing anything yet.

        Args:
            counts: how many captions each row of the data has.
            rows: the rows trained on; each has a caption.
            batch_size: pairs a batch.
            seed: of order and choices.

        Raises:
            BadInputError: a batch is larger than the data.
        """
        if batch_size > len(rows):
            raise BadInputError(
                f"A batch of {batch_size:,} pairs cannot be made of {len(rows):,} pictures without one of them twice. "
                "Set `batch_size` to at most that, or give more pictures."
            )
        self.counts, self.rows, self.batch_size, self.seed = counts, rows, batch_size, seed
        self.batches_an_epoch = len(rows) // batch_size
        self._epoch = lru_cache(maxsize=2)(self._drawn_epoch)

    def batch(self, step: int) -> Batch:
        """The whole batch of one step."""
        epoch, place = divmod(step, self.batches_an_epoch)
        rows, choices = self._epoch(epoch)
        part = slice(place * self.batch_size, (place + 1) * self.batch_size)
        return Batch(step, np.arange(self.batch_size), rows[part], choices[part])

    def _drawn_epoch(self, epoch: int) -> tuple[Indices, Indices]:
        drawn = generator(self.seed, "pairs", epoch)
        rows = self.rows[drawn.permutation(len(self.rows))]
        captions = np.array([self.counts[row] for row in rows])
        return rows, (drawn.random(len(rows)) * captions).astype(np.int64)


class Pairs:
    """The pictures of a manifest with their captions, read ahead by threads."""

    def __init__(self, manifest: Manifest, towers: Towers, *, crop: float, seed: int, workers: int) -> None:
        """Read for `towers`, pictures cropped to at least the share `crop` of their square's area.

        Raises:
            EmptyDataError: no row has a caption, or the manifest has no pictures.
        """
        if manifest.pictures is None:
            raise EmptyDataError(f"`{manifest.name}` has no pictures. A CLIP learns from pictures with captions.")
        if not any(manifest.texts):
            raise EmptyDataError(
                f"No row of `{manifest.name}` has a caption. A CLIP learns from pictures with captions: name such data "
                "under `train:` of the study, or with --on."
            )
        self.manifest, self.texts, self._towers = manifest, manifest.texts, towers
        self._crop, self._seed, self._pool = crop, seed, ThreadPoolExecutor(max(1, workers))
        self._coming: dict[tuple[int, int], Future[Tensor | str]] = {}
        self.unreadable: dict[str, str] = {}

    def prefetch(self, batch: Batch) -> None:
        """Let the threads read the pictures of some pairs."""
        for sample, row in zip(batch.samples.tolist(), batch.rows.tolist(), strict=True):
            if (batch.step, sample) not in self._coming:
                self._coming[batch.step, sample] = self._pool.submit(self._read, row, (batch.step, sample))

    def load(self, batch: Batch) -> Loaded:
        """The pairs of some samples.

        Raises:
            BadInputError: more than `MAX_UNREADABLE` of the pictures cannot be read.
        """
        self.prefetch(batch)
        read = [self._coming.pop((batch.step, sample)).result() for sample in batch.samples.tolist()]
        self._record(batch.rows, read)
        texts = [self.texts[row][choice] for row, choice in zip(batch.rows, batch.choices, strict=True)]
        return self._loaded(read, texts)

    def shown(self, rows: Indices) -> Loaded:
        """Rows as they are, without cropping, each with its first caption; what cannot be read is left out."""
        read = list(self._pool.map(lambda row: self._read(row, None), rows.tolist()))
        self._record(rows, read)
        kept = [(value, row) for value, row in zip(read, rows.tolist(), strict=True) if isinstance(value, Tensor)]
        return self._loaded([value for value, _ in kept], [self.texts[row][0] for _, row in kept])

    def cut(self, *, quiet: bool) -> tuple[int, int]:
        """How many captions are longer than the text tower reads, and of how many: at most `COUNTED`, evenly drawn."""
        n = sum(map(len, self.texts))
        every = math.ceil(n / COUNTED)
        captions = (text for row in self.texts for text in row)
        with progress(n, "count long captions", unit="caption", quiet=quiet) as bar:
            found = counted = 0
            for number, text in enumerate(captions):
                if number % every == 0:
                    found, counted = found + self._towers.tokens.cuts(text), counted + 1
                bar.update()
        return found, counted

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _loaded(self, read: Sequence[Tensor | str], texts: Sequence[str]) -> Loaded:
        blank = next((torch.zeros_like(v) for v in read if isinstance(v, Tensor)), self._towers.blank)
        pictures = [value if isinstance(value, Tensor) else blank for value in read]
        readable = torch.tensor([isinstance(value, Tensor) for value in read], dtype=torch.bool)
        tokens = [self._towers.tokens(text) for text in texts]
        empty = (torch.zeros(0, *blank.shape), torch.zeros(0, 1, dtype=torch.int64))
        return Loaded(*(torch.stack(pictures), torch.stack(tokens)) if read else empty, readable)

    def _read(self, row: int, sample: tuple[int, int] | None) -> Tensor | str:
        try:
            picture = self.manifest.read(row)
        except BadInputError as error:
            return str(error)
        if sample is not None and self._crop < 1:
            picture = cropped(picture, self._crop, self._seed, *sample)
        return self._towers.transform(picture)

    def _record(self, rows: Indices, read: Sequence[Tensor | str]) -> None:
        faults = zip(rows.tolist(), read, strict=True)
        self.unreadable.update({self.manifest.ids[row]: why for row, why in faults if isinstance(why, str)})
        if len(self.unreadable) > MAX_UNREADABLE * len(self.manifest):
            row_id, reason = next(iter(self.unreadable.items()))
            raise BadInputError(
                f"{len(self.unreadable)} of {len(self.manifest)} pictures cannot be read, more than the "
                f"{MAX_UNREADABLE:.0%} allowed; `{row_id}`: {reason}"
            )


def cropped(picture: Image, least: float, *key: int) -> Image:
    """A random square of a picture: CLIP's only augmentation.

    Args:
        picture: any size.
        least: the smallest share of the area of the largest square that fits.
        key: numbers from which size and place are drawn.
    """
    drawn = generator("crop", *key)
    shorter = min(picture.size)
    side = max(1, round(shorter * math.sqrt(drawn.uniform(least, 1))))
    left, top = (int(drawn.integers(0, length - side + 1)) for length in picture.size)
    return picture.crop((left, top, left + side, top + side))
