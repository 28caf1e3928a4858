"""nltk's WordNet reader, made safe for threads and able to read the package's own folder.

This is the one module that imports nltk (a second): import it inside functions.
"""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.data import PathPointer

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import Synset

reading = threading.RLock()


class Reader(WordNetCorpusReader):  # type: ignore[misc]
    """WordNet as nltk's reader gives it, without what only other languages need."""

    def __init__(self, root: PathPointer) -> None:
        """Load the index from nltk's pointer to a corpus.

        Raises:
            OSError, ValueError: files are missing or nltk does not trust where they lie.
        """
        with warnings.catch_warnings():  # "multilingual functions are not available": they are not meant to be
            warnings.simplefilter("ignore")
            super().__init__(root, None)

    def map_wn(self, version: str = "wordnet") -> None:
        """nltk maps synsets between versions for other languages only, and would read 200,000 lines for it."""

    def synset_from_pos_and_offset(self, pos: str, offset: int) -> Synset:
        """The synset at a byte offset. nltk seeks and reads in one shared file: one thread at a time."""
        with reading:
            return super().synset_from_pos_and_offset(pos, offset)


class SliceReader(Reader):
    """The same over the package's own folder, which nltk need not know of: it trusts only its own data path."""

    def __init__(self, folder: Path) -> None:
        """Load the index from a folder of WordNet files."""
        self._folder = folder
        super().__init__(_OwnFolder())

    def open(self, file: str) -> TextIO:
        """One of the folder's files."""
        return (self._folder / file).open(encoding="ascii", newline="\n")


class _OwnFolder(PathPointer):  # type: ignore[misc]
    """Stands where nltk wants a pointer; `SliceReader.open` is what finds files."""

    def open(self, encoding: str | None = None) -> Any:
        raise NotImplementedError

    def file_size(self) -> int:
        raise NotImplementedError

    def join(self, fileid: str) -> Any:
        raise NotImplementedError
