"""Does the memory of encoding grow with the number of pictures? 200,000 against 2,000, all processes together."""

from __future__ import annotations

import gc
import hashlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmarks.measure import NotTheSame, in_child, peak_memory, timed
from benchmarks.record import Goal, Measurement

if TYPE_CHECKING:
    from PIL.Image import Image

    from concepttransfer.manifest import Manifest

SIDE = 16
WIDTH = 1024


@dataclass(frozen=True)
class Size:
    """Many pictures, and few."""

    many: int
    few: int


FULL = Size(many=200_000, few=2_000)
TINY = Size(many=1_500, few=1_200)


@dataclass(frozen=True)
class PicturesOfKeys:
    """A picture made from its key; no two are alike, and none takes room on disk."""

    def read(self, key: str) -> Image:
        """16 colours in a square."""
        from PIL import Image

        return Image.frombytes("RGB", (4, 4), hashlib.sha384(key.encode()).digest())


class Patches(nn.Module):
    """Hardly any work for a feature of the usual width."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 4 * 4, WIDTH)

    def forward_features(self, batch: Tensor) -> Tensor:
        """Features `[b, 1, WIDTH]` of pictures `[b, 3, SIDE, SIDE]`."""
        patches = nn.functional.avg_pool2d(batch, SIDE // 4).flatten(1)
        features: Tensor = self.linear(patches)[:, None]
        return features

    def transform(self, picture: Image) -> Tensor:
        """A picture to numbers from 0 to 1."""
        import numpy as np

        return torch.from_numpy(np.array(picture.resize((SIDE, SIDE)))).movedim(-1, 0).float() / 255


def manifest(n: int) -> Manifest:
    """Rows as those of a captioned data set: an id, a key, a caption, labels, the picture's sha256."""
    from concepttransfer.manifest import Manifest
    from concepttransfer.rows import Row, Rows

    rows = (
        Row(
            id=f"{number:09d}",
            picture=f"{number // 10_000:05d}/{number:09d}.jpg",
            texts=(f"a caption of the picture that has the number {number}",),
            labels={"class": f"class {number % 1000}", "split": "train"},
            sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        )
        for number in range(n)
    )
    return Manifest("synthetic", Rows.of(rows), PicturesOfKeys())


def encoded(n: int) -> tuple[float, float, tuple[int, ...]]:
    """Peak memory in MB from the making of the manifest on, pictures a second, and the shape of the features."""
    from concepttransfer.encoders import load_encoder
    from concepttransfer.encoders.spec import EncoderSpec
    from concepttransfer.features import encode

    spec = EncoderSpec(model="plugin:benchmarks.growth:Patches", features="last_map", init="random")
    with TemporaryDirectory() as folder:
        encoder = load_encoder(spec, Path(folder))
        gc.collect()
        with peak_memory(0.05) as peak:
            work = lambda: encode(manifest(n), encoder, Path(folder) / "store", key="key", quiet=True)  # noqa: E731
            seconds, stored = timed(work)
            shape = stored.values.shape
    return peak(), n / seconds, shape


def run(size: Size) -> list[Measurement]:
    """Peak memory and rate: `ours` is of many pictures, `baseline` of few."""
    (few, few_rate, few_shape), (many, many_rate, many_shape) = (
        in_child(encoded, size.few),
        in_child(encoded, size.many),
    )
    if few_shape != (size.few, 1, WIDTH) or many_shape != (size.many, 1, WIDTH):
        raise NotTheSame(f"Stores of {few_shape} and {many_shape} were written.")
    what = f"encoding {size.many} synthetic pictures against {size.few}"
    return [
        Measurement(f"{what}: peak memory of all processes", "MB", many, few, Goal("difference", "<=", 300)),
        Measurement(f"{what}: rate", "pictures/s", many_rate, few_rate),
    ]
