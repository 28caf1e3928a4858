"""A released MAGMA checkpoint as a Transfer of our own: projection, layer norm, adapters, and the tuned encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ..errors import BadInputError, MismatchError
from ..language_models.adapters import Adapters
from ..storage import file_digest
from ..transfer import Transfer
from .linear import Linear
from .magma_file import MagmaFile, check_language_model
from .released import some

VISUAL, POOLING = "visual.", "visual.attnpool."
NOTE = (
    "Pictures are resized (bicubic) and cropped to 384 pixels with CLIP's mean and deviation; the map before attention "
    "pooling is read. Batch norms are used with the statistics of the file."
)


def import_magma(
    released: MagmaFile,
    folder: Path,
    *,
    key: str,
    encoder: str,
    space: str,
    encoder_identity: str,
    encoder_own: Mapping[str, Tensor] | None,
    tokens: int,
    dim: int,
    language_model_id: str,
    base: nn.Module,
    seed: int = 0,
    dtype: str = "float32",
) -> Transfer:
    """Make a Transfer of a released checkpoint, whose language model must be the frozen one.

    Args:
        released: what `read_magma` read.
        folder: where the Transfer is written.
        key, seed: the caller's name for it, and the seed it is to be counted as.
        encoder, space, encoder_identity: the encoder that it is said to belong to, before it was tuned.
        encoder_own: that encoder's whole state, `visual.` before the names of its image tower; None: its study says
            that it is frozen.
        tokens, dim: its features are `[pictures, tokens, dim]`.
        language_model_id, base: the language model that it is said to belong to.
        dtype: of the saved weights.

    Raises:
        BadInputError: parts are lacking, or others than the named encoder and language model have.
        MismatchError: they are of other shapes, or the language model's weights are others.
    """
    check_language_model(released, dict(base.named_parameters()))
    weight = released.projection["weight"]
    if weight.shape[1] != dim:
        raise MismatchError(
            f"`{encoder}` gives features {dim} wide; {released.file.name} takes features {weight.shape[1]} wide.\n"
            "Name the encoder that it was released for (RN50x16: last_map, 3072)."
        )
    projection = Linear(dim, len(weight), layer_norm="norm.weight" in released.projection)
    projection.load_state_dict(dict(released.projection))
    adapters = released.spec
    origin = {"file": released.file.name, "sha256": file_digest(released.file), "note": NOTE}
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
        meta={"imported": origin},
        encoder_state=encoder_state(released, encoder, encoder_own),
        language_model_state=None if adapters is None else _fitting(released, base),
        adapters=None if adapters is None else adapters.model_dump(mode="json"),
        dtype=dtype,
    )


def encoder_state(released: MagmaFile, encoder: str, own: Mapping[str, Tensor] | None) -> dict[str, Tensor] | None:
    """The encoder's whole state with the checkpoint's weights in it; attention pooling, which MAGMA cuts off, stays.

    Raises:
        BadInputError: the checkpoint's encoder has other names.
        MismatchError: it was tuned and the study says that it is frozen, or its shapes are others.
    """
    read = {f"{VISUAL}{name}": value for name, value in released.encoder.items()}
    if not read:
        return None
    if own is None:
        raise MismatchError(f"{released.file.name} holds a tuned encoder; say `train: true` of `{encoder}`.")
    lacking = [name for name in own if name not in read and not name.startswith(POOLING)]
    strange = [name for name in read if name not in own]
    if lacking or strange:
        faults = f"lacks {some(lacking)}" if lacking else f"has {some(strange)}"
        raise BadInputError(f"The encoder in {released.file} {faults}: it is no image tower like that of `{encoder}`.")
    for name, value in read.items():
        if value.shape != own[name].shape:
            shapes = f"{list(value.shape)}; that of `{encoder}` is {list(own[name].shape)}"
            raise MismatchError(f"{name} in {released.file.name} is {shapes}. Name the encoder it was released for.")
    return {name: read.get(name, value).to(value.dtype) for name, value in own.items()}


def _fitting(released: MagmaFile, base: nn.Module) -> dict[str, Tensor]:
    """The adapters' tensors, if they go into this language model."""
    if released.spec is None:
        raise ValueError("a checkpoint without adapters")
    own = Adapters(base, released.spec)
    try:
        own.load_state_dict(dict(released.adapters))
    except RuntimeError as error:
        what = str(error).split("\n\t")[-1]
        raise MismatchError(f"The adapters in {released.file} do not go into this language model: {what}") from error
    return dict(own.state_dict())
