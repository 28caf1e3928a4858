"""How a projection is fitted: the `train:` part of a study."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Recipe(BaseModel):
    """Everything that changes what a fit learns, and nothing else. Defaults are LiMBeR's (Merullo et al. 2022).

    Attributes:
        data: the study's data set of pictures with texts.
        prompt: text between picture and caption in training; None: the study's prompt; LiMBeR uses none.
        features: `store` reads features from disk, `online` encodes in the loop, `auto` stores what fits.
        steps: optimiser steps.
        batch_size: captions a step, over all processes and micro-batches.
        micro_batch: captions in one forward pass of one process; None: as many as memory allows, found by halving.
        lr: peak learning rate.
        encoder_lr: peak learning rate of a tuned encoder.
        min_lr: where the decay ends.
        warmup_steps: linear rise to the peak.
        decay_steps: steps from start to `min_lr`; None: `steps`.
        schedule: shape of the decay.
        weight_decay, betas: AdamW's.
        clip: largest norm of the gradient.
        dropout: on the projected prompt, in training.
        standardize: features are brought to mean 0 and deviation 1 of the training set, folded into the weights.
        precision: `auto` is bf16 where the hardware has it, else float32.
        seeds: how many Transfers are fitted, with seeds 0, 1, ...
        max_tokens: longer captions are cut.
        validation: share of the rows held out for the validation loss.
        evaluate_every, save_every: steps between validation losses and between checkpoints.
        gradient_checkpointing: trade time for memory in the language model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    prompt: str | None = None
    features: Literal["store", "online", "auto"] = "auto"
    steps: int = Field(default=15000, ge=1)
    batch_size: int = Field(default=2048, ge=1)
    micro_batch: int | None = Field(default=None, ge=1)
    lr: float = Field(default=8e-4, gt=0)
    encoder_lr: float = Field(default=2e-6, gt=0)
    min_lr: float = Field(default=0.0, ge=0)
    warmup_steps: int = Field(default=100, ge=0)
    decay_steps: int | None = Field(default=None, ge=1)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = Field(default=1.0, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    standardize: bool = False
    precision: Literal["auto", "float32", "bf16"] = "auto"
    seeds: int = Field(default=1, ge=1)
    max_tokens: int = Field(default=64, ge=2)
    validation: float = Field(default=0.02, ge=0, lt=1)
    evaluate_every: int = Field(default=250, ge=1)
    save_every: int = Field(default=500, ge=1)
    gradient_checkpointing: bool = False

    def identity(self) -> dict[str, object]:
        """What of this recipe changes the weights: all but the number of seeds and how memory and disk are used."""
        only_how = {"seeds", "features", "micro_batch", "save_every", "evaluate_every", "gradient_checkpointing"}
        return self.model_dump(exclude=only_how, mode="json")
