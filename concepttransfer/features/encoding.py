"""How features get onto disk: pictures are read by several processes, encoded in batches, written shard by shard.

Which rows a shard and a batch hold follows from the manifest alone, so a resumed run computes the same batches.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from ..encoders.base import Encoder
from ..errors import BadInputError, MismatchError, UnknownNameError
from ..inputs import Items, collate
from ..manifest import Manifest
from ..progress import progress
from ..provenance import provenance
from ..storage import file_digest, lock, read_json, write_json
from .shards import Shard, read_shard, write_shard
from .store import FORMAT, INDEX, Features

MAX_SHARD_ROWS = 1 << 16
MANY = 1000
"""Rows from which on it pays to start processes that read them."""

Span = tuple[int, int, int]
"""A shard's number, its first row and the row after its last."""


@dataclass(frozen=True)
class Job:
    """What `concepttransfer.features.encode` was asked for."""

    manifest: Manifest
    encoder: Encoder
    folder: Path
    key: str
    batch_size: int
    dtype: str
    workers: int | None
    shard_bytes: int
    quiet: bool
    max_unreadable: float

    def path(self, number: int) -> Path:
        """Where a shard lies."""
        return self.folder / f"shard-{number:05d}.safetensors"

    def spans(self, n_rows: int) -> list[Span]:
        """The shards: all hold the same number of rows but the last."""
        width = self.encoder.tokens * self.encoder.dim * np.dtype(self.dtype).itemsize
        step = max(1, min(self.shard_bytes // width, MAX_SHARD_ROWS))
        return [(k, a, min(a + step, n_rows)) for k, a in enumerate(range(0, n_rows, step))]

    def batches(self, span: Span) -> list[range]:
        """The rows of each batch of a shard."""
        _, start, stop = span
        return [range(a, min(a + self.batch_size, stop)) for a in range(start, stop, self.batch_size)]


def run(job: Job) -> Features:
    """Encode what is missing of a store and open it."""
    if job.dtype not in ("float16", "float32"):
        raise UnknownNameError("dtype", job.dtype, ["float16", "float32"], where="feature stores")
    with lock(job.folder):
        if _is_finished(job):
            return Features.load(job.folder)
        items = Items.of(job.manifest, job.encoder)
        spans = job.spans(len(items))
        _encode_missing(job, items, spans)
        _write_index(job, [read_shard(job.path(number)) for number, _, _ in spans])
        return Features.load(job.folder)


class _Batches:
    """The batches of several shards, made as they are asked for."""

    def __init__(self, job: Job, spans: list[Span]) -> None:
        self.job, self.spans = job, spans

    def __iter__(self) -> Iterator[range]:
        return (batch for span in self.spans for batch in self.job.batches(span))

    def __len__(self) -> int:
        return sum(len(self.job.batches(span)) for span in self.spans)


@dataclass
class _Content:
    """What becomes one shard."""

    values: NDArray[Any]
    ids: list[str]
    unreadable: list[dict[str, str]]


def _encode_missing(job: Job, items: Items, spans: list[Span]) -> None:
    done = {span: shard for span in spans if (shard := _done(job, span))}
    missing = [span for span in spans if span not in done]
    unreadable = [bad for shard in done.values() for bad in _unreadable(shard)]
    _check_unreadable(job, unreadable, len(items))
    batches = iter(_loader(job, items, missing))
    what = f"encode {job.manifest.name}"
    n_done = sum(stop - start for _, start, stop in done)
    with progress(len(items), what, unit=job.encoder.modality, quiet=job.quiet, initial=n_done) as bar:
        for span in missing:
            content = _encode_span(job, items, span, batches, bar)
            _write(job, span, content)
            unreadable += content.unreadable
            _check_unreadable(job, unreadable, len(items))


def _encode_span(job: Job, items: Items, span: Span, batches: Iterator[Any], bar: Any) -> _Content:
    _, start, stop = span
    values = np.empty((stop - start, job.encoder.tokens, job.encoder.dim), job.dtype)
    content = _Content(values, [], [])
    for _ in job.batches(span):
        numbers, inputs, failures = next(batches)
        content.unreadable += [{"id": items.id(number), "reason": reason} for number, reason in failures]
        if numbers:
            ids = [items.id(number) for number in numbers]
            at = len(content.ids)
            values[at : at + len(ids)] = _features(job, inputs, ids)
            content.ids += ids
        bar.update(len(numbers) + len(failures))
    content.values = values[: len(content.ids)]
    return content


@torch.no_grad()
def _features(job: Job, inputs: Tensor, ids: list[str]) -> NDArray[Any]:
    """Features `[b, tokens, dim]` in the store's dtype.

    Not in inference mode: transformers keeps BEiT's position indices in a cache of the process, and made there they
    could not be used by a later fit that trains the encoder.
    """
    features = job.encoder.encode(inputs).float().cpu()
    stored = features.to(getattr(torch, job.dtype))
    finite = torch.isfinite(stored).flatten(1).all(1)
    if not bool(finite.all()):
        row = int(torch.nonzero(~finite)[0])
        largest = float(features[row].abs().max())
        message = f"{job.encoder.id} gives `{ids[row]}` a value ({largest:.3g}) that {job.dtype} cannot hold. "
        raise BadInputError(message + "Encode with dtype float32, or check the weights if that fails too.")
    return stored.numpy()


def _loader(job: Job, items: Items, spans: list[Span]) -> DataLoader[Any]:
    device = getattr(job.encoder, "device", None)
    return DataLoader(
        items,
        batch_sampler=_Batches(job, spans),  # type: ignore[arg-type]  # ranges are sequences of row numbers
        num_workers=_workers(job, sum(stop - start for _, start, stop in spans)),
        collate_fn=collate,
        pin_memory=getattr(device, "type", "cpu") == "cuda",
    )


def _workers(job: Job, n_rows: int) -> int:
    if job.workers is not None:
        return job.workers
    if n_rows < MANY or job.encoder.modality == "text":
        return 0
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(usable - 1, 0)


def _write(job: Job, span: Span, content: _Content) -> None:
    metadata = {
        "key": job.key,
        "span": _mark(span),
        "ids": json.dumps(content.ids, ensure_ascii=False),
        "unreadable": json.dumps(content.unreadable, ensure_ascii=False),
    }
    write_shard(job.path(span[0]), content.values, metadata)


def _mark(span: Span) -> str:
    return f"{span[1]}:{span[2]}"


def _done(job: Job, span: Span) -> Shard | None:
    """The shard of an earlier run, if it is whole and of this store."""
    try:
        shard = read_shard(job.path(span[0]))
    except BadInputError:
        return None
    if shard.metadata.get("key") != job.key:
        raise MismatchError(
            f"{job.folder} holds features of another encoder or data. Give another folder, or remove it."
        )
    return shard if shard.metadata.get("span") == _mark(span) else None


def _unreadable(shard: Shard) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(shard.metadata["unreadable"])
    return found


def _check_unreadable(job: Job, unreadable: list[dict[str, str]], n_rows: int) -> None:
    if len(unreadable) <= job.max_unreadable * n_rows:
        return
    examples = "; ".join(f"`{bad['id']}`: {bad['reason']}" for bad in unreadable[:3])
    raise BadInputError(
        f"{len(unreadable)} of {n_rows} {job.encoder.modality}s of `{job.manifest.name}` cannot be read "
        f"(allowed: {job.max_unreadable:.1%}): {examples}. What was encoded stays. Mend or remove them, and go on."
    )


def _is_finished(job: Job) -> bool:
    """Is the store whole? A broken one is made whole by what follows."""
    path = job.folder / INDEX
    if not path.is_file():
        return False
    found = read_json(path).get("key")
    if found != job.key:
        raise MismatchError(
            f"{job.folder} holds features of another encoder or data. Give another folder, or remove it."
        )
    try:
        Features.load(job.folder)
    except BadInputError:
        path.unlink()
        return False
    return True


def _write_index(job: Job, shards: list[Shard]) -> None:
    encoder = job.encoder
    for stale in set(job.folder.glob("shard-*.safetensors")) - {shard.path for shard in shards}:
        stale.unlink()
    files = [{"file": s.path.name, "rows": s.shape[0], "bytes": s.size, "sha256": file_digest(s.path)} for s in shards]
    index = {
        "format": FORMAT,
        "key": job.key,
        "manifest_id": job.manifest.id,
        "manifest": job.manifest.name,
        "encoder_id": encoder.id,
        "space": encoder.space,
        "weights_hash": encoder.weights_hash,
        "transform": encoder.transform_id,
        "dtype": job.dtype,
        "shape": [sum(s.shape[0] for s in shards), encoder.tokens, encoder.dim],
        "shards": files,
        "unreadable": [bad for shard in shards for bad in _unreadable(shard)],
        "provenance": provenance(device=str(getattr(encoder, "device", "cpu"))),
    }
    write_json(job.folder / INDEX, index)
