"""Fill a published table: for each of its cells our value with interval, chance level and n, beside the printed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import MismatchError
from .published import Column, PublishedTable

if TYPE_CHECKING:
    from ..result import Result

CELLS: dict[str, str] = {
    "table": "string",
    "row": "string",
    "column": "string",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "chance": "float64",
    "n": "Int64",
    "n_seeds": "Int64",
    "published": "float64",
    "doubt": "string",
}
"""A row a cell: our value and its 95 % interval and chance level in the paper's unit, rows and fits behind it, the
printed value, and why that should not be taken at its word."""


def fill(name: str, table: PublishedTable, results: Mapping[str, Result], encoders: Sequence[str]) -> pd.DataFrame:
    """The cells of one table, in its order of rows and columns; rows that the paper did not print come after its own.

    Args:
        name: of the table.
        table: what was printed.
        results: of its analysis, by the name of the data set.
        encoders: of the study.

    Returns:
        A frame with the columns `CELLS`. Rows of other systems have no value of ours.

    Raises:
        MismatchError: a Result does not make the claim that a column asks for.
    """
    ours = [*(row for row in table.rows if row in {*encoders, *table.baselines})]
    ours += [row for row in (*table.baselines, *encoders) if row not in ours]
    cells = [_cell(name, table, row, column, _claim(results, row, column)) for row in ours for column in table.columns]
    cells += [_cell(name, table, row, column, None) for row in table.others for column in table.columns]
    return pd.DataFrame(cells, columns=list(CELLS)).astype(CELLS)


def _claim(results: Mapping[str, Result], row: str, column: Column) -> pd.Series:
    """The one claim of a Result that belongs into a cell."""
    if column.data not in results:
        raise MismatchError(
            f"Column `{column.name}` is about `{column.data}`; there are results on {', '.join(results)}."
        )
    found = results[column.data].estimates
    alone = found["against"].isna() & (found["system"] == row) & (found["measure"] == column.measure)
    chosen = found[alone & (found["group"].fillna("") == column.group)]
    if len(chosen) != 1:
        said = ", ".join(sorted(found["measure"].unique()))
        raise MismatchError(
            f"Column `{column.name}` asks for `{column.measure}` of `{row}` on `{column.data}` "
            f"({column.group or 'all'}); the Result makes {len(chosen)} such claims. Its measures: {said}."
        )
    return chosen.iloc[0]


def _cell(name: str, table: PublishedTable, row: str, column: Column, claim: pd.Series | None) -> dict[str, object]:
    printed = table.value(row, column)
    cell: dict[str, object] = {"table": name, "row": row, "column": column.name}
    for key in ("value", "low", "high", "chance"):
        cell[key] = np.nan if claim is None else column.scale * float(claim[key])
    for key in ("n", "n_seeds"):
        cell[key] = pd.NA if claim is None else claim[key]
    return cell | {
        "published": np.nan if printed is None else printed,
        "doubt": table.doubt(row, column),
    }


def wide(cells: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """One table as a person reads it: `ours [low, high] (printed)` in each cell; `?` marks a doubtful printed value."""
    text = cells.assign(text=[_text(dict(zip(cells.columns, cell, strict=True)), digits) for cell in cells.to_numpy()])
    table = text.pivot(index="row", columns="column", values="text")
    ordered: pd.DataFrame = table.loc[list(dict.fromkeys(cells["row"])), list(dict.fromkeys(cells["column"]))]
    return ordered.rename_axis(index="system", columns=None)


def _text(cell: Mapping[str, Any], digits: int) -> str:
    def number(value: float) -> str:
        return "-" if np.isnan(value) else f"{value:.{digits}g}"

    interval = "" if np.isnan(cell["low"]) else f" [{number(cell['low'])}, {number(cell['high'])}]"
    printed = "" if np.isnan(cell["published"]) else f" ({number(cell['published'])}{'?' if cell['doubt'] else ''})"
    return f"{number(cell['value'])}{interval}{printed}"
