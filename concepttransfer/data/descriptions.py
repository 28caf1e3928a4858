"""What comes with the package about data sets: `data_manifests/`, read wherever it is installed."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import Any

from ..errors import UnknownNameError

_PACKAGE = "concepttransfer.data_manifests"


def available() -> list[str]:
    """The data sets that are described."""
    names = [entry.name for entry in files(_PACKAGE).iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def describe(name: str) -> dict[str, Any]:
    """One data set's title, source, licence, citation, layout, splits and counts.

    Raises:
        UnknownNameError: it is not described.
    """
    import yaml

    if name not in available():
        raise UnknownNameError("data set", name, available(), where="data_manifests")
    described: dict[str, Any] = yaml.safe_load((files(_PACKAGE) / f"{name}.yaml").read_text(encoding="utf-8"))
    return described


def read_table(name: str, file: str) -> list[dict[str, str]]:
    """One of a data set's tables, a dictionary a row: `read_table("awa2", "classes.csv")`."""
    text = (files(_PACKAGE) / name / file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
