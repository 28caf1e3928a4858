"""Where the mistakes of a YAML file stand: each with its line and, for a wrong key, the nearest valid name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .errors import suggestion

Path = tuple[str, ...]
"""Keys, and places in lists, from the top of the file."""
Lines = Mapping[Path, int]


def lines_of(text: str) -> dict[Path, int]:
    """For each path of keys of a YAML text the line on which it stands, counted from 1."""
    import yaml

    return _lines(yaml.compose(text, Loader=yaml.SafeLoader), ())


def _lines(node: Any, at: Path) -> dict[Path, int]:
    found = {at: node.start_mark.line + 1} if node is not None else {}
    if getattr(node, "id", "") == "mapping":
        for key, value in node.value:
            here = (*at, str(key.value))
            found |= _lines(value, here)
            found[here] = key.start_mark.line + 1
    elif getattr(node, "id", "") == "sequence":
        for i, value in enumerate(node.value):
            found |= _lines(value, (*at, str(i)))
    return found


def line_of(lines: Lines, at: Path) -> int:
    """The line of a path, or of what it would stand in."""
    while at not in lines and at:
        at = at[:-1]
    return lines.get(at, 1)


def mistake(entry: Mapping[str, Any], lines: Lines, known: Callable[[Path], Iterable[str]]) -> str:
    """One of pydantic's errors as `line 3: train.stepz: no such key. Did you mean `steps`?`

    Args:
        entry: as `ValidationError.errors()` has it.
        lines: of the file.
        known: the keys that may stand where a path does.
    """
    at = tuple(str(part) for part in entry["loc"])
    where = f"line {line_of(lines, at)}: {'.'.join(at)}".removesuffix(": ")
    if entry["type"] == "extra_forbidden":
        return f"{where}: no such key.{suggestion(at[-1], known(at))}"
    if entry["type"] == "missing":
        return f"{where}: is missing."
    said = entry["msg"].removeprefix("Value error, ")
    got = "." if entry["type"] == "value_error" else f"; got {entry['input']!r}."
    return f"{where}: {said[0].lower()}{said[1:]}{got}"


def listed(where: str, mistakes: Sequence[str]) -> str:
    """All that is wrong with a file, a line each."""
    lines = "\n".join(f"  {one}" for one in mistakes)
    return f"{where} has {len(mistakes)} mistake{'s' * (len(mistakes) != 1)}:\n{lines}"
