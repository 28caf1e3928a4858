"""Fetch a data set by its manifest: only what is missing, checked, unpacked; or say what to put where by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInputError, MissingResourceError
from .descriptions import DataFile, DataManifest
from .download import Patience, check_file, download
from .layout import check_layout
from .unpack import unpack


@dataclass(frozen=True)
class Fetched:
    """What was done about one file of a data set.

    Attributes:
        name: of the file.
        done: `there already`, `fetched`, `fetched and unpacked`, ...
        checked: against what: the published checksum or size, or that none is published.
    """

    name: str
    done: str
    checked: str


def missing_files(manifest: DataManifest, folder: Path, *, optional: bool = False) -> list[DataFile]:
    """Which of a data set's files have to be fetched: those of which something is not in its place.

    Args:
        manifest: of the data set.
        folder: where the data lie.
        optional: also what the data can be read without.
    """
    wanted = [file for file in manifest.files if optional or not file.optional]
    return [file for file in wanted if not _in_place(file, manifest, folder)]


def fetch(
    manifest: DataManifest,
    folder: Path,
    *,
    optional: bool = False,
    keep_archives: bool = False,
    offline: bool = False,
    quiet: bool = False,
    patience: Patience = Patience(),  # noqa: B008  frozen
) -> Iterator[Fetched]:
    """Fetch, check and unpack what is missing, file by file; a kill loses nothing, the same call goes on.

    A file that was put into the folder by hand is taken as if it had been fetched. An archive from which the reader
    reads is not unpacked; another one is removed when it has been unpacked and all that comes in it is in its place.

    Args:
        manifest: of the data set.
        folder: where the data go.
        optional: also what the data can be read without.
        keep_archives: leave archives beside what was unpacked.
        offline: ask no server.
        quiet: no bars.
        patience: how often and how long a server is asked.

    Yields:
        What was done about each file, as it is done.

    Raises:
        MissingResourceError: a file is neither here nor can it be fetched; the message says for each what to put where.
        BadInputError: a file is not what was published, an archive is not to be trusted, or the folder cannot be
            written.
    """
    missing = missing_files(manifest, folder, optional=optional)
    for file in manifest.files:
        if file not in missing and (optional or not file.optional):
            yield Fetched(file.name, "there already", "by its layout")
    absent = [file for file in missing if not (folder / file.name).is_file()]
    if absent and offline:
        raise MissingResourceError(_by_hand(manifest, folder, absent, "Nothing is fetched while offline."))
    if missing:
        _make_writable(folder)
    for number, file in enumerate(missing):
        try:
            yield _fetch_one(file, manifest, folder, keep_archives, quiet, patience)
        except MissingResourceError as error:
            rest = [one for one in missing[number:] if one in absent]
            raise MissingResourceError(_by_hand(manifest, folder, rest, str(error))) from error


def _fetch_one(
    file: DataFile, manifest: DataManifest, folder: Path, keep_archives: bool, quiet: bool, patience: Patience
) -> Fetched:
    path, done = folder / file.name, "fetched"
    path.parent.mkdir(parents=True, exist_ok=True)
    checksum = _checksum(file)
    if path.is_file():
        check_file(path, size=file.bytes, checksum=checksum, name=str(path), url=file.url, quiet=quiet)
        done = "was here"
    else:
        download(file.url, path, size=file.bytes, checksum=checksum, quiet=quiet, patience=patience)
    if file.unpack is not None and _read_packed(file, manifest):
        done += "; it is read without being unpacked"
    elif file.unpack is not None:
        unpack(path, folder / file.unpack, quiet=quiet)
        done += " and unpacked"
        if not keep_archives and _parts(file, manifest) and _in_place(file, manifest, folder):
            path.unlink()
    return Fetched(file.name, done, _checked(file))


def _checksum(file: DataFile) -> str | None:
    if file.sha256:
        return f"sha256:{file.sha256}"
    return f"md5:{file.md5}" if file.md5 else None


def _checked(file: DataFile) -> str:
    if checksum := _checksum(file):
        return f"the published {checksum.partition(':')[0]}"
    return "the published size; there is no checksum" if file.bytes else "nothing: no checksum or size is published"


def _parts(file: DataFile, manifest: DataManifest) -> list[DataManifest]:
    """For each thing that comes in a file a manifest of that thing alone, which is then wanted."""
    entries = [entry for entry in manifest.layout if entry.comes_in == file.name]
    alone = [entry.model_copy(update={"optional": False}) for entry in entries if file.optional or not entry.optional]
    return [manifest.model_copy(update={"layout": [entry]}) for entry in alone]


def _read_packed(file: DataFile, manifest: DataManifest) -> bool:
    """Is everything that comes in an archive read from it as it is?"""
    entries = [entry for entry in manifest.layout if entry.comes_in == file.name]
    return bool(entries) and all(entry.packed for entry in entries)


def _in_place(file: DataFile, manifest: DataManifest, folder: Path) -> bool:
    parts = _parts(file, manifest)
    if not parts:
        return (folder / file.name).is_file()
    return all(finding.ok for part in parts for finding in check_layout(folder, part))


def _by_hand(manifest: DataManifest, folder: Path, files: Sequence[DataFile], why: str) -> str:
    """Why, and for each file where it is and where to put it."""
    told = [f"  {file.url}\n    -> {folder / file.name}{_size(file)}" for file in files]
    see = f" (see {manifest.url})" if manifest.url else ""
    again = f"Put these there, then give the same command again; it checks and unpacks them{see}:"
    return "\n".join([why, again, *told])


def _size(file: DataFile) -> str:
    return f"  ({file.bytes:,} bytes)" if file.bytes else ""


def _make_writable(folder: Path) -> None:
    """Find out that a folder cannot be written before the first gigabyte comes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"{folder} cannot be written ({error.strerror}). Give it rights, or name another with --folder."
        raise BadInputError(message) from error
