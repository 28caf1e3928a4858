"""The rows of a manifest: one picture with its texts, and millions of them in few bytes."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Label = str | int | float | bool | None
_NO_LABELS: Mapping[str, Label] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """One picture, its texts, or both.

    Attributes:
        id: names the row; unique in its manifest.
        picture: the key by which the manifest's picture source finds the picture, or None.
        texts: captions or other texts.
        labels: what is known about the row, such as `class`.
        sha256: of the picture's bytes, where the picture is a file.
    """

    id: str
    picture: str | None = None
    texts: tuple[str, ...] = ()
    labels: Mapping[str, Label] = field(default_factory=lambda: _NO_LABELS)
    sha256: str | None = None


class Strings(Sequence[str]):
    """Strings one after the other in one buffer, decoded when asked for.

    A string of its own costs Python 50 bytes more than its letters, and merely reading it writes to its page: a process
    that was forked to read pictures would end up with a copy of all of them.
    """

    def __init__(self, ends: NDArray[np.int64], content: Any) -> None:
        """Join `content`, a buffer of UTF-8, with where in it each string ends."""
        self.ends, self.content = ends, memoryview(content)

    @classmethod
    def of(cls, strings: Iterable[str]) -> Strings:
        """Take strings one by one: they are never all there at once."""
        growing = Growing()
        for string in strings:
            growing.add(string.encode())
        return growing.strings()

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Strings: ...
    def __getitem__(self, index: int | slice) -> str | Strings:
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        number = range(len(self))[index]
        start = self.ends[number - 1] if number else 0
        return str(self.content[start : self.ends[number]], "utf-8")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in map(int, self.ends):
            yield str(self.content[start:end], "utf-8")
            start = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Strings):
            return NotImplemented
        return np.array_equal(self.ends, other.ends) and self.content == other.content

    __hash__ = None  # type: ignore[assignment]  # as of a list: it may be large

    def __reduce__(self) -> tuple[Any, ...]:
        return Strings, (np.array(self.ends), bytes(self.content))

    def take(self, numbers: Iterable[int]) -> Strings:
        """The strings of these numbers, in this order."""
        growing = Growing()
        for number in map(int, numbers):
            growing.add(self.content[self.ends[number - 1] if number else 0 : self.ends[number]])
        return growing.strings()


class Growing:
    """A buffer that strings are added to."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._ends, self._content = array("q"), bytearray()

    def add(self, encoded: bytes | memoryview) -> None:
        """Add one string, encoded as UTF-8."""
        self._content += encoded
        self._ends.append(len(self._content))

    def strings(self) -> Strings:
        """All that were added. Nothing more can be added then."""
        return Strings(np.frombuffer(self._ends, np.int64) if self._ends else np.empty(0, np.int64), self._content)


class Rows(Sequence[Row]):
    """Rows in two buffers, their ids and all else of them as JSON; a `Row` is made when it is asked for.

    A row with a caption of 50 letters and a hash takes about 190 bytes, of which forked processes copy none. As objects
    it takes 650 bytes in each process.
    """

    def __init__(self, ids: Strings, others: Strings) -> None:
        """Join the ids with what `_packed` makes of the rest of each row."""
        self.ids, self._others = ids, others

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Rows:
        """Take rows one by one: they are never all there at once."""
        ids, others = Growing(), Growing()
        for row in rows:
            ids.add(row.id.encode())
            others.add(_packed(row))
        return cls(ids.strings(), others.strings())

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        return _unpacked(self.ids[index], self._others[index])

    def __iter__(self) -> Iterator[Row]:
        return map(_unpacked, self.ids, self._others)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rows):
            return self.ids == other.ids and self._others == other._others
        if isinstance(other, tuple):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def texts(self) -> Sequence[tuple[str, ...]]:
        """Each row's texts, read when asked for."""
        return RowTexts(self)

    def take(self, numbers: Iterable[int]) -> Rows:
        """The rows of these numbers, in this order."""
        chosen = list(map(int, numbers))
        return Rows(self.ids.take(chosen), self._others.take(chosen))


class RowTexts(Sequence[tuple[str, ...]]):
    """The texts of each of many rows, read when asked for."""

    def __init__(self, rows: Rows) -> None:
        """Read from `rows`."""
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[str, ...], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, ...] | tuple[tuple[str, ...], ...]:
        if isinstance(index, slice):
            return tuple(row.texts for row in self._rows[index])
        return self._rows[index].texts

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return (row.texts for row in self._rows)


def repeated(strings: Sequence[str]) -> str | None:
    """One of the strings that is there more than once, the first in the alphabet, or None.

    Python's hashes of all, 8 bytes each, say where to look: a set of all strings would be larger than the strings.
    """
    hashes = np.sort(np.fromiter(map(hash, strings), np.int64, len(strings)))
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not suspects:
        return None
    counts = Counter(string for string in strings if hash(string) in suspects)
    return min((string for string, count in counts.items() if count > 1), default=None)


def _packed(row: Row) -> bytes:
    """All of a row but its id. A picture that is named like the row, as most are, is `true`."""
    picture = True if row.picture == row.id else row.picture
    return _TO_JSON((picture, row.texts, dict(row.labels), row.sha256)).encode()


def _unpacked(row_id: str, packed: str) -> Row:
    picture, texts, labels, sha256 = json.loads(packed)
    return Row(row_id, row_id if picture is True else picture, tuple(texts), labels or _NO_LABELS, sha256)


_TO_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
