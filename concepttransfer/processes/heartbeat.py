"""A sign of life on disk: what a process says of itself, and whether another one is still there."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from .rank import count

BEAT = 1.0
"""Seconds between two signs of life."""
PATIENCE = 40
"""Seconds without a new sign after which a process counts as gone, by the clock of whoever looks."""
LONGEST = 2 * BEAT
"""Between two looks at most so much counts: who was held up himself does not blame the others."""
SIZE = 4096
"""Bytes of a record: it is always overwritten in place, which works on a full disk too."""

ALIVE, ENDED, FAILED = "alive", "ended", "failed"


@dataclass
class Record:
    """What a process says of itself.

    Attributes:
        host: the machine's name, for messages.
        machine: names a machine, as long as it is up, and its table of processes; empty where that is not known.
        pid: the process.
        born: when it was started, in the machine's own count: a number is used again.
        beat: counts on as long as the process lives.
        turns: how many pieces of work it has done that the others waited for.
        state: `alive`, `ended` or `failed`.
        why: what made it fail.
    """

    host: str
    machine: str
    pid: int
    born: str
    beat: int = 0
    turns: int = 0
    state: str = ALIVE
    why: str = ""


def own_record() -> Record:
    """The record of this process, before its first beat."""
    pid = os.getpid()
    return Record(socket.gethostname(), this_machine(), pid, born(pid))


class Heart:
    """The file in which a process keeps its record."""

    def __init__(self, path: Path) -> None:
        """Make the file, or take over what an earlier run left."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.record = own_record()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self._one_at_a_time = threading.Lock()

    def beat(self, *, state: str | None = None, why: str = "") -> None:
        """Say that this process lives, or how it ended: that stays, whatever beats are still to come."""
        with self._one_at_a_time:
            record = self.record
            record.beat += 1
            record.state, record.why = state or record.state, why[: SIZE // 8] or record.why
            content = json.dumps(asdict(record)).encode()
            with contextlib.suppress(OSError):  # a disk that is away for a while: the others wait for some time
                os.pwrite(self._file, content.ljust(SIZE), 0)
                getattr(os, "fdatasync", os.fsync)(self._file)

    def close(self) -> None:
        """No more beats."""
        os.close(self._file)


def read_record(path: Path) -> Record | None:
    """What a process said last; None where it said nothing that can be read."""
    try:
        return Record(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


@cache
def this_machine() -> str:
    """A name that two processes share if they see each other's numbers; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def born(pid: int) -> str:
    """When a process of this machine was started, as the system counts; empty if there is none."""
    return _stat(pid)[1]


def is_running(record: Record) -> bool | None:
    """Is the process there, and not stopped? None if it cannot be seen from here."""
    if not record.machine or record.machine != this_machine():
        return None
    state, started = _stat(record.pid)
    return started == record.born and state not in "TtZX"


def is_gone(record: Record) -> bool:
    """Is it known that the process has ended?"""
    if not record.machine or record.machine != this_machine():
        return False
    state, started = _stat(record.pid)
    return started != record.born or state in "ZX"


def _stat(pid: int) -> tuple[str, str]:
    """State and starting time of a process, from `/proc`."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "X", ""
    return fields[0], fields[19]


class Peer:
    """Another process, as its signs of life tell."""

    def __init__(self, rank: int, path: Path) -> None:
        """Nothing is known yet: what lies there may be of an earlier run."""
        self.rank, self.path = rank, path
        self.record: Record | None = None
        self.met = False
        self.silent = 0.0
        self._looked = 0.0

    def look(self, now: float) -> None:
        """Read its record, at `now` of one's own clock. It was met once it beats, or is seen to run: in this run."""
        before, found = self.record, read_record(self.path)
        moved = found is not None and (before is None or (found.born, found.beat) != (before.born, before.beat))
        self.silent = 0.0 if moved else self.silent + min(now - self._looked, LONGEST)
        self._looked = now
        runs = found is not None and found.state == ALIVE and bool(is_running(found))
        self.met = self.met or (before is not None and moved) or runs
        self.record = found or before

    def fate(self) -> str | None:
        """Why it can no longer be counted on, as a sentence; None as long as it can."""
        record = self.record
        if record is None or not self.met or record.state == ENDED:
            return None
        if record.state == FAILED:
            return record.why
        who = f"The process of rank {self.rank} (of {count()}, on {record.host})"
        if is_gone(record):
            self.look(self._looked)  # it may have said its last word in between
            record = self.record or record
            return f"{who} has died." if record.state == ALIVE else self.fate()
        if self.silent >= PATIENCE and not is_running(record):
            return f"{who} has given no sign of life for {PATIENCE} seconds."
        return None
