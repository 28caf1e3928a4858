"""The commands that run one stage: encode, fit, caption, answer; import-projection takes the place of a fit."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from concepttransfer.answering import BLIND
from concepttransfer.errors import BadInputError
from concepttransfer.processes import is_main
from concepttransfer.study import Study, imports, pipeline
from concepttransfer.study.answers import answers
from concepttransfer.study.plan import plan

from .options import Run
from .show import say, show_json, show_plan, show_rows

SHOWN = 8
"""How many captions are printed."""


def encode(run: Run) -> None:
    """Read the features of pictures with a frozen encoder and store them.

    Example: concepttransfer encode --encoder beit --on animals
    """
    study = run.open(stage="encode")
    encoders, selections = run.encoders(study), study.select(run.on or _role(study))
    if run.dry_run:
        show_plan(plan(study, encoders, selections, until="encode"), as_json=run.json)
        return
    rows = []
    for name in encoders:
        for selection in selections:
            tuned = pipeline.transfers(study, name) if study.encoder_spec(name).train else [None]
            for transfer in tuned:
                stored = pipeline.features(study, name, selection, transfer)
                rows.append(
                    (name, selection.name, list(stored.values.shape), len(stored.unreadable), str(stored.folder))
                )
                _copy(stored.folder, run.out, f"features-{name}-{selection.name}")
    _report(run, ["encoder", "on", "shape", "unreadable", "folder"], rows)


def fit(
    run: Run,
    seeds: Annotated[int | None, typer.Option(help="How many Transfers, with seeds from --seed on.", min=1)] = None,
    tracker: Annotated[list[str] | None, typer.Option(help="tensorboard, wandb, ...: where curves go too.")] = None,
) -> None:
    """Fit the linear projection from an encoder's features into the language model's input space.

    Example: concepttransfer fit --encoder beit --seeds 3
    """
    study = run.open(stage="fit", seeds=seeds, seed=run.seed, trackers=tuple(tracker or ()))
    if run.on or run.limit:
        study = study.with_training(run.on, run.limit)
    encoders = run.encoders(study)
    if run.dry_run:
        show_plan(plan(study, encoders, [], until="fit"), as_json=run.json)
        return
    rows = []
    for name in encoders:
        for transfer in pipeline.transfers(study, name):
            losses = transfer.history
            validation = losses["validation_loss"].dropna()
            rows.append(
                (
                    name,
                    transfer.seed,
                    float(losses["loss"].iloc[-1]) if len(losses) else None,
                    float(validation.iloc[-1]) if len(validation) else None,
                    str(transfer.folder),
                )
            )
            _copy(transfer.folder, run.out, f"transfer-{name}-seed-{transfer.seed}")
    _report(run, ["encoder", "seed", "loss", "validation loss", "folder"], rows)


def caption(
    run: Run,
    picture: Annotated[Path | None, typer.Argument(help="A picture, or a folder of them.", exists=True)] = None,
) -> None:
    """Let the language model say what is in pictures.

    Example: concepttransfer caption PHOTO.jpg --encoder beit

    Example: concepttransfer caption --encoder beit --on animals
    """
    if picture and run.on:
        message = f"Both {picture} and --on {run.on} were given. Give one of them."
        raise BadInputError(message)
    study = run.open(stage="caption")
    encoders, selections = run.encoders(study), study.select(str(picture) if picture else run.on or _role(study))
    if run.dry_run:
        show_plan(plan(study, encoders, selections, until="caption"), as_json=run.json)
        return
    rows, folders = [], []
    for name in encoders:
        for selection in selections:
            for captions in pipeline.captions(study, name, selection):
                table = captions.table
                rows += [(r.row_id, name, captions.seed, f"{study.spec.prompt} {r.text}") for r in table.itertuples()]
                folders.append(str(captions.folder))
                _copy(captions.folder, run.out, f"captions-{name}-{selection.name}-seed-{captions.seed}")
    whole = picture is not None or len(rows) <= SHOWN
    _said(run, ["picture", "encoder", "seed", "caption"], rows, folders[0], whole=whole)


def answer(run: Run) -> None:
    """Let the language model answer questions about pictures, and beside it without any picture (`blind`).

    How it is asked, and after how many solved examples, the study says under `answering:`.

    Example: concepttransfer answer --encoder beit --on questions --limit 300
    """
    study = run.open(stage="answer")
    encoders, selections = run.encoders(study), study.select(run.on or "questions")
    if run.dry_run:
        show_plan(plan(study, encoders, selections, until="answer"), as_json=run.json)
        return
    rows, folders = [], []
    for selection in selections:
        asked = dict(zip(selection.manifest.ids, selection.manifest.labels("question"), strict=True))
        for name in (BLIND, *encoders):
            for one in answers(study, name, selection):
                said = one.table[["row_id", "shots", "text"]].itertuples(index=False, name=None)
                rows += [(row, asked[row], name, one.seed, shots, text) for row, shots, text in said]
                folders.append(str(one.folder))
                _copy(one.folder, run.out, f"answers-{name}-{selection.name}-seed-{one.seed}")
    _said(run, ["id", "question", "encoder", "seed", "shots", "answer"], rows, folders[0], whole=len(rows) <= SHOWN)


def import_projection(
    run: Run,
    file: Annotated[Path, typer.Argument(help="A released proj.ckpt or .pt, or an exported folder.", exists=True)],
) -> None:
    """Take a projection that was fitted elsewhere in place of a fit: LiMBeR's or ClipCap's released one, or an export.

    A file is a state dict: LiMBeR's proj.ckpt holds `weight` [4096 k, h] and `bias` [4096 k]; what ClipCap's .pt holds
    (docs/clipcap.md) is read off its keys. Nothing in it is executed. A folder is one that `concepttransfer export`
    wrote, for the same encoder and language model. Later commands with the same study and encoder use it;
    `concepttransfer fit --force` fits again and leaves it out.

    Example: concepttransfer import-projection limber_weights/beit_linear/proj.ckpt --study limber --encoder beit

    Example: concepttransfer import-projection coco_weights.pt --study clipcap --encoder mlp-tuned

    Example: concepttransfer import-projection ./beit-into-gpt-j --study my.yaml --encoder beit --dtype 4bit
    """
    study = run.open(stage="fit")
    names = run.encoders(study)
    if len(names) != 1:
        message = f"A projection belongs to one encoder; {len(names)} were named."
        raise BadInputError(message)
    transfer = imports.import_projection(study, names[0], file)
    _copy(transfer.folder, run.out, f"transfer-{names[0]}-imported")
    row = (names[0], transfer.tokens, transfer.dim, transfer.soft_prompts, str(transfer.folder))
    _report(run, ["encoder", "tokens", "dim", "soft prompts", "folder"], [row])


def _role(study: Study) -> str:
    """The first role of the study: what is captioned when nothing is named."""
    if not study.spec.evaluate:
        message = f"Study `{study.name}` evaluates on nothing. Name data with --on."
        raise BadInputError(message)
    return next(iter(study.spec.evaluate))


def _copy(folder: Path | None, out: Path | None, name: str) -> None:
    """Copy an artifact from the cache to where the user wants it."""
    if out is not None and folder is not None and is_main():
        shutil.copytree(folder, out / name, dirs_exist_ok=True)


def _said(run: Run, columns: list[str], rows: list[tuple[Any, ...]], folder: str, *, whole: bool) -> None:
    """Show what was said: all of it, or rows from all over and where the rest is."""
    if run.json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    shown = rows if whole else rows[:: max(1, len(rows) // SHOWN)][:SHOWN]
    show_rows(columns, shown)
    if len(shown) < len(rows):
        say(f"{len(rows):,} {columns[-1]}s, {len(shown)} of them shown. All of them: {run.out or folder}")


def _report(run: Run, columns: list[str], rows: Sequence[Sequence[object]]) -> None:
    if run.json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_rows(columns, rows)
