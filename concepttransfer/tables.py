"""A table on disk that comes back as it was: captions such as `NA`, empty texts, missing values, every digit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BadInputError

if TYPE_CHECKING:
    import pandas as pd

Schema = Mapping[str, str]

_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^,\r\n"]*))(,|\r?\n|\Z)')
_TEXT = frozenset({"string", "str"})


def conform(frame: pd.DataFrame, schema: Schema, *, what: str) -> pd.DataFrame:
    """`frame` with the columns of `schema`, in its order and dtypes, rows numbered from 0.

    Args:
        frame: any table with exactly these columns.
        schema: column -> pandas dtype. Text is `string`; whole numbers and truth values that may be missing are
            `Int64` and `boolean`.
        what: names the table in messages.

    Raises:
        ValueError: a column is missing or not in the schema, or a value does not fit its dtype.
    """
    import pandas as pd

    if set(frame.columns) != set(schema):
        lacks, extra = sorted(set(schema) - set(frame.columns)), sorted(set(map(str, frame.columns)) - set(schema))
        raise ValueError(f"{what}: the columns are to be {list(schema)}; missing: {lacks}, not expected: {extra}.")
    columns = {
        name: _as(frame[name].reset_index(drop=True), dtype, f"{what}, `{name}`") for name, dtype in schema.items()
    }
    return pd.DataFrame(columns, columns=list(schema))


def _as(values: pd.Series[Any], dtype: str, what: str) -> pd.Series[Any]:
    import pandas as pd

    if dtype in _TEXT:
        text = values.astype("string")
        return text.astype("str") if dtype == "str" and pd.__version__ >= "3" else text
    kind = pd.api.types.pandas_dtype(dtype)
    missing = values.isna()
    if missing.any() and not isinstance(kind, pd.api.extensions.ExtensionDtype) and kind.kind in "iub":
        raise ValueError(f"{what}: row {missing.idxmax()} is missing, and {dtype} has no missing values.")
    if values.dtype == object and not isinstance(kind, pd.api.extensions.ExtensionDtype):
        values = values.where(~missing, float("nan"))
    try:
        return values.astype(kind)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: not all values are {dtype} ({error}).") from error


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a csv that tells a missing text (nothing between the commas) from an empty one (`""`), as PostgreSQL's."""
    columns = [_written(frame[name]) for name in frame.columns]
    lines = [",".join(_quoted(str(name)) for name in frame.columns)]
    lines += [",".join(row) for row in zip(*columns, strict=True)]
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"))


def read_table(path: Path, schema: Schema) -> pd.DataFrame:
    """Read what `write_table` wrote.

    Raises:
        BadInputError: the file is not there, is cut off, or does not hold the columns of the schema.
    """
    import pandas as pd

    try:
        header, *rows = _rows(path.read_bytes().decode("utf-8", "surrogatepass"))
        names = [name or "" for name in header]
        columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
        frame = {name: _read(values, schema.get(name, "string")) for name, values in columns.items()}
        return conform(pd.DataFrame(frame, dtype=object), schema, what=path.name)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} is not a table of this version: {error} Make the result again.") from error


def _written(values: pd.Series[Any]) -> list[str]:
    import pandas as pd

    write: Any = _quoted
    if pd.api.types.is_bool_dtype(values.dtype):
        write = {True: "true", False: "false"}.__getitem__
    elif pd.api.types.is_integer_dtype(values.dtype):
        write = _whole
    elif pd.api.types.is_float_dtype(values.dtype):
        write = _digits
    return ["" if gone else write(value) for value, gone in zip(values, values.isna(), strict=True)]


def _quoted(text: object) -> str:
    return '"' + str(text).replace('"', '""') + '"'


def _whole(value: Any) -> str:
    return str(int(value))


def _digits(value: Any) -> str:
    return repr(float(value))


def _rows(text: str) -> Iterator[list[str | None]]:
    """The lines' fields: a text, or None where nothing stands between the commas."""
    at, row = 0, list[str | None]()
    while at < len(text):
        field = _FIELD.match(text, at)
        if field is None:
            raise ValueError(f"a quotation mark is wrong after character {at}.")
        quoted, plain, end = field.groups()
        row.append(quoted.replace('""', '"') if quoted is not None else plain or None)
        at = field.end()
        if end != ",":
            yield row
            row = []


def _read(values: tuple[str | None, ...], dtype: str) -> list[Any]:
    import pandas as pd

    if dtype in _TEXT:
        return list(values)
    kind = pd.api.types.pandas_dtype(dtype)
    read: Any = float
    if pd.api.types.is_bool_dtype(kind):
        read = {"true": True, "false": False}.__getitem__
    elif pd.api.types.is_integer_dtype(kind):
        read = int
    return [None if value is None else read(value) for value in values]
