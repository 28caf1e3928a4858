"""How commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from concepttransfer.amounts import size as size
from concepttransfer.processes import is_main

if TYPE_CHECKING:
    import pandas as pd

    from concepttransfer.study.plan import Step


def say(text: str) -> None:
    """Print text as it is: nothing in it is taken for markup or broken into lines."""
    _console(soft_wrap=True).print(escape(text))


def _console(**how: Any) -> Console:
    """Where things are printed. Of several processes that run the command together, only the main one prints."""
    return Console(highlight=False, quiet=not is_main(), **how)


def show_json(value: Any) -> None:
    """Print JSON; what is missing is null."""
    say(json.dumps(_plain(value), indent=1, ensure_ascii=False, default=str))


def _plain(value: Any) -> Any:
    """Values that JSON knows: missing ones of pandas and numbers that are none become None."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    missing = type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    return None if missing else value


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """Print a table; numbers stand to the right."""
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold"
    )
    for i, column in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        table.add_column(escape(column), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    console = _console()
    if not console.is_terminal:
        console = _console(width=200)
    console.print(table)


def show_frame(frame: pd.DataFrame, *, title: str | None = None) -> None:
    """Print a data frame as a table."""
    show_rows([str(c) for c in frame.columns], frame.to_numpy().tolist(), title=title)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def show_plan(steps: Sequence[Step], *, as_json: bool) -> None:
    """Print what would be done."""
    if as_json:
        show_json([vars(step) for step in steps])
        return
    rows = [
        (
            step.stage,
            step.encoder,
            step.what,
            f"{step.n:,} {step.unit}",
            "done" if step.done else duration(step.seconds),
            size(step.n_bytes),
        )
        for step in steps
    ]
    show_rows(["stage", "encoder", "on", "amount", "time", "disk"], rows, title="What would be done")
    missing = [step for step in steps if not step.done]
    known = [step.seconds for step in missing if step.seconds is not None]
    unknown = len(missing) - len(known)
    times = [duration(sum(known))] * bool(known) + [f"{unknown} were never measured on this machine"] * bool(unknown)
    say(f"{len(missing)} of {len(steps)} stages are missing{': ' if times else ''}{' and '.join(times)}.")


def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return "not measured yet"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return (
        f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days" if hours < 17_520 else f"{hours / 8760:,.0f} years"
    )
