"""Features on disk: what an encoder says about the rows of a manifest, computed once and read by everything else.

A store is a folder: safetensors shards of bounded size, each with its rows' ids, and `index.json`, written last. Its
key holds everything that changes a value; change one thing and it is another store. Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError, MismatchError, MissingResourceError
from ..storage import digest, file_digest, read_json
from .shards import ShardedArray, read_shard

if TYPE_CHECKING:
    from ..encoders.base import Encoder
    from ..manifest import Manifest

INDEX = "index.json"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Features:
    """Features of some pictures or texts.

    Attributes:
        folder: where they lie; None for features made in memory.
        key: names everything that changes a value.
        values: `[n, tokens, dim]`, memory-mapped; rows are read by number, slice, array of numbers or mask.
        row_ids: the manifest's ids of the rows that could be read, in order; texts are `ROW#NUMBER`.
        manifest_id: of the manifest that was encoded.
        encoder_id: of the encoder.
        space: features of one space can be compared.
        unreadable: rows left out, each `{"id": ..., "reason": ...}`.
        meta: the index as written: weights, transform, provenance, shards.
        encoder, on, study: names of the encoder, the data and the study, where a study made them; not on disk.
    """

    folder: Path | None
    key: str
    values: Any
    row_ids: tuple[str, ...]
    manifest_id: str
    encoder_id: str
    space: str
    unreadable: tuple[Mapping[str, str], ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    encoder: str = ""
    on: str = ""
    study: str = ""

    def __len__(self) -> int:
        return len(self.row_ids)

    @property
    def tokens(self) -> int:
        """Tokens of a row."""
        return int(self.values.shape[1])

    @property
    def dim(self) -> int:
        """Width of a token."""
        return int(self.values.shape[2])

    @cached_property
    def _at(self) -> dict[str, int]:
        return {row_id: number for number, row_id in enumerate(self.row_ids)}

    def indices(self, row_ids: Iterable[str]) -> NDArray[np.int64]:
        """Where the rows named stand in `values`, in the order named.

        Raises:
            MismatchError: a row is not here, for instance because its picture could not be read.
        """
        wanted = list(row_ids)
        if missing := [row_id for row_id in wanted if row_id not in self._at]:
            unread = {bad["id"]: bad["reason"] for bad in self.unreadable}
            why = f"could not be read: {unread[missing[0]]}" if missing[0] in unread else "is of other data"
            raise MismatchError(
                f"No features of row `{missing[0]}` ({why}); {len(missing)} of {len(wanted)} are missing."
            )
        return np.asarray([self._at[row_id] for row_id in wanted], dtype=np.int64)

    def take(self, row_ids: Iterable[str]) -> NDArray[Any]:
        """The features `[len(row_ids), tokens, dim]` of the rows named, in the order named, in memory."""
        return np.asarray(self.values[self.indices(row_ids)])

    @classmethod
    def load(cls, folder: Path | str) -> Features:
        """Open a finished store. Checks headers and sizes; `verify` reads every byte.

        Raises:
            MissingResourceError: there is no finished store.
            BadInputError: a shard is missing, cut short, or of another store.
        """
        folder = Path(folder)
        index = _read_index(folder)
        remedy = f"Remove {folder / INDEX} and encode again: only the broken shard is made anew."
        shards = []
        for entry in index["shards"]:
            try:
                shard = read_shard(folder / entry["file"])
            except BadInputError as error:
                raise BadInputError(f"{error} {remedy}") from error
            if shard.size != entry["bytes"] or shard.metadata.get("key") != index["key"]:
                raise BadInputError(f"{shard.path} is not the shard that {INDEX} names. {remedy}")
            shards.append(shard)
        ids = tuple(row_id for shard in shards for row_id in shard_ids(shard.metadata))
        return cls(
            folder=folder,
            key=index["key"],
            values=ShardedArray(shards),
            row_ids=ids,
            manifest_id=index["manifest_id"],
            encoder_id=index["encoder_id"],
            space=index["space"],
            unreadable=tuple(index["unreadable"]),
            meta=index,
        )

    def verify(self) -> None:
        """Compare every shard's sha256 with the index.

        Raises:
            BadInputError: a shard's bytes changed since they were written.
        """
        for entry in self.meta.get("shards", []) if self.folder else []:
            path = Path(str(self.folder)) / entry["file"]
            if file_digest(path) != entry["sha256"]:
                raise BadInputError(f"{path} changed after it was written. Remove {self.folder} and encode again.")


def features_key(manifest_id: str, encoder_identity: str, dtype: str = "float16") -> str:
    """Names one store: which rows, which encoder (`EncoderSpec.identity`), stored in which dtype."""
    return digest("features", FORMAT, manifest_id, encoder_identity, dtype)


def encode(
    manifest: Manifest,
    encoder: Encoder,
    folder: Path,
    *,
    key: str,
    batch_size: int = 64,
    dtype: str = "float16",
    workers: int | None = None,
    shard_bytes: int = 64 << 20,
    quiet: bool = False,
    max_unreadable: float = 0.01,
) -> Features:
    """Run an encoder over the pictures (or, for a text encoder, all texts) of a manifest and keep what it says.

    Shards are written one by one; after a kill the same call goes on at the next one and ends with the same bytes.
    Several processes that make the same call share the shards, which changes no byte. A finished store is opened as it
    is. Memory does not grow with the number of rows.

    Args:
        manifest: the rows. A text encoder gives one row for each text, with the id `ROW#NUMBER`.
        encoder: reads them.
        folder: where the store lies or will lie.
        key: what `features_key` gives; another key in the same folder is an error.
        batch_size: rows that the encoder sees at once.
        dtype: how numbers are stored, `float16` or `float32`.
        workers: processes that read pictures; None: none for fewer than a thousand rows, else one a core but one.
        shard_bytes: the most bytes of one shard; a shard of a small store is smaller, so that several processes find
            work. All processes have to give the same.
        quiet: show no bar.
        max_unreadable: the share of pictures that may be unreadable. They are left out, each with its reason.

    Raises:
        Stopped: a process that runs the same command is gone (under `accelerate launch`; see `peers`).
        BadInputError: more are unreadable than allowed (what was done stays), or a value does not fit the dtype.
        MismatchError: the folder holds features of another key.
    """
    from .encoding import run
    from .job import Job

    job = Job(manifest, encoder, folder, key, batch_size, dtype, workers, shard_bytes, quiet, max_unreadable)
    return run(job)


def shard_ids(metadata: Mapping[str, str]) -> list[str]:
    """The ids of a shard's rows, as its header holds them."""
    import json

    ids: list[str] = json.loads(metadata["ids"])
    return ids


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    if not path.is_file():
        begun = "They were begun: give the same command again and it goes on." if folder.is_dir() else "Encode first."
        raise MissingResourceError(f"No finished features in {folder}. {begun}")
    try:
        index: dict[str, Any] = read_json(path)
        found = index["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path} cannot be read ({error}). Remove it and encode again.") from error
    if found != FORMAT:
        raise BadInputError(
            f"{path} has format {found}; this version reads {FORMAT}. Remove {folder} and encode again."
        )
    return index
