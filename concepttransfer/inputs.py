"""What an encoder reads of a manifest, row by row: the input, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from .encoders.base import Encoder
from .errors import BadInputError, EmptyDataError
from .manifest import Manifest

Item = tuple[int, Tensor | str]
"""A row's number, and its input or the reason why there is none."""


class Items(Dataset[Item]):
    """The inputs of an encoder by number; those that cannot be read by reason."""

    def __init__(self, manifest: Manifest, transform: Callable[[Any], Tensor], texts: NDArray[np.int64] | None) -> None:
        """Items of a manifest; `texts [n,2]` are row and text numbers, None for pictures."""
        self.manifest, self.transform, self.texts = manifest, transform, texts

    @classmethod
    def of(cls, manifest: Manifest, encoder: Encoder) -> Items:
        """What an encoder reads of a manifest.

        Raises:
            EmptyDataError: nothing that it could read.
        """
        if encoder.modality == "image":
            if manifest.pictures is None:
                raise EmptyDataError(f"`{manifest.name}` has no pictures, which {encoder.id} reads.")
            return cls(manifest, encoder.transform, None)
        pairs = [(i, j) for i, row in enumerate(manifest.rows) for j in range(len(row.texts))]
        if not pairs:
            raise EmptyDataError(f"`{manifest.name}` has no texts, which {encoder.id} reads.")
        return cls(manifest, encoder.transform, np.asarray(pairs))

    def __len__(self) -> int:
        return len(self.manifest) if self.texts is None else len(self.texts)

    def id(self, number: int) -> str:
        """The id of an item."""
        if self.texts is None:
            return self.manifest.rows[number].id
        row, text = self.texts[number]
        return f"{self.manifest.rows[row].id}#{text}"

    def __getitem__(self, number: int) -> Item:
        try:
            return number, self.transform(self._content(number))
        except Exception as error:  # whatever a broken file does to a decoder
            reason = str(error) if isinstance(error, BadInputError) else f"{type(error).__name__}: {error}"
            return number, reason.split("\n")[0]

    def _content(self, number: int) -> Any:
        if self.texts is None:
            return self.manifest.read(number)
        row, text = self.texts[number]
        return self.manifest.rows[row].texts[text]


def collate(items: list[Item]) -> tuple[list[int], Tensor | None, list[tuple[int, str]]]:
    """Numbers and inputs `[b, ...]` of what could be read; numbers and reasons of what could not."""
    good = [(number, found) for number, found in items if isinstance(found, Tensor)]
    failures = [(number, found) for number, found in items if isinstance(found, str)]
    inputs = torch.stack([found for _, found in good]) if good else None
    return [number for number, _ in good], inputs, failures
