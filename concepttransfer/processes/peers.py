"""Processes that run one command together end together: if one dies, the others say so within a minute.

Each process writes a sign of life into the shared cache, once a second, from a thread, so that a process whose main
thread waits in an exchange with a dead one still notices. The first process watches all others, and they watch it. Of a
process on the same machine it is known at once when it is gone; one on another machine counts as gone after forty
seconds without a sign. What a launcher or a scheduler says with SIGTERM becomes a sentence too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import ConceptTransferError
from ..storage import cache_folder, digest
from . import heartbeat
from .heartbeat import BEAT, ENDED, FAILED, Heart, Peer
from .rank import count, index, is_main

logger = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds that the main thread has to end by itself."""
MAIN_PATIENCE = 60.0
"""Seconds that a process waits for one that never came to do its turn."""
FORGET_SECONDS = 7 * 86_400
"""The signs of life of a command are removed after so long."""
KEPT = "What was finished is kept: the same command goes on from there."
TOLD = "A launcher, a scheduler or a person stopped this command (SIGTERM)."
TERMINATED = 143

_VARIABLES = ("SLURM_JOB_ID", "SLURM_STEP_ID", "TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT")


class Stopped(KeyboardInterrupt):
    """The command is to end now: it was told so (SIGTERM), or a process that runs it too is gone.

    No `Exception`, so that nothing on its way takes it for a broken picture.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        """Why, as a sentence, and the exit status."""
        super().__init__(message)
        self.status = status


@cache
def _peer(rank: int, path: Path) -> Peer:
    """One that was met once is known as long as this process lives, also after it has ended."""
    return Peer(rank, path)


class Watch:
    """Beats for this process and looks after the others, in a thread."""

    def __init__(self, folder: Path) -> None:
        """Begin to beat and to watch."""
        self.heart = Heart(folder / f"{index()}.json")
        self.heart.record.turns = _turns
        ranks = range(1, count()) if is_main() else [0]
        self.peers = [_peer(rank, folder / f"{rank}.json") for rank in ranks]
        self.reason: str | None = None
        self.is_ending = False
        self._left = threading.Event()
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self.heart.beat()
        self._thread = threading.Thread(target=self._run, name="peers", daemon=True)

    def __enter__(self) -> Watch:
        self._old: list[Any] = []
        if threading.current_thread() is threading.main_thread():
            self._old = [signal.signal(signal.SIGTERM, self._on_sigterm)]
            self._old.append(signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False))
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        if self._old:
            signal.set_wakeup_fd(self._old[1])
        self._wake.close()  # wakes the thread
        self._thread.join()
        if self._old:
            signal.signal(signal.SIGTERM, self._old[0])
        self._woken.close()
        self.heart.close()

    def look(self) -> str | None:
        """Why this command cannot go on, as far as the others are concerned; None if it can."""
        for peer in self.peers:
            peer.look(time.monotonic())
        return next((fate for peer in self.peers if (fate := peer.fate())), None)

    def end(self, state: str, why: str = "") -> None:
        """Say to the others how this process ended."""
        self.heart.beat(state=state, why=why)

    def _run(self) -> None:
        while not self._left.is_set():
            self.heart.beat()
            if self.reason is None and (fate := self.look()):
                self.reason = fate
                self.end(FAILED, fate)
                if self._old:
                    os.kill(os.getpid(), signal.SIGTERM)  # wakes the main thread where it can be woken
            if signal.SIGTERM in self._signals() or (self.reason and not self._old):
                self._leave_or_end()

    def _signals(self) -> bytes:
        """The signals that came until the next beat is due; they are heard although the main thread is busy."""
        ready, _, _ = select.select([self._woken], [], [], BEAT)
        return self._woken.recv(64) if ready else b""

    def _leave_or_end(self) -> None:
        """The main thread is stuck, probably in an exchange with a dead process: end without it."""
        if self._left.wait(GRACE):
            return
        reason = self.reason or self._told()
        self.end(FAILED, reason)
        print(f"\n{_sentence(reason)}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self.reason = self.reason or self._told()
        if not self.is_ending and not self._left.is_set():  # once is enough: what follows would only disturb the end
            self.is_ending = True
            raise Stopped(_sentence(self.reason), TERMINATED if self.reason == TOLD else 1)

    def _told(self) -> str:
        """Why somebody wants this process to end: because of another one, if that can be seen."""
        return self.look() or TOLD


_watch: Watch | None = None
"""That of this process, while it is in `together`."""
_turns = 0
"""How many pieces of work of the main process this one has waited for, or done."""


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Run the block as one of the processes of a command; by itself, or inside another such block, it is no more.

    Raises:
        Stopped: another process died, failed, or stopped giving signs of life, or this one was told to end (SIGTERM).
    """
    global _watch
    if count() == 1 or _watch is not None:
        yield
        return
    with _made() as watch:
        _watch = watch
        try:
            yield
        except BaseException as error:
            watch.is_ending = True
            reason = watch.reason or (_lost(watch) if _is_broken_exchange(error) else None)
            watch.end(*_last_word(error, reason))
            if reason is None or isinstance(error, Stopped):
                raise
            raise Stopped(_sentence(reason)) from error
        else:
            watch.end(ENDED)
        finally:
            _watch = None


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """In the block, SIGTERM (a launcher's, a scheduler's at the end of the time it gave) raises `Stopped`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(_sentence(TOLD), TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def main_first() -> Iterator[bool]:
    """Let the main process do the block while the others wait, who get True: it is done. No exchange is needed."""
    global _turns
    with together():
        watch = _watch
        if watch is None:
            yield False
            return
        _turns += 1
        if is_main():
            yield False
            watch.heart.record.turns = _turns
            watch.heart.beat()
        else:
            _wait_for_turn(watch.peers[0], _turns)
            yield True


def _wait_for_turn(main: Peer, turn: int) -> None:
    began = time.monotonic()
    while not (main.met and main.record is not None and main.record.turns >= turn):
        if not main.met and time.monotonic() - began > MAIN_PATIENCE:
            logger.warning("The process of rank 0 did not come within %.0f seconds.", MAIN_PATIENCE)
            return
        time.sleep(BEAT / 10)


def _made() -> Watch:
    root = cache_folder() / ".processes"
    if is_main():
        _forget_ended(root)
    return Watch(root / _command())


def _forget_ended(root: Path) -> None:
    """Remove what commands that ended long ago left; a folder that another process has just made is empty, and new."""
    for folder in root.glob("*"):
        with contextlib.suppress(OSError):  # another process removes or writes it at this moment
            last = max(path.stat().st_mtime for path in (folder, *folder.glob("*")))
            if time.time() - last > FORGET_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _command() -> str:
    """Names this command for all its processes, and tells it from another one that is running now."""
    known = [os.environ.get(name) for name in _VARIABLES]
    return digest(count(), known if any(known) else sys.argv[1:])[:16]


def _lost(watch: Watch) -> str | None:
    """Who is missing, after an exchange broke: it may take a moment, or on another machine some beats, to be seen."""
    until = time.monotonic() + heartbeat.PATIENCE + heartbeat.LONGEST
    while watch.reason is None and time.monotonic() < until:
        time.sleep(BEAT / 10)
    return watch.reason


def _is_broken_exchange(error: BaseException) -> bool:
    """Does an error look as if the other end of an exchange were gone? Gloo and NCCL raise plain RuntimeErrors."""
    signs = ("peer", "connection", "gloo", "nccl", "socket", "broken pipe", "tcpstore", "timed out", "process group")
    said = isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in signs)
    return said or isinstance(error, ConnectionError | TimeoutError)


def _last_word(error: BaseException, reason: str | None) -> tuple[str, str]:
    """How a process that ends with an error says so to the others."""
    if isinstance(error, SystemExit) and not error.code:
        return ENDED, ""
    if reason is not None:
        return FAILED, reason
    who = f"The process of rank {index()} (of {count()}) has stopped:"
    if isinstance(error, ConceptTransferError):
        return FAILED, f"{who} {error}"
    if isinstance(error, KeyboardInterrupt):
        return FAILED, f"{who} ctrl-C."
    return FAILED, f"{who} {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _sentence(reason: str) -> str:
    return f"{reason} So this one ends too. {KEPT}" if reason != TOLD else f"{reason} {KEPT}"
