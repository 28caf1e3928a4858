"""`concepttransfer cache`: what was kept, how large it is, and away with it."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from concepttransfer.errors import UnknownNameError
from concepttransfer.storage import cache_folder, lock, read_json
from concepttransfer.study.plan import folder_size

from .show import say, show_json, show_rows, size

app = typer.Typer(no_args_is_help=True, help="List, measure and clear what was kept.")
MARKERS = {"features": "index.json", "transfers": "transfer.json", "captions": "index.json"}


@app.command("list")
def list_cache(json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False) -> None:
    """List every artifact that is kept: features, transfers and captions."""
    rows = []
    for kind, marker in MARKERS.items():
        for folder in sorted((cache_folder() / kind).glob("[!.]*")):
            about = read_json(folder / marker) if (folder / marker).is_file() else {}
            what = about.get("encoder_name") or about.get("encoder") or about.get("encoder_id") or ""
            state = "whole" if about else "begun"
            rows.append((kind, folder.name[:12], str(what)[:40], state, folder_size(folder)))
    if json:
        show_json([dict(zip(["kind", "key", "encoder", "state", "bytes"], row, strict=True)) for row in rows])
        return
    show_rows(["kind", "key", "encoder", "state", "size"], [(*row[:-1], size(row[-1])) for row in rows])
    say(f"{len(rows)} artifacts in {cache_folder()}")


@app.command("size")
def cache_size() -> None:
    """Say how much disk the cache takes."""
    root = cache_folder()
    kinds = sorted(path for path in root.glob("[!.]*") if path.is_dir())
    show_rows(["kind", "size"], [(path.name, size(folder_size(path))) for path in kinds])
    say(f"{size(folder_size(root)) if root.is_dir() else '0 B'} in {root}")


@app.command()
def clear(
    kind: Annotated[
        str | None, typer.Argument(help="features, transfers, captions, ...; all of it if left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove what was kept. Everything in it can be made again."""
    root = cache_folder()
    kinds = sorted(path.name for path in root.glob("[!.]*") if path.is_dir())
    if kind is not None and kind not in kinds:
        raise UnknownNameError("kind of artifact", kind, kinds, where=str(root))
    wanted = [root / name for name in ([kind] if kind else kinds)]
    total = sum(folder_size(folder) for folder in wanted)
    if not yes:
        typer.confirm(f"Remove {size(total)} from {root}?", abort=True)
    for folder in wanted:
        with lock(folder):
            shutil.rmtree(folder)
    say(f"Removed {size(total)}.")
