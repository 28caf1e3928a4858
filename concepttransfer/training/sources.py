"""Where a fit's features come from: the store on disk, or the encoder in the loop."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import BadInputError
from .batch_plan import Indices, generator

if TYPE_CHECKING:
    from ..encoders.base import Encoder
    from ..features import Features
    from ..manifest import Manifest

SAMPLED_ROWS = 4096
"""Rows from which the statistics of the training set are taken."""


class FeatureSource(Protocol):
    """Features of a list of pictures, by their place in the list.

    Attributes:
        row_ids: names the pictures, in order.
        unreadable: reasons by row id. Features of these rows mean nothing and are left out of the loss.
        trained: the network that is trained with the projection, or None.
    """

    row_ids: Sequence[str]
    unreadable: dict[str, str]
    trained: nn.Module | None

    @property
    def space(self) -> str:
        """Names the feature space."""

    @property
    def identity(self) -> str:
        """Names the encoder and everything about it that changes a value."""

    @property
    def tokens(self) -> int:
        """Tokens of a picture."""

    @property
    def dim(self) -> int:
        """Width of a token."""

    def to(self, device: torch.device) -> None:
        """Compute on this device, if anything is computed."""

    def prefetch(self, rows: Indices) -> None:
        """Begin to get what `batch` will be asked for."""

    def batch(self, rows: Indices, choices: Indices | None = None) -> Tensor:
        """Features `[b, tokens, dim]` of the rows, on any device and in any floating dtype.

        `choices [b]` say which of each row's captions is learnt, for sources that read captions; None: the first.
        """


class StoredFeatures:
    """Features that were encoded before, read from their store."""

    def __init__(self, features: Features) -> None:
        """Read from `features`; its rows are the source's."""
        self._features = features
        self.row_ids: Sequence[str] = features.row_ids
        self.unreadable: dict[str, str] = {}
        self.trained: nn.Module | None = None

    @property
    def space(self) -> str:
        """Names the feature space."""
        return str(self._features.space)

    @property
    def identity(self) -> str:
        """Names the encoder and everything about it that changes a value."""
        return str(self._features.encoder_id)

    @property
    def tokens(self) -> int:
        """Tokens of a picture."""
        return int(self._features.values.shape[1])

    @property
    def dim(self) -> int:
        """Width of a token."""
        return int(self._features.values.shape[2])

    def to(self, device: torch.device) -> None:
        """Nothing is computed."""

    def prefetch(self, rows: Indices) -> None:
        """The operating system reads ahead."""

    def batch(self, rows: Indices, choices: Indices | None = None) -> Tensor:
        """Features `[b, tokens, dim]` of the rows, in the store's dtype."""
        return torch.from_numpy(np.ascontiguousarray(self._features.values[rows]))


class TextFeatures(StoredFeatures):
    """Features of captions by a CLIP's text tower, in the place of their pictures': training on text alone (CLOSE)."""

    def __init__(self, features: Features, row_ids: Sequence[str], *, other: bool = False) -> None:
        """Read from `features`, whose ids are `ROW#NUMBER`.

        Args:
            features: of all captions of the rows.
            row_ids: the rows, in the order of their texts.
            other: give the features of another caption of the same row than the one that is learnt.

        Raises:
            BadInputError: another caption is wanted, and a row has but one.
        """
        super().__init__(features)
        self.row_ids, self._other = row_ids, other
        places: dict[str, list[int]] = {row: [] for row in row_ids}
        for place, name in enumerate(features.row_ids):
            places[name.rpartition("#")[0]].append(place)
        self._places = list(places.values())
        if other and (lone := next((row for row, there in places.items() if len(there) == 1), None)):
            raise BadInputError(
                f"`reads: other_texts` needs two captions of each picture; `{lone}` has one. Say `reads: texts`."
            )

    def batch(self, rows: Indices, choices: Indices | None = None) -> Tensor:
        """Features `[b, tokens, dim]` of each row's caption that is learnt, or of the next one where `other`."""
        chosen = np.zeros(len(rows), dtype=np.int64) if choices is None else choices
        places = [self._places[row] for row in rows]
        at = [there[(choice + self._other) % len(there)] for there, choice in zip(places, chosen, strict=True)]
        return torch.from_numpy(np.ascontiguousarray(self._features.values[at]))


