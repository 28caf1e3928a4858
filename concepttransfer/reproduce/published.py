"""What a paper printed: its tables, and which of our measures belongs into which of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import UnknownNameError


class Column(BaseModel):
    """One column of a published table, and the claim of a Result that fills it.

    Attributes:
        name: as a reader of the paper would call it.
        data: the data set of the study.
        measure: of the Result's `estimates`.
        group: of the rows; empty: all.
        scale: what our value is multiplied by to be in the paper's unit.
        options: of the analysis, where they differ from the defaults.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    data: str
    measure: str
    group: str = ""
    scale: float = 1.0


class Doubt(BaseModel):
    """Why a published value should not be taken at its word.

    Attributes:
        row: of the table.
        column: of the table; None: the whole row.
        why: in a sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: str
    column: str | None = None
    why: str


class PublishedTable(BaseModel):
    """One table of a paper.

    Attributes:
        title: what it shows.
        analysis: which computes its cells.
        columns: in the paper's order.
        rows: a study's encoder -> its printed values, one a column; None where nothing was printed.
        others: systems that the study does not hold -> their printed values.
        baselines: systems that the analysis adds by itself, such as `blind`.
        doubts: about printed values.
        note: what else a reader must know.
        options: of the analysis.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    analysis: str
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: Mapping[str, tuple[float | None, ...]]
    others: Mapping[str, tuple[float | None, ...]] = Field(default_factory=dict)
    baselines: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    note: str = ""
    options: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _rectangular(self) -> PublishedTable:
        for name, values in {**self.rows, **self.others}.items():
            if len(values) != len(self.columns):
                raise ValueError(f"row `{name}` has {len(values)} values for {len(self.columns)} columns")
        names, rows = {column.name for column in self.columns}, {*self.rows, *self.others}
        for doubt in self.doubts:
            if doubt.row not in rows or doubt.column not in {None, *names}:
                raise ValueError(f"a doubt is about `{doubt.row}`, `{doubt.column}`, which the table does not hold")
        return self

    def value(self, row: str, column: Column) -> float | None:
        """The printed value, or None."""
        printed = {**self.rows, **self.others}.get(row)
        return None if printed is None else printed[self.columns.index(column)]

    def doubt(self, row: str, column: Column) -> str:
        """Why the printed value is doubtful, or nothing."""
        return " ".join(d.why for d in self.doubts if d.row == row and d.column in (None, column.name))


class Paper(BaseModel):
    """The tables of one paper.

    Attributes:
        title: and authors, year.
        source: where the printed values were read, and how far they were checked.
        tables: by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    source: str
    tables: Mapping[str, PublishedTable]


def papers() -> list[str]:
    """The names of the papers whose tables come with the package."""
    names = [entry.name for entry in files(__package__ or "").iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def read_paper(name: str) -> Paper:
    """The tables of one paper.

    Raises:
        UnknownNameError: the package does not have them.
    """
    import yaml

    if name not in papers():
        raise UnknownNameError("paper", name, papers())
    text = (files(__package__ or "") / f"{name}.yaml").read_text(encoding="utf-8")
    return Paper.model_validate(yaml.safe_load(text))
