"""`hf:NAME-OR-FOLDER`: vision models of transformers (BEiT, ViT, DINOv2, CLIP, ConvNeXt, ...) and text towers."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor

from ..errors import BadInputError
from . import known_configs
from .base import Built, Readout, spatial_tokens
from .hub import downloading

if TYPE_CHECKING:
    from .spec import EncoderSpec

_UNREAD = ("pooler.", "embeddings.mask_token", "mask_token")
"""Weights that a checkpoint may lack: the pooler (then there is no `pooled`) and the mask of pretraining."""


def build(spec: EncoderSpec, root: Path) -> Built:
    """Build a vision model, or with `features: projected` one tower of a CLIP, from a hub or a folder below `root`.

    The image processor is the model's own, always on its PIL backend: torchvision's differs by up to 0.015 a channel.

    Args:
        spec: `arguments` replace settings of the model's configuration.
        root: the folder against which a local model's folder is read.

    Raises:
        MissingResourceError: neither on this machine nor to be downloaded.
        BadInputError: weights that the features are read from are not in the checkpoint, or no such tower.
    """
    with _source(spec, root) as (name, options), downloading(spec.model), _no_bar():
        config = _config(spec, name, options)
        towers = hasattr(config, "vision_config") and hasattr(config, "text_config")
        if spec.features == "projected" or spec.modality == "text":
            return _tower(spec, name, config, options) if towers else _no_towers(spec)
        model, has_pooler = _model(spec, name, config.vision_config if towers else config, options)
        processor = _processor(spec, name, options)
    return Built(
        module=model,
        readouts=readouts(model, has_pooler=has_pooler),
        transform=_Pictures(processor),
        transform_id=_processor_id(processor),
        space=spec.model,
    )


def readouts(model: Any, *, has_pooler: bool) -> dict[str, Readout]:
    """What can be read from a vision model, each `(model, [b,3,h,w]) -> [b,tokens,dim]`.

    - `patch_tokens`, `last_map`: the last hidden state without class, distillation and register tokens. How many there
      are follows from the shape: what stands before the (h / patch) x (w / patch) positions of the picture.
      Hierarchical models (fewer tokens than patches) have none; maps `[b,dim,h,w]` are read row by row. No norm is
      added that the model does not apply itself: BEiT with mean pooling has no final layer norm.
    - `pooled`: the model's own `pooler_output`, where the checkpoint holds its weights;
    - `layer:N`: entry N of `hidden_states` (0: the embeddings), without those tokens.
    """
    read: dict[str, Readout] = {"patch_tokens": _last, "last_map": _last}
    if has_pooler:
        read["pooled"] = _pooled
    depth = getattr(model.config, "num_hidden_layers", None) or len(getattr(model.config, "depths", ()))
    return read | {f"layer:{n}": _layer(n) for n in range(depth + 1)}


@dataclasses.dataclass
class _Pictures:
    """A picture to `[3,h,w]` by an image processor."""

    processor: Any

    def __call__(self, picture: Any) -> Tensor:
        return self.processor(images=picture, return_tensors="pt")["pixel_values"][0]  # type: ignore[no-any-return]


@dataclasses.dataclass
class _Texts:
    """A text to its token ids and, where the model knows one, its mask: `[1 or 2, context]`."""

    tokenizer: Any
    length: int

    def __call__(self, text: str) -> Tensor:
        made = self.tokenizer(text, padding="max_length", max_length=self.length, truncation=True, return_tensors="pt")
        return torch.cat([made[name] for name in ("input_ids", "attention_mask") if name in made])


@contextlib.contextmanager
def _no_bar() -> Iterator[None]:
    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            transformers.utils.logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _source(spec: EncoderSpec, root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where transformers finds the model, and how it may look. Random weights never touch the network."""
    name = spec.model.removeprefix("hf:")
    options: dict[str, Any] = {"trust_remote_code": spec.trust_remote_code}
    if (root / name).is_dir():
        yield str(root / name), options
    elif spec.init == "random" and name in known_configs.CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            known_configs.write(name, Path(folder))
            yield folder, options
    else:
        local = spec.init == "random" or spec.weights is not None
        yield name, options | {"revision": spec.revision or "main", "local_files_only": local}


def _config(spec: EncoderSpec, name: str, options: dict[str, Any]) -> Any:
    config, unused = transformers.AutoConfig.from_pretrained(
        name, return_unused_kwargs=True, **options, **spec.arguments
    )
    if wrong := sorted(set(unused) & set(spec.arguments)):
        raise BadInputError(f"`{spec.model}` has no setting `{wrong[0]}` (in `arguments:`).")
    return config


