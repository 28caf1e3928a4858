"""Where things lie and how they get there: hashes, the cache folder, atomic writes, locks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .errors import LockedError

CACHE_VARIABLE = "CONCEPTTRANSFER_CACHE"


def cache_folder() -> Path:
    """The folder of everything that can be made again: `$CONCEPTTRANSFER_CACHE`, or the user's cache folder."""
    import platformdirs

    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("concepttransfer"))


def digest(*parts: Any) -> str:
    """sha256 (hexadecimal) of the parts as canonical JSON: equal parts, equal digest, on any machine."""
    return hashlib.sha256(_canonical(parts).encode()).hexdigest()


def digest_of_list(values: Iterable[Any]) -> str:
    """The same as `digest(list(values))`, for lists whose JSON is too long to have at once."""
    hashed = hashlib.sha256(b"[[")
    for number, value in enumerate(values):
        hashed.update((("," if number else "") + _canonical(value)).encode())
    hashed.update(b"]]")
    return hashed.hexdigest()


_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str).encode


def file_digest(path: Path) -> str:
    """sha256 (hexadecimal) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write `text` to a temporary name beside `path`, then rename: a reader sees the old file or the new one."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` so that a kill at any moment leaves either the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` (replacing it) only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    temporary.chmod(0o755)
    try:
        yield temporary
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
            os.replace(path, old / path.name)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def lock(folder: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold `folder` for this process; it is freed when the process ends, however it ends.

    Args:
        folder: the store to hold; its lock lies beside it.
        wait: how many seconds to wait for another holder; negative: for ever.

    Raises:
        LockedError: another process holds it for longer than `wait`.
    """
    import filelock

    folder.parent.mkdir(parents=True, exist_ok=True)
    holder = filelock.FileLock(folder.parent / f".{folder.name}.lock", timeout=wait)
    try:
        holder.acquire()
    except filelock.Timeout:
        message = f"Another process is writing {folder}. Wait until it has ended, then give the same command again."
        raise LockedError(message) from None
    try:
        yield
    finally:
        holder.release()
