"""What a language model says of many rows, a line a text, on disk: written batch by batch, resumed where it stopped.

Rows are cut into blocks of whole batches. Several processes each take blocks that are missing and that no other one has
taken (`pieces`); the blocks are then joined in their order, to the bytes that one process would have written.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import BadInputError, LockedError, MissingResourceError
from .processes.peers import together
from .processes.pieces import Pieces, clean, in_work
from .progress import progress
from .storage import file_digest, lock, read_json, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .language_models.base import Generation

FORMAT = 1
INDEX, STARTED = "index.json", "started.json"
LEAST_ROWS = 256
"""Rows of a block, or of so many whole batches."""
_DIGITS = 6

Say = Callable[["NDArray[np.int64]", list[str]], "list[Generation]"]
"""What is said of some rows, given by their numbers and their ids: `n_samples` Generations for each, in order."""


@together()
def write_lines(
    folder: Path,
    name: str,
    *,
    key: str,
    row_ids: Sequence[str],
    say: Say,
    about: Callable[[int], Mapping[str, Any]],
    index: Mapping[str, Any],
    what: str,
    unit: str,
    batch_size: int,
    n_samples: int = 1,
    quiet: bool = False,
) -> None:
    """Have something said of every row and keep it as `NAME.jsonl` with `index.json`; what is there is kept.

    Each batch is on disk before the next begins. A run that was killed goes on after the last whole batch, so that
    the same batches are made and the file has the same bytes. Several processes that make the same call share the
    blocks of rows; which batches are made does not depend on it.

    Args:
        folder: where they go.
        name: of the file of lines, without `.jsonl`.
        key: names everything that changes a line. Lines of another key are replaced.
        row_ids: the rows, each id once.
        say: asks the language model.
        about: what a line says besides its row and its text, by the row's number.
        index: what `index.json` says besides key and checksum; JSON.
        what, unit: of the progress bar.
        batch_size: rows asked about at a time.
        n_samples: texts of each row.
        quiet: show no bar.

    Raises:
        LockedError: another process is writing lines of another key into the same folder.
        Stopped: a process that runs the same command is gone (under `accelerate launch`; see `peers`).
        BadInputError: a batch size below 1.
    """
    if batch_size < 1:
        raise BadInputError(f"A batch of {batch_size} rows cannot be asked about. Give 1 or more.")
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder, wait=-1):
        if is_written(folder, key):
            return
        rows = _begin(folder, name, key, batch_size)
    blocks = _Blocks(folder, name, key, row_ids, rows, batch_size, n_samples)
    with progress(len(row_ids) * n_samples, what, unit=unit, quiet=quiet, initial=blocks.n_begun()) as bar:
        _say_missing(blocks, say, about, bar)
        bar.update(bar.total - bar.n)
    with lock(folder, wait=-1):
        if not is_written(folder, key):
            lines = blocks.join()
            write_json(folder / INDEX, {"format": FORMAT, "key": key, "sha256": file_digest(lines), **index})
            _clean(folder, name)


def is_begun(folder: Path) -> bool:
    """Are some lines there, but not yet all?"""
    return (folder / STARTED).is_file()


def is_written(folder: Path, key: str) -> bool:
    """Are all lines of this key there?"""
    return (folder / INDEX).is_file() and read_json(folder / INDEX).get("key") == key


def read_index(folder: Path, name: str, *, what: str, command: str) -> dict[str, Any]:
    """What `index.json` says, key included, once the lines are known to be those that were written.

    Args:
        folder: where they lie.
        name: of the file of lines, without `.jsonl`.
        what: they are, in words: `captions`.
        command: makes them.

    Raises:
        MissingResourceError: there are none, or not yet all.
        BadInputError: the files do not belong together, or are of another version.
    """
    if not (folder / INDEX).is_file():
        state = f"{what} that are not finished" if is_begun(folder) else f"no {what}"
        raise MissingResourceError(f"{folder} holds {state}. Make them: concepttransfer {command} --encoder NAME")
    index: dict[str, Any] = read_json(folder / INDEX)
    if index.pop("format", None) != FORMAT or file_digest(folder / f"{name}.jsonl") != index.pop("sha256"):
        raise BadInputError(f"{folder} is damaged or of another version. Delete it and give the same command again.")
    return index


def read_lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The lines in their order, one at a time."""
    with (folder / f"{name}.jsonl").open(encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)


def _begin(folder: Path, name: str, key: str, batch_size: int) -> int:
    """Prepare the folder; gives the rows of a block, as whoever began has chosen them."""
    started = read_json(folder / STARTED) if is_begun(folder) else {}
    if started.get("key") == key and "block" in started:
        return int(started["block"])
    if in_work(folder):
        raise LockedError(f"Another process is writing other lines into {folder}. Wait until it has ended.")
    (folder / INDEX).unlink(missing_ok=True)
    _clean(folder, name)
    block = batch_size * math.ceil(LEAST_ROWS / batch_size)
    write_json(folder / STARTED, {"key": key, "block": block})
    return block


