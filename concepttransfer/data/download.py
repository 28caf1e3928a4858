"""One file over HTTP: goes on where it was cut, is checked, and has its name only when it is whole and right."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import BadInputError, MissingResourceError
from ..progress import progress
from ..storage import lock, read_json, write_json

BLOCK = 1 << 20
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers of a server that may be well again soon
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml version")


class _CutError(Exception):
    """The connection ended early, or gave what may be better the next time."""


@dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
        tries: so many in a row that bring nothing new; one that brought bytes counts none.
        timeout: seconds without an answer.
        pause: seconds before the second try; doubled before each further one.
    """

    tries: int = 4
    timeout: float = 30.0
    pause: float = 1.0


def download(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    checksum: str | None = None,
    quiet: bool = False,
    patience: Patience = Patience(),
) -> None:
    """Fetch `url` into `path`. What has come lies in `PATH.part` until it is whole, and is never asked for again.

    A part is gone on with only if the server says that the file is still the one that was begun (by its ETag or date),
    or if there is a checksum to tell.

    Args:
        url: http, https or file.
        path: the file that appears.
        size: bytes, where the publisher states them.
        checksum: `sha256:...`, `md5:...` or `sha1:...`, where the publisher states one.
        quiet: no bar.
        patience: how often and how long to try.

    Raises:
        MissingResourceError: the address cannot be reached, or has no such file (any more).
        BadInputError: what came is a web page, of another size, or of another checksum; or the disk is too small.
        LockedError: another process is fetching it.
    """
    if not url.startswith(("https://", "http://", "file://")):
        raise BadInputError(f"`{url}` is no address to download from. Wanted is one that begins with https://.")
    part = path.with_name(f"{path.name}.part")
    with lock(path), _tidied(part):
        if not _is_whole(part, size):
            _ask_until_whole(url, part, size, checksum is not None, quiet, patience)
        check_file(part, size=size, checksum=checksum, name=path.name, url=url, quiet=quiet)
        os.replace(part, path)


def check_file(
    path: Path, *, size: int | None, checksum: str | None, name: str, url: str = "", quiet: bool = False
) -> None:
    """Hold a file against its published size and checksum. A part that is not right is removed: it helps nobody.

    Raises:
        BadInputError: it is not the file that was published.
    """
    there = path.stat().st_size
    found = [f"{there:,} bytes"] if size is not None and there != size else []
    wanted = [f"{size:,} bytes"] if found else []
    if not found and checksum is not None:
        algorithm, _, value = checksum.partition(":")
        computed = _hash(path, algorithm, name, quiet)
        found, wanted = ([algorithm, computed], [algorithm, value]) if computed != value.lower() else ([], [])
    if not found:
        return
    gone = ""
    if path.suffix == ".part":
        path.unlink()
        gone = " It was removed."
    message = f"{name} is not what was published: wanted {' '.join(wanted)}, came {' '.join(found)}.{gone}"
    again = f" Fetch it again; if that ends the same way, the file at {url} was changed." if url else ""
    raise BadInputError(message + again)


def _hash(path: Path, algorithm: str, name: str, quiet: bool) -> str:
    total = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file, progress(path.stat().st_size, f"check {name}", unit="B", quiet=quiet) as bar:
        while block := file.read(BLOCK):
            total.update(block)
            bar.update(len(block))
    return total.hexdigest()


@contextlib.contextmanager
def _tidied(part: Path) -> Iterator[None]:
    """Leave no empty part behind, and no note without a part."""
    try:
        yield
    finally:
        if not _held(part):
            part.unlink(missing_ok=True)
            _note(part).unlink(missing_ok=True)


def _is_whole(part: Path, size: int | None) -> bool:
    """Was a part whole when an earlier run was killed, before it was checked and named?"""
    expected = size if size is not None else _noted(part).get("total")
    return expected is not None and part.is_file() and part.stat().st_size >= expected > 0


def _note(part: Path) -> Path:
    """The file beside a part that says of which version of the file it is."""
    return part.with_name(f"{part.name}.json")


