"""A folder of texts without pictures: what a style is learnt from (Gu et al. 2022, CLOSE)."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInputError, EmptyDataError, MissingResourceError, UnknownNameError, suggestion
from ..manifest import Label, Manifest, Row
from .json_lines import read_json_lines

SUFFIXES = (".txt", ".jsonl", ".csv", ".tsv")
COLUMNS = ("caption", "text")
"""Where a table or a json line has its text, unless a column is named."""
UNITS = ("line", "paragraph", "file")
_SNIFFED = 1 << 16


@dataclass(frozen=True)
class _Wanted:
    """What of the files becomes a row: see `text_folder`."""

    unit: str
    column: str | None
    least: int
    most: int | None


def text_folder(
    folder: Path,
    *,
    unit: str = "line",
    column: str | None = None,
    least_words: int = 1,
    most_words: int | None = None,
    name: str | None = None,
) -> Manifest:
    """Read a folder of .txt, .jsonl, .csv and .tsv files: a row a text, without picture, its text what is learnt.

    Files come in the order of their paths, texts in the files' order. Line ends and runs of blanks within a text become
    one space. A text that came before is left out, as is one that is too short or too long; the manifest's source says
    how many. A row's id is the file's path and the text's place in it, label `file` the path.

    Args:
        folder: holds the files, itself or in folders below it; or one such file.
        unit: what of a .txt is one text: each `line`, each `paragraph` (blank lines between), or the whole `file`.
        column: which column of a table, or field of a json line, holds the text; None: `caption`, or else `text`.
        least_words: shorter texts are left out.
        most_words: longer texts are left out; None: none is. CLIP's text tower reads about 55 words.
        name: what to call the data; None: the folder's name.

    Raises:
        MissingResourceError: there is no such folder.
        UnknownNameError: there is no such unit.
        BadInputError: a file is not text, a table cannot be parsed or has no column of texts.
        EmptyDataError: the folder holds no file of texts, or none of the texts is kept.
    """
    if unit not in UNITS:
        raise UnknownNameError("unit", unit, UNITS)
    if least_words < 1 or (most_words is not None and most_words < least_words):
        raise BadInputError(
            f"Texts of {least_words} to {most_words} words are wanted. Give least_words <= most_words, from 1."
        )
    wanted = _Wanted(unit, column, least_words, most_words)
    root, files = _files(folder)
    rows, seen, left_out = list[Row](), set[str](), Counter[str]()
    for path in files:
        below = path.relative_to(root).as_posix()
        for place, text in _texts(path, wanted):
            if reason := _unwanted(text, seen, wanted):
                left_out[reason] += 1
                continue
            seen.add(text)
            labels: dict[str, Label] = {"file": below}
            rows.append(Row(f"{below}:{place}", None, (text,), labels))
    told = ", ".join(f"{n} {reason}" for reason, n in sorted(left_out.items()))
    if not rows:
        raise EmptyDataError(
            f"{folder}: no text is kept{f' ({told})' if told else ''}. Put texts there, or ask for others."
        )
    source = {"reader": "text_folder", "folder": folder.resolve().name, "unit": unit}
    return Manifest(name or folder.resolve().stem, tuple(rows), None, source | ({"left_out": told} if told else {}))


def _files(folder: Path) -> tuple[Path, list[Path]]:
    """What the files' paths are relative to, and the files of texts, sorted."""
    if folder.is_file():
        found, root = [folder], folder.parent
    elif folder.is_dir():
        found, root = (
            sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path, folder)),
            folder,
        )
    else:
        raise MissingResourceError(f"There is no folder of texts {folder}. Put .txt, .jsonl or .csv files there.")
    texts = [path for path in found if path.suffix.lower() in SUFFIXES]
    if not texts:
        other = f" It holds {len(found)} other files, such as `{found[0].relative_to(root)}`" if found else ""
        binary = ", which is no text." if found and _is_binary(found[0]) else "." if found else ""
        raise EmptyDataError(f"{folder} holds no file of texts.{other}{binary} Put {', '.join(SUFFIXES)} files there.")
    if binaries := [path for path in texts if _is_binary(path)]:
        raise BadInputError(
            f"`{binaries[0].relative_to(root)}` in {root} is no text but a binary file, whatever its name says"
            f"{f', and so are {len(binaries) - 1} more' if len(binaries) > 1 else ''}. Save it as text in UTF-8, or "
            "take it out of the folder."
        )
    return root, texts


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_binary(path: Path) -> bool:
    """Whether a file's first bytes are no UTF-8, or hold a zero byte, which text has not."""
    with path.open("rb") as file:
        start = file.read(_SNIFFED)
    if b"\0" in start:
        return True
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start < len(start) - 3 or len(start) < _SNIFFED  # a letter may be cut at the end of what was read
    return False


def _texts(path: Path, wanted: _Wanted) -> Iterator[tuple[int, str]]:
    """The place and the content of each text of a file, with single blanks."""
    try:
        match path.suffix.lower():
            case ".txt":
                pieces = _pieces(path.read_text(encoding="utf-8-sig"), wanted.unit)
            case ".jsonl":
                pieces = _json_texts(path, wanted.column)
            case suffix:
                pieces = _table_texts(path, "\t" if suffix == ".tsv" else ",", wanted.column)
        for place, piece in pieces:
            if text := " ".join(piece.split()):
                yield place, text
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not text in UTF-8 ({error}). Save it as that.") from error


def _pieces(content: str, unit: str) -> Iterator[tuple[int, str]]:
    if unit == "file":
        yield 1, content
    elif unit == "line":
        yield from enumerate(content.splitlines(), 1)
    else:
        yield from enumerate(re.split(r"\n\s*\n", content), 1)


def _json_texts(path: Path, column: str | None) -> Iterator[tuple[int, str]]:
    for number, value in read_json_lines(path):
        found = value.get(_column(list(value), column, f"{path}, line {number}"))
        if not isinstance(found, str):
            raise BadInputError(f"{path}, line {number}: its text is a {type(found).__name__}. Name another `column`.")
        yield number, found


def _table_texts(path: Path, delimiter: str, column: str | None) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file, delimiter=delimiter, strict=True)
        try:
            key = _column(list(table.fieldnames or []), column, str(path))
            yield from ((number, record[key] or "") for number, record in enumerate(table, 2))
        except csv.Error as error:
            raise BadInputError(f"{path} cannot be read: {error}") from error


def _column(there: Sequence[str], wanted: str | None, where: str) -> str:
    """Which column holds the texts: the one named, `caption`, `text`, or the only one."""
    named = [wanted] if wanted else [*COLUMNS, *(there if len(there) == 1 else [])]
    for name in named:
        if name in there:
            return name
    near = suggestion(wanted, there) if wanted else ""
    shown = json.dumps(list(there), ensure_ascii=False)
    lacks = f"no column `{wanted}`" if wanted else "neither a column `caption` nor `text`"
    raise BadInputError(f"{where} has {lacks}; it has {shown}.{near} Name the column with `column:`.")


def _unwanted(text: str, seen: set[str], wanted: _Wanted) -> str:
    """Why a text is left out; empty: it is not."""
    n = len(text.split())
    if n < wanted.least:
        return "too short"
    if wanted.most is not None and n > wanted.most:
        return "too long"
    return "said before" if text in seen else ""
