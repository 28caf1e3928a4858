"""Arrays too large for memory: safetensors files of bounded size, read as one memory-mapped array without torch."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError
from ..storage import write_bytes

_CODES = {"F16": "<f2", "F32": "<f4"}
_NAMES = {"float16": "F16", "float32": "F32"}
_TENSOR = "features"


@dataclass(frozen=True)
class Shard:
    """One safetensors file with one array, as its header tells.

    Attributes:
        path: the file.
        shape: of its array.
        dtype: of its array.
        offset: where in the file the array begins, in bytes.
        metadata: what was written beside it.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    metadata: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes that the whole file must have."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize

    def map(self) -> NDArray[Any]:
        """The array, memory-mapped read-only."""
        if math.prod(self.shape) == 0:
            return np.empty(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


def write_shard(path: Path, values: NDArray[Any], metadata: Mapping[str, str]) -> None:
    """Write one array as a safetensors file that is there whole or not at all.

    Args:
        path: the file.
        values: float16 or float32, any shape.
        metadata: texts written into the header.
    """
    code = _NAMES[values.dtype.name]
    entry = {"dtype": code, "shape": list(values.shape), "data_offsets": [0, values.nbytes]}
    header = json.dumps({"__metadata__": dict(metadata), _TENSOR: entry}, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    body = np.ascontiguousarray(values, dtype=_CODES[code]).reshape(-1).view(np.uint8)
    write_bytes(path, b"".join([struct.pack("<Q", len(header)), header, body.data]))


def read_shard(path: Path) -> Shard:
    """Read a shard's header and check that the file is as long as it says.

    Raises:
        BadInputError: the file is missing, cut short, or no shard of features.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            size = path.stat().st_size
            if length > size:
                raise ValueError("it is cut short")
            header = json.loads(file.read(length))
        entry = header[_TENSOR]
        metadata = header.get("__metadata__", {})
        shard = Shard(path, tuple(entry["shape"]), np.dtype(_CODES[entry["dtype"]]), 8 + length, metadata)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise BadInputError(f"{path} is no whole shard of features: {type(error).__name__}: {error}.") from error
    if size != shard.size:
        raise BadInputError(f"{path} has {size:,} bytes; its header says {shard.size:,}. It was cut short or changed.")
    return shard


class ShardedArray:
    """Several shards as one array `[n, ...]`: read by rows, from disk, when asked.

    `values[3]`, `values[2:9]`, `values[[4, 1]]`, `values[mask]` and `values[rows, 0]` give numpy arrays; rows of one
    shard in a row are a view on the file, others are copied. It survives pickling without its contents.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        """Join shards in their order.

        Raises:
            BadInputError: there are none, or their rows differ in shape or dtype.
        """
        if not shards:
            raise BadInputError("An array of no shards has no shape.")
        if len({(shard.shape[1:], shard.dtype) for shard in shards}) > 1:
            raise BadInputError(f"The shards in {shards[0].path.parent} hold rows of different shapes or dtypes.")
        self._shards = tuple(shards)
        self._starts = np.cumsum([0, *(shard.shape[0] for shard in shards)])
        self._maps: dict[int, NDArray[Any]] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """`(n, ...)`, n over all shards."""
        return (int(self._starts[-1]), *self._shards[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """How numbers are stored."""
        return self._shards[0].dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        rows, *rest = index if isinstance(index, tuple) else (index,)
        if isinstance(rows, int | np.integer):
            one: NDArray[Any] = self._gather(np.asarray([rows]))[0]
            return one[tuple(rest)] if rest else one
        found: NDArray[Any] = self._span(rows) if isinstance(rows, slice) else self._gather(np.asarray(rows))
        return found[(slice(None), *rest)] if rest else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[:], dtype=dtype, copy=copy)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}}

    def _map(self, number: int) -> NDArray[Any]:
        if number not in self._maps:
            self._maps[number] = self._shards[number].map()
        return self._maps[number]

    def _span(self, rows: slice) -> NDArray[Any]:
        start, stop, step = rows.indices(len(self))
        number = int(np.searchsorted(self._starts, start, side="right")) - 1
        if step == 1 and start < stop <= self._starts[min(number + 1, len(self._shards))]:
            first = int(self._starts[number])
            return self._map(number)[start - first : stop - first]
        return self._gather(np.arange(start, stop, step))

    def _gather(self, rows: NDArray[Any]) -> NDArray[Any]:
        rows = self._checked(rows)
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(owners):
            here = owners == number
            out[here] = self._map(int(number))[rows[here] - self._starts[number]]
        return out

    def _checked(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        if rows.dtype == bool:
            if rows.shape != (len(self),):
                raise IndexError(f"a mask of shape {rows.shape} does not fit {len(self)} rows")
            return np.flatnonzero(rows)
        if rows.ndim != 1:
            raise IndexError(f"rows are chosen by a list of numbers, not by an array of shape {rows.shape}")
        whole = rows.astype(np.int64)
        if rows.size and (whole.min() < -len(self) or whole.max() >= len(self) or (whole != rows).any()):
            raise IndexError(f"rows {whole.min()} to {whole.max()} are not all among {len(self)}")
        return np.where(whole < 0, whole + len(self), whole)
