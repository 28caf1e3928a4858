"""What a study's models cost, known without their weights: parameters, shapes, floating-point operations, memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConceptTransferError

if TYPE_CHECKING:
    from ..encoders.spec import EncoderSpec
    from .study import Study

KNOWN_LANGUAGE_MODELS = {"eleutherai/gpt-j-6b": "gptj"}
"""Published models that are exactly their library's default configuration, by their name on the hub in lower case."""


@dataclass(frozen=True)
class EncoderCost:
    """One encoder at the size at which a study reads it.

    Attributes:
        parameters: of the part that is used.
        tokens, dim: its features of a picture are `[tokens, dim]`.
        flops: floating-point operations of one picture, forward (a multiplication and an addition are two).
    """

    parameters: int
    tokens: int
    dim: int
    flops: float


@dataclass(frozen=True)
class LanguageModelCost:
    """One language model.

    Attributes:
        parameters: all of them.
        d_model, layers: its width and depth; of an encoder-decoder the layers of both.
    """

    parameters: int
    d_model: int
    layers: int

    def weight_bytes(self, dtype: str) -> int:
        """Bytes of the weights in `float32`, `bfloat16`, `float16`, `8bit` or `4bit`."""
        return int(self.parameters * {"float32": 4.0, "8bit": 1.0, "4bit": 0.5}.get(dtype, 2.0))

    def activation_bytes(self, positions: int, *, checkpointing: bool) -> int:
        """Bytes that the backward pass of one input needs in half precision; twice that in float32.

        34 bytes a position, width and layer where attention keeps no matrix (Korthikanti et al. 2022, eq. 2 without its
        last term); with checkpointing 2 bytes a layer, and one layer whole.
        """
        layer = 34 * positions * self.d_model
        return 2 * positions * self.d_model * self.layers + layer if checkpointing else layer * self.layers


def encoder_cost(study: Study, name: str) -> EncoderCost | None:
    """What one encoder of a study costs; None where its configuration is not on this machine and cannot be had."""
    spec = study.encoder_spec(name)
    read: dict[str, Any] = {"init": "random", "weights": None, "train": False, "prompt_tokens": None, "seed": 0}
    try:
        return _encoder_cost(spec.model_copy(update=read).model_dump_json(), study.root)
    except ConceptTransferError:
        return None


@cache
def _encoder_cost(written: str, root: Path) -> EncoderCost:
    import torch
    from PIL import Image
    from torch.utils.flop_counter import FlopCounterMode

    from ..encoders import library_module
    from ..encoders.hub import quietly
    from ..encoders.spec import EncoderSpec

    spec: EncoderSpec = EncoderSpec.model_validate_json(written)
    with quietly():
        built = library_module(spec.model).build(spec, root)
    picture = built.transform(Image.new("RGB", (512, 512)))
    for unused in built.unused:
        parent, _, leaf = unused.rpartition(".")
        setattr(built.module.get_submodule(parent), leaf, None)
    module = built.module.eval().to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shape = built.readouts[spec.features](module, picture[None].to("meta")).shape
    tokens = spec.grid**2 if spec.grid else int(shape[1])
    n = sum(parameter.numel() for parameter in module.parameters())
    return EncoderCost(n, tokens, int(shape[2]), float(counter.get_total_flops()))


def language_model_cost(study: Study) -> LanguageModelCost | None:
    """What the language model costs; None where its configuration is not on this machine and cannot be had."""
    return _language_model_cost(study.spec.language_model, study.root)


@cache
def _language_model_cost(name: str, root: Path) -> LanguageModelCost | None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    from ..language_models.identity import locate, offline

    try:
        source = locate(name, root)
        how: dict[str, Any] = {"revision": source.revision} if source.revision else {}
        config = AutoConfig.from_pretrained(source.path, local_files_only=offline(), **how)
    except (ConceptTransferError, OSError, ValueError):
        known = KNOWN_LANGUAGE_MODELS.get(name.removeprefix("hf:").lower())
        if known is None:
            return None
        config = AutoConfig.for_model(known)
    kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    with torch.device("meta"):
        model = kind.from_config(config)
    text = config.get_text_config()
    n = sum(parameter.numel() for parameter in model.parameters())
    layers = int(text.num_hidden_layers) + int(getattr(config, "num_decoder_layers", None) or 0)
    return LanguageModelCost(n, int(text.hidden_size), layers)
