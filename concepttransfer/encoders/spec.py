"""What a study says about one encoder, and the identity that follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..storage import digest

READING = 1
"""How encoders are read here; raised when the same spec comes to mean other values."""
Supervision = Literal["none", "labels", "captions"]
RANDOM = "random"
LATER = ("normalize", "blind", "recipe")
"""Fields that came later: where one says nothing, keys are those from before."""
RUNGS = (RANDOM, "none", "labels", "captions")
"""How much of its supervision an encoder owes to language, from nothing learnt at all to captions."""


class EncoderSpec(BaseModel):
    """One encoder of a study.

    Attributes:
        model: `timm:NAME`, `open_clip:ARCHITECTURE/PRETRAINED`, `hf:NAME-OR-FOLDER`, `plugin:package.module:function`
            or `microworld:NAME`.
        features: what to read: `pooled`, `patch_tokens`, `last_map`, `projected` or `layer:N`.
        modality: `image`, or `text` for the text tower of a CLIP.
        grid: tokens are averaged to a grid of this many rows and columns; None: as they come.
        prompt_tokens: k soft prompts from one pooled feature; None: one prompt a token.
        init: `pretrained`, or `random`: weights drawn by our own generator from `seed`.
        seed: of the random weights.
        weights: a local safetensors file or state dict, relative to the study.
        arguments: passed to the library when the model is built.
        image_size, mean, std: replace the library's own transform where given.
        revision: of a model on a hub.
        train: the encoder is trained with the projection (NFRN50 Tuned).
        normalize: every token has length 1, in training and in use alike.
        blind: the network sees an empty picture in place of every one: the blind baseline.
        recipe: what its fit has otherwise than the study's `train:`.
        trust_remote_code: run code that comes with a model of a hub.
        supervision: what language its weights learnt from: `none`, class `labels`, or `captions`; None: not said. It
            changes no value, so it is in no identity and no key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    features: str = Field(default="patch_tokens", pattern=r"^(pooled|patch_tokens|last_map|projected|layer:-?\d+)$")
    modality: Literal["image", "text"] = "image"
    grid: int | None = Field(default=None, ge=1)
    prompt_tokens: int | None = Field(default=None, ge=1)
    init: Literal["pretrained", "random"] = "pretrained"
    seed: int = 0
    weights: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    image_size: int | None = Field(default=None, ge=1)
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    revision: str | None = None
    train: bool = False
    normalize: bool = False
    blind: bool = False
    recipe: dict[str, Any] = Field(default_factory=dict)
    trust_remote_code: bool = False
    supervision: Supervision | None = None

    @property
    def rung(self) -> str | None:
        """Its place in `RUNGS`; random weights owe nothing to language, whatever they are `like`. None: not said.

        A blind baseline has none either.
        """
        if self.blind:
            return None
        return RANDOM if self.init == "random" else self.supervision

    def identity(self, root: Path) -> str:
        """Names everything that changes a value of the frozen encoder's features: `model/features@hash`.

        Model, revision, arguments, weights (by content), random draw, layer, grid and transform are in it; what comes
        after the features (`prompt_tokens`, `train`, `recipe`) and the libraries' versions are not. Loads no torch.

        Args:
            root: the folder against which local weights and folders are read.

        Raises:
            MissingResourceError: local weights are not there.
        """
        own = self.model_dump(mode="json", include={"features", "grid", "modality", "image_size", "mean", "std"})
        own |= {name: True for name in ("normalize", "blind") if getattr(self, name)}
        return f"{self.model}/{self.features}@{digest(own, self._network(root))[:32]}"

    def space(self, root: Path) -> str:
        """Names the space of the features: the same for both towers of one CLIP's `projected`, else the identity's."""
        if self.features != "projected":
            return self.identity(root)
        image_tower = self.model_copy(update={"modality": "image"})  # a text tower's id holds its tokenizer too
        unit = "+unit" if self.normalize else ""
        return f"{self.model}/projected@{digest(image_tower._network(root))[:32]}{unit}"

    def weights_id(self, root: Path) -> str:
        """Names the weights: `sha256:...`, `random:SEED`, or `name@revision` of a hub before the download."""
        from .weights import weights_id

        return weights_id(self, root)

    def _network(self, root: Path) -> list[Any]:
        return [READING, self.model, self.revision, self.arguments, self.weights_id(root)]
