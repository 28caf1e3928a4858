"""A released ClipCap file as a Transfer of our own: the mapper, and GPT-2's weights where it was tuned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import BadInputError, MismatchError
from ..storage import file_digest
from ..transfer import Transfer
from .clipcap_file import ClipCapFile
from .released import some

NOTE = (
    "Captions of these weights end at a full stop and have no end token (decoding: {stop: ['.']}); no text stands "
    "before them (prompt: ''). Whether features had length 1 is not in the file: the released transformer's had "
    "(normalize: true), the released MLPs' had not."
)


def import_clipcap(
    released: ClipCapFile,
    folder: Path,
    *,
    key: str,
    encoder: str,
    space: str,
    encoder_identity: str,
    tokens: int,
    dim: int,
    language_model_id: str,
    base: nn.Module | None,
    seed: int = 0,
    dtype: str = "float32",
) -> Transfer:
    """Make a Transfer of a released file; its GPT-2 is saved with it where it is not the base model itself.

    Args:
        released: what `read_clipcap` read.
        folder: where the Transfer is written.
        key, seed: the caller's name for it, and the seed it is to be counted as.
        encoder, space, encoder_identity: the encoder that it is said to belong to.
        tokens, dim: that encoder's features are `[pictures, tokens, dim]`; it takes one pooled feature.
        language_model_id: the language model that it is said to belong to.
        base: that language model's module in float32; None will do for a file of the mapper alone.
        dtype: of the saved weights.

    Raises:
        BadInputError: the file's GPT-2 is incomplete.
        MismatchError: it belongs to an encoder or language model of another shape.
    """
    if (tokens, dim) != (1, released.dim):
        raise MismatchError(
            f"`{encoder}` gives {tokens} features {dim} wide; {released.file.name} takes one, {released.dim} wide.\n"
            "Name the encoder that it was released for (ViT-B/32: 512, RN50x4: 640; features: projected)."
        )
    state = None if released.language_model is None else tuned_weights(released, base)
    origin = {"file": released.file.name, "sha256": file_digest(released.file), "note": NOTE}
    return Transfer.write(
        folder,
        released.projection(),
        key=key,
        encoder=encoder,
        seed=seed,
        space=space,
        encoder_identity=encoder_identity,
        language_model_id=language_model_id,
        tokens=tokens,
        meta={"imported": {**origin, "language_model": "frozen" if state is None else "tuned"}},
        language_model_state=state,
        dtype=dtype,
    )


def tuned_weights(released: ClipCapFile, base: nn.Module | None) -> dict[str, Tensor] | None:
    """The file's GPT-2 by the names of the base model's parameters, tied ones once; None: it is the base model itself.

    Raises:
        BadInputError: it lacks a parameter, or reads words by other vectors than it says them by.
        MismatchError: there is no base model to compare it with, or it is of another shape.
    """
    read = released.language_model or {}
    if base is None:
        raise MismatchError(f"{released.file.name} holds a language model; say which one it was tuned from.")
    own = dict(base.named_parameters())
    if lacking := [name for name in own if name not in read]:
        raise BadInputError(
            f"The language model in {released.file} is incomplete: it lacks {some(lacking)}. Fetch the file again."
        )
    for name, parameter in own.items():
        if parameter.shape != read[name].shape:
            raise MismatchError(
                f"`{name}` of the language model in {released.file.name} is {list(read[name].shape)}; "
                f"this study's is {list(parameter.shape)}.\nName the one it was released for (hf:gpt2)."
            )
    _check_tied(read, released.file)
    if all(torch.equal(read[name].float(), parameter.float().cpu()) for name, parameter in own.items()):
        return None
    return {name: read[name].float() for name in own}


def _check_tied(read: Mapping[str, Tensor], file: Path) -> None:
    said, words = read.get("lm_head.weight"), read["transformer.wte.weight"]
    if said is not None and not torch.equal(said, words):
        raise BadInputError(f"{file}: lm_head.weight and transformer.wte.weight differ; GPT-2 has one for both.")