def _clean(folder: Path, name: str) -> None:
    """Remove what was needed on the way: the index is there, or all begins anew."""
    (folder / STARTED).unlink(missing_ok=True)
    for path in [*folder.glob(f"{name}.*.jsonl"), *folder.glob(f"{name}.*.part")]:
        path.unlink(missing_ok=True)
    clean(folder)


class _Blocks:
    """The blocks of rows: `NAME.00003.part` while it is written, line by line, `NAME.00003.jsonl` when it is whole."""

    def __init__(
        self, folder: Path, name: str, key: str, row_ids: Sequence[str], rows: int, batch_size: int, n_samples: int
    ) -> None:
        self.folder, self.name, self.key, self.row_ids = folder, name, key, row_ids
        self.batch_size, self.n_samples = batch_size, n_samples
        self.spans = [(start, min(start + rows, len(row_ids))) for start in range(0, len(row_ids), rows)]

    def path(self, number: int) -> Path:
        return self.folder / f"{self.name}.{number:05d}.jsonl"

    def part(self, number: int) -> Path:
        return self.path(number).with_suffix(".part")

    def is_done(self, number: int) -> bool:
        """Is the block whole? All are once the index is there, which is when they were joined and removed."""
        return self.path(number).is_file() or is_written(self.folder, self.key)

    def n_begun(self) -> int:
        """Lines that are there already, whoever wrote them."""
        whole = {number for number in range(len(self.spans)) if self.path(number).is_file()}
        rows = sum(stop - start for number, (start, stop) in enumerate(self.spans) if number in whole)
        parts = self.folder.glob(f"{self.name}.[0-9]*.part")
        return rows * self.n_samples + sum(map(_n_lines, parts))

    def resume(self, number: int) -> int:
        """Cut the block's part after its last whole batch; gives the number of rows in it."""
        part, (start, stop) = self.part(number), self.spans[number]
        lines = part.read_bytes().split(b"\n")[:-1] if part.is_file() else []
        expected = [row_id for row_id in self.row_ids[start:stop] for _ in range(self.n_samples)]
        right = itertools.takewhile(lambda pair: _row_id(pair[0]) == pair[1], zip(lines, expected, strict=False))
        rows = sum(1 for _ in right) // self.n_samples
        if rows < stop - start:
            rows -= rows % self.batch_size
        with part.open("ab") as file:
            file.truncate(sum(len(line) + 1 for line in lines[: rows * self.n_samples]))
        return rows

    def join(self) -> Path:
        """Put the blocks one behind the other."""
        joined, lines = self.folder / f"{self.name}.joined.part", self.folder / f"{self.name}.jsonl"
        with joined.open("wb") as whole:
            for number in range(len(self.spans)):
                with self.path(number).open("rb") as block:
                    shutil.copyfileobj(block, whole)
            whole.flush()
            os.fsync(whole.fileno())
        os.replace(joined, lines)
        return lines


def _say_missing(blocks: _Blocks, say: Say, about: Callable[[int], Mapping[str, Any]], bar: Any) -> None:
    """Write the blocks that are missing and free, and wait for those that others have taken."""
    names = [blocks.path(number).name for number in range(len(blocks.spans))]
    with Pieces(blocks.folder, names, blocks.is_done) as pieces:
        pieces.look()
        while pieces.missing and not is_written(blocks.folder, blocks.key):
            before = len(pieces.missing)
            for number in pieces.take():
                _say_block(blocks, number, say, about, bar)
                pieces.release(number)
                bar.update(max(0, blocks.n_begun() - bar.n))  # others were at work too
            pieces.look()
            bar.update(max(0, blocks.n_begun() - bar.n))
            if len(pieces.missing) == before:
                pieces.wait()


def _say_block(blocks: _Blocks, number: int, say: Say, about: Callable[[int], Mapping[str, Any]], bar: Any) -> None:
    """Write what is missing of one block, batch by batch."""
    start, stop = blocks.spans[number]
    n_samples = blocks.n_samples
    done = start + blocks.resume(number)
    with blocks.part(number).open("ab") as file:
        for first in range(done, stop, blocks.batch_size):
            rows = np.arange(first, min(first + blocks.batch_size, stop))
            keys = list(blocks.row_ids[first : first + len(rows)])
            said = say(rows, keys)
            file.write(
                b"".join(
                    _line(keys[n // n_samples], n % n_samples, about(int(rows[n // n_samples])), one)
                    for n, one in enumerate(said)
                )
            )
            file.flush()
            os.fsync(file.fileno())
            bar.update(len(said))
    os.replace(blocks.part(number), blocks.path(number))


def _n_lines(part: Path) -> int:
    """Lines of a block in work; none if its process has just made it whole."""
    try:
        return part.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _row_id(line: bytes) -> str | None:
    """The row that a line is about; None if the line was torn by what ended the run."""
    try:
        return str(json.loads(line)["row_id"])
    except (ValueError, KeyError, TypeError):
        return None


def _line(row_id: str, sample: int, about: Mapping[str, Any], said: Generation) -> bytes:
    logprobs = [round(value, _DIGITS) for value in said.logprobs]
    line = {"row_id": row_id, "sample": sample, **about, "text": said.text}
    line |= {"token_ids": said.token_ids, "logprobs": logprobs}
    return (json.dumps(line, ensure_ascii=False) + "\n").encode()
