"""`concepttransfer microworld`: look at the embedded world, and make its models again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .show import say

app = typer.Typer(no_args_is_help=True, help="Look at the embedded world, and make its models again.")


@app.command()
def show(
    split: Annotated[str, typer.Option(help="pretraining, projection, dev or test.")] = "dev",
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("microworld.png"),
) -> None:
    """Draw a sheet of pictures, one an animal, with what is known about each."""
    from concepttransfer.microworld.contact import contact_sheet

    sheet = contact_sheet(split)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    say(f"Wrote {out} ({sheet.width} x {sheet.height}).")
