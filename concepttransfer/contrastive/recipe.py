"""How a CLIP is trained: the keys of a recipe's file. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import MissingResourceError, StudyError, unreadable_yaml
from ..yaml_lines import Lines, lines_of, listed, mistake

ONLY_HOW = frozenset({"local_loss", "save_every", "evaluate_every", "gradient_checkpointing", "micro_batch"})
"""Fields that change no weight, but for rounding (and `micro_batch` where the network has batch normalisation)."""


class ContrastiveRecipe(BaseModel):
    """Everything that changes what a CLIP learns. Defaults are those of ViT-B/32 (Radford et al. 2021, tables 18, 20).

    Attributes:
        steps: optimiser steps; 390,625 of 32,768 pairs are 32 epochs of 400 million.
        batch_size: pairs a step, over all processes: each caption is told from those of all others.
        micro_batch: pairs in one forward pass of one process; None: as many as memory allows, found by halving. What a
            caption is told from does not depend on it.
        lr: peak learning rate.
        min_lr: where the cosine ends.
        warmup_steps: linear rise to the peak.
        weight_decay: AdamW's, on all weights that are not gains, biases or the logit scale.
        betas, eps: AdamW's. CLIP's ResNets have (0.9, 0.999) and 1e-8.
        clip: largest norm of the gradient; None: any.
        temperature: the first one; the logit scale begins at `ln(1 / temperature)` and is learnt.
        largest_scale: what scores are multiplied with at most.
        crop: the smallest share of a picture's central square's area that is seen; a random square is cut out. 1: none.
        start: `random`: weights as the library draws them; `pretrained`: those that the encoder's entry names.
        precision: `auto` is bf16 where the hardware has it, else float32. Loss and optimiser are float32.
        local_loss: each process computes the scores of its own pairs only. The same gradient, less memory.
        validation: share of the rows held out (at most 2,000), whose loss and retrieval are measured.
        evaluate_every, save_every: steps between measurements, and between checkpoints.
        gradient_checkpointing: trade time for memory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=390_625, ge=1)
    batch_size: int = Field(default=32_768, ge=2)
    micro_batch: int | None = Field(default=None, ge=1)
    lr: float = Field(default=5e-4, gt=0)
    min_lr: float = Field(default=0.0, ge=0)
    warmup_steps: int = Field(default=2000, ge=0)
    weight_decay: float = Field(default=0.2, ge=0)
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = Field(default=1e-6, gt=0)
    clip: float | None = Field(default=None, gt=0)
    temperature: float = Field(default=0.07, gt=0)
    largest_scale: float = Field(default=100.0, gt=1)
    crop: float = Field(default=0.9, gt=0, le=1)
    start: Literal["random", "pretrained"] = "random"
    precision: Literal["auto", "float32", "bf16"] = "auto"
    local_loss: bool = False
    validation: float = Field(default=0.02, ge=0, lt=1)
    evaluate_every: int = Field(default=1000, ge=1)
    save_every: int = Field(default=1000, ge=1)
    gradient_checkpointing: bool = False

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0: a linear rise, then a cosine down to `min_lr`."""
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.min_lr + (self.lr - self.min_lr) * (1 + math.cos(math.pi * done)) / 2

    def identity(self) -> dict[str, Any]:
        """What of this recipe changes the weights."""
        return self.model_dump(exclude=set(ONLY_HOW), mode="json")


def read_recipe(path: Path | None, changes: Mapping[str, Any]) -> ContrastiveRecipe:
    """A recipe from a YAML file of its keys, with changes over it.

    Args:
        path: the file; None: the published recipe.
        changes: values by key; None leaves what the file says.

    Raises:
        MissingResourceError: there is no such file.
        StudyError: all that is wrong with it, each mistake with its line.
    """
    nothing: tuple[dict[str, Any], Lines] = ({}, {})
    said, lines = nothing if path is None else _read(path)
    values = said | {key: value for key, value in changes.items() if value is not None}
    try:
        return ContrastiveRecipe.model_validate(values)
    except ValidationError as error:
        known = list(ContrastiveRecipe.model_fields)
        mistakes = [mistake(entry, lines, lambda at: known) for entry in error.errors()]
        raise StudyError(listed(str(path or "The recipe"), mistakes)) from None


def _read(path: Path) -> tuple[dict[str, Any], Lines]:
    import yaml

    if not path.is_file():
        raise MissingResourceError(
            f"There is no recipe {path}. Write one (docs/clip.md shows its keys), or leave it out."
        )
    try:
        text = path.read_text(encoding="utf-8")
        values = yaml.safe_load(text)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyError(f"{path} is no recipe: {unreadable_yaml(error)}") from None
    if not isinstance(values, dict):
        raise StudyError(f"{path} is no recipe: wanted are keys with values, such as `steps: 2000`.")
    return values, lines_of(text)