class OnlineFeatures:
    """Features that an encoder computes when they are asked for. A trained encoder's are always such.

    A picture that cannot be read is recorded by id and reason and left out; more than `max_unreadable` stop the fit.
    """

    def __init__(
        self,
        encoder: Encoder,
        manifest: Manifest,
        *,
        tuned: bool = False,
        workers: int = 0,
        max_unreadable: float = 0.01,
    ) -> None:
        """Encode the pictures of `manifest`.

        Args:
            encoder: on its device already.
            manifest: its rows are the source's.
            tuned: the encoder's network is trained.
            workers: threads that read and transform pictures ahead of the encoder; 0: none.
            max_unreadable: the share of pictures that may be unreadable.
        """
        self._encoder, self._manifest, self._max_unreadable = encoder, manifest, max_unreadable
        self._pool = ThreadPoolExecutor(workers) if workers else None
        self._coming: dict[int, Future[Tensor | str]] = {}
        self.row_ids: Sequence[str] = manifest.ids
        self.unreadable: dict[str, str] = {}
        self.trained: nn.Module | None = encoder.module if tuned else None

    @property
    def space(self) -> str:
        """Names the feature space."""
        return self._encoder.space

    @property
    def identity(self) -> str:
        """Names the encoder and everything about it that changes a value."""
        return self._encoder.id

    @property
    def tokens(self) -> int:
        """Tokens of a picture."""
        return self._encoder.tokens

    @property
    def dim(self) -> int:
        """Width of a token."""
        return self._encoder.dim

    def to(self, device: torch.device) -> None:
        """Move the encoder."""
        self._encoder.to(device)

    def prefetch(self, rows: Indices) -> None:
        """Let the workers read and transform the pictures of these rows."""
        if self._pool is not None:
            for row in map(int, rows):
                if row not in self._coming:
                    self._coming[row] = self._pool.submit(self._read, row)

    def batch(self, rows: Indices, choices: Indices | None = None) -> Tensor:
        """Features `[b, tokens, dim]` of the rows, with gradient where the encoder is trained.

        Raises:
            BadInputError: more than the allowed share of the pictures cannot be read.
        """
        self.prefetch(rows)
        read = {row: self._take(row) for row in dict.fromkeys(map(int, rows))}
        self._record({row: reason for row, reason in read.items() if isinstance(reason, str)})
        inputs = {row: value for row, value in read.items() if isinstance(value, Tensor)}
        if not inputs:
            return torch.zeros(len(rows), self.tokens, self.dim)
        blank = torch.zeros_like(next(iter(inputs.values())))
        features = self._encoder.encode(torch.stack([inputs.get(row, blank) for row in map(int, rows)]))
        return features if self.trained is not None else features.detach()

    def _take(self, row: int) -> Tensor | str:
        coming = self._coming.pop(row, None)
        return self._read(row) if coming is None else coming.result()

    def _read(self, row: int) -> Tensor | str:
        try:
            return self._encoder.transform(self._manifest.read(row))
        except BadInputError as error:
            return str(error)

    def _record(self, faults: dict[int, str]) -> None:
        self.unreadable.update({self.row_ids[row]: reason for row, reason in faults.items()})
        if len(self.unreadable) > self._max_unreadable * len(self.row_ids):
            row_id, reason = next(iter(self.unreadable.items()))
            raise BadInputError(
                f"{len(self.unreadable)} of {len(self.row_ids)} pictures cannot be read, more than the "
                f"{self._max_unreadable:.1%} allowed; `{row_id}`: {reason}"
            )


def statistics(
    source: FeatureSource, rows: Indices, chunk: int = 64, adapter: nn.Module | None = None
) -> tuple[Tensor, Tensor, float]:
    """Mean `[dim]`, standard deviation `[dim]` and root mean square of the training set's features, float32.

    `adapter` is what is done to the features before the projection; it does it here without anything random.

    Taken over all tokens of at most 4,096 rows, the same for every seed. A deviation is at least a hundredth of the
    features' overall one, so that a dimension that hardly moves is not blown up.
    """
    if len(rows) > SAMPLED_ROWS:
        rows = np.sort(generator("statistics", len(rows)).choice(rows, SAMPLED_ROWS, replace=False))
    device = next((held.device for held in adapter.buffers()), None) if adapter is not None else None
    n, total, squares = 0, torch.zeros(source.dim, dtype=torch.float64), torch.zeros(source.dim, dtype=torch.float64)
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        with torch.no_grad():
            values = source.batch(part).detach().cpu()
            values = values if adapter is None else adapter(values.float().to(device)).cpu()
        kept = [i for i, row in enumerate(part) if source.row_ids[row] not in source.unreadable]
        values = values[kept].double().flatten(0, 1)
        n, total, squares = n + len(values), total + values.sum(0), squares + values.square().sum(0)
    mean, square = total / n, squares / n
    variance = (square - mean.square()).clamp(min=0)
    floor = 0.01 * variance.mean().sqrt() + 1e-6
    return mean.float(), variance.sqrt().clamp(min=floor).float(), max(float(square.mean().sqrt()), 1e-6)
