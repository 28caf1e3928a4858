"""Example pictures of zero-shot classification, and what each encoder named. Only draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from concepttransfer.result.figures import INK, MOST_LINES, MUTED, RIGHT, WRONG, beside_pictures, titled
from concepttransfer.result.wording import percent

from . import claims

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..zero_shot import ZeroShot


def examples(result: ZeroShot) -> Figure:
    """Two columns of pictures, each with its class and what every encoder names it."""
    rows, shown = result.wanted_pictures(), result.encoders[:MOST_LINES]
    table = result.table[result.table["row_id"].isin(rows)].set_index(["row_id", "encoder"])
    height = 0.3 + 0.24 * len(shown)
    figure = beside_pictures(rows, result.pictures, height, lambda axes, row: _said(axes, table.loc[row], shown))
    first = result.encoders[0]
    right = result.claim(first, claims.TOP1)
    n_right = int(table.xs(first, level="encoder")["right"].sum())
    of_all = f"of all {right['n']} {percent(right['value'])} % are right"
    title = f"{n_right} pictures that {first} names right, drawn at random, and its surest mistakes ({of_all})"
    return titled(figure, result, title)


def _said(axes: Axes, table: Any, encoders: tuple[str, ...]) -> None:
    """The class, then a line an encoder: the name with its probability, and the two that follow."""
    axes.set(xlim=(0, 1), ylim=(max(len(encoders) + 1.1, 5.5), 0))
    axes.text(0, 0.55, table["class"].iloc[0], weight="bold", va="center", color=INK)
    for y, encoder in enumerate(encoders, start=1):
        one = table.loc[encoder]
        colour, sign = (RIGHT, "✓") if one["right"] else (WRONG, "✗")
        following = [one[column] for column in ("second", "third") if isinstance(one[column], str)]
        said = f"{encoder}: {one['first']} {percent(one['confidence'])} %"
        more = f" (then {', '.join(following)})" if following else ""
        more += "" if one["right"] else f"; truth {percent(one['probability'])} %"
        axes.text(0, y + 0.5, sign, va="center", color=colour, fontsize=9)
        axes.text(0.045, y + 0.5, said, va="center", color=colour, fontsize=8)
        axes.text(0.045, y + 0.95, more.strip(), va="center", color=MUTED, fontsize=6.5)
