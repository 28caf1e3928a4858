"""A bar with a rate and an ending time for whatever takes more than two seconds."""

from __future__ import annotations

from typing import Any

from .processes import is_main

_hidden = False


def hide() -> None:
    """From now on this process shows no bar: another one does."""
    global _hidden
    _hidden = True


def progress(
    total: int | None, what: str, *, unit: str, quiet: bool = False, initial: int = 0, even: bool = True
) -> Any:
    """A tqdm bar on standard error that shows itself after two seconds; `quiet` hides it.

    Of several processes that run a command together only the main one shows it.

    Args:
        total: how many units the whole work is; None: nobody knows.
        what: a few words beside the bar, such as `encode animals with beit`.
        unit: the unit counted, such as `picture`; `B` is shown in kB, MB and GB.
        quiet: show nothing.
        initial: units done by an earlier run that is resumed.
        even: all units take about as long; if not, the ending time is by the mean of all, not of the last few.
    """
    from tqdm import tqdm

    return tqdm(
        total=total,
        initial=initial,
        desc=what,
        unit=f" {unit}" if unit != "B" else unit,
        unit_scale=unit == "B",
        delay=0 if initial else 2,
        disable=quiet or _hidden or not is_main(),
        dynamic_ncols=True,
        leave=False,
        smoothing=0.3 if even else 0,
    )
