"""`open_clip:ARCHITECTURE/PRETRAINED`: both towers of any CLIP of open_clip, such as `open_clip:RN50x16/openai`."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import Tensor

from ..errors import BadInputError, UnknownNameError
from . import timm
from .base import Built, Readout, from_map
from .hub import downloading
from .weights import remember_repository

if TYPE_CHECKING:
    from .spec import EncoderSpec

_SCHEMAS = ("hf-hub:", "local-dir:")


def build(spec: EncoderSpec, root: Path) -> Built:
    """Build one tower of a CLIP, with open_clip's own evaluation transform, overridden where the spec says so.

    Names are `open_clip:ARCHITECTURE/PRETRAINED`, `open_clip:hf-hub:ORG/NAME` or `open_clip:local-dir:FOLDER` (relative
    to `root`). The activation is the one that the weights were trained with, also in a random twin.

    Raises:
        UnknownNameError: no such architecture, or no such weights of it.
        BadInputError: no weights are named, a revision is, or the model does not take the arguments.
        MissingResourceError: weights that cannot be downloaded.
    """
    if spec.revision:
        raise BadInputError(f"open_clip cannot load a revision (`{spec.revision}` of `{spec.model}`). Leave it out.")
    model = create(spec, root)
    parts = [*model._modules, *model._parameters]
    if spec.modality == "text":
        return Built(
            module=model,
            readouts={"projected": _projected_text},
            transform=_Tokens(open_clip.get_tokenizer(architecture(spec, root)[0])),
            transform_id=json.dumps({"open_clip": "tokens", "architecture": architecture(spec, root)[0]}),
            space=spec.model,
            modality="text",
            unused=["visual"],
        )
    config = PreprocessCfg(**model.visual.preprocess_cfg)
    return Built(
        module=model,
        readouts=readouts(model.visual),
        transform=image_transform_v2(config, is_train=False),
        transform_id=json.dumps({"open_clip": dataclasses.asdict(config)}, sort_keys=True),
        space=spec.model,
        unused=[name for name in parts if name != "visual"],
    )


def readouts(visual: Any) -> dict[str, Readout]:
    """What can be read from a CLIP's image tower, each `(model, [b,3,h,w]) -> [b,tokens,dim]`.

    - `last_map`, `patch_tokens`: CLIP's ResNets: the map before attention pooling, row by row (RN50x16 at 384 pixels:
      144 x 3072); transformers: the tokens without class token, normalised, before the projection;
    - `pooled`: ResNets: the mean of that map (attention pooling projects as it pools); transformers: the pooled token
      before the projection;
    - `projected`: the space shared with texts, not divided by its norm;
    - `layer:N`: level N as `forward_intermediates` counts them.
    """
    read: dict[str, Readout] = {"projected": _projected}
    if hasattr(visual, "trunk"):
        inner = timm.readouts(visual.trunk)
        return read | {name: _of_trunk(readout) for name, readout in inner.items()}
    if hasattr(visual, "attnpool"):
        read |= {"last_map": _map, "patch_tokens": _map, "pooled": lambda m, x: _map(m, x).mean(1, keepdim=True)}
        return read | {f"layer:{n}": level(n) for n in range(5)}
    read |= {"last_map": _tokens, "patch_tokens": _tokens, "pooled": _pooled}
    return read | {f"layer:{n}": level(n) for n in range(len(visual.transformer.resblocks))}


@dataclasses.dataclass
class _Tokens:
    """A text to token ids `[context]`."""

    tokenizer: Callable[[list[str]], Tensor]

    def __call__(self, text: str) -> Tensor:
        return self.tokenizer([text])[0]


def _map(model: Any, batch: Tensor) -> Tensor:
    v = model.visual
    return from_map(v.layer4(v.layer3(v.layer2(v.layer1(v.stem(batch))))))


def _tokens(model: Any, batch: Tensor) -> Tensor:
    model.visual.output_tokens = True
    return model.visual(batch)[1]  # type: ignore[no-any-return]


def _pooled(model: Any, batch: Tensor) -> Tensor:
    visual = model.visual
    visual.output_tokens = False
    projection, visual.proj = visual.proj, None
    try:
        return visual(batch)[:, None]  # type: ignore[no-any-return]
    finally:
        visual.proj = projection


def _projected(model: Any, batch: Tensor) -> Tensor:
    model.visual.output_tokens = False
    return model.encode_image(batch)[:, None]  # type: ignore[no-any-return]


def _projected_text(model: Any, batch: Tensor) -> Tensor:
    return model.encode_text(batch)[:, None]  # type: ignore[no-any-return]


def _of_trunk(readout: Readout) -> Readout:
    return lambda model, batch: readout(model.visual.trunk, batch)


def level(number: int) -> Readout:
    """Reads the tokens of one level, as `forward_intermediates` counts them."""

    def read(model: Any, batch: Tensor) -> Tensor:
        found = model.visual.forward_intermediates(batch, indices=[number], intermediates_only=True)
        return from_map(found["image_intermediates"][0])

    return read


def architecture(spec: EncoderSpec, root: Path) -> tuple[str, str | None]:
    """The architecture as open_clip wants it, and the name of its weights (None: they come with the architecture)."""
    name = spec.model.removeprefix("open_clip:")
    if name.startswith("local-dir:"):
        return f"local-dir:{root / name.removeprefix('local-dir:')}", None
    if name.startswith("hf-hub:"):
        return name, None
    wanted, _, weights = name.partition("/")
    if wanted not in open_clip.list_models():
        near = difflib.get_close_matches(wanted, open_clip.list_models(), n=5, cutoff=0.3)
        raise UnknownNameError("architecture", wanted, near, where="open_clip (nearest names below)")
    known = open_clip.list_pretrained_tags_by_model(wanted)
    if weights and weights not in known:
        raise UnknownNameError("weights", weights, known, where=f"`open_clip:{wanted}`")
    if not weights and spec.init == "pretrained" and spec.weights is None:
        message = f"`{spec.model}` names no weights. Wanted is `open_clip:{wanted}/WEIGHTS` with one of: "
        raise BadInputError(message + f"{', '.join(known)}; or `weights: FILE`, or `init: random`.")
    return wanted, weights or None


def create(spec: EncoderSpec, root: Path) -> Any:
    """Both towers of a CLIP, with the weights that the spec names, or as open_clip draws them.

    Raises:
        UnknownNameError, BadInputError, MissingResourceError: as `build` says.
    """
    name, weights = architecture(spec, root)
    config = open_clip.get_pretrained_cfg(name, weights) if weights else {}
    preprocess = {k: v for k, v in config.items() if k in {f.name for f in dataclasses.fields(PreprocessCfg)}}
    wanted = {"size": spec.image_size, "mean": spec.mean, "std": spec.std}
    load = spec.init == "pretrained" and spec.weights is None
    try:
        with downloading(spec.model):
            model = open_clip.create_model(
                name,
                pretrained=weights if load else None,
                load_weights=load,
                force_quick_gelu=bool(config.get("quick_gelu")),
                force_image_size=spec.image_size,
                force_preprocess_cfg=preprocess | {k: v for k, v in wanted.items() if v is not None},
                pretrained_text=False,
                require_pretrained=load,
                **spec.arguments,
            )
    except TypeError as error:
        raise BadInputError(f"`{spec.model}` cannot be built with `arguments: {spec.arguments}`: {error}") from error
    if load and weights:
        repository = config.get("hf_hub", "").strip("/")
        remember_repository("open_clip", spec.model.removeprefix("open_clip:"), "/".join(repository.split("/")[:2]))
    return model