def _noted(part: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        noted = read_json(_note(part))
        return noted if isinstance(noted, dict) else {}
    return {}


def _held(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _ask_until_whole(
    url: str, part: Path, size: int | None, has_checksum: bool, quiet: bool, patience: Patience
) -> None:
    """Ask until the file is whole.

    Raises:
        MissingResourceError: `patience.tries` in a row brought nothing.
    """
    fruitless = 0
    while fruitless < patience.tries:
        before = _held(part)
        try:
            return _ask(url, part, size, has_checksum, quiet, patience.timeout)
        except (_CutError, http.client.HTTPException, TimeoutError, ConnectionError, urllib.error.URLError) as error:
            last, fruitless = error, 0 if _held(part) > before else fruitless + 1
        if fruitless < patience.tries:
            time.sleep(patience.pause * 2 ** max(fruitless - 1, 0))
    reason = getattr(last, "reason", None) or str(last) or type(last).__name__
    raise MissingResourceError(f"{url} cannot be reached ({reason}). {_kept(part)}") from last


def _kept(part: Path) -> str:
    if held := _held(part):
        return f"The {held:,} bytes that came are kept: the same command goes on from there."
    return "Nothing had come yet."


def _ask(url: str, part: Path, size: int | None, has_checksum: bool, quiet: bool, timeout: float) -> None:
    """Ask once for what is missing of a part, and append what comes.

    Raises:
        _CutError: not all of it came.
    """
    noted, held = _noted(part), _held(part)
    known = noted.get("version") if noted.get("url") == url else None
    headers = {"User-Agent": f"concepttransfer/{version('concepttransfer')}", "Accept-Encoding": "identity"}
    if held and (known or has_checksum):
        headers |= {"Range": f"bytes={held}-"} | ({"If-Range": known} if known else {})
    with _answered(url, headers, part, timeout) as response:
        start = _start(response, held)
        total = _total(response, start)
        _refuse(response, url, part, size, total)
        _refuse_small_disk(part, (total or size or 0) - start)
        if start == 0:
            part.unlink(missing_ok=True)
            write_json(_note(part), {"url": url, "version": _version(response), "total": total})
        _append(response, part, start, total or size, quiet)
    if total is not None and _held(part) < total:
        raise _CutError(f"it ended after {_held(part):,} of {total:,} bytes")


@contextlib.contextmanager
def _answered(url: str, headers: dict[str, str], part: Path, timeout: float) -> Iterator[http.client.HTTPResponse]:
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # there is nothing after what is held: another file, or a part that is too long
            part.unlink(missing_ok=True)
            _note(part).unlink(missing_ok=True)
            raise _CutError("the file was changed while it was fetched") from error
        if error.code in _PASSING:
            raise _CutError(f"HTTP {error.code} {error.reason}") from error
        message = f"{url} answers `HTTP {error.code} {error.reason}`: the file was moved, or wants a login."
        raise MissingResourceError(message) from error
    with response:
        yield response


def _start(response: http.client.HTTPResponse, held: int) -> int:
    """At which byte the answer begins: where it was asked to, or at 0, if the server gives whole files only."""
    if response.status != 206:
        return 0
    begins = (response.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    if begins != str(held):
        raise _CutError(f"the server began at byte {begins or '?'} instead of {held}")
    return held


def _total(response: http.client.HTTPResponse, start: int) -> int | None:
    length = response.headers.get("Content-Length")
    return start + int(length) if length is not None and length.isdecimal() else None


def _version(response: http.client.HTTPResponse) -> str | None:
    """What tells one version of a file from another: a strong ETag, or the date."""
    etag: str | None = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _refuse(response: http.client.HTTPResponse, url: str, part: Path, size: int | None, total: int | None) -> None:
    """Refuse a web page in place of the file, and a file of another size, before gigabytes of it are fetched.

    Raises:
        BadInputError: it is one of these.
    """
    kind = response.headers.get_content_type()
    name = part.name.removesuffix(".part")
    if kind == "text/html" and not name.endswith((".html", ".htm")):
        message = f"{url} answers with a web page instead of {name}: an error, a login or a question to click on."
        raise BadInputError(f"{message} Open it in a browser, and save the file as {part.with_name(name)}.")
    if size is not None and total is not None and total != size:
        raise BadInputError(f"{url} holds {total:,} bytes; {size:,} were published. The publisher changed the file.")


def _refuse_small_disk(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        message = f"{part.with_suffix('')} needs {needed:,} more bytes, and {free:,} are free there."
        raise BadInputError(f"{message} Make room, or name another folder with --folder.")


def _append(response: http.client.HTTPResponse, part: Path, start: int, total: int | None, quiet: bool) -> None:
    name = part.name.removesuffix(".part")
    with (
        part.open("ab") as file,
        progress(total, f"fetch {name}", unit="B", quiet=quiet, initial=start) as bar,
        _disk_explained(part),
    ):
        while block := response.read(BLOCK):
            if start == 0 and file.tell() == 0:
                _refuse_page(block, name, response.url)
            file.write(block)
            bar.update(len(block))
        file.flush()
        os.fsync(file.fileno())


def _refuse_page(block: bytes, name: str, url: str) -> None:
    """A page that was sent under another type is known by how it begins."""
    if block.lstrip()[:32].lower().startswith(_PAGES) and not name.endswith((".html", ".htm", ".xml")):
        raise BadInputError(f"{url} answers with a web page instead of {name}. Open it in a browser.")


@contextlib.contextmanager
def _disk_explained(part: Path) -> Iterator[None]:
    """Errors of the network pass; a disk that is full or cannot be written is said in words."""
    try:
        yield
    except OSError as error:
        if error.errno is None or isinstance(error, TimeoutError | ConnectionError | urllib.error.URLError):
            raise
        message = f"{part} cannot be written ({error.strerror}). Make room or rights; the same command goes on."
        raise BadInputError(message) from error
