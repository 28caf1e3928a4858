"""What a language model says of many rows, a line a text, on disk: written batch by batch, resumed where it stopped."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import BadInputError
from .progress import progress
from .storage import file_digest, lock, read_json, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .language_models.base import Generation

FORMAT = 1
INDEX, STARTED = "index.json", "started.json"
_DIGITS = 6

Say = Callable[["NDArray[np.int64]", list[str]], "list[Generation]"]
"""What is said of some rows, given by their numbers and their ids: `n_samples` Generations for each, in order."""


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
    the same batches are made and the file has the same bytes.

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
        LockedError: another process is writing the same folder.
        BadInputError: a batch size below 1.
    """
    if batch_size < 1:
        raise BadInputError(f"A batch of {batch_size} rows cannot be asked about. Give 1 or more.")
    lines, part = folder / f"{name}.jsonl", folder / f"{name}.part.jsonl"
    with lock(folder):
        if is_written(folder, key):
            return
        done = _begin(folder, part, key, row_ids, batch_size, n_samples)
        bar = progress(len(row_ids) * n_samples, what, unit=unit, quiet=quiet, initial=done * n_samples)
        with bar, part.open("ab") as file:
            for start in range(done, len(row_ids), batch_size):
                rows = np.arange(start, min(start + batch_size, len(row_ids)))
                keys = list(row_ids[start : start + len(rows)])
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
        os.replace(part, lines)
        write_json(folder / INDEX, {"format": FORMAT, "key": key, "sha256": file_digest(lines), **index})
        (folder / STARTED).unlink()


def is_written(folder: Path, key: str) -> bool:
    """Are all lines of this key there?"""
    return (folder / INDEX).is_file() and read_json(folder / INDEX).get("key") == key


def read_index(folder: Path, name: str) -> dict[str, Any]:
    """What `index.json` says, key included, once the lines are known to be those that were written.

    Raises:
        BadInputError: the files do not belong together, or are of another version.
    """
    index: dict[str, Any] = read_json(folder / INDEX)
    if index.pop("format", None) != FORMAT or file_digest(folder / f"{name}.jsonl") != index.pop("sha256"):
        raise BadInputError(f"{folder} is damaged or of another version. Delete it and give the same command again.")
    return index


def read_lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The lines in their order, one at a time."""
    with (folder / f"{name}.jsonl").open(encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)


def _begin(folder: Path, part: Path, key: str, row_ids: Sequence[str], batch_size: int, n_samples: int) -> int:
    """Prepare the folder; gives the number of rows that an earlier run of this key has finished, in whole batches."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    same = (folder / STARTED).is_file() and read_json(folder / STARTED) == {"key": key}
    lines = part.read_bytes().split(b"\n")[:-1] if same and part.is_file() else []
    expected = [row_id for row_id in row_ids for _ in range(n_samples)]
    right = itertools.takewhile(lambda pair: _row_id(pair[0]) == pair[1], zip(lines, expected, strict=False))
    rows = sum(1 for _ in right) // n_samples
    if rows < len(row_ids):
        rows -= rows % batch_size
    write_json(folder / STARTED, {"key": key})
    with part.open("ab") as file:
        file.truncate(sum(len(line) + 1 for line in lines[: rows * n_samples]))
    return rows


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
