"""Projections that others released, read into Transfers of our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import BadInputError, MismatchError
from ..storage import file_digest
from ..transfer import Transfer
from .linear import Linear
from .released import LIMBER, read_released, some, system_of

RELEASED_TRANSFORM = (
    "The released code's transform applies: CLIP resizes (bicubic) and crops to 384 pixels with CLIP's mean and "
    "deviation; BEiT takes its feature extractor's 224 pixels; NFRN50 takes 384 pixels without mean and deviation (its "
    "random crop and flip, which the released code left on at inference, are not copied)."
)


def released_transform(encoder: str) -> dict[str, Any]:
    """The fields of an `EncoderSpec` with which an encoder of LiMBeR sees pictures as the released code shows them.

    Args:
        encoder: the spec's `model`, such as `timm:nf_resnet50`.
    """
    if "nf_resnet50" in encoder:
        return {"image_size": 384, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return {"image_size": 384} if "RN50x16" in encoder else {}


def read_limber(file: Path) -> dict[str, Tensor]:
    """The `weight [k * d_model, dim]` and `bias [k * d_model]` of a released `proj.ckpt`, in float32.

    Only tensors are read: a pickle that names anything else is refused before any of it runs.

    Raises:
        BadInputError: it is not a state dict with just these two tensors.
    """
    state = read_released(file)
    if (system := system_of(state)) != LIMBER:
        looks = f" It looks like a file of {system}." if system else ""
        raise BadInputError(f"A released projection holds `weight` and `bias`; {file} holds: {some(state)}.{looks}")
    weight, bias = state["weight"], state["bias"]
    shapes = [list(t.shape) if isinstance(t, Tensor) else type(t).__name__ for t in (weight, bias)]
    if (
        not (isinstance(weight, Tensor) and isinstance(bias, Tensor))
        or weight.ndim != 2
        or bias.shape != weight.shape[:1]
    ):
        raise BadInputError(f"{file} should hold weight [k * d_model, dim] and bias [k * d_model]; it holds {shapes}.")
    return {"weight": weight.float(), "bias": bias.float()}


def import_limber(
    file: Path,
    folder: Path,
    *,
    key: str,
    encoder: str,
    space: str,
    encoder_identity: str,
    tokens: int,
    dim: int,
    language_model_id: str,
    d_model: int,
    seed: int = 0,
    dtype: str = "float32",
    changes: Mapping[str, Any] | None = None,
) -> Transfer:
    """Make a Transfer of a released LiMBeR projection; k is inferred from the weight's shape.

    Args:
        file: a `proj.ckpt`.
        folder: where the Transfer is written.
        key, seed: the caller's name for it, and the seed it is to be counted as.
        encoder, space, encoder_identity: the encoder that it is said to belong to.
        tokens, dim: that encoder's features are `[pictures, tokens, dim]`.
        language_model_id, d_model: the language model that it is said to belong to.
        dtype: of the saved weights.
        changes: fields of the `EncoderSpec` that the released code has otherwise, such as `released_transform` gives.

    Raises:
        BadInputError: the file is no such projection.
        MismatchError: it belongs to an encoder or language model of another width.
    """
    state = read_limber(Path(file))
    prompt_tokens = _prompt_tokens(state["weight"], Path(file), encoder, tokens, dim, language_model_id, d_model)
    projection = Linear(dim, d_model, prompt_tokens)
    projection.load_state_dict(state)
    origin = {"file": Path(file).name, "sha256": file_digest(Path(file)), "note": RELEASED_TRANSFORM}
    return Transfer.write(
        folder,
        projection.eval(),
        key=key,
        encoder=encoder,
        seed=seed,
        space=space,
        encoder_identity=encoder_identity,
        language_model_id=language_model_id,
        tokens=tokens,
        meta={"imported": origin, "encoder_changes": dict(changes or {})},
        dtype=dtype,
    )


def _prompt_tokens(
    weight: Tensor, file: Path, encoder: str, tokens: int, dim: int, language_model_id: str, d_model: int
) -> int | None:
    rows, columns = weight.shape
    if columns != dim:
        raise MismatchError(
            f"`{encoder}` gives features {dim} wide; {file.name} takes features {columns} wide "
            f"(its weight is {rows} x {columns}).\nName the encoder that it was released for."
        )
    if rows % d_model or (rows > d_model and tokens != 1):
        wanted = f"k x {d_model}" if tokens == 1 else str(d_model)
        raise MismatchError(
            f"`{encoder}` ({tokens} tokens) into `{language_model_id}` ({d_model} wide) takes a weight of {wanted} "
            f"rows; {file.name} has {rows}.\nName the language model and the features that it was released for."
        )
    return rows // d_model if tokens == 1 else None
