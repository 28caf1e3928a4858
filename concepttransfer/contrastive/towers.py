"""Both towers of a CLIP that is to be trained, and how they read pictures and captions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..encoders.hub import quietly
from ..encoders.spec import EncoderSpec
from ..errors import BadInputError
from .recipe import ContrastiveRecipe

TRAINABLE = "`open_clip:ARCHITECTURE`, or `microworld:clip`"


class Tokens(Protocol):
    """Turns captions into what the text tower reads."""

    def __call__(self, text: str) -> Tensor:
        """A caption's token ids, `[context]`; what is too long is cut."""

    def cuts(self, text: str) -> bool:
        """Is the caption longer than the text tower reads?"""


@dataclass(frozen=True)
class Towers:
    """A CLIP before its training.

    Attributes:
        module: with `encode_image`, `encode_text` and `logit_scale`.
        transform: a picture in RGB to `[3, height, width]`.
        tokens: captions to token ids.
        blank: a black input, `[3, height, width]`.
        model: what studies call it.
    """

    module: nn.Module
    transform: Callable[[Any], Tensor]
    tokens: Tokens
    blank: Tensor
    model: str


def build_towers(spec: EncoderSpec, root: Path, recipe: ContrastiveRecipe, seed: int) -> Towers:
    """The CLIP of an encoder's entry, at the beginning of its training.

    Args:
        spec: names the architecture, its arguments and transform; its weights count only for `start: pretrained`.
        root: the folder that local weights are relative to.
        recipe: says where it starts.
        seed: of random weights, which the library draws as it was published.

    Raises:
        BadInputError: it is no CLIP that can be trained by contrast.
        UnknownNameError: there is no such architecture.
    """
    library = spec.model.partition(":")[0]
    if library not in _BUILDERS:
        raise BadInputError(f"`{spec.model}` has no text tower to train with. Wanted is {TRAINABLE}.")
    image = spec.model_copy(update={"modality": "image"})
    with torch.random.fork_rng(devices=[]), quietly():
        torch.manual_seed(seed)
        towers = _BUILDERS[library](image, root, recipe.start == "pretrained")
    if recipe.start == "random":
        with torch.no_grad():
            scale: Any = towers.module.logit_scale
            scale.fill_(math.log(1 / recipe.temperature))
    if recipe.gradient_checkpointing:
        towers.module.set_grad_checkpointing(True)  # type: ignore[operator]
    return towers


class _OpenClipTokens:
    """Token ids by the tokenizer of an architecture of open_clip."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, text: str) -> Tensor:
        ids: Tensor = self._tokenizer([text])[0]
        return ids

    def cuts(self, text: str) -> bool:
        """With room for one more, the last token would not be the end of the text."""
        ids = self(text)
        return not torch.equal(self._tokenizer([text], context_length=len(ids) + 1)[0][: len(ids)], ids)


class _MicroworldTokens:
    """Token ids by the microworld's tokenizer."""

    def __init__(self) -> None:
        from ..microworld.networks import tokenizer

        self._tokenizer = tokenizer()

    def __call__(self, text: str) -> Tensor:
        from ..microworld.networks import text_tensor

        return text_tensor(self._tokenizer, text)

    def cuts(self, text: str) -> bool:
        """Its tokens and the end are more than the context."""
        from ..microworld.networks import CONTEXT

        return len(self._tokenizer.encode(f" {text.strip()}", add_special_tokens=False)) >= CONTEXT


def _open_clip(spec: EncoderSpec, root: Path, pretrained: bool) -> Towers:
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from ..encoders.open_clip import architecture, create

    if not pretrained:
        spec = spec.model_copy(update={"init": "random", "weights": None})
    module = create(spec, root)
    if getattr(module, "logit_bias", None) is not None:
        raise BadInputError(f"`{spec.model}` has a logit bias: it is made for a sigmoid loss. Wanted is a plain CLIP.")
    if pretrained and spec.weights is not None:
        _fill(module, root / spec.weights)
    config = PreprocessCfg(**module.visual.preprocess_cfg)
    size = config.size if isinstance(config.size, tuple | list) else (config.size, config.size)
    tokens = _OpenClipTokens(open_clip.get_tokenizer(architecture(spec, root)[0]))
    transform = image_transform_v2(config, is_train=False)
    return Towers(module, transform, tokens, torch.zeros(3, *size), spec.model)


def _microworld(spec: EncoderSpec, root: Path, pretrained: bool) -> Towers:
    from ..microworld import networks

    name = spec.model.removeprefix("microworld:")
    module = networks.architecture(name)
    if networks.FAMILIES[name] != "clip":
        raise BadInputError(f"`{spec.model}` has no text tower to train with. Wanted is {TRAINABLE}.")
    if pretrained:
        _fill(module, networks.weights_file(name) if spec.weights is None else root / spec.weights)
    side = networks.SIZE
    return Towers(module, networks.picture_tensor, _MicroworldTokens(), torch.zeros(3, side, side), spec.model)


def _fill(module: nn.Module, path: Path) -> None:
    from ..encoders.loading import fill, read_weights

    fill(module, read_weights(path), str(path))


_BUILDERS: dict[str, Callable[[EncoderSpec, Path, bool], Towers]] = {"open_clip": _open_clip, "microworld": _microworld}
