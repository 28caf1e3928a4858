"""The files of a result: numbers as safetensors, thumbnails as they are, and what is never overwritten."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import storage
from ..errors import BadInputError
from ..tables import read_table, write_table

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg"}
"""How a picture's bytes begin, and how its file's name then ends."""
OWN = frozenset({"table.csv", "estimates.csv", "arrays.safetensors", "pictures", "result.json", "fits", "report"})
"""What lies in a result's folder and is made anew with it."""


def picture_suffix(picture: bytes) -> str | None:
    """How the file of a PNG or JPEG ends; None for anything else."""
    return next((suffix for start, suffix in SUFFIXES.items() if picture.startswith(start)), None)


def refuse_to_replace(folder: Path) -> None:
    """Stop before a folder that is no result is replaced by one.

    Raises:
        BadInputError: it is the working folder or one around it, or it holds something and no result.
    """
    if Path.cwd().is_relative_to(folder.resolve()):
        raise BadInputError(
            f"A result needs a folder of its own, not {folder.name or folder}. Name one, such as `runs/mine`."
        )
    if folder.exists() and not (folder / "result.json").exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError(
            f"{folder} holds something that is no result, which saving would replace. Name another folder."
        )


def about(folder: Path) -> dict[str, Any]:
    """The `kind` and `provenance` of the result in `folder`.

    Raises:
        BadInputError: there is none, or it cannot be read.
    """
    try:
        said = storage.read_json(folder / "result.json")
    except FileNotFoundError:
        raise BadInputError(f"{folder} holds no result (no result.json).") from None
    except ValueError as error:
        raise BadInputError(f"{folder / 'result.json'} cannot be read: {error}.") from error
    known = {"kind": str, "provenance": dict}
    if not isinstance(said, dict) or any(not isinstance(said.get(key), kind) for key, kind in known.items()):
        raise BadInputError(f"{folder / 'result.json'} does not name the kind and provenance of a result.")
    return said


def keep_other_files(old: Path, new: Path) -> None:
    """Copy what someone put into the folder `old`, beside the result, into the `new` one that will replace it."""
    for path in old.iterdir() if old.is_dir() else ():
        if path.name not in OWN:
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, new / path.name)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write all arrays into one safetensors file, and none if there are none."""
    import numpy as np
    from safetensors.numpy import save

    if arrays:
        path.write_bytes(save({name: np.asarray(value, order="C") for name, value in arrays.items()}))


def read_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read what `write_arrays` wrote; no file, no arrays."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(path.read_bytes())) if path.exists() else {}
    except SafetensorError as error:
        raise BadInputError(f"{path} is damaged: {error}. Make the result again.") from error


def write_pictures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Files are numbered, since a row's id may be no file name; `index.csv` says whose they are."""
    import pandas as pd

    if not pictures:
        return
    folder.mkdir()
    files = [f"{number:04}{picture_suffix(content)}" for number, content in enumerate(pictures.values())]
    for file, content in zip(files, pictures.values(), strict=True):
        (folder / file).write_bytes(content)
    write_table(folder / "index.csv", pd.DataFrame({"id": list(pictures), "file": files}, dtype="string"))


def read_pictures(folder: Path) -> dict[str, bytes]:
    """Read what `write_pictures` wrote; no folder, no pictures."""
    if not folder.exists():
        return {}
    index = read_table(folder / "index.csv", {"id": "string", "file": "string"})
    names = [Path(file).name for file in index["file"]]
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise BadInputError(f"{folder} lacks the picture {missing[0]}. Make the result again.")
    return {row: (folder / name).read_bytes() for row, name in zip(index["id"], names, strict=True)}
