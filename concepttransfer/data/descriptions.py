"""What comes with the package about data sets: `data_manifests/`, read wherever it is installed."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import BadInputError, MissingResourceError, UnknownNameError, unreadable_yaml
from ..yaml_lines import lines_of, listed, mistake

_PACKAGE = "concepttransfer.data_manifests"


def _inside(path: str) -> str:
    """A path that stays below the folder that it is relative to."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path or not path:
        message = f"`{path}` is no path below the data's folder"
        raise ValueError(message)
    return path


Below = Annotated[str, AfterValidator(_inside)]


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(_Described):
    """One file that is downloaded.

    Attributes:
        url: where it is.
        name: where it is put, below the data's folder.
        bytes: its size, where it is certain.
        sha256: hexadecimal, where one is published.
        md5: likewise.
        unpack: the folder, below the data's, into which an archive is unpacked; None: it stays as it is.
        optional: the data can be read without it.
    """

    url: str = Field(pattern=r"^(https?|file)://")
    name: Below
    bytes: int | None = Field(default=None, gt=0)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    unpack: Below | None = None
    optional: bool = False


class LayoutEntry(_Described):
    """Something that lies below the data's folder once all is in its place.

    Attributes:
        path: one file, or
        glob: files by a pattern with `/` between parts: `*` stands for part of a name, `**` for any folders or none.
        what: it is, in words.
        count: of the files, where it is known.
        holds: for a json, how many entries its lists have: {images: 5000}.
        comes_in: the name of the one of `files` that it is part of.
        packed: it may stay in that archive.
        optional: the data can be read without it.
    """

    path: Below | None = None
    glob: Below | None = None
    what: str
    count: int | None = Field(default=None, gt=0)
    holds: dict[str, int] = Field(default_factory=dict)
    comes_in: str | None = None
    packed: bool = False
    optional: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.glob is None):
            message = "give either `path` or `glob`"
            raise ValueError(message)
        return self

    @property
    def pattern(self) -> str:
        """The glob, or the path, which is one without wildcards."""
        return self.glob or self.path or ""


class DataManifest(_Described):
    """Where one data set comes from, under which licence, how it lies on disk and which reader reads it.

    Attributes:
        name: of the file it was read from.
        title: what people call it.
        url: its page.
        licence: under which its pictures and its texts may be used.
        citation: what to cite.
        counts: pictures, captions, classes, ... of what `data` reads.
        splits: its splits, and what each holds.
        data: its entry under `data:` of a study: the reader, the folder (for image_folder: `pictures`) that it is
            expected in, and the reader's other keys.
        files: what is downloaded, in this order.
        layout: what then lies below the folder.
        tables: csv files beside the manifest, by name.
        notes: what else one must know to get it and to read it.
    """

    name: str = ""
    title: str
    url: str = ""
    licence: str
    citation: str = ""
    counts: dict[str, int] = Field(default_factory=dict)
    splits: dict[str, str] = Field(default_factory=dict)
    data: dict[str, Any]
    files: list[DataFile] = Field(default_factory=list)
    layout: list[LayoutEntry] = Field(min_length=1)
    tables: dict[str, str] = Field(default_factory=dict)
    notes: str = ""

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        if not isinstance(self.data.get("reader"), str) or not self.folder:
            message = "`data` names a `reader`, and a `folder` or `pictures`"
            raise ValueError(message)
        names = {file.name for file in self.files}
        for entry in self.layout:
            if entry.comes_in is not None and entry.comes_in not in names:
                message = f"`{entry.pattern}` comes in `{entry.comes_in}`, which is not among `files`"
                raise ValueError(message)
        return self

    @property
    def folder(self) -> str:
        """Where a study expects the data, relative to its root."""
        return str(self.data.get("folder") or self.data.get("pictures") or "")

    @property
    def source(self) -> dict[str, str]:
        """What a `Manifest` says of where its rows come from."""
        told = {"title": self.title, "url": self.url, "licence": self.licence, "citation": self.citation}
        return {key: value for key, value in told.items() if value}


def available() -> list[str]:
    """The data sets that are described."""
    names = [entry.name for entry in files(_PACKAGE).iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def describe(name: str) -> DataManifest:
    """One data set that comes with the package: its source, licence, citation, files, layout, splits and counts.

    Raises:
        UnknownNameError: it is not described.
    """
    if name not in available():
        raise UnknownNameError("data set", name, available(), where="data_manifests")
    return _parse((files(_PACKAGE) / f"{name}.yaml").read_text(encoding="utf-8"), name, f"data_manifests/{name}.yaml")


def read_description(path: Path) -> DataManifest:
    """A data manifest of one's own, in the form of those in `data_manifests/`.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: it is no data manifest; every mistake is told.
    """
    if not path.is_file():
        raise MissingResourceError(f"There is no data manifest {path}. Make one with: concepttransfer data add FOLDER")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} is no data manifest: {unreadable_yaml(error)}") from None
    return _parse(text, path.stem, str(path))


def read_table(name: str, file: str) -> list[dict[str, str]]:
    """One of a data set's tables, a dictionary a row: `read_table("awa2", "classes.csv")`."""
    text = (files(_PACKAGE) / name / file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _parse(text: str, name: str, where: str) -> DataManifest:
    import yaml

    try:
        values = yaml.safe_load(text)
        if not isinstance(values, dict):
            message = f"{where} is no data manifest: it should be a mapping with title, licence, data and layout."
            raise BadInputError(message)
        return DataManifest.model_validate({"name": name, **values})
    except yaml.YAMLError as error:
        raise BadInputError(f"{where} is no data manifest: {unreadable_yaml(error)}") from None
    except ValidationError as error:
        lines = lines_of(text)
        raise BadInputError(listed(where, [mistake(one, lines, _keys) for one in error.errors()])) from None


def _keys(at: tuple[str, ...]) -> list[str]:
    """What may stand where a path does."""
    parts: dict[str, type[BaseModel]] = {"files": DataFile, "layout": LayoutEntry}
    return list((DataManifest if len(at) == 1 else parts.get(at[0], DataManifest)).model_fields)
