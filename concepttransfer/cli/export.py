"""`concepttransfer export`: a fitted projection as a folder that can be given to others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from concepttransfer.errors import BadInputError
from concepttransfer.study.plan import plan

from .options import Run
from .show import say, show_json, show_plan


def export(
    run: Run,
    folder: Annotated[Path, typer.Argument(help="A new folder, or an earlier export, which is replaced.")],
    licence: Annotated[str, typer.Option(help="Of the projection, as hubs write it: mit, cc-by-4.0, ...")] = "other",
    results: Annotated[
        list[Path] | None, typer.Option(help="A folder of saved results for the card. May be given several times.")
    ] = None,
) -> None:
    """Write one fitted projection as a folder with a model card, ready for a hub.

    It holds the weights (safetensors), what they belong to (transfer.json), the loss curve, a study.yaml that names the
    encoder and the language model, and README.md: what it maps, how it was fitted, what was measured, how to use it.
    `concepttransfer caption PHOTO.jpg --study FOLDER/study.yaml --encoder NAME` then captions with it, and
    `concepttransfer import-projection FOLDER` takes it into a study of one's own. Nothing is uploaded. With several
    seeds, `--seed` says which fit.

    Example: concepttransfer export ./beit-into-gpt-j --study limber --encoder beit --licence mit --results runs/awa
    """
    from concepttransfer.export import export as write

    study = run.open(stage="fit", seed=run.seed, seeds=1)
    names = run.encoders(study)
    if len(names) != 1:
        message = f"An export holds the projection of one encoder; {len(names)} were named."
        raise BadInputError(message)
    if run.dry_run:
        show_plan(plan(study, names, [], until="fit"), as_json=run.json)
        return
    written = write(study, names[0], folder, licence=licence, results=results or [])
    if run.json:
        show_json({"folder": str(written), "files": sorted(path.name for path in written.iterdir())})
        return
    say(f"Written: {written}")
    say(f"Read {written / 'README.md'} before you give it away. To put it on the Hugging Face hub:")
    say(f"  hf upload YOUR-NAME/{written.name} {folder} .")
