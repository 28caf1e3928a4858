"""How features get onto disk: pictures are read by several processes, encoded in batches, written shard by shard.

Which rows a shard and a batch hold follows from the manifest alone, so a resumed run computes the same batches, and so
do several processes, each of which takes shards that are missing and that no other one has taken (`pieces`).
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from ..errors import BadInputError, UnknownNameError
from ..inputs import Items, collate
from ..processes import usable_cores
from ..processes.peers import together
from ..processes.pieces import Pieces, clean
from ..progress import progress
from ..storage import lock
from .job import Job, Span, check_unreadable, done, is_finished, mark, unreadable, write_index
from .shards import Shard, write_shard
from .store import Features

LOOK_SECONDS = 2.0
"""How often a process that encodes looks at what others have done."""
MANY = 1000
"""Rows from which on it pays to start processes that read them."""


@together()
def run(job: Job) -> Features:
    """Encode what is missing of a store and open it; other processes may do the same at the same time."""
    if job.dtype not in ("float16", "float32"):
        raise UnknownNameError("dtype", job.dtype, ["float16", "float32"], where="feature stores")
    with lock(job.folder, wait=-1):
        if is_finished(job):
            return Features.load(job.folder)
    job.folder.mkdir(parents=True, exist_ok=True)
    shards = _Work(job, Items.of(job.manifest, job.encoder)).finish()
    with lock(job.folder, wait=-1):
        if not is_finished(job):
            write_index(job, shards)
            clean(job.folder)
        return Features.load(job.folder)


class _Batches:
    """The batches of the shards that this process takes; each is taken when its first batch is asked for."""

    def __init__(self, job: Job, spans: list[Span], pieces: Pieces) -> None:
        self.job, self.spans, self.pieces = job, spans, pieces
        self.taken: deque[Span] = deque()

    def __iter__(self) -> Iterator[range]:
        for number in self.pieces.take():
            self.taken.append(self.spans[number])
            yield from self.job.batches(self.spans[number])


class _Content:
    """What becomes one shard."""

    def __init__(self, job: Job, span: Span) -> None:
        self.job, self.span = job, span
        self.values = np.empty((span[2] - span[1], job.encoder.tokens, job.encoder.dim), job.dtype)
        self.ids: list[str] = []
        self.unreadable: list[dict[str, str]] = []

    def add(self, items: Items, numbers: list[int], inputs: Tensor | None, failures: list[tuple[int, str]]) -> None:
        """Encode a batch, and note what could not be read."""
        self.unreadable += [{"id": items.id(number), "reason": reason} for number, reason in failures]
        if inputs is not None:
            ids = [items.id(number) for number in numbers]
            at = len(self.ids)
            self.values[at : at + len(ids)] = _features(self.job, inputs, ids)
            self.ids += ids

    @property
    def is_whole(self) -> bool:
        """Were all rows of the shard seen?"""
        return len(self.ids) + len(self.unreadable) == len(self.values)


class _Work:
    """A store on its way: the shards that are there, whoever wrote them, and those that are missing."""

    def __init__(self, job: Job, items: Items) -> None:
        self.job, self.items = job, items
        self.spans = job.spans(len(items))
        self.shards: dict[int, Shard] = {}
        self.unreadable: list[dict[str, str]] = []

    def finish(self) -> list[Shard]:
        """Encode what is missing and free, and wait for what others have taken."""
        names = [self.job.path(number).name for number, _, _ in self.spans]
        with Pieces(self.job.folder, names, self._is_done) as pieces:
            n_done = self._look(pieces)
            with self._bar(n_done) as bar:
                while pieces.missing:
                    if not self._encode_free(pieces, bar):
                        pieces.wait()
                    bar.update(self._look(pieces))
        return [self.shards[number] for number, _, _ in self.spans]

    def _encode_free(self, pieces: Pieces, bar: Any) -> int:
        """Encode the shards that are missing and that nobody else has taken; gives their number."""
        batches = _Batches(self.job, self.spans, pieces)
        content, n_written, looked = None, 0, time.monotonic()
        for numbers, inputs, failures in self._loader(batches, pieces):
            content = content or _Content(self.job, batches.taken.popleft())
            content.add(self.items, numbers, inputs, failures)
            bar.update(len(numbers) + len(failures))
            if content.is_whole:
                self._write(content, pieces)
                content, n_written = None, n_written + 1
            if time.monotonic() - looked > LOOK_SECONDS:
                bar.update(self._look(pieces))
                looked = time.monotonic()
        return n_written

    def _loader(self, batches: _Batches, pieces: Pieces) -> DataLoader[Any]:
        device = getattr(self.job.encoder, "device", None)
        return DataLoader(
            self.items,
            batch_sampler=batches,  # type: ignore[arg-type]  # ranges are sequences of row numbers
            num_workers=_workers(self.job, sum(self._n_rows(number) for number in pieces.missing)),
            collate_fn=collate,
            worker_init_fn=_leave_quietly,
            pin_memory=getattr(device, "type", "cpu") == "cuda",
        )

    def _write(self, content: _Content, pieces: Pieces) -> None:
        number = content.span[0]
        _write(self.job, content)
        self._is_done(number)
        pieces.missing.remove(number)
        pieces.release(number)
        self._check()

    def _look(self, pieces: Pieces) -> int:
        """Rows of the shards that have come in since the last look."""
        found = pieces.look()
        self._check()
        return sum(map(self._n_rows, found))

    def _n_rows(self, number: int) -> int:
        _, start, stop = self.spans[number]
        return stop - start

    def _is_done(self, number: int) -> bool:
        if number in self.shards:
            return True
        if shard := done(self.job, self.spans[number]):
            self.shards[number] = shard
            self.unreadable += unreadable(shard)
        return shard is not None

    def _check(self) -> None:
        check_unreadable(self.job, self.unreadable, len(self.items))

    def _bar(self, n_done: int) -> Any:
        job = self.job
        what = f"encode {job.manifest.name}"
        return progress(len(self.items), what, unit=job.encoder.modality, quiet=job.quiet, initial=n_done)


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


def _leave_quietly(number: int) -> None:
    """A process that reads pictures does not complain when the command ends while it hands one over."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, ConnectionError | EOFError):
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = tell


def _workers(job: Job, n_rows: int) -> int:
    if job.workers is not None:
        return job.workers
    return 0 if n_rows < MANY or job.encoder.modality == "text" else usable_cores() - 1


def _write(job: Job, content: _Content) -> None:
    metadata = {
        "key": job.key,
        "span": mark(content.span),
        "ids": json.dumps(content.ids, ensure_ascii=False),
        "unreadable": json.dumps(content.unreadable, ensure_ascii=False),
    }
    write_shard(job.path(content.span[0]), content.values[: len(content.ids)], metadata)
