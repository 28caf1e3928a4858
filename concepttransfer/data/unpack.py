"""Archives from strangers, unpacked so that nothing lands outside, fills the disk, or stays half-done."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import BadInputError, MissingResourceError
from ..progress import progress
from ..storage import lock

BLOCK = 1 << 20
_OUTSIDE = re.compile(r"^[\\/]|^[A-Za-z]:|(^|[\\/])\.\.([\\/]|$)")


def unpack(archive: Path, folder: Path, *, quiet: bool = False) -> None:
    """Unpack a zip, a tar (plain, gz, bz2, xz) or a gz into `folder`, beside what is there.

    Everything is unpacked into a hidden folder first and moved into place when it is whole, so a kill leaves the
    archive and nothing else; the same call does it again.

    Raises:
        MissingResourceError: there is no such archive.
        BadInputError: it is damaged; it is a web page; it holds a link, a device, or a member that would land outside
            (`../`, an absolute path); it needs more than the free disk; the folder cannot be written.
    """
    if not archive.is_file():
        raise MissingResourceError(f"There is no archive {archive}.")
    hidden = folder / f".{archive.name}.unpacking"
    with _explained(archive, folder):
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder / f"{archive.name}.unpacking"):
            shutil.rmtree(hidden, ignore_errors=True)
            hidden.mkdir()
            try:
                _reader(archive)(archive, hidden, quiet)
                if not any(hidden.iterdir()):
                    raise BadInputError(f"{archive} holds no files. Remove it and fetch it again.")
                _move(hidden, folder)
            finally:
                shutil.rmtree(hidden, ignore_errors=True)


def _reader(archive: Path) -> Callable[[Path, Path, bool], None]:
    """What unpacks this file, by what it holds, whatever it is called."""
    if zipfile.is_zipfile(archive):
        return _unpack_zip
    if tarfile.is_tarfile(archive):
        return _unpack_tar
    with archive.open("rb") as file:
        begins = file.read(64)
    if begins.startswith(b"\x1f\x8b"):
        return _unpack_gz
    if begins.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise BadInputError(f"{archive} is a web page, no archive. Remove it, and open its address in a browser.")
    raise BadInputError(f"{archive} is no whole zip, tar or gz: it was cut or damaged. Remove it and fetch it again.")


def _unpack_zip(archive: Path, into: Path, quiet: bool) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        for member in members:
            _refuse_outside(archive, member.filename)
            mode = stat.S_IFMT(member.external_attr >> 16)
            if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _strange(archive, member.filename)
        total = sum(member.file_size for member in members)
        _refuse_larger_than_disk(archive, into, total)
        with progress(total, f"unpack {archive.name}", unit="B", quiet=quiet) as bar:
            for member in members:
                packed.extract(member, into)
                bar.update(member.file_size)


def _unpack_tar(archive: Path, into: Path, quiet: bool) -> None:
    total = 0
    free = shutil.disk_usage(into).free
    with tarfile.open(archive) as packed, progress(None, f"unpack {archive.name}", unit="B", quiet=quiet) as bar:
        for member in packed:
            if not (member.isreg() or member.isdir()):
                raise _strange(archive, member.name)
            _refuse_outside(archive, member.name)
            total += member.size
            _refuse_larger_than_disk(archive, into, total, free)
            packed.extract(member, into, filter="data")
            bar.update(member.size)


def _unpack_gz(archive: Path, into: Path, quiet: bool) -> None:
    total = 0
    free = shutil.disk_usage(into).free
    with (
        gzip.open(archive) as packed,
        (into / archive.name.removesuffix(".gz")).open("wb") as file,
        progress(None, f"unpack {archive.name}", unit="B", quiet=quiet) as bar,
    ):
        while block := packed.read(BLOCK):
            total += len(block)
            _refuse_larger_than_disk(archive, into, total, free)
            file.write(block)
            bar.update(len(block))


def _move(hidden: Path, folder: Path) -> None:
    """Move all files to where they belong; folders that are there already are filled."""
    for path in sorted(hidden.rglob("*")):
        target = folder / path.relative_to(hidden)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            shutil.move(path, target)


def _refuse_outside(archive: Path, name: str) -> None:
    if _OUTSIDE.search(name):
        raise BadInputError(
            f"{archive} holds `{name}`, which would land outside of its folder. Nothing was unpacked; do not trust it."
        )


def _strange(archive: Path, name: str) -> BadInputError:
    message = f"{archive} holds `{name}`, a link or a device, which no data set needs."
    return BadInputError(f"{message} Nothing was unpacked; do not trust it.")


def _refuse_larger_than_disk(archive: Path, into: Path, needed: int, free: int | None = None) -> None:
    free = shutil.disk_usage(into).free if free is None else free
    if needed > free:
        message = f"{archive} unpacks to {needed:,} bytes or more, and {free:,} are free. Nothing was unpacked."
        raise BadInputError(f"{message} Make room, or name another folder.")


@contextlib.contextmanager
def _explained(archive: Path, folder: Path) -> Iterator[None]:
    """Whatever a damaged archive or a folder without rights does to a library, in one sentence."""
    damaged: tuple[Any, ...] = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError)
    try:
        yield
    except (*damaged, gzip.BadGzipFile, NotImplementedError, RuntimeError) as error:  # the last: an encrypted member
        reason = f"{type(error).__name__}: {error}"
        message = f"{archive} cannot be unpacked ({reason}). Remove it and fetch it again."
        raise BadInputError(message) from error
    except OSError as error:
        message = f"{archive} cannot be unpacked into {folder} ({error.strerror or error}). Nothing was unpacked."
        raise BadInputError(message) from error
