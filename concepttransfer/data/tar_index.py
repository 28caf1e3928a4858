"""What lies where in a tar: read once from its headers, kept in the cache, and mapped into memory afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import tarfile
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError
from ..rows import Strings, repeated
from ..storage import cache_folder, digest, lock, write_bytes
from .pictures import is_picture

FORMAT = 1
COMPRESSED = {b"\x1f\x8b": "gzip -d", b"BZh": "bzip2 -d", b"\xfd7zXZ": "xz -d", b"\x28\xb5\x2f\xfd": "zstd -d"}
"""How compressed files begin, and what makes a plain tar of them."""

_BLOCK = 512
_DTYPES = {"U8": np.uint8, "I64": np.int64}


@dataclass(frozen=True)
class TarIndex:
    """The pictures of one tar, in its order.

    Attributes:
        tar: the file.
        names: of the pictures' members.
        texts: of each picture, a JSON list.
        places: `[n, 2]`, where each picture's bytes begin, and how many they are.
        order: `[n]`, the numbers of the names in alphabetical order.
        hashes: `[n, 32]`, the sha256 of each picture; `[0, 32]` where none was wanted.
        cut: the byte at which the tar was found to be cut short or damaged, or None.
    """

    tar: Path
    names: Strings
    texts: Strings
    places: NDArray[np.int64]
    order: NDArray[np.int64]
    hashes: NDArray[np.uint8]
    cut: int | None = None

    def __len__(self) -> int:
        return len(self.names)

    def find(self, name: str) -> tuple[int, int]:
        """Where a picture's bytes begin in the tar, and how many they are.

        Raises:
            BadInputError: the tar has no such picture.
        """
        at = bisect_left(self.order, name, key=lambda number: self.names[int(number)])
        number = int(self.order[at]) if at < len(self) else -1
        if number < 0 or self.names[number] != name:
            raise BadInputError(f"{self.tar} holds no picture `{name}`.")
        offset, size = self.places[number]
        return int(offset), int(size)


def tar_index(tar: Path, *, captions: str | None, hashes: bool) -> TarIndex:
    """The index of a tar, from the cache, or made now by reading the tar once from its begin to its end.

    It is made anew when the tar's size or time changed. Where the cache cannot be written, it is only in memory.

    Args:
        tar: a tar that is not compressed.
        captions: the member beside a picture that holds its text: `txt`, or `json:KEY`, a key of a JSON object; None:
            no texts.
        hashes: take the sha256 of each picture.

    Raises:
        BadInputError: it is compressed, no tar, names a picture twice, or a text cannot be read.
    """
    stamp = tar.stat()
    key = {"tar": str(tar.resolve()), "captions": captions, "hashes": hashes, "format": FORMAT}
    state = {"size": stamp.st_size, "time": stamp.st_mtime_ns, **key}
    path = cache_folder() / "tar-indexes" / f"{digest(key)[:24]}.safetensors"
    if found := _stored(path, tar, state):
        return found
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # a cache that cannot be written
            held.enter_context(lock(path, wait=-1))  # of many processes, one reads the tar
        if found := _stored(path, tar, state):
            return found
        index = _scan(tar, captions, hashes)
        with contextlib.suppress(OSError):
            write_bytes(path, _as_bytes(index, state))
            return _stored(path, tar, state) or index
        return index


def _as_bytes(index: TarIndex, state: Mapping[str, Any]) -> bytes:
    """The index as a safetensors file."""
    from safetensors.numpy import save

    arrays: dict[str, NDArray[Any]] = {"places": index.places, "order": index.order, "hashes": index.hashes}
    for name, strings in (("names", index.names), ("texts", index.texts)):
        arrays[f"{name}.ends"] = strings.ends
        arrays[f"{name}.content"] = np.frombuffer(strings.content, np.uint8)
    content: bytes = save(arrays, {"state": json.dumps(dict(state)), "cut": json.dumps(index.cut)})
    return content


def _stored(path: Path, tar: Path, state: Mapping[str, Any]) -> TarIndex | None:
    """The index that the cache holds of the tar as it is now, mapped into memory."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        notes = header.pop("__metadata__")
        if json.loads(notes["state"]) != state:
            return None
        content = np.asarray(np.memmap(path, np.uint8, "r", 8 + length))
        at = {name: _array(content, entry) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, struct.error):  # not there, or of another version
        return None
    names, texts = (Strings(at[f"{name}.ends"], at[f"{name}.content"]) for name in ("names", "texts"))
    return TarIndex(tar, names, texts, at["places"], at["order"], at["hashes"], json.loads(notes["cut"]))


