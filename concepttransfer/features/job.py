"""What `encode` was asked for, and what of it is on disk: shards that are whole, and the index of a finished store."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..encoders.base import Encoder
from ..errors import BadInputError, MismatchError
from ..manifest import Manifest
from ..provenance import provenance
from ..storage import file_digest, read_json, write_json
from .shards import Shard, read_shard
from .store import FORMAT, INDEX, Features

MAX_SHARD_ROWS = 1 << 16
SHARDS, LEAST_ROWS = 64, 256
"""Many rows make about so many shards, so that many processes find work; a shard holds whole batches of so many."""

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
        """The shards: all hold the same number of rows but the last. They do not depend on who encodes them."""
        width = self.encoder.tokens * self.encoder.dim * np.dtype(self.dtype).itemsize
        shared = math.ceil(n_rows / SHARDS / LEAST_ROWS) * LEAST_ROWS
        step = max(1, min(self.shard_bytes // width, shared, MAX_SHARD_ROWS))
        return [(k, a, min(a + step, n_rows)) for k, a in enumerate(range(0, n_rows, step))]

    def batches(self, span: Span) -> list[range]:
        """The rows of each batch of a shard."""
        _, start, stop = span
        return [range(a, min(a + self.batch_size, stop)) for a in range(start, stop, self.batch_size)]


def mark(span: Span) -> str:
    """How a shard names its rows."""
    return f"{span[1]}:{span[2]}"


def done(job: Job, span: Span) -> Shard | None:
    """A shard that is on disk, if it is whole and of this store.

    Raises:
        MismatchError: the folder holds another store.
    """
    try:
        shard = read_shard(job.path(span[0]))
    except BadInputError:
        return None
    if shard.metadata.get("key") != job.key:
        raise MismatchError(
            f"{job.folder} holds features of another encoder or data. Give another folder, or remove it."
        )
    return shard if shard.metadata.get("span") == mark(span) else None


def unreadable(shard: Shard) -> list[dict[str, str]]:
    """What of a shard's rows could not be read: `id` and `reason`."""
    found: list[dict[str, str]] = json.loads(shard.metadata["unreadable"])
    return found


def check_unreadable(job: Job, found: Sequence[Mapping[str, str]], n_rows: int) -> None:
    """Stop where more cannot be read than the job allows.

    Raises:
        BadInputError: they are too many.
    """
    if len(found) <= job.max_unreadable * n_rows:
        return
    examples = "; ".join(f"`{bad['id']}`: {bad['reason']}" for bad in found[:3])
    raise BadInputError(
        f"{len(found)} of {n_rows} {job.encoder.modality}s of `{job.manifest.name}` cannot be read "
        f"(allowed: {job.max_unreadable:.1%}): {examples}. What was encoded stays. Mend or remove them, and go on."
    )


def is_finished(job: Job) -> bool:
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


def write_index(job: Job, shards: Sequence[Shard]) -> None:
    """Say what the shards are, all of which are there: with this the store is finished."""
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
        "unreadable": [bad for shard in shards for bad in unreadable(shard)],
        "provenance": provenance(device=str(getattr(encoder, "device", "cpu"))),
    }
    write_json(job.folder / INDEX, index)
