"""The pictures that the microworld's encoders learn from: drawn once, kept as bytes, shared by every training."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from concepttransfer.microworld.data import microworld_manifest
from concepttransfer.progress import progress
from concepttransfer.storage import cache_folder, digest, lock

if TYPE_CHECKING:
    from torch import Tensor

    from concepttransfer.manifest import Manifest

_CHUNK = 500
_PROCESSES = 2
_SAMPLE = 20


@dataclass(frozen=True)
class Pictures:
    """Pictures as bytes with what is known of them.

    Attributes:
        pixels: uint8 `[n,96,96,3]`, memory-mapped where they are many.
        labels: each picture's `class`, `habitat`, `object` and `pose`.
        texts: each picture's captions.
        id: sha256 of the manifest and of some of the pixels.
    """

    pixels: np.ndarray[Any, np.dtype[np.uint8]]
    labels: Mapping[str, tuple[str, ...]]
    texts: tuple[tuple[str, ...], ...]
    id: str

    @property
    def animals(self) -> tuple[str, ...]:
        """Each picture's animal."""
        return self.labels["class"]

    def take(self, rows: Sequence[int] | np.ndarray[Any, Any]) -> Tensor:
        """The pictures of these rows, uint8 `[b,96,96,3]`."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(self.pixels[np.asarray(rows)]))


def pretraining_pictures(n: int, *, quiet: bool = False) -> Pictures:
    """`n` pictures of the split `pretraining`, from the cache folder; else two processes draw them.

    They take 28 kB each. A renderer that draws otherwise than when they were drawn has them drawn again.
    """
    return _pictures("pretraining", n, quiet)


@cache
def pictures_of(split: str) -> Pictures:
    """All pictures of a split, without a word about progress."""
    return _pictures(split, None, True)


def dev_pictures() -> Pictures:
    """The 500 pictures of the split `dev`, on which recipes are chosen."""
    return pictures_of("dev")


def _pictures(split: str, n: int | None, quiet: bool) -> Pictures:
    manifest = microworld_manifest(split).limit(n)
    identity = digest(manifest.id, _draw(split, n, range(min(_SAMPLE, len(manifest)))).tobytes().hex())
    path = cache_folder() / "microworld-build" / f"pictures-{split}-{identity[:16]}.npy"
    with lock(path, wait=-1):
        if not path.exists():
            _draw_all(manifest, split, n, path, quiet)
    labels = {name: tuple(map(str, manifest.labels(name))) for name in ("class", "habitat", "object", "pose")}
    return Pictures(np.load(path, mmap_mode="r"), labels, tuple(manifest.texts), identity)


def _draw_all(manifest: Manifest, split: str, n: int | None, path: Path, quiet: bool) -> None:
    """Draw every picture into a file under a temporary name, then rename it."""
    temporary = path.with_suffix(".part.npy")
    shape = (len(manifest), *_draw(split, n, range(1)).shape[1:])
    pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
    chunks = [range(start, min(start + _CHUNK, len(manifest))) for start in range(0, len(manifest), _CHUNK)]
    if len(chunks) == 1:
        pixels[:] = _draw(split, n, chunks[0])
        chunks = []
    bar = progress(len(manifest), f"draw {split} pictures", unit="picture", quiet=quiet)
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        for chunk, drawn in zip(chunks, pool.map(_draw, [split] * len(chunks), [n] * len(chunks), chunks), strict=True):
            pixels[chunk.start : chunk.stop] = drawn
            bar.update(len(chunk))
    bar.close()
    pixels.flush()
    os.replace(temporary, path)


def _draw(split: str, n: int | None, rows: Sequence[int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    manifest = _manifest(split, n)
    return np.stack([np.asarray(manifest.read(row)) for row in rows])


@cache
def _manifest(split: str, n: int | None) -> Manifest:
    return microworld_manifest(split).limit(n)
