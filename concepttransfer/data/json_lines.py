"""Files with a json object on each line, plain or gzipped."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import BadInputError, MissingResourceError


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number of each line that is not blank, from 1, and the object on it.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: it is not text in UTF-8, or a line holds no object (the last one where a file is cut short).
    """
    if not path.is_file():
        raise MissingResourceError(f"There is no file {path}. Put it there, or name another one.")
    number = 0
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as file
        ):
            for number, line in enumerate(file, 1):
                if line.strip():
                    value = json.loads(line)
                    if not isinstance(value, dict):
                        raise BadInputError(f"{path}, line {number}, holds no object. Name a file of json lines.")
                    yield number, value
    except (OSError, EOFError, ValueError) as error:
        raise BadInputError(
            f"{path} cannot be read after line {number - 1 if number else 0}: {error}. Fetch it again."
        ) from error
