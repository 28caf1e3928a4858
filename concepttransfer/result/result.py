"""What an analysis gives back: tables, arrays and pictures, how they look, and where they came from."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from .. import storage
from ..errors import BadInputError, UnknownNameError
from ..tables import conform, read_table, write_table
from .files import (
    about,
    keep_other_files,
    picture_suffix,
    read_arrays,
    read_pictures,
    refuse_to_replace,
    write_arrays,
    write_pictures,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from .live import Live
    from .pairing import Paired

ESTIMATES: dict[str, str] = {
    "study": "string",
    "on": "string",
    "system": "string",
    "group": "string",
    "measure": "string",
    "against": "string",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "chance": "float64",
    "p": "float64",
    "q": "float64",
    "n": "Int64",
    "n_clusters": "Int64",
    "n_seeds": "Int64",
    "method": "string",
}
"""The columns of `Result.estimates`, a row for each claim: which study, data, system (encoder) and group of rows; the
measure and what it is compared `against`; value, 95 % interval and chance level; p, and q (p corrected over the
family); rows, units that were resampled, and seeds behind it; how interval and p were found."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(ABC):
    """One analysis, computed. Subclasses say what the rows mean, in a sentence and in figures; they compute nothing.

    A subclass sets `kind` (its analysis' name), `columns` and `figures`, adds no fields, and has a method
    `plot_<figure>() -> Figure` for each name in `figures` (`-` is written `_`). The first line of that method's
    docstring is the figure's caption.

    Attributes:
        kind: the name of the analysis.
        columns: column -> pandas dtype of `table`: `string`, `int64`, `Int64`, `float64`, `bool`, `boolean`.
        figures: the names that `plot` knows.
        thumbnails: pixels of the longer side of the pictures that it keeps, and their format, PNG or JPEG.
        main_group: the group of rows that `claim` is about where none is named; None: any.
        alike: keys of `provenance`, with dots between their parts, in which two results must agree to be compared.
        unpaired: why `paired` is empty, as the end of a sentence that begins with "A result of this kind".
        table: a row for each thing measured.
        estimates: a row for each claim, in the columns `ESTIMATES`.
        arrays: what is no row: coordinates, matrices, curves.
        pictures: row id -> PNG or JPEG bytes of the thumbnails that figures show.
        provenance: where it came from; anything that JSON holds.
    """

    kind: ClassVar[str]
    columns: ClassVar[dict[str, str]]
    figures: ClassVar[tuple[str, ...]] = ()
    thumbnails: ClassVar[tuple[int, str]] = (160, "PNG")
    main_group: ClassVar[str | None] = None
    alike: ClassVar[tuple[str, ...]] = ()
    unpaired: ClassVar[str] = "says of no measure that it is a mean over rows of its table"

    table: pd.DataFrame = field(repr=False)
    estimates: pd.DataFrame = field(repr=False)
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict, repr=False)
    pictures: dict[str, bytes] = field(default_factory=dict, repr=False)
    provenance: dict[str, Any] = field(default_factory=dict, repr=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Hold each figure's name to a method that draws it."""
        super().__init_subclass__(**kwargs)
        if missing := [name for name in cls.figures if not callable(getattr(cls, _method(name), None))]:
            raise TypeError(
                f"{cls.__name__} names the figure `{missing[0]}` but has no method `{_method(missing[0])}`."
            )

    def __post_init__(self) -> None:
        import numpy as np

        name = type(self).__name__
        if more := [f.name for f in fields(self) if f.name not in Result.__dataclass_fields__]:
            raise TypeError(
                f"{name} adds the field `{more[0]}`, which would not be saved: put it in a table or an array."
            )
        arrays = {key: np.asarray(value) for key, value in self.arrays.items()}
        if bad := [key for key, value in arrays.items() if value.dtype.kind not in "biuf"]:
            raise ValueError(f"{name}: array `{bad[0]}` holds {arrays[bad[0]].dtype}; arrays hold numbers.")
        if bad := [key for key, value in self.pictures.items() if picture_suffix(value) is None]:
            raise ValueError(f"{name}: the picture of `{bad[0]}` is neither PNG nor JPEG.")
        self._set(
            table=conform(self.table, self.columns, what=f"{name}.table"),
            estimates=conform(self.estimates, ESTIMATES, what=f"{name}.estimates"),
            arrays=arrays,
            pictures=dict(self.pictures),
            provenance=json.loads(json.dumps(self.provenance, default=_plain)),
        )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def study(self) -> str:
        """The name of the study that it is about."""
        known = self.provenance.get("study")
        return str(known if known is not None or not len(self.estimates) else self.estimates["study"].iloc[0])

    @property
    def key(self) -> str:
        """Names what it was computed from and how, where a study made it; else empty."""
        return str(self.provenance.get("key", ""))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the fits behind it, as far as a study knows them."""
        return tuple(self.provenance.get("seeds", ()))

    @cached_property
    def encoders(self) -> tuple[str, ...]:
        """The encoders that it is about, in the order given: those of the table's column `encoder`."""
        return tuple(dict.fromkeys(self.table["encoder"]))

    def claim(
        self, system: str, measure: str, *, against: str | None = None, group: str | None = None
    ) -> pd.Series[Any]:
        """One row of `estimates`: about a system and a measure, its level or what it is `against`; all NaN: none.

        `group` is the main one where it is not named; an empty one stands for any.
        """
        import numpy as np
        import pandas as pd

        group = self.main_group if group is None else group or None
        found = self._claims.get((system, measure, against, group))
        return pd.Series(np.nan, index=list(ESTIMATES)) if found is None else self.estimates.iloc[found]

    @cached_property
    def _claims(self) -> dict[tuple[str, str, str | None, str | None], int]:
        """The first row of `estimates` about each system, measure, other and group; group None: of any group."""
        about = self.estimates[["system", "measure", "against", "group"]].astype(object)
        about = about.where(about.notna(), None)[self.estimates["study"] == self.study]
        found: dict[tuple[str, str, str | None, str | None], int] = {}
        for row, system, measure, against, group in about.itertuples(name=None):
            found.setdefault((system, measure, against, group), row)
            found.setdefault((system, measure, against, None), row)
        return found

    def to_frame(self) -> pd.DataFrame:
        """A copy of `table`."""
        return self.table.copy()

    def plot(self, name: str | None = None) -> Figure:
        """Draw one of `figures`, by default the first. Only draws: all numbers were computed before.

        Texts are drawn as they are: a `$` is a dollar, never mathematics.

        Raises:
            UnknownNameError: there is no such figure.
        """
        from .figures import finish, style

        name = name if name is not None else next(iter(self.figures), "")
        if name not in self.figures:
            raise UnknownNameError("figure", name, self.figures, where=f"`{self.kind}`")
        with style():
            return finish(getattr(self, _method(name))())

    @abstractmethod
    def summary(self) -> str:
        """One sentence: estimate, interval, chance level and n."""

    def answer(self) -> str:
        """The answer in one or two sentences, however many encoders there are: with interval, chance and n."""
        return self.summary()

    @property
    def paired(self) -> tuple[Paired, ...]:
        """The measures in which encoders can be compared row by row, the main one first; by default none."""
        return ()

    def levels(self) -> pd.DataFrame:
        """The rows of `estimates` that say how high each encoder is in each measure, in the main group."""
        group = self.main_group or next(iter(self.estimates["group"].dropna()), None)
        e = self.estimates
        mine = e["against"].isna() & e["system"].isin(self.encoders) & (e["study"] == self.study)
        return e[mine & (e["group"].isna() | (e["group"] == group))]

    def headline(self) -> pd.DataFrame:
        """The few numbers that the report and the command line show first; by default all estimates."""
        return self.estimates.copy()

    def wanted_pictures(self) -> list[str]:
        """Ids of the rows whose thumbnails the figures show; whoever has the pictures attaches them."""
        return []

    def exports(self) -> dict[str, pd.DataFrame]:
        """Tables for other programs, by name: the report writes each as `NAME.parquet` beside it; by default none."""
        return {}

    def live(self) -> Live | None:
        """What the report shows beside the figures that answers to the reader's hand; by default nothing."""
        return None

    def _repr_html_(self) -> str:
        """What a notebook shows: answer, headline and n. Figures are drawn with `plot(name)`."""
        from .notebook import shown

        return shown(self)

    def with_pictures(self, pictures: Mapping[str, bytes]) -> Self:
        """The same result with these thumbnails (row id -> PNG or JPEG bytes)."""
        return replace(self, pictures=dict(pictures))

    def with_provenance(self, **more: Any) -> Self:
        """The same result with `more` said about where it came from."""
        return replace(self, provenance={**self.provenance, **more})

    def __eq__(self, other: object) -> bool:
        """Equal in every value, text, dtype and byte; missing values are equal."""
        if not isinstance(other, Result) or type(self) is not type(other):
            return NotImplemented
        return (
            self.table.equals(other.table)
            and self.estimates.equals(other.estimates)
            and _same_arrays(self.arrays, other.arrays)
            and self.pictures == other.pictures
            and json.dumps(self.provenance, sort_keys=True) == json.dumps(other.provenance, sort_keys=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def save(self, folder: Path) -> Path:
        """Write `folder` whole or not at all, in place of an earlier result there; gives the folder back.

        Raises:
            BadInputError: the folder holds something that is no result.
        """
        folder = Path(folder).absolute()
        refuse_to_replace(folder)
        with storage.new_folder(folder) as new:
            write_table(new / "table.csv", self.table)
            write_table(new / "estimates.csv", self.estimates)
            write_arrays(new / "arrays.safetensors", self.arrays)
            write_pictures(new / "pictures", self.pictures)
            storage.write_json(new / "result.json", {"kind": self.kind, "provenance": self.provenance})
            keep_other_files(folder, new)
        return folder

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; on `Result` itself, whatever kind the folder holds.

        Raises:
            BadInputError: there is no result, or one of another kind, or a damaged one.
            UnknownNameError: no analysis of that kind is installed.
        """
        folder = Path(folder)
        said = about(folder)
        made_by: Any = cls if cls is not Result else _type_of(said["kind"])
        if said["kind"] != made_by.kind:
            raise BadInputError(f"{folder} holds a `{said['kind']}` result, not a `{made_by.kind}` one.")
        loaded: Self = made_by(
            table=read_table(folder / "table.csv", made_by.columns),
            estimates=read_table(folder / "estimates.csv", ESTIMATES),
            arrays=read_arrays(folder / "arrays.safetensors"),
            pictures=read_pictures(folder / "pictures"),
            provenance=said["provenance"],
        )
        return loaded


def _method(figure: str) -> str:
    return "plot_" + figure.replace("-", "_")


def _plain(value: Any) -> Any:
    """What JSON cannot hold as it is: numpy's numbers and arrays, sets, paths (their last part: paths are private)."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _same_arrays(a: Mapping[str, np.ndarray[Any, Any]], b: Mapping[str, np.ndarray[Any, Any]]) -> bool:
    import numpy as np

    def same(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> bool:
        return x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f")

    return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)


def _type_of(kind: str) -> type[Result]:
    from ..analysis import get

    return get(kind).result_type
