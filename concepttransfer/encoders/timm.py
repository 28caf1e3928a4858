"""`timm:NAME`: any image model of timm, such as `timm:nf_resnet50` or `timm:vit_base_patch16_224.dino`."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor

from ..errors import BadInputError, UnknownNameError
from .base import Built, Readout, from_map, spatial_tokens
from .hub import downloading
from .weights import remember_repository

if TYPE_CHECKING:
    from .spec import EncoderSpec


def build(spec: EncoderSpec, root: Path) -> Built:
    """Build a timm model with its own transform (`timm.data.resolve_data_config`), overridden where the spec says so.

    Args:
        spec: `arguments` go to `timm.create_model`; models of a fixed size are built for `image_size`.
        root: not used; local weights are loaded by the caller.

    Raises:
        UnknownNameError: timm has no such model.
        BadInputError: the model does not take the arguments.
        MissingResourceError: pretrained weights that cannot be downloaded.
    """
    name = spec.model.removeprefix("timm:")
    if spec.modality == "text":
        raise BadInputError(f"`{spec.model}` reads pictures; timm has no text models. Use open_clip or hf for texts.")
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(pretrained=False), n=5, cutoff=0.3)
        raise UnknownNameError("model", name, near, where="timm (nearest names below)")
    module = _create(spec, name)
    config = _transform_config(spec, module)
    return Built(
        module=module,
        readouts=readouts(module),
        transform=create_transform(**config, is_training=False),
        transform_id=json.dumps({"timm": config}, sort_keys=True),
        space=spec.model,
    )


def readouts(model: Any) -> dict[str, Readout]:
    """What can be read from a timm model, each `(model, [b,3,h,w]) -> [b,tokens,dim]`.

    - `pooled`: what the classifier would see (`forward_head(pre_logits=True)`), one token;
    - `last_map`, `patch_tokens`: the last map row by row, or the tokens without class and register tokens;
    - `layer:N`: level N as `forward_intermediates` counts them (convolutional networks: 0 is the stem; transformers: 0
      is the first block), before any final normalisation.
    """
    read: dict[str, Readout] = {"pooled": _pooled, "last_map": _spatial, "patch_tokens": _spatial}
    n_levels = len(model.feature_info) if hasattr(model, "forward_intermediates") else 0
    return read | {f"layer:{n}": level(n) for n in range(n_levels)}


def _pooled(model: Any, batch: Tensor) -> Tensor:
    return model.forward_head(model.forward_features(batch), pre_logits=True)[:, None]  # type: ignore[no-any-return]


def _spatial(model: Any, batch: Tensor) -> Tensor:
    channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
    n_prefix = getattr(model, "num_prefix_tokens", 0)
    return spatial_tokens(model.forward_features(batch), n_prefix=n_prefix, channels_last=channels_last)


def level(number: int) -> Readout:
    """Reads the tokens of one level, as `forward_intermediates` counts them."""

    def read(model: Any, batch: Tensor) -> Tensor:
        return from_map(model.forward_intermediates(batch, indices=[number], intermediates_only=True)[0])

    return read


def _create(spec: EncoderSpec, name: str) -> Any:
    pretrained = spec.init == "pretrained" and spec.weights is None
    config = timm.get_pretrained_cfg(name)
    arguments = dict(spec.arguments)
    if spec.image_size is not None and config is not None and config.fixed_input_size:
        arguments.setdefault("img_size", spec.image_size)
    if pretrained and not (config and config.has_weights):
        raise BadInputError(f"timm has no weights for `{name}`. Give a file with `weights:`, or `init: random`.")
    if pretrained and spec.revision and config:
        arguments["pretrained_cfg_overlay"] = {"hf_hub_id": f"{config.hf_hub_id}@{spec.revision}"}
    try:
        with downloading(spec.model):
            module = timm.create_model(name, pretrained=pretrained, **arguments)
    except TypeError as error:
        raise BadInputError(f"`{spec.model}` cannot be built with `arguments: {spec.arguments}`: {error}") from error
    if pretrained and config:
        remember_repository("timm", name, config.hf_hub_id or "")
    return module


def _transform_config(spec: EncoderSpec, module: Any) -> dict[str, Any]:
    size = None if spec.image_size is None else (3, spec.image_size, spec.image_size)
    wanted = {"input_size": size, "mean": spec.mean, "std": spec.std}
    overrides = {name: value for name, value in wanted.items() if value is not None}
    return dict(resolve_data_config(overrides, model=module))  # type: ignore[no-untyped-call]
