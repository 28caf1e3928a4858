"""`concepttransfer reproduce`: a paper's study from its first stage to its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from concepttransfer.reproduce import read_paper
from concepttransfer.reproduce.run import named_paper, rehearsal, reproduce

from .options import Run
from .show import duration, say, show_frame, show_json, show_plan, show_rows, size

if TYPE_CHECKING:
    from concepttransfer.reproduce.needs import Needs


def reproduce_paper(
    run: Run,
    study: Annotated[
        str, typer.Argument(help="A study that names its paper, or a file that is `like` one.")
    ] = "limber",
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Two steps a fit, twenty rows of each data set: does everything run here?"),
    ] = False,
) -> None:
    """Run a paper's study and fill its tables beside the printed values.

    First the plan is printed: stages, pictures, memory, disk, and hours on the devices found. Then what is missing is
    run; the same command goes on where it was stopped. `--dry-run` prints the plan alone.

    Models, data and folders are changed in a file of one's own: `like: limber`, a `name`, and the keys that differ.

    What it takes: concepttransfer reproduce limber --dry-run

    Does it run here: concepttransfer reproduce limber --rehearse
    """
    from concepttransfer.reproduce.needs import needs

    opened = run.opened(study, stage="caption")
    opened = rehearsal(opened) if rehearse else opened
    encoders = opened.with_twins(run.encoder or ["all"])
    paper = read_paper(named_paper(opened))
    planned = needs(opened, encoders)
    if not run.json:
        _show_needs(planned)
        if planned.missing:
            say(f"What to get, and where to put it: concepttransfer doctor --study {study}")
    elif run.dry_run:
        show_json({**vars(planned), "steps": [vars(step) for step in planned.steps]})
    if run.dry_run:
        return
    made = reproduce(opened, run.out or Path("runs") / opened.name, encoders=encoders)
    if run.json:
        show_json(made.cells.to_dict("records"))
        return
    for name, table in paper.tables.items():
        show_frame(made.table(name).reset_index(), title=table.title)
    say(f"In each cell: ours [95 % interval] (printed; ? doubtful). All of it, with notes: {made.folder}")


def _show_needs(planned: Needs) -> None:
    show_plan(planned.steps, as_json=False)
    rows = [(name, f"{n:,}", size(n_bytes), size(each) if each else "") for name, n, n_bytes, each in planned.memory]
    columns = ["model", "parameters", "weights", "each caption while fitting"]
    show_rows(columns, rows, title="Memory that the weights take, and what a caption of a micro-batch adds")
    for device in planned.devices:
        rate = f"{device.rate / 1e12:.3g} TFLOP a second in {device.dtype}, measured just now"
        say(f"device: {device.name}, {size(device.memory)}, {rate}")
    say(f"disk: {size(planned.disk)} will be written.")
    if planned.seconds:
        guessed = f"{sum(planned.estimated)} of {len(planned.steps)} stages estimated"
        say(f"time: about {duration(planned.seconds)} on these devices ({guessed}).")
    for name, why in planned.missing:
        say(f"missing: {name}: {why}")
