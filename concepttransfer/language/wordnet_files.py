"""Where WordNet's files are: the user's nltk corpus, or the noun slice that is shipped, unpacked once."""

from __future__ import annotations

import functools
import logging
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LockedError, MissingResourceError
from ..storage import cache_folder, file_digest, lock, new_folder

if TYPE_CHECKING:
    from nltk.data import PathPointer

logger = logging.getLogger(__name__)

ARCHIVE = Path(__file__).parent / "wordnet_nouns.tar.xz"
_WAIT_SECONDS = 60.0


def installed_corpus() -> PathPointer | None:
    """Where nltk finds the user's own WordNet, or None: there is none, or nltk does not trust where it lies."""
    import nltk.data

    for name in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        try:
            return nltk.data.find(name)
        except (LookupError, OSError, ValueError):  # ValueError: a folder that is a link out of nltk's path
            continue
    return None


@functools.cache
def slice_folder() -> Path:
    """The folder of the noun slice's files, unpacked into the cache when it is first asked for.

    Two processes may ask at once: one unpacks, and the folder appears whole or not at all. Where the cache cannot be
    written, the files go to a temporary folder that lives as long as the process.

    Raises:
        MissingResourceError: the installation lacks the slice.
    """
    if not ARCHIVE.is_file():
        raise MissingResourceError(f"{ARCHIVE} is missing. Install concepttransfer again.")
    folder = cache_folder() / "wordnet" / f"nouns-3.0-{file_digest(ARCHIVE)[:12]}"
    if folder.is_dir():
        return folder
    try:
        with lock(folder, wait=_WAIT_SECONDS):
            if not folder.is_dir():
                with new_folder(folder) as temporary:
                    unpack(temporary)
    except (OSError, LockedError) as error:
        logger.info("WordNet is unpacked into a temporary folder, because the cache cannot be written (%s).", error)
        return _temporary_folder()
    return folder


def unpack(folder: Path) -> None:
    """Unpack the shipped slice into `folder`."""
    with tarfile.open(ARCHIVE, "r:xz") as archive:
        archive.extractall(folder, filter="data")


def _temporary_folder() -> Path:
    held = _held_folder()
    unpack(Path(held.name))
    return Path(held.name)


@functools.cache
def _held_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="concepttransfer-wordnet-")
