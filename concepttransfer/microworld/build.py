"""Makes the microworld's models again: every target's recipe, what it needs, and the record of what was made.

    build_target("beit")            # resumes where it was killed; does nothing where the recipe's weights are there

A target's recipe stands in `recipes.yaml`; its weights, training curve and entry in `manifest.json` (hashes, steps,
pictures seen, time, versions, figures on dev) go to the package's `weights` folder or wherever one says.
"""

from __future__ import annotations

import csv
import io
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from concepttransfer.errors import UnknownNameError
from concepttransfer.microworld import WEIGHTS
from concepttransfer.storage import cache_folder, digest, file_digest, lock, read_json, write_json, write_text


@dataclass(frozen=True)
class Target:
    """One thing that can be made again.

    Attributes:
        make: `module:function`; the function takes a `Job` and returns what it `Made`.
        needs: targets that must be made before.
        pictures: whether it learns from the pretraining pictures.
    """

    make: str
    needs: tuple[str, ...] = ()
    pictures: bool = True


_HERE = "concepttransfer.microworld"

TARGETS: Mapping[str, Target] = {
    "tokenizer": Target(f"{_HERE}.train_language_model:make_tokenizer", pictures=False),
    "language-model": Target(f"{_HERE}.train_language_model:make_language_model", ("tokenizer",), pictures=False),
    "nfrn50": Target(f"{_HERE}.train_classifier:make_nf_resnet"),
    "nfrn50-all-labels": Target(f"{_HERE}.train_classifier:make_nf_resnet"),
    "clip": Target(f"{_HERE}.train_clip:make_clip", ("tokenizer",)),
    "clip-judge": Target(f"{_HERE}.train_clip:make_clip", ("tokenizer",)),
    "beit": Target(f"{_HERE}.train_beit:make_beit"),
    "beit-ft": Target(f"{_HERE}.train_classifier:make_beit_ft", ("beit",)),
}
"""Everything that `concepttransfer microworld build` makes, in an order in which it can be made."""


@dataclass(frozen=True)
class Job:
    """What a target's function is given.

    Attributes:
        name: of the target.
        recipe: its part of `recipes.yaml`.
        out: folder of the weights, its own and those that it needs.
        work: folder for checkpoints; it is emptied when the target is made.
        device: a torch device's name.
        quiet: show no progress.
    """

    name: str
    recipe: Mapping[str, Any]
    out: Path
    work: Path
    device: str
    quiet: bool


@dataclass(frozen=True)
class Made:
    """What a target's function gives back.

    Attributes:
        files: the files it wrote, relative to the job's `out`.
        facts: what `manifest.json` says about it, such as `steps`, `pictures_seen`, `dev`.
        curve: rows of (step, loss, share right, learning rate).
    """

    files: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    curve: tuple[tuple[int, float, float, float], ...] = ()


def build_target(
    name: str,
    out_folder: Path | None = None,
    *,
    quiet: bool = False,
    device: str | None = None,
    force: bool = False,
    recipes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Make one target, and before it whatever it needs and is not there.

    Args:
        name: one of `TARGETS`.
        out_folder: where weights, curves and `manifest.json` go; None: into the package.
        quiet: show no progress.
        device: a torch device; None: a GPU where there is one, else the CPU.
        force: make it even where the recipe's weights are there, and from the first step on.
        recipes: other recipes than those of `recipes.yaml`.

    Returns:
        the target's entry in `manifest.json`.

    Raises:
        UnknownNameError: no target has this name.
        TrainingError: a loss is not finite.
    """
    if name not in TARGETS:
        raise UnknownNameError("target", name, TARGETS, where="the microworld")
    out, recipes = out_folder or WEIGHTS, recipes or read_recipes()
    for needed in TARGETS[name].needs:
        build_target(needed, out, quiet=quiet, device=device, recipes=recipes)
    recipe_id = identity(name, recipes)
    work = cache_folder() / "microworld-build" / f"{name}-{recipe_id[:16]}"
    with lock(work, wait=-1):
        if force:
            shutil.rmtree(work, ignore_errors=True)
        elif is_made(name, out, recipes):
            return dict(read_manifest(out)[name])
        work.mkdir(parents=True, exist_ok=True)
        job = Job(name, _recipe(name, recipes), out, work, device or best_device(), quiet)
        entry = _record(job, _function(TARGETS[name].make)(job), recipe_id)
        shutil.rmtree(work, ignore_errors=True)
    return entry


def is_made(name: str, out_folder: Path | None = None, recipes: Mapping[str, Any] | None = None) -> bool:
    """Whether the files of a target are there, unchanged, and made by the recipe as it stands."""
    out = out_folder or WEIGHTS
    entry = read_manifest(out).get(name)
    if entry is None or entry["recipe_id"] != identity(name, recipes or read_recipes()):
        return False
    return all((out / file).exists() and file_digest(out / file) == sha for file, sha in entry["files"].items())


def identity(name: str, recipes: Mapping[str, Any]) -> str:
    """sha256 of a target's recipe and of the recipes of all that it needs."""
    return digest(name, _recipe(name, recipes), [identity(needed, recipes) for needed in TARGETS[name].needs])


@cache
def read_recipes() -> dict[str, Any]:
    """The recipes that come with the package, by target."""
    text = (files(_HERE) / "recipes.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def read_manifest(out_folder: Path = WEIGHTS) -> dict[str, Any]:
    """What was made: an entry a target; empty where nothing was."""
    path = out_folder / "manifest.json"
    return dict(read_json(path)) if path.exists() else {}


def best_device() -> str:
    """A GPU where there is one, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _recipe(name: str, recipes: Mapping[str, Any]) -> dict[str, Any]:
    shared = {"pictures": recipes["pictures"]} if TARGETS[name].pictures else {}
    return {**shared, **recipes[name]}


def _function(place: str) -> Any:
    module, function = place.split(":")
    return getattr(import_module(module), function)


def _record(job: Job, made: Made, recipe_id: str) -> dict[str, Any]:
    """Write the curve and the target's entry in `manifest.json`."""
    entry = {
        "files": {file: file_digest(job.out / file) for file in made.files},
        "recipe": dict(job.recipe),
        "recipe_id": recipe_id,
        "versions": _versions(),
        "device": job.device,
        "threads": _threads(),
        **made.facts,
    }
    if made.curve:
        write_text(job.out / "curves" / f"{job.name}.csv", _as_csv(made.curve))
    with lock(cache_folder() / "microworld-build" / f"manifest-{digest(str(job.out.resolve()))[:16]}", wait=-1):
        write_json(job.out / "manifest.json", {**read_manifest(job.out), job.name: entry})
    return entry


def _as_csv(curve: tuple[tuple[int, float, float, float], ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("step", "loss", "right", "lr"))
    writer.writerows((step, f"{loss:.5f}", f"{right:.5f}", f"{rate:.4e}") for step, loss, right, rate in curve)
    return text.getvalue()


def _versions() -> dict[str, str]:
    libraries = ("torch", "transformers", "tokenizers", "timm", "open_clip_torch", "numpy", "pillow")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in libraries}}


def _threads() -> int:
    import torch

    return min(torch.get_num_threads(), os.cpu_count() or 1)
