"""What soft prompts look like to the language model: how they are read, and the artifact that holds the readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..errors import BadInputError, MissingResourceError
from ..storage import file_digest, read_json
from .token_scores import TokenScores

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
INDEX, ARRAYS, CUTS = "index.json", "readings.safetensors", "cuts"
WHOLE, CUT, NO_PROMPT = "whole", "cut {}", "none"
"""Conditions of the cuts: the whole prompt; without one position; without any, where text stands behind it."""


class Lens(BaseModel):
    """How closely soft prompts are looked at.

    Attributes:
        pictures: at most so many, as many of each class as there can be.
        positions: at most so many of each prompt, evenly spaced; the others are neither read nor cut.
        top: words kept at each place.
        seed: draws the pictures, random directions, and (`runoff`) whose prompt stands in a picture's place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: int = Field(default=100, ge=1)
    positions: int = Field(default=32, ge=1)
    top: int = Field(default=5, ge=1)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class PromptReadings:
    """The soft prompts of some pictures, read by the language model's own words. P pictures, m positions, L layers.

    On disk: `readings.safetensors`, `index.json`, and `cuts/`, scores of the pictures' captions.

    Attributes:
        folder: where they lie.
        key: names everything that changes a reading.
        row_ids: the pictures.
        positions: which positions of each prompt were read, from 0.
        n_positions: how many a prompt has.
        vocabulary: id -> text of the words that were read.
        arrays: `norms [P,m]`, the length of each vector; `nearest [P,m,top]` ids of the words whose vectors are nearest
            by cosine, the nearest first, and `nearest_cosine` of each; `random_cosine [P,m]`, that of a random
            direction to its nearest word; `mean_cosine [P,m]` to the mean word vector; `lens [P,L+1,m,top]` ids of the
            words that each layer would say, the likeliest first, and `lens_logprob` of each in nats; of the words
            themselves `word_norm`, `word_cosine` (to the nearest other word; of at most 2,000 words) and
            `word_mean_cosine`: the mean and then the 0th to 100th percentile, [102].
        cuts: the captions' scores with whole prompts and with single positions cut; None where there is nothing to cut.
        encoder, seed, manifest_id, on, study: as those of `Captions`.
        meta: transfer_id, language_model_id, prompt, lens, n_words.
    """

    folder: Path
    key: str
    row_ids: tuple[str, ...]
    positions: tuple[int, ...]
    n_positions: int
    vocabulary: Mapping[int, str]
    arrays: Mapping[str, NDArray[Any]] = field(repr=False)
    cuts: TokenScores | None
    encoder: str
    seed: int
    manifest_id: str
    on: str
    study: str
    meta: Mapping[str, Any]

    @property
    def n_layers(self) -> int:
        """Of the language model."""
        return int(self.arrays["lens"].shape[1]) - 1

    @cached_property
    def nearest(self) -> list[list[list[str]]]:
        """[P][m][top] the nearest words as text."""
        return self._texts(self.arrays["nearest"])

    def lens(self, layer: int) -> list[list[list[str]]]:
        """[P][m][top] what a layer would say, as text; layer 0 is what goes into the first."""
        return self._texts(self.arrays["lens"][:, layer])

    def _texts(self, ids: NDArray[Any]) -> list[list[list[str]]]:
        return [[[self.vocabulary[int(i)] for i in place] for place in picture] for picture in ids]

    @classmethod
    def load(cls, folder: Path | str) -> PromptReadings:
        """Read the folder that `read_prompts` wrote.

        Raises:
            MissingResourceError: there are no readings in it.
            BadInputError: the files do not belong together.
        """
        from safetensors.numpy import load_file

        folder = Path(folder)
        if not (folder / INDEX).is_file():
            raise MissingResourceError(f"{folder} holds no readings. Make them: concepttransfer prompt-lens")
        index = read_json(folder / INDEX)
        if index.pop("format", None) != FORMAT or index.pop("sha256") != file_digest(folder / ARRAYS):
            raise BadInputError(
                f"{folder} is damaged or of another version. Delete it and give the same command again."
            )
        cuts = TokenScores.load(folder / CUTS) if index.pop("has_cuts") else None
        return cls(
            folder=folder,
            row_ids=tuple(index.pop("row_ids")),
            positions=tuple(index.pop("positions")),
            vocabulary={int(number): text for number, text in index.pop("vocabulary").items()},
            arrays=load_file(folder / ARRAYS),
            cuts=cuts,
            **index,
        )


def read_positions(n_positions: int, most: int) -> tuple[int, ...]:
    """At most `most` of the positions of a prompt, the first and the last among them, evenly spaced."""
    if n_positions <= most:
        return tuple(range(n_positions))
    return tuple(int(at) for at in np.unique(np.linspace(0, n_positions - 1, most).round()))
