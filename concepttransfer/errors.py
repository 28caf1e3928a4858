"""What can go wrong through input: each error says what was wanted, what came, and what to do next."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable


class ConceptTransferError(Exception):
    """A mistake that the user can mend. The command line prints it without a traceback."""


class UnknownNameError(ConceptTransferError):
    """A name that is not among those known. The message offers the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "") -> None:
        """Say which `kind` of thing (encoder, study, ...) has no such `name`, and what there is."""
        known = sorted(known)
        place = f" in {where}" if where else ""
        there = f" It has: {', '.join(known)}." if known else " There is none."
        super().__init__(f"No {kind} `{name}`{place}.{suggestion(name, known)}{there}")


class StudyError(ConceptTransferError):
    """A study that cannot be read; all its mistakes are listed."""


class BadInputError(ConceptTransferError):
    """A file, folder or value that is not what it should be."""


class EmptyDataError(BadInputError):
    """Data with no rows that could be used."""


class ShapeError(BadInputError):
    """Arrays whose shapes do not belong together."""


class MismatchError(ConceptTransferError):
    """Parts that were not made for each other: another feature space, language model, or set of rows."""


class MissingResourceError(ConceptTransferError):
    """Weights, data or a corpus that is not on this machine; the message says what to put where."""


class TrainingError(ConceptTransferError):
    """A fit that cannot go on, such as one whose loss is not finite."""


class LockedError(ConceptTransferError):
    """Another process is writing the same store."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """` Did you mean `x`?` for the known name nearest to `name`, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean `{near[0]}`?" if near else ""


def unreadable_yaml(error: Exception) -> str:
    """In one line, why a text could not be read as YAML, with its line where that is known."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        problem = " ".join(part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
        return f"line {mark.line + 1}: {problem}."
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8. Save it as that."
    return " ".join(str(error).split())


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_RIGHT = {errno.EROFS, errno.EACCES, errno.EPERM}


def cannot_write(error: OSError) -> str | None:
    """What a full disk or a folder that may not be written means for the user; None for any other fault."""
    if error.errno not in _NO_ROOM | _NO_RIGHT:
        return None
    what = f"{error.filename or 'A file'} cannot be written: {error.strerror}."
    if error.errno in _NO_ROOM:
        again = "Make room (concepttransfer cache list), and give the same command again."
        return f"{what} What was finished is kept. {again}"
    return f"{what} Choose another folder with --out, or set CONCEPTTRANSFER_CACHE to one that may be written."
