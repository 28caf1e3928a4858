"""`concepttransfer microworld`: look at the embedded world, and make its models again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from concepttransfer.errors import UnknownNameError
from concepttransfer.study.settings import Settings

from .show import duration, say, show_rows

app = typer.Typer(no_args_is_help=True, help="Look at the embedded world, and make its models again.")
TRANSFERS = "transfers"


@app.command()
def show(
    split: Annotated[str, typer.Option(help="pretraining, projection, dev or test.")] = "dev",
    shift: Annotated[
        str | None, typer.Option(help="night, sketch, cluttered or unseen-habitat; all: a few scenes in each.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("microworld.png"),
) -> None:
    """Draw a sheet of pictures, one an animal, and say which models there are and how they were made."""
    from concepttransfer.microworld.build import read_manifest
    from concepttransfer.microworld.contact import contact_sheet, shifts_sheet

    sheet = shifts_sheet(split) if shift == "all" else contact_sheet(split, shift=shift)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    rows = [
        (
            name,
            entry.get("steps"),
            entry.get("pictures_seen"),
            duration(entry["seconds"]) if "seconds" in entry else None,
        )
        for name, entry in read_manifest().items()
    ]
    show_rows(["model", "steps", "pictures seen", "time"], rows)
    say(f"Wrote {out} ({sheet.width} x {sheet.height}).")


@app.command()
def build(
    targets: Annotated[list[str] | None, typer.Argument(help="Models, or `transfers`; everything if left out.")] = None,
    encoder: Annotated[list[str] | None, typer.Option(help="Which encoders' transfers; default: all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where weights go; default: into the package.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Make it again although it is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Make the microworld's models again; a build that was stopped goes on where it was.

    Example: concepttransfer microworld build beit

    Example: concepttransfer microworld build transfers --encoder beit
    """
    from concepttransfer.microworld.build import TARGETS, build_target

    known = [*TARGETS, TRANSFERS]
    for target in targets or known:
        if target not in known:
            raise UnknownNameError("target", target, known, where="the microworld")
    on = Settings(device=device).torch_device()
    for target in targets or known:
        if target == TRANSFERS:
            _transfers(encoder, out, on, force=force, quiet=quiet)
            continue
        entry = build_target(target, out, quiet=quiet, device=on, force=force)
        say(f"{target}: {', '.join(entry['files'])}")


def _transfers(encoders: list[str] | None, out: Path | None, device: str, *, force: bool, quiet: bool) -> None:
    """Fit what the microworld's study ships: every encoder's projection, with every seed, as float16."""
    from concepttransfer.microworld import WEIGHTS
    from concepttransfer.study import load_study
    from concepttransfer.study.pipeline import fit_to

    study = load_study("microworld", device=device, quiet=quiet)
    for name in encoders or study.encoders:
        for seed in range(study.spec.train.seeds):
            folder = (out or WEIGHTS) / TRANSFERS / name / f"seed-{seed}"
            fit_to(study, name, seed, folder, dtype="float16", force=force)
            say(f"{name}, seed {seed}: {folder}")