def _model(spec: EncoderSpec, name: str, config: Any, options: dict[str, Any]) -> tuple[Any, bool]:
    """The model, and whether its pooler can be read."""
    if spec.init == "random" or spec.weights is not None:
        remote = {"trust_remote_code": spec.trust_remote_code}
        return transformers.AutoModel.from_config(config, **remote), True  # type: ignore[no-untyped-call]
    model, report = transformers.AutoModel.from_pretrained(
        name, config=config, output_loading_info=True, dtype=torch.float32, **options
    )
    missing = sorted(report["missing_keys"])
    if unread := [key for key in missing if not key.startswith(_UNREAD)]:
        raise BadInputError(
            f"The checkpoint of `{spec.model}` lacks {len(unread)} weights of {type(model).__name__}, such as "
            f"`{unread[0]}`; they would be random. Check `arguments:` and the model's name."
        )
    return model, not any(key.startswith("pooler.") for key in missing)


def _tower(spec: EncoderSpec, name: str, config: Any, options: dict[str, Any]) -> Built:
    """One tower of a CLIP with its projection."""
    model, _ = _model(spec, name, config, options)
    parts = [*model._modules, *model._parameters]
    if spec.modality == "image":
        processor = _processor(spec, name, options)
        return Built(
            module=model,
            readouts={"projected": lambda m, x: _projected(m.get_image_features(pixel_values=x))},
            transform=_Pictures(processor),
            transform_id=_processor_id(processor),
            space=spec.model,
            unused=[part for part in parts if part.startswith("text")],
        )
    tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
    length = config.text_config.max_position_embeddings
    return Built(
        module=model,
        readouts={"projected": _projected_text},
        transform=_Texts(tokenizer, length),
        transform_id=json.dumps({"hf": "tokens", "length": length, "tokenizer": type(tokenizer).__name__}),
        space=spec.model,
        modality="text",
        unused=[part for part in parts if part.startswith(("vision", "visual"))],
    )


def _no_towers(spec: EncoderSpec) -> Built:
    message = f"`{spec.model}` has no shared space of pictures and texts, as {spec.modality} `{spec.features}` needs. "
    raise BadInputError(message + "Name a CLIP or SigLIP, or other features.")


def _processor(spec: EncoderSpec, name: str, options: dict[str, Any]) -> Any:
    modern = int(transformers.__version__.split(".")[0]) >= 5
    backend = {"backend": "pil"} if modern else {"use_fast": False}
    processor = transformers.AutoImageProcessor.from_pretrained(name, **backend, **options)  # type: ignore[no-untyped-call]
    if spec.image_size is not None:
        for setting in ("size", "crop_size"):
            sides = dict(getattr(processor, setting, None) or {})
            setattr(processor, setting, dict.fromkeys(sides, spec.image_size) if sides else None)
    if spec.mean is not None:
        processor.image_mean = list(spec.mean)
    if spec.std is not None:
        processor.image_std = list(spec.std)
    return processor


def _processor_id(processor: Any) -> str:
    return json.dumps({"hf": processor.to_dict(), "backend": "pil"}, sort_keys=True, default=str)


def _run(model: Any, batch: Tensor, **wanted: bool) -> Any:
    """The model's outputs; positions are interpolated where the picture is not of the model's own size."""
    size = getattr(model.config, "image_size", None)
    sides = list(size) if isinstance(size, list | tuple) else [size, size]
    if size is not None and list(batch.shape[2:]) != sides and _can_interpolate(model):
        wanted["interpolate_pos_encoding"] = True
    return model(pixel_values=batch, **wanted)


def _can_interpolate(model: Any) -> bool:
    return "interpolate_pos_encoding" in inspect.signature(model.forward).parameters


def _spatial(model: Any, hidden: Tensor, batch: Tensor) -> Tensor:
    if hidden.ndim == 4:
        return spatial_tokens(hidden)
    patch = getattr(model.config, "patch_size", None) or 1
    rows, columns = patch if isinstance(patch, list | tuple) else (patch, patch)
    positions = (batch.shape[2] // rows) * (batch.shape[3] // columns)
    return spatial_tokens(hidden, n_prefix=max(hidden.shape[1] - positions, 0))


def _last(model: Any, batch: Tensor) -> Tensor:
    return _spatial(model, _run(model, batch).last_hidden_state, batch)


def _pooled(model: Any, batch: Tensor) -> Tensor:
    return _run(model, batch).pooler_output.flatten(1)[:, None]  # type: ignore[no-any-return]


def _layer(number: int) -> Readout:
    def read(model: Any, batch: Tensor) -> Tensor:
        return _spatial(model, _run(model, batch, output_hidden_states=True).hidden_states[number], batch)

    return read


def _projected(made: Any) -> Tensor:
    """The projected vectors as one token; newer versions wrap them in an output."""
    vectors: Tensor = made if isinstance(made, Tensor) else made.pooler_output
    return vectors[:, None]


def _projected_text(model: Any, batch: Tensor) -> Tensor:
    mask = {"attention_mask": batch[:, 1]} if batch.shape[1] > 1 else {}
    return _projected(model.get_text_features(input_ids=batch[:, 0], **mask))
