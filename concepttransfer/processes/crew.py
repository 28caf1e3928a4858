"""Helpers for one command on one machine: processes that each take whole pieces of its work, while it looks on.

Small models use several cores badly: two processes with a core each do nearly twice as much as one with two. A piece
leaves what it makes on disk; what comes back is little.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from .. import progress
from ..errors import ConceptTransferError
from .rank import count, share_cores, usable_cores

PieceT = TypeVar("PieceT", bound=Hashable)
MadeT = TypeVar("MadeT")

MOST = 4
"""Each helper holds the models: more of them are only started if asked for."""
LOOK_SECONDS = 1.0
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def helpers(device: str) -> int:
    """How many helpers are worth it: on the CPU one a core, up to four; one where a GPU computes, or many processes.

    Args:
        device: as `--device` names it; `auto` is the CPU where this machine shows no other, without loading torch.
    """
    on_cpu = device == "cpu" or (device == "auto" and not has_gpu())
    return min(usable_cores(), MOST) if on_cpu and count() == 1 else 1


def has_gpu() -> bool:
    """Whether this machine may have a GPU that torch can use: NVIDIA's, AMD's, one behind Windows, or a Mac's."""
    return sys.platform == "darwin" or any(any(Path("/dev").glob(name)) for name in ("nvidia[0-9]*", "kfd", "dxg"))


class Crew:
    """Does pieces of work that all need the same thing, itself or by its helpers."""

    def __init__(self, shared: Any, n: int = 1, pool: Any = None, place: Path | None = None) -> None:
        """`shared` is given to every piece; `n` helpers, if there are any, read it from the file `place`."""
        self.shared, self._n, self._pool, self._place = shared, n, pool, place

    def each(
        self,
        work: Callable[[Any, PieceT], MadeT],
        pieces: Sequence[PieceT],
        look: Callable[[PieceT], None] = lambda piece: None,
        needs: Callable[[PieceT], Collection[PieceT]] = lambda piece: (),
    ) -> Iterator[tuple[PieceT, MadeT]]:
        """What `work(shared, piece)` gives for each piece, as it is done. The first that fails ends it all.

        Args:
            work: a function of a module.
            pieces: small, and different from each other; each behind those that it needs.
            look: called with the first piece in work, again and again while it lasts.
            needs: the pieces that must be done before one is begun.
        """
        if self._pool is None:
            for piece in pieces:
                look(piece)
                yield piece, work(self.shared, piece)
            return
        waiting, done = list(pieces), set[PieceT]()
        in_work: dict[Future[MadeT], PieceT] = {}
        while waiting or in_work:
            free = self._n - len(in_work)
            for piece in [one for one in waiting if done.issuperset(needs(one))][:free]:
                waiting.remove(piece)
                in_work[self._pool.submit(_work, work, str(self._place), piece)] = piece
            look(next(iter(in_work.values())))
            ended, _ = wait(in_work, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for future in ended:
                done.add(piece := in_work.pop(future))
                yield piece, _made(future)


def _made(future: Future[MadeT]) -> MadeT:
    """What came of a piece.

    Raises:
        ConceptTransferError: its helper was killed.
    """
    try:
        return future.result()
    except BrokenExecutor as error:
        raise ConceptTransferError(
            "A helper process was killed, most often because memory ran out. What was finished is kept: give the same "
            "command again, with --jobs 1 if it was memory."
        ) from error


@contextlib.contextmanager
def crew(shared: Any, n: int) -> Iterator[Crew]:
    """A crew of `n` helpers; of none where `n` is 1: then all is done in this process.

    The helpers are started afresh, since forked ones would share threads that are not there; they need no guard in
    the user's script. Each takes its share of the cores. They end with the command, however that ends.

    Args:
        shared: what every piece needs; pickled once.
        n: helpers.
    """
    if n == 1:
        yield Crew(shared)
        return
    from loky import ProcessPoolExecutor

    threads = str(max(usable_cores() // n, 1))
    environment = {name: os.environ.get(name, threads) for name in THREADS}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "shared"
        place.write_bytes(pickle.dumps(shared))
        pool = ProcessPoolExecutor(n, initializer=_begin, initargs=(n, os.getpid()), env=environment)
        is_whole = False
        try:
            yield Crew(shared, n, pool, place)
            is_whole = True
        finally:
            pool.shutdown(wait=True, kill_workers=not is_whole)


def _begin(n: int, command: int) -> None:
    """A helper leaves ctrl-C and the progress bar to the command, takes its share of the cores, and ends with it."""
    from loky import process_executor

    share_cores(n)
    process_executor._MAX_MEMORY_LEAK_SIZE = float("inf")  # a helper that holds a model is not to be replaced for it
    threading.Thread(target=_end_with, args=(command,), name="command", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    progress.hide()


def _end_with(command: int) -> None:
    """End when the command is gone, killed perhaps: what was begun goes on from where it is when it is given again."""
    while os.getppid() == command:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


def _work(work: Callable[[Any, Any], Any], place: str, piece: Any) -> Any:
    return work(_shared(place), piece)


@cache
def _shared(place: str) -> Any:
    """What all pieces need, read once, so that a model that it loads is loaded once."""
    return pickle.loads(Path(place).read_bytes())  # the process that started this one wrote it
