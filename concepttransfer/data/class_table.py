"""A table of one's own classes: for each folder its words and its WordNet noun, proposed by us, corrected by its owner.

The columns are `class` (the folder), `words` (what counts as saying it, `|` between them, the name that it goes by
first), `synset` (its noun in WordNet 3.0; `-` leaves the class out), `definition`, `pictures` and `how` (the synset was
found). Other columns are kept as they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import BadInputError, MissingResourceError
from ..storage import write_bytes

COLUMNS = ("class", "words", "synset", "definition", "pictures", "how")
LEFT_OUT = "-"
CHECK, OPEN = "CHECK: ", "OPEN: "
"""How `how` begins where the owner should look, and where no synset was found."""


@dataclass(frozen=True)
class ClassRow:
    """One class.

    Attributes:
        label: the name of its folder.
        words: what counts as saying it, the name that it goes by first.
        synset: its noun in WordNet 3.0, such as `grizzly.n.01`; `-`: left out; empty: not decided.
        definition: what WordNet says that it is.
        pictures: how many there are.
        how: the synset was found.
        others: further columns of the table.
    """

    label: str
    words: tuple[str, ...]
    synset: str
    definition: str = ""
    pictures: int = 0
    how: str = ""
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Has nobody said yet what it is?"""
        return not self.synset

    @property
    def is_left_out(self) -> bool:
        """Has its owner left it out?"""
        return self.synset == LEFT_OUT

    @property
    def is_doubtful(self) -> bool:
        """Should its owner look at what was proposed?"""
        return self.how.startswith(CHECK)


def is_class_table(path: Path) -> bool:
    """Is a csv such a table, rather than one of `wordnet_id` and `name`?

    Raises:
        MissingResourceError, BadInputError: it is not there, or no text.
    """
    header = next(iter(_read(path).splitlines()), "")
    return {"class", "words", "synset"} <= {cell.strip().strip('"') for cell in header.replace(";", ",").split(",")}


def read_class_table(path: Path) -> list[ClassRow]:
    """The classes of a table, in its order; a spreadsheet's semicolons, BOM and blank lines are understood.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: it is no such table, or a class stands in it twice.
    """
    text = _read(path)
    first = text.partition("\n")[0]
    table = csv.DictReader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    if missing := [column for column in COLUMNS[:3] if column not in (table.fieldnames or [])]:
        raise BadInputError(f"{path} has no column `{missing[0]}`. A table of classes has {', '.join(COLUMNS)}.")
    rows = [_row(entry) for entry in table if (entry["class"] or "").strip()]
    labels = [row.label for row in rows]
    if twice := [label for label in labels if labels.count(label) > 1]:
        raise BadInputError(f"{path} has class `{twice[0]}` more than once. Keep one line of it.")
    if not rows:
        raise BadInputError(f"{path} names no class. Remove it; `concepttransfer data add` proposes one.")
    return rows


def write_class_table(path: Path, rows: Sequence[ClassRow]) -> None:
    """Write the table, atomically."""
    others = list(dict.fromkeys(name for row in rows for name in row.others))
    held = io.StringIO()
    table = csv.writer(held, lineterminator="\n")
    table.writerow([*COLUMNS, *others])
    for row in rows:
        own = [row.label, "|".join(row.words), row.synset, row.definition, row.pictures, row.how]
        table.writerow([*own, *(row.others.get(name, "") for name in others)])
    write_bytes(path, held.getvalue().encode())


def decided(path: Path, rows: Iterable[ClassRow]) -> dict[str, ClassRow]:
    """The classes that are not left out, by label; each has words and a noun of WordNet 3.0.

    Raises:
        BadInputError: one has not; all are listed.
    """
    kept = {row.label: row for row in rows if not row.is_left_out}
    if wrong := mistakes(kept.values()):
        told = "\n".join(f"  {one}" for one in wrong)
        raise BadInputError(f"{path} cannot be used yet:\n{told}\nCorrect it, then: concepttransfer data add FOLDER")
    return kept


def mistakes(rows: Iterable[ClassRow]) -> list[str]:
    """What is wrong with a table, a sentence for each class: no words, no synset, or none that WordNet has."""
    from ..language import wordnet

    found = []
    for row in rows:
        if row.is_left_out:
            continue
        if not row.words:
            found.append(f"class `{row.label}` has no words. Give it one that names it.")
        if row.is_open:
            found.append(f"class `{row.label}` has no synset. Give it one, or `{LEFT_OUT}` to leave it out.")
            continue
        try:
            wordnet.synset(row.synset)
        except BadInputError as error:
            found.append(f"class `{row.label}`: {error}")
    return found


def _read(path: Path) -> str:
    if not path.is_file():
        raise MissingResourceError(f"There is no table of classes {path}. Make one: concepttransfer data add FOLDER")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInputError(f"{path} is not in UTF-8. Save it again as `CSV UTF-8`.") from None


def _row(entry: Mapping[str, str | None]) -> ClassRow:
    cell = {key: (value or "").strip() for key, value in entry.items() if key is not None and isinstance(value, str)}
    words = tuple(dict.fromkeys(word.strip() for word in cell.get("words", "").split("|") if word.strip()))
    n = cell.get("pictures", "")
    others = {key: value for key, value in cell.items() if key not in COLUMNS}
    return ClassRow(
        cell["class"],
        words,
        cell.get("synset", ""),
        cell.get("definition", ""),
        int(n) if n.isdecimal() else 0,
        cell.get("how", ""),
        others,
    )