def _array(content: NDArray[np.uint8], entry: Mapping[str, Any]) -> NDArray[Any]:
    start, stop = entry["data_offsets"]
    return content[start:stop].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])


def _scan(tar: Path, captions: str | None, hashes: bool) -> TarIndex:
    scan = _Scan(tar, *(captions or "").partition(":")[::2], hashes)
    with tar.open("rb") as file:
        cut = scan.read(file)
    return scan.index(cut)


class _Scan:
    """One pass over a tar: what lies where, and the texts."""

    def __init__(self, tar: Path, suffix: str, json_key: str, hashes: bool) -> None:
        """Texts are in members that end in `.suffix`; with a key, under it in a JSON object."""
        self.tar, self.suffix, self.json_key, self.hashes = tar, suffix, json_key, hashes
        self.names: list[str] = []
        self.places: list[tuple[int, int]] = []
        self.digests = bytearray()
        self.texts: dict[str, list[str]] = {}

    def read(self, file: IO[bytes]) -> int | None:
        """Go through the tar; give the byte at which it is cut short or damaged, or None.

        A tar ends with a block of zeros. One without is said to be cut even where its last member is whole.
        """
        self._refuse_compressed(file)
        size, end = os.fstat(file.fileno()).st_size, 0
        try:
            with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="backslashreplace") as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined]  # it would keep each of them
                    if member.offset_data + member.size > size or archive.offset <= end:
                        return end
                    end = archive.offset
                    if member.isreg() and not member.issparse():
                        self._add(member, file)
        except (tarfile.TarError, ValueError):
            return min(end, size)
        return None if os.pread(file.fileno(), _BLOCK, end) == bytes(_BLOCK) else min(end, size)

    def index(self, cut: int | None) -> TarIndex:
        """What was found, as arrays."""
        if (twice := repeated(self.names)) is not None:
            raise BadInputError(f"{self.tar} names `{twice}` more than once. Pack it again with each name once.")
        texts = (json.dumps(self.texts.get(_base(name), []), ensure_ascii=False) for name in self.names)
        return TarIndex(
            self.tar,
            Strings.of(self.names),
            Strings.of(texts),
            np.asarray(self.places, np.int64).reshape(-1, 2),
            np.asarray(sorted(range(len(self.names)), key=self.names.__getitem__), np.int64),
            np.frombuffer(self.digests, np.uint8).reshape(-1, 32),
            cut,
        )

    def _refuse_compressed(self, file: IO[bytes]) -> None:
        begin = os.pread(file.fileno(), 8, 0)
        for magic, remedy in COMPRESSED.items():
            if begin.startswith(magic):
                raise BadInputError(
                    f"{self.tar} is compressed: its pictures cannot be read one by one. Make a plain tar: {remedy}"
                )

    def _add(self, member: tarfile.TarInfo, file: IO[bytes]) -> None:
        name = member.name.removeprefix("./")
        if is_picture(name):
            self.names.append(name)
            self.places.append((member.offset_data, member.size))
            if self.hashes:
                self.digests += hashlib.sha256(_content(member, file)).digest()
        elif self.suffix and name == f"{(base := _base(name))}.{self.suffix}":
            if base in self.texts:
                raise BadInputError(f"{self.tar} names `{name}` more than once. Pack it again with each name once.")
            self.texts[base] = self._texts(name, _content(member, file))

    def _texts(self, name: str, content: bytes) -> list[str]:
        """The texts in a member: all of it, or what stands under the key, one text or a list of them."""
        found: Any = content.decode(errors="replace")
        if self.json_key:
            try:
                found = json.loads(content)[self.json_key]
            except KeyError:
                return []
            except (ValueError, TypeError) as error:
                raise BadInputError(f"{self.tar}: `{name}` is no JSON object ({error}).") from error
        listed = found if isinstance(found, list) else [found]
        cleaned = (str(text).encode(errors="replace").decode().strip() for text in listed if text is not None)
        return [text for text in cleaned if text]


def _content(member: tarfile.TarInfo, file: IO[bytes]) -> bytes:
    return os.pread(file.fileno(), member.size, member.offset_data)


def _base(name: str) -> str:
    """What the members of one sample share: the name up to the first dot of its last part."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]
