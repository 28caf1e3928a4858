"""How a projection is fitted: the `train:` part of a study."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..feature_adapters.spec import FeatureAdapterSpec
from ..language_models.adapter_spec import AdapterSpec

ONLY_HOW = frozenset({"seeds", "features", "micro_batch", "save_every", "evaluate_every", "gradient_checkpointing"})
"""Fields that change no weight."""
LATER = ("projection", "language_model", "language_model_lr", "adapters", "reads", "feature_adapter")
"""Fields that came later: where one is left at its default, keys are those from before."""


class ProjectionSpec(BaseModel):
    """Which projection is fitted, and the kind's own options beside it, such as `{kind: transformer, layers: 8}`.

    Attributes:
        kind: `linear` (LiMBeR's), `mlp` or `transformer` (ClipCap's), or a plug-in's.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = "linear"

    @property
    def options(self) -> dict[str, Any]:
        """What is said beside the kind."""
        return dict(self.model_extra or {})


class Recipe(BaseModel):
    """Everything that changes what a fit learns, and nothing else. Defaults are LiMBeR's (Merullo et al. 2022).

    Attributes:
        data: the study's data set of pictures with texts, or several with the share of each, mixed.
        prompt: text between picture and caption in training; None: the study's prompt; LiMBeR uses none. `{question}`
            in it is replaced by each row's question, whose answers are then learnt.
        projection: the kind of projection, and its options.
        language_model: `frozen`, or `tuned`: all its weights are trained with the projection.
        language_model_lr: peak learning rate of what is trained of the language model; None: `lr`.
        adapters: small layers that are trained inside a frozen language model (MAGMA's); None: none.
        reads: what the fit sees: `pictures`; `texts`, the features of the very captions that are learnt, by the text
            tower of the encoder's CLIP (CLOSE), or of the rows' `premise` where they have one (pairs of entailment);
            or `other_texts`, those of another caption of the same picture.
        feature_adapter: what is done to these features in training, such as noise; None: nothing.
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
        clip: largest norm of the gradient; None: any.
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

    data: str | dict[str, float]
    prompt: str | None = None
    projection: ProjectionSpec = ProjectionSpec()
    language_model: Literal["frozen", "tuned"] = "frozen"
    language_model_lr: float | None = Field(default=None, gt=0)
    adapters: AdapterSpec | None = None
    reads: Literal["pictures", "texts", "other_texts"] = "pictures"
    feature_adapter: FeatureAdapterSpec | None = None
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
    clip: float | None = Field(default=1.0, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    standardize: bool = False
    precision: Literal["auto", "float32", "bf16"] = "auto"
    seeds: int = Field(default=1, ge=1)
    max_tokens: int = Field(default=64, ge=2)
    validation: float = Field(default=0.02, ge=0, lt=1)
    evaluate_every: int = Field(default=250, ge=1)
    save_every: int = Field(default=500, ge=1)
    gradient_checkpointing: bool = False

    @property
    def changes_language_model(self) -> bool:
        """Whether something of the language model is trained: its weights, or adapters in it."""
        return self.language_model == "tuned" or self.adapters is not None

    @property
    def data_sets(self) -> list[str]:
        """The names of the data sets that are learnt from."""
        return [self.data] if isinstance(self.data, str) else list(self.data)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.language_model == "tuned" and self.adapters is not None:
            raise ValueError("adapters go into a frozen language model: leave out them, or `language_model: tuned`")
        if self.feature_adapter is not None and self.reads == "pictures":
            raise ValueError("a feature adapter is for the features of texts: say `reads: texts`, or leave it out")
        return self

    def identity(self) -> dict[str, object]:
        """What of this recipe changes the weights: all but the number of seeds and how memory and disk are used."""
        fields = type(self).model_fields
        unsaid = {name for name in LATER if getattr(self, name) == fields[name].default}
        return self.model_dump(exclude={*ONLY_HOW, *unsaid}, mode="json")
