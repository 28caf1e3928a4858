"""Does a folder hold a data set as its manifest says? What is missing, and what to put where."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import BadInputError
from ..manifest import FolderPictures, PictureSource, ZipPictures
from ..storage import digest
from .annotations import read_lists
from .descriptions import DataManifest, LayoutEntry
from .pictures import PICTURE_SUFFIXES

SAMPLE = 20


@dataclass(frozen=True)
class Finding:
    """One thing that a data set's manifest wants, and what is there.

    Attributes:
        wanted: the thing, as the manifest says it.
        found: what is there instead, or of it.
        ok: whether the data can be read as far as this thing goes.
        advice: what to put where; empty if nothing need be done.
    """

    wanted: str
    found: str
    ok: bool
    advice: str = ""


def check_layout(folder: Path, manifest: DataManifest) -> list[Finding]:
    """What of a data set is in its place? One finding an entry of the manifest's layout, pictures also sampled.

    Files are counted, tables in json parsed and their lists counted, and of pictures 20, always the same ones, are
    opened. Nothing is hashed.

    Args:
        folder: where the data lie; a zip that stays packed, where the reader takes one.
        manifest: what should be there.
    """
    return [finding for entry in manifest.layout for finding in _check(folder, entry, manifest)]


def _check(folder: Path, entry: LayoutEntry, manifest: DataManifest) -> Iterator[Finding]:
    place, names = _find(folder, entry)
    wanted = f"{entry.pattern}: {entry.what}"
    missing = not names or (entry.count is not None and len(names) < entry.count)
    nothing = "nothing (it is optional)" if entry.optional else "nothing" if folder.exists() else f"no {folder}"
    found = _counted(len(names), entry.count) if names else nothing
    ok = not missing or (entry.optional and not names)
    yield Finding(wanted, found, ok, "" if ok else _advice(folder, entry, manifest))
    if names and PurePosixPath(names[0]).suffix.lower() in PICTURE_SUFFIXES:
        yield _opened(_source(place), names, place)
    elif names and place.is_dir() and entry.path is not None and entry.path.endswith((".json", ".json.gz")):
        yield _parsed(folder, entry, manifest)


def _find(folder: Path, entry: LayoutEntry) -> tuple[Path, list[str]]:
    """The folder or zip that holds files of this entry, and their names in it, sorted."""
    archive = folder / entry.comes_in if entry.packed and entry.comes_in else None
    wanted = re.compile(_expression(entry.pattern))
    for place in filter(None, (folder, archive)):
        names = sorted(name for name in _names(place, entry.pattern) if wanted.fullmatch(name))
        if names:
            return place, names
    return folder, []


def _names(place: Path, pattern: str) -> Iterator[str]:
    """The files in a zip, or below the part of a folder that the pattern names outright."""
    if place.is_dir():
        fixed = [*_before_wildcards(pattern)]
        for at, _, names in os.walk(place.joinpath(*fixed)):
            below = Path(at).relative_to(place)
            yield from ((below / name).as_posix() for name in names)
        if (place / pattern).is_file():
            yield pattern
    elif place.is_file() and zipfile.is_zipfile(place):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(place) as archive:
            yield from (name for name in archive.namelist() if not name.endswith("/"))


def _before_wildcards(pattern: str) -> Iterator[str]:
    for part in PurePosixPath(pattern).parts:
        if "*" in part or "?" in part:
            return
        yield part


def _expression(pattern: str) -> str:
    """A regular expression for whole names: `**` is any folders or none, `*` stays within one name."""
    parts = [
        r"(?:[^/]+/)*" if part == "**" else re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + "/"
        for part in PurePosixPath(pattern).parts
    ]
    return "".join(parts).removesuffix("/")


def _counted(n: int, of: int | None) -> str:
    return f"{n:,} of {of:,} files" if of is not None and n < of else f"{n:,} file{'s' * (n != 1)}"


def _source(place: Path) -> PictureSource:
    return FolderPictures(place) if place.is_dir() else ZipPictures(place)


def _opened(source: PictureSource, names: list[str], place: Path) -> Finding:
    """Whether a sample of the pictures can be opened: the same ones for the same names."""
    sample = sorted(names, key=digest)[:SAMPLE] if len(names) <= 100_000 else names[:: len(names) // SAMPLE][:SAMPLE]
    faults: dict[str, str] = {}
    for name in sample:
        try:
            source.read(name)
        except Exception as error:  # each format fails in a way of its own
            faults[name] = f"{type(error).__name__}: {error}".split("\n")[0]
    wanted = f"{len(sample)} of them, opened"
    if not faults:
        return Finding(wanted, "all open", True)
    first, why = next(iter(faults.items()))
    found = f"{len(faults)} cannot be read, such as {first} ({why})"
    return Finding(wanted, found, False, f"Put a whole copy of {first} and the like into {place}.")


def _parsed(folder: Path, entry: LayoutEntry, manifest: DataManifest) -> Finding:
    """Whether a json can be read, and how many entries its lists have."""
    path = folder / entry.pattern
    wanted = "in it: " + (", ".join(f"{n:,} {key}" for key, n in entry.holds.items()) or "json")
    try:
        lists = read_lists(path, *entry.holds, of=object)
        there = {key: len(found) for key, found in zip(entry.holds, lists, strict=True)}
    except BadInputError as error:
        return Finding(wanted, str(error), False, _advice(folder, entry, manifest))
    ok = all(there[key] >= n for key, n in entry.holds.items())
    found = ", ".join(f"{n:,} {key}" for key, n in there.items()) or "it is read"
    return Finding(wanted, found, ok, "" if ok else f"Put the whole {path.name} into {path.parent}.")


def _advice(folder: Path, entry: LayoutEntry, manifest: DataManifest) -> str:
    """What to put where, in one sentence, with the address where it comes from."""
    file = next((one for one in manifest.files if one.name == entry.comes_in), None)
    if file is None:
        return f"Put {entry.pattern} ({entry.what}) into {folder}. {manifest.url}".strip()
    if file.unpack is None:
        return f"Put {file.url} into {folder} as {file.name}{_fetch(manifest, folder)}."
    return f"Unpack {file.url} into {folder / file.unpack}{_fetch(manifest, folder)}."


def _fetch(manifest: DataManifest, folder: Path) -> str:
    if not manifest.name:
        return ""
    elsewhere = f" --folder {folder}" if folder != Path(manifest.folder) else ""
    return f", or run: concepttransfer data fetch {manifest.name}{elsewhere}"
