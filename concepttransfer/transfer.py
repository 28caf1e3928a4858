"""What a fit learnt: the projection, the weights trained with it, and which parts it belongs to."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .errors import BadInputError, MismatchError, MissingResourceError
from .storage import digest, file_digest, new_folder, read_json, write_bytes, write_json

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from .projections import Projection

HISTORY = ("step", "loss", "validation_loss", "lr")
FORMAT = 1


class HasSpace(Protocol):
    """Features, or whatever else gives a Transfer its input."""

    @property
    def space(self) -> str:
        """Names the feature space."""


@dataclass(frozen=True)
class Transfer:
    """What one fit with one seed learnt, on disk.

    The folder holds `transfer.json`, `projection.safetensors`, `history.csv` and, where the encoder was trained too,
    `encoder.safetensors`. Frozen parts are named by id and hash and never copied.

    Attributes:
        folder: where it lies.
        id: sha256 of the weights and of the parts they belong to: equal ids, equal captions.
        key: the caller's name for the fit it came from: data, recipe, seed, parts.
        encoder: the encoder's name in its study.
        seed: of the fit.
        space: the feature space it reads.
        encoder_identity: the encoder whose features it was fitted on.
        language_model_id: the language model into which it was fitted.
        d_model: width of that model's word vectors.
        dim, tokens: features are `[pictures, tokens, dim]`.
        prompt_tokens: k soft prompts from one pooled feature; None: one soft prompt a token.
        kind: of projection.
        meta: whatever else is known of the fit, such as its recipe; JSON.
        hashes: sha256 of each file of weights.
    """

    folder: Path = field(compare=False)
    id: str
    key: str
    encoder: str
    seed: int
    space: str
    encoder_identity: str
    language_model_id: str
    d_model: int
    dim: int
    tokens: int
    prompt_tokens: int | None
    kind: str
    meta: Mapping[str, Any]
    hashes: Mapping[str, str]

    @property
    def soft_prompts(self) -> int:
        """How many soft prompts a picture becomes."""
        return self.prompt_tokens or self.tokens

    @property
    def history(self) -> pd.DataFrame:
        """The loss curve: step, loss (mean since the row before), validation_loss (where it was measured), lr."""
        import pandas as pd

        return pd.read_csv(self.folder / "history.csv", dtype=dict.fromkeys(HISTORY, "float64") | {"step": "int64"})

    @classmethod
    def load(cls, folder: Path | str) -> Transfer:
        """Read the folder that `write` wrote; tensors stay on disk until they are asked for.

        Raises:
            MissingResourceError: there is no Transfer in it.
            BadInputError: its `transfer.json` is not one.
        """
        path = Path(folder) / "transfer.json"
        if not path.is_file():
            raise MissingResourceError(f"{folder} holds no Transfer. Make one: concepttransfer fit --encoder NAME")
        try:
            read = dict(read_json(path))
            if read.pop("format") != FORMAT:
                raise BadInputError(f"{path} was written by another version of concepttransfer. Fit it again.")
            return cls(folder=Path(folder), **read)
        except (ValueError, TypeError, KeyError) as error:
            raise BadInputError(f"{path} is damaged ({error}). Delete {folder} and fit it again.") from error

    @classmethod
    def write(
        cls,
        folder: Path,
        projection: Projection,
        *,
        key: str,
        encoder: str,
        seed: int,
        space: str,
        encoder_identity: str,
        language_model_id: str,
        tokens: int,
        meta: Mapping[str, Any] | None = None,
        history: pd.DataFrame | None = None,
        encoder_state: Mapping[str, Tensor] | None = None,
        dtype: str = "float32",
    ) -> Transfer:
        """Write a Transfer, whole or not at all; the same arguments give the same bytes.

        Args:
            folder: replaced if it is there.
            projection: its standardisation already folded in.
            key, encoder, seed, language_model_id, tokens, meta: see the class.
            space, encoder_identity: of the encoder before it was trained; `load_encoder` with the trained state appends
                the state's hash to both, and so does this.
            history: columns step, loss, validation_loss, lr; None: imported, not fitted.
            encoder_state: the whole state of an encoder that was trained; None: it was frozen.
            dtype: of the saved weights: `float32`, or `float16` at half the size.
        """
        tuned = _state_mark(encoder_state, dtype)
        parts = {
            "space": space + tuned,
            "encoder_identity": encoder_identity + tuned,
            "language_model_id": language_model_id,
            "tokens": tokens,
            "kind": projection.kind,
            **projection.shape(),
        }
        files = {"projection.safetensors": _packed(projection.state_dict(), dtype)}
        if encoder_state is not None:
            files["encoder.safetensors"] = _packed(encoder_state, dtype)
        with new_folder(Path(folder)) as new:
            for name, content in files.items():
                write_bytes(new / name, content)
            hashes = {name: file_digest(new / name) for name in files}
            named = {"key": key, "encoder": encoder, "seed": seed, "meta": dict(meta or {}), "hashes": hashes}
            write_json(new / "transfer.json", {"format": FORMAT, "id": digest(parts, hashes), **parts, **named})
            write_bytes(new / "history.csv", _table(history))
        return cls.load(folder)

    def projection(self) -> Projection:
        """The projection in float32, on the CPU, in evaluation mode.

        Raises:
            BadInputError: the weights are not the ones that were written.
        """
        from .projections import build_projection

        made = build_projection(self.kind, dim=self.dim, d_model=self.d_model, prompt_tokens=self.prompt_tokens)
        try:
            made.load_state_dict(self._tensors("projection.safetensors"))
        except RuntimeError as error:
            raise BadInputError(f"{self.folder} is damaged ({error}). Delete it and fit it again.") from error
        return made.eval().requires_grad_(False)

    def encoder_state(self) -> dict[str, Tensor] | None:
        """The whole state of an encoder that was trained, for `load_encoder`, in float32; None where it was frozen."""
        return self._tensors("encoder.safetensors") if "encoder.safetensors" in self.hashes else None

    def copy(self, folder: Path, *, dtype: str = "float16") -> Transfer:
        """The same Transfer in another folder and dtype, such as `float16` to be shipped; its id is another."""
        state = self.encoder_state()
        mark = _state_mark(state, "float32")
        return Transfer.write(
            folder,
            self.projection(),
            key=self.key,
            encoder=self.encoder,
            seed=self.seed,
            space=self.space.removesuffix(mark),
            encoder_identity=self.encoder_identity.removesuffix(mark),
            language_model_id=self.language_model_id,
            tokens=self.tokens,
            meta=self.meta,
            history=self.history,
            encoder_state=state,
            dtype=dtype,
        )

    def check_features(self, features: HasSpace, *, study: str | None = None) -> None:
        """See that `features` are of the space on which this was fitted.

        Args:
            features: Features, or a source of them, with `space` and, where known, `values` or `tokens` and `dim`.
            study: its name or file, for the command in the message.

        Raises:
            MismatchError: they are of another space or shape.
        """
        shape = features.values.shape[1:] if hasattr(features, "values") else None
        if shape is None and hasattr(features, "dim") and hasattr(features, "tokens"):
            shape = (features.tokens, features.dim)
        if features.space == self.space and (shape is None or tuple(shape) == (self.tokens, self.dim)):
            return
        came = f"of `{features.space}`" + (f" ({shape[0]} x {shape[1]})" if shape is not None else "")
        raise MismatchError(
            f"{self.encoder} was fitted on features of `{self.space}` ({self.tokens} tokens x {self.dim}); "
            f"these are {came}.\nEncode with the encoder it was fitted on, or fit it again: {self._command(study)}"
        )

    def check_language_model(self, language_model_id: str, d_model: int, *, study: str | None = None) -> None:
        """See that this was fitted into the language model named, `d_model` wide.

        Raises:
            MismatchError: it was fitted into another.
        """
        if (language_model_id, d_model) == (self.language_model_id, self.d_model):
            return
        raise MismatchError(
            f"{self.encoder} was fitted into `{self.language_model_id}` ({self.d_model} wide); "
            f"this study's language model is `{language_model_id}` ({d_model} wide).\n"
            f"Fit it again for this study: {self._command(study)}"
        )

    def _command(self, study: str | None) -> str:
        return f"concepttransfer fit{f' --study {study}' if study else ''} --encoder {self.encoder}"

    def _tensors(self, name: str) -> dict[str, Tensor]:
        from safetensors.torch import load

        path = self.folder / name
        if not path.is_file() or file_digest(path) != self.hashes[name]:
            raise BadInputError(f"{path} is not the file that was written. Delete {self.folder} and fit it again.")
        read: dict[str, Tensor] = load(path.read_bytes())
        return {key: value.float() if value.is_floating_point() else value for key, value in read.items()}


def _cast(tensors: Mapping[str, Tensor], dtype: str) -> dict[str, Tensor]:
    """The tensors on the CPU, each with memory of its own, floating ones in `dtype`."""
    import torch

    if dtype not in ("float32", "float16"):
        raise BadInputError(f"A Transfer is saved as float32 or float16; `{dtype}` was asked for.")
    to: torch.dtype = getattr(torch, dtype)
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return {name: v.to(to if v.is_floating_point() else v.dtype, copy=True) for name, v in plain.items()}


def _packed(tensors: Mapping[str, Tensor], dtype: str) -> bytes:
    from safetensors.torch import save

    packed: bytes = save(_cast(tensors, dtype))
    return packed


def _state_mark(state: Mapping[str, Tensor] | None, dtype: str) -> str:
    """What `load_encoder` will append to id and space of an encoder with this state, once it was saved in `dtype`."""
    if state is None:
        return ""
    from .encoders.loading import state_digest

    return f"+{state_digest(_cast(_cast(state, dtype), 'float32'))[:16]}"


def _table(history: pd.DataFrame | None) -> bytes:
    import pandas as pd

    table = history if history is not None else pd.DataFrame({name: [] for name in HISTORY})
    text = io.StringIO()
    table[list(HISTORY)].to_csv(text, index=False, float_format="%.7g", lineterminator="\n")
    return text.getvalue().encode()
