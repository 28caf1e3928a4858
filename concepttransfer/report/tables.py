"""A table as it is shown, and the same table as csv, json and LaTeX beside the page."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .. import storage
from ..tables import write_table
from .text import MISSING, label, latex, number, probability, size

if TYPE_CHECKING:
    import pandas as pd

MEANINGS = {
    "study": "the study: encoders, language model, data and recipe",
    "on": "the data it was measured on",
    "system": "the encoder, or whatever else was measured",
    "group": "the part of the data that the row is about",
    "measure": "what was measured",
    "against": "what it is compared with",
    "value": "the estimate",
    "low": "lower end of the 95 % interval",
    "high": "upper end of the 95 % interval",
    "chance": "the value expected if nothing came through",
    "p": "share of draws under chance that are at least as extreme",
    "q": "p, corrected for all comparisons made together",
    "n": "rows behind the estimate",
    "n_clusters": "units that were resampled, such as classes",
    "n_seeds": "fits with different seeds behind the estimate",
    "method": "how interval and p were found",
}
"""What the columns of `Result.estimates` mean."""

MOST_PRINTED = 1000
"""A table with more rows is not written as LaTeX."""
_ONE_GROUP, _DICTIONARY = 1 << 20, 1 << 28
"""Rows of a parquet's group and bytes of its dictionary: so many that a picture of several rows is stored once."""


@dataclass(frozen=True)
class Column:
    """A heading: the column's name, the words shown, whether it holds numbers, and what it means."""

    name: str
    label: str
    numeric: bool
    meaning: str


@dataclass(frozen=True)
class Cell:
    """One value: as shown, and as sorted (a number as JSON reads it; None: by its text)."""

    text: str
    sort: str | None = None


@dataclass(frozen=True)
class Download:
    """A file beside the page: its format, its address relative to the page, and its size in words."""

    format: str
    href: str
    size: str


@dataclass(frozen=True)
class Table:
    """A table to show.

    Attributes:
        caption: what it holds.
        columns: those that differ between rows.
        rows: the first rows, a cell for each column.
        total: how many rows there are in all.
        same: column -> text, where all rows say the same.
        downloads: the whole table in other formats.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    same: dict[str, str]
    downloads: tuple[Download, ...]


def table(frame: pd.DataFrame, caption: str, *, most: int, downloads: tuple[Download, ...] = ()) -> Table:
    """Lay out at most `most` rows of `frame`; a column of text that says the same in every row is said once."""
    same = _same(frame)
    kept = [name for name in frame.columns if name not in same and not frame[name].isna().all()] or list(frame.columns)
    columns = tuple(Column(name, label(name), _is_number(frame[name]), MEANINGS.get(name, "")) for name in kept)
    cells = [_cells(frame[name].iloc[:most], column) for name, column in zip(kept, columns, strict=True)]
    same = {label(name): text for name, text in same.items() if text}
    return Table(caption, columns, tuple(zip(*cells, strict=True)), len(frame), same, downloads)


def downloads(frame: pd.DataFrame, folder: Path, name: str, *, page: Path) -> tuple[Download, ...]:
    """Write the whole `frame` as `name.csv` and `.json` into `folder`, and as `.tex` where a paper could print it.

    Returns:
        Links relative to `page`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    csv, json_file, tex = (folder / f"{name}.{suffix}" for suffix in ("csv", "json", "tex"))
    write_table(csv, frame)
    storage.write_text(json_file, _json(frame))
    tex.unlink(missing_ok=True)
    if len(frame) <= MOST_PRINTED:
        storage.write_text(tex, _latex(frame))
    files = {"csv": csv, "json": json_file, "LaTeX": tex}
    return tuple(_download(kind, file, page) for kind, file in files.items() if file.exists())


def _download(kind: str, file: Path, page: Path) -> Download:
    return Download(kind, quote(file.relative_to(page).as_posix()), size(file.stat().st_size))


def export(frame: pd.DataFrame, folder: Path, name: str, *, page: Path) -> Download:
    """Write a table for other programs as `NAME.parquet`: what repeats is stored once, pictures too."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    folder.mkdir(parents=True, exist_ok=True)
    held = io.BytesIO()
    made = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(made, held, compression="zstd", row_group_size=_ONE_GROUP, dictionary_pagesize_limit=_DICTIONARY)
    storage.write_bytes(folder / f"{name}.parquet", held.getvalue())
    return _download("parquet", folder / f"{name}.parquet", page)


def _same(frame: pd.DataFrame) -> dict[str, str]:
    found = {}
    for name in frame.columns:
        if len(frame) > 1 and not _is_number(frame[name]) and frame[name].nunique(dropna=False) == 1:
            first = frame[name].iloc[0]
            found[name] = "" if _is_missing(first) else _word(first)
    return found


def _is_number(values: pd.Series[Any]) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return bool(pd.isna(value))


def _word(value: Any) -> str:
    if type(value).__name__ in ("bool", "bool_"):
        return "yes" if value else "no"
    return str(value)


def _cells(values: pd.Series[Any], column: Column) -> list[Cell]:
    every = zip(values.tolist(), values.isna().tolist(), strict=True)
    if not column.numeric:
        return [Cell(MISSING if missing else _word(value)) for value, missing in every]
    decimals = _decimals(values)
    return [Cell(MISSING, "") if missing else _numeric(value, column.name, decimals) for value, missing in every]


def _numeric(value: Any, name: str, decimals: int | None) -> Cell:
    shown = probability(value) if name in ("p", "q") else number(value, decimals)
    return Cell(shown, repr(float(value)))


def _decimals(values: pd.Series[Any]) -> int | None:
    """Decimals for a whole column, so that its points stand below each other: none for whole numbers, else 3 to 1."""
    import pandas as pd

    if pd.api.types.is_integer_dtype(values):
        return 0
    sizes = [abs(float(value)) for value in values.dropna().tolist() if math.isfinite(value)]
    largest = max(sizes, default=0.0)
    if 0 < largest < 0.01:
        return None
    most = 3 if largest < 10 else 2 if largest < 100 else 1
    return min(most, max(1, max(_needed(value) for value in sizes))) if sizes else most


def _needed(value: float) -> int:
    """Decimals that a value has; those that an analysis rounded away are not shown again as zeros."""
    return len(f"{value:.6f}".rstrip("0").partition(".")[2])


def _json(frame: pd.DataFrame) -> str:
    """The rows as a list of objects; missing values are null, and no number loses a digit."""
    columns = [_plain(frame[name]) for name in frame.columns]
    rows = [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]
    return "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n"


def _plain(values: pd.Series[Any]) -> list[Any]:
    every = zip(values.tolist(), values.isna().tolist(), strict=True)
    return [
        None if missing else str(value) if isinstance(value, float) and math.isinf(value) else value
        for value, missing in every
    ]


def _latex(frame: pd.DataFrame) -> str:
    """A `tabular` with booktabs' rules; everything in it is escaped."""
    columns = [Column(name, label(name), _is_number(frame[name]), "") for name in frame.columns]
    cells = [_cells(frame[column.name], column) for column in columns]
    lines = [
        "% \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{''.join('lr'[c.numeric] for c in columns)}}}",
        "\\toprule",
    ]
    lines += [_latex_row([column.label for column in columns]), "\\midrule"]
    lines += [_latex_row([cell.text for cell in row]) for row in zip(*cells, strict=True)]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _latex_row(texts: list[str]) -> str:
    return " & ".join(latex(text) for text in texts) + r" \\"
