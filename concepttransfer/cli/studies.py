"""`concepttransfer studies`, `encoders` and `analyses`: what there is to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from concepttransfer import analysis
from concepttransfer.errors import BadInputError
from concepttransfer.storage import write_text
from concepttransfer.study.file import find_study, packaged_studies, read_study

from .options import Run
from .show import say, show_json, show_rows

app = typer.Typer(no_args_is_help=True, help="List, show, check and begin studies.")
Named = Annotated[str, typer.Argument(help="A study's name or YAML file.")]

TEMPLATE = """\
# A study of your own. `concepttransfer studies check {file}` says what is wrong with it, line by line.
name: {name}

# The frozen language model: any decoder-only model of the Hugging Face hub, or a folder.
language_model: hf:gpt2
prompt: "A picture of"

# Frozen encoders: timm:NAME, open_clip:ARCHITECTURE/PRETRAINED, hf:NAME, plugin:package.module:function.
# `features` is what to read: pooled, patch_tokens, last_map, projected, layer:N.
encoders:
  vit:        {{model: "timm:vit_base_patch16_224", features: patch_tokens, grid: 7}}
  vit-random: {{like: vit, init: random}}

# What to fit on: pictures with captions. What to evaluate on: pictures whose folder names say what is in them, with
# AwA2's animals, or with a table of WordNet ids and words (`names:`).
data:
  captions: {{reader: captions_table, table: captions.csv}}
  animals:  {{reader: image_folder, pictures: animals}}

train: {{data: captions, steps: 2000, batch_size: 64, lr: 8.0e-4, seeds: 3}}
evaluate: {{animals: animals}}
"""


@app.command("list")
def list_studies(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the studies that come with concepttransfer."""
    specs = [read_study(path)[0] for path in packaged_studies().values()]
    rows = [(spec.name, len(spec.encoders), spec.language_model, spec.title) for spec in specs]
    columns = ["study", "encoders", "language model", "what it is"]
    if json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_rows(columns, rows)


@app.command()
def show(study: Named = "microworld") -> None:
    """Print a study's file, ready to be copied and changed."""
    say(find_study(study).read_text(encoding="utf-8").rstrip())


@app.command()
def check(study: Named = "microworld") -> None:
    """Say everything that is wrong with a study, each mistake with its line."""
    path = find_study(study)
    spec, _ = read_study(path)
    say(f"{path} is a study: {len(spec.encoders)} encoders, {len(spec.data)} data sets. No mistakes.")


@app.command()
def new(file: Annotated[Path, typer.Argument(help="The file to write, such as my.yaml.", dir_okay=False)]) -> None:
    """Write a study to begin one's own with, explained line by line."""
    if file.exists():
        message = f"{file} is there already. Give another name, or remove it first."
        raise BadInputError(message)
    file = file if file.suffix in (".yaml", ".yml") else file.with_name(file.name + ".yaml")
    write_text(file, TEMPLATE.format(name=file.stem, file=file))
    say(f"Wrote {file}. Edit it, then: concepttransfer studies check {file}")


def encoders(run: Run) -> None:
    """List the encoders of a study.

    Example: concepttransfer encoders --study limber
    """
    study = run.open(stage="encode")
    rows = [
        (name, s.model, s.features, s.init, "trained with the projection" if s.train else "", study.twin(name) or "")
        for name, s in study.spec.encoders.items()
    ]
    columns = ["encoder", "model", "features", "weights", "", "random control"]
    if run.json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_rows(columns, rows, title=f"Encoders of study {study.name}")


def analyses(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the analyses that are installed, one's own included."""
    rows = [
        (name, found.title if isinstance(found, analysis.Spec) else f"broken: {found}")
        for name, found in analysis.available().items()
    ]
    if json:
        show_json([{"analysis": name, "question": title} for name, title in rows])
    else:
        show_rows(["analysis", "the question that it answers"], rows)
