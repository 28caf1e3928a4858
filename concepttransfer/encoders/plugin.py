"""`plugin:package.module:function`: an encoder of no known library.

The function is called with the spec's `arguments` and returns either

- a `concepttransfer.encoders.base.Built`: full control over readouts and transform; or
- a `torch.nn.Module` with `forward_features(batch [b,3,h,w])` that gives a map `[b,dim,h,w]` or tokens `[b,n,dim]` (a
  `num_prefix_tokens` attribute says how many class tokens come first). Then `last_map`, `patch_tokens` and `pooled`
  (their mean) can be read. Its `transform` attribute (a PIL picture to a tensor) is used where it has one; else the
  shorter side is resized to `image_size` (224), the centre cropped, and `mean` and `std` (ImageNet's) are applied.

The function is found on the import path or beside the study. It should build without weights: the spec's `weights:` are
loaded strictly into the module, and `init: random` draws them anew. Its code is known by its name alone: give it a new
name, or an argument such as `version: 2`, when its values change; files that its arguments name are known by content.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..errors import BadInputError, UnknownNameError
from .base import Built, spatial_tokens

if TYPE_CHECKING:
    from .spec import EncoderSpec

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def build(spec: EncoderSpec, root: Path) -> Built:
    """Call the plug-in's function and read what it returns.

    Raises:
        BadInputError: the module cannot be imported, the function fails on the arguments, or returns something else.
        UnknownNameError: the module has no such function.
    """
    function = _function(spec.model, root)
    try:
        made = function(**spec.arguments)
    except TypeError as error:
        raise BadInputError(f"`{spec.model}` cannot be called with `arguments: {spec.arguments}`: {error}") from error
    if isinstance(made, Built):
        if spec.image_size or spec.mean or spec.std:
            message = f"`{spec.model}` makes its own transform: `image_size`, `mean` and `std` have no effect on it. "
            raise BadInputError(message + "Give them to it as `arguments:`.")
        return made
    if isinstance(made, nn.Module) and callable(getattr(made, "forward_features", None)):
        return _from_module(made, spec)
    raise BadInputError(
        f"`{spec.model}` returned {type(made).__name__}; wanted is a Built, or a torch module with `forward_features`."
    )


def _function(model: str, root: Path) -> Callable[..., Any]:
    place, colon, name = model.removeprefix("plugin:").partition(":")
    if not colon:
        raise BadInputError(f"`{model}` names no function. Wanted is `plugin:package.module:function`.")
    sys.path.append(str(root))
    try:
        module = importlib.import_module(place)
    except Exception as error:
        message = f"`{model}`: {place} cannot be imported ({type(error).__name__}: {error}). "
        raise BadInputError(message + f"Install it, or put {place.split('.')[0]} into the study's folder.") from error
    finally:
        sys.path.remove(str(root))
    if not callable(getattr(module, name, None)):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UnknownNameError("function", name, known, where=place)
    return getattr(module, name)  # type: ignore[no-any-return]


def _from_module(module: nn.Module, spec: EncoderSpec) -> Built:
    transform, transform_id = _transform(module, spec)
    return Built(
        module=module,
        readouts={
            "last_map": _spatial,
            "patch_tokens": _spatial,
            "pooled": lambda m, x: _spatial(m, x).mean(1, keepdim=True),
        },
        transform=transform,
        transform_id=transform_id,
        space=spec.model,
    )


def _spatial(module: Any, batch: Tensor) -> Tensor:
    return spatial_tokens(module.forward_features(batch), n_prefix=getattr(module, "num_prefix_tokens", 0))


def _transform(module: Any, spec: EncoderSpec) -> tuple[Callable[[Any], Tensor], str]:
    if callable(getattr(module, "transform", None)):
        return module.transform, json.dumps({"plugin": spec.model, "arguments": spec.arguments}, sort_keys=True)
    from torchvision import transforms  # type: ignore[import-untyped]

    size, mean, std = spec.image_size or 224, spec.mean or IMAGENET_MEAN, spec.std or IMAGENET_STD
    steps = [
        transforms.Resize(size, transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(size),
        transforms.ToTensor(),
        transforms.Normalize(mean, std),
    ]
    return transforms.Compose(steps), json.dumps({"plugin": {"size": size, "mean": mean, "std": std}}, sort_keys=True)
