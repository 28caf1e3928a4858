"""`concepttransfer train-clip`: a CLIP of one's own, by contrast, from a study's pictures and captions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.errors import BadInputError
from concepttransfer.processes import is_main
from concepttransfer.storage import cache_folder, digest
from concepttransfer.study import Study

from .options import Run
from .show import say, show_json, show_rows


def train_clip(
    run: Run,
    model: Annotated[
        str | None,
        typer.Option(help="open_clip:ARCHITECTURE, or microworld:clip; in place of --encoder, whose entry says it."),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A YAML file of a recipe's keys; the rest as published.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pairs a step, over all processes.", min=2)] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    warmup_steps: Annotated[int | None, typer.Option(help="Linear rise to the peak.", min=0)] = None,
) -> None:
    """Train both towers of a CLIP on pictures with captions, from random weights, as Radford et al. 2021 did.

    It learns from the data under `train:` of the study, or from --on. What comes out is a folder with
    `weights.safetensors`, which an encoder's entry names under `weights:`, the curve, and a record of how it was made.
    Killed and started again, it goes on from its last checkpoint. `accelerate launch -m concepttransfer train-clip ...`
    spreads every batch over GPUs.

    Example: concepttransfer train-clip --model microworld:clip --steps 500 --batch-size 128 --lr 1.5e-3 --out my-clip

    Example: concepttransfer train-clip --study my.yaml --model open_clip:ViT-B-32 --recipe recipe.yaml --out vit
    """
    from concepttransfer.contrastive import read_recipe

    study = run.open(stage="train-clip")
    changes = {"steps": steps, "batch_size": batch_size, "lr": lr, "warmup_steps": warmup_steps}
    how = read_recipe(recipe, changes)
    spec = _architecture(run, study, model)
    if run.on or run.limit:
        study = study.with_training(run.on, run.limit)
    manifest = study.training.manifest
    if run.dry_run:
        n, epochs = len(manifest), how.steps * how.batch_size / len(manifest)
        _show(run, {"model": spec.model, "on": manifest.name, "pictures": n, "steps": how.steps, "epochs": epochs})
        return
    from concepttransfer.contrastive import train

    named = digest(manifest.id, spec.model_dump(mode="json"), how.model_dump(mode="json"), run.seed)[:16]
    folder = run.out or cache_folder() / "trained-clips" / named
    if run.force and is_main():
        train.forget(folder)
    device = study.settings.torch_device()
    trained = train.train_clip(
        manifest, spec, how, folder, root=study.root, seed=run.seed, device=device, quiet=study.settings.quiet
    )
    _tell(run, trained.record, folder)


def _architecture(run: Run, study: Study, model: str | None) -> EncoderSpec:
    """What is trained: the model named, or that of the one encoder named."""
    if model is not None and run.encoder:
        raise BadInputError(f"Both --model {model} and --encoder were given. Give one of them.")
    if model is not None:
        return EncoderSpec(model=model, features="projected")
    names = run.encoders(study)
    if len(names) != 1:
        raise BadInputError(f"One CLIP is trained at a time; {len(names)} encoders were named.")
    return study.encoder_spec(names[0])


def _tell(run: Run, record: Mapping[str, Any], folder: Path) -> None:
    """What was learnt from what, and how a study uses it."""
    if run.json:
        show_json({**record, "folder": str(folder)})
        return
    data, found = record["data"], record["validation"]
    show_rows(
        ["model", "pictures", "steps", "pairs seen", "parameters", "seconds"],
        [(record["model"], data["n"], *(record[k] for k in ("steps", "pairs_seen", "n_parameters", "seconds")))],
    )
    if data["captions_cut"]:
        of = f"{data['captions_cut']:,} of {data['captions_counted']:,}"
        say(f"{of} captions are longer than the text tower reads; they were cut.")
    if data["unreadable"]:
        row, why = next(iter(data["unreadable"].items()))
        say(f"{len(data['unreadable']):,} pictures could not be read and were left out, such as `{row}`: {why}")
    if found:
        for name, words in (("to_text", "pictures find their caption"), ("to_picture", "captions find their picture")):
            low, high = found[f"{name}_interval"]
            among = f"among {found['n']:,} held out (chance {found['chance']:.1%})"
            say(f"{found[name]:.1%} of {words} ({low:.1%} to {high:.1%}) {among}")
    say(f'In a study: {{model: "{record["model"]}", weights: "{folder / "weights.safetensors"}", features: projected}}')


def _show(run: Run, planned: dict[str, Any]) -> None:
    if run.json:
        show_json(planned)
    else:
        show_rows(list(planned), [list(planned.values())])
