"""How the projections were fitted: the loss curves that a study saves beside its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError
from ..statistics.claims import is_random
from .gather import Broken, Saved

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..result.figures import Look

COLUMNS = ("encoder", "seed", "step", "loss", "validation_loss", "lr")
"""The columns of each `fits/*.csv`: a row for each step that was noted; `validation_loss` where it was measured."""
SIZES = ("rows", "held_out")
"""How many rows were fitted on, and on how many the validation loss was measured; older files do not say."""


def curves(saved: Sequence[Saved]) -> tuple[dict[str, pd.DataFrame], list[Broken]]:
    """The curves of all results by study, each fit once, and the files that could not be read."""
    import pandas as pd

    found, broken = dict[str, list[pd.DataFrame]](), list[Broken]()
    for one in saved:
        for path in sorted((one.folder / "fits").glob("*.csv")):
            try:
                found.setdefault(", ".join(one.studies) or one.name, []).append(_read(path))
            except Exception as error:
                broken.append(Broken.by(f"{one.name}/fits/{path.name}", error, path))
    joined = {study: pd.concat(frames, ignore_index=True) for study, frames in found.items()}
    return {study: frame.drop_duplicates(["encoder", "seed", "step"]) for study, frame in joined.items()}, broken


def _read(path: Any) -> pd.DataFrame:
    import pandas as pd

    frame = pd.read_csv(path, keep_default_na=False, na_values={"loss": [""], "validation_loss": [""], "lr": [""]})
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise BadInputError(f"It has no column `{missing[0]}`; a fit's curve has {', '.join(COLUMNS)}.")
    frame = frame.reindex(columns=[*COLUMNS, *SIZES]).astype(
        {"encoder": "string", "loss": float, "validation_loss": float, "lr": float}
    )
    return frame.sort_values("step", kind="stable")


def final(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each fit: its steps, the mean loss of its last twentieth, its last validation loss, its peak rate."""
    import pandas as pd

    rows = []
    for (encoder, seed), fit in frame.groupby(["encoder", "seed"], sort=True):
        loss, held_out = fit["loss"].dropna(), fit["validation_loss"].dropna()
        rows.append(
            {
                "encoder": encoder,
                "seed": seed,
                "steps": fit["step"].max(),
                "loss at the end": loss.iloc[-max(1, len(loss) // 20) :].mean(),
                "validation loss": held_out.iloc[-1] if len(held_out) else float("nan"),
                "peak learning rate": fit["lr"].max(),
            }
        )
    return pd.DataFrame(rows)


def draw(frame: pd.DataFrame, palette: Sequence[str] = ()) -> Figure:
    """Loss against step, a line for each seed in the encoder's colour and dashes; points: the loss on rows held out."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from ..result.figures import MUTED, finish, looks_of, style

    listed = [name for name in palette if name in set(frame["encoder"])]
    names = list(dict.fromkeys([*listed, *sorted(frame["encoder"])]))
    n_fits, about = len(frame.drop_duplicates(["encoder", "seed"])), _about(frame, names)
    with style():
        figure = Figure(figsize=(7.2, 3.8))
        axes = figure.subplots()
        looks = looks_of(names, palette)
        for _, fit in frame.groupby(["encoder", "seed"], sort=True):
            _draw_fit(axes, fit, looks[fit["encoder"].iloc[0]])
        lines = [
            Line2D([], [], color=look.colour, ls=look.dashes, marker=look.marker, mfc=look.fill, ms=5)
            for look in looks.values()
        ]
        if frame["validation_loss"].notna().any():
            lines.append(Line2D([], [], color=MUTED, ls="none", marker="o", ms=4))
            names.append("on rows held out")
        axes.set(xlabel="optimiser step", ylabel="loss a token (nats)")
        axes.grid(axis="y")
        figure.suptitle(f"Loss of {n_fits} fits", x=0.01, ha="left", weight="bold")
        axes.set_title(about, loc="left", fontsize=8, weight="normal", color=MUTED)
        figure.legend(lines, names, loc="outside right upper")
        return finish(figure)


def _about(frame: pd.DataFrame, encoders: Sequence[str]) -> str:
    """Two lines: of how many rows the fits are; and that the level by chance is that of the random controls."""
    fits = frame.drop_duplicates(["encoder", "seed"])
    rows, held_out = (sorted(fits[name].dropna().unique()) if name in fits else [] for name in SIZES)
    of = f"n = {rows[0]:,.0f} rows each" if len(rows) == 1 else ""
    of += f", {held_out[0]:,.0f} held out" if of and len(held_out) == 1 and held_out[0] else ""
    control = "hollow: random controls, the level by chance" if any(map(is_random, encoders)) else ""
    return "\n".join(filter(None, (of, control)))


def _draw_fit(axes: Axes, fit: pd.DataFrame, look: Look) -> None:
    loss = fit["loss"].rolling(max(1, len(fit) // 50), min_periods=1, center=True).mean()
    axes.plot(fit["step"], loss, color=look.colour, ls=look.dashes, linewidth=1.1)
    held_out = fit[fit["validation_loss"].notna()]
    every = max(1, len(held_out) // 8)
    axes.plot(
        held_out["step"].iloc[::every],
        held_out["validation_loss"].iloc[::every],
        **look.point,
        ms=4,
        mew=1.0,
    )
