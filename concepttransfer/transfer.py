"""What a fit learnt: the projection, the weights trained with it, and which parts it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .errors import BadInputError, MismatchError, MissingResourceError
from .storage import digest, file_digest, new_folder, read_json, write_bytes, write_json
from .transfer_files import (
    COSTS,
    ENCODER,
    FEATURE_ADAPTER,
    HISTORY,
    LANGUAGE_MODEL,
    PROJECTION,
    TRAINED,
    count,
    packed,
    state_mark,
    table,
)

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from .projections import Projection

FORMAT = 1


class HasSpace(Protocol):
    """Features, or whatever else gives a Transfer its input."""

    @property
    def space(self) -> str:
        """Names the feature space."""


@dataclass(frozen=True)
class Transfer:
    """What one fit with one seed learnt, on disk.

    The folder holds `transfer.json`, `projection.safetensors`, `history.csv` and, where they were trained too,
    `encoder.safetensors` and `language_model.safetensors` (all its weights, or adapters); `feature_adapter.safetensors`
    where one stood between features and projection in training; `costs.json`. Frozen parts are named by id and hash and
    never copied.

    Attributes:
        folder: where it lies.
        id: sha256 of the weights and of the parts they belong to: equal ids, equal captions.
        key: the caller's name for the fit it came from: data, recipe, seed, parts.
        encoder: the encoder's name in its study.
        seed: of the fit.
        space: the feature space it reads.
        encoder_identity: the encoder whose features it was fitted on.
        language_model_id: the language model into which it was fitted, as it was before.
        d_model: width of that model's word vectors.
        dim, tokens: features are `[pictures, tokens, dim]`.
        prompt_tokens: k soft prompts from one pooled feature; None: one soft prompt a token.
        kind: of projection.
        meta: whatever else is known of the fit, such as its recipe; JSON.
        hashes: sha256 of each file of weights.
        options: the projection's own, beside its shape.
        adapters: the `AdapterSpec` of adapters that were trained in the language model, as JSON; None: none.
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
    options: Mapping[str, Any] = field(default_factory=dict)
    adapters: Mapping[str, Any] | None = None

    @property
    def soft_prompts(self) -> int:
        """How many soft prompts a picture becomes."""
        return self.prompt_tokens or self.tokens

    @property
    def n_trained(self) -> int:
        """How many parameters the fit trained: of the projection, and of whatever else was trained with it."""
        return sum(count(self.folder / name) for name in TRAINED if name in self.hashes)

    @property
    def seconds(self) -> float | None:
        """How long the fit took, over all its runs; None: not known."""
        path = self.folder / COSTS
        return float(read_json(path)["seconds"]) if path.is_file() else None

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
        language_model_state: Mapping[str, Tensor] | None = None,
        adapters: Mapping[str, Any] | None = None,
        feature_adapter_state: Mapping[str, Tensor] | None = None,
        seconds: float | None = None,
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
            language_model_state: all weights of a language model that was trained, or of `adapters`; None: frozen.
            adapters: see the class.
            feature_adapter_state: what stood between features and projection in training; None: nothing.
            seconds: how long the fit took; None: not known.
            dtype: of the saved weights: `float32`, or `float16` at half the size.
        """
        tuned = state_mark(encoder_state, dtype)
        parts = {
            "space": space + tuned,
            "encoder_identity": encoder_identity + tuned,
            "language_model_id": language_model_id,
            "tokens": tokens,
            "kind": projection.kind,
            **projection.shape(),
            **({"options": options} if (options := projection.options()) else {}),
            **({"adapters": dict(adapters)} if adapters else {}),
        }
        states = {
            PROJECTION: projection.state_dict(),
            ENCODER: encoder_state,
            LANGUAGE_MODEL: language_model_state,
            FEATURE_ADAPTER: feature_adapter_state,
        }
        files = {name: packed(state, dtype) for name, state in states.items() if state is not None}
        with new_folder(Path(folder)) as new:
            for name, content in files.items():
                write_bytes(new / name, content)
            hashes = {name: file_digest(new / name) for name in files}
            named = {"key": key, "encoder": encoder, "seed": seed, "meta": dict(meta or {}), "hashes": hashes}
            write_json(new / "transfer.json", {"format": FORMAT, "id": digest(parts, hashes), **parts, **named})
            write_bytes(new / "history.csv", table(history))
            if seconds is not None:
                write_json(new / COSTS, {"seconds": round(seconds, 1)})
        return cls.load(folder)

    def projection(self) -> Projection:
        """The projection in float32, on the CPU, in evaluation mode.

        Raises:
            BadInputError: the weights are not the ones that were written.
        """
        from .projections import build_projection

        shape: dict[str, Any] = {"dim": self.dim, "d_model": self.d_model, "prompt_tokens": self.prompt_tokens}
        made = build_projection(self.kind, **shape, **self.options)
        try:
            made.load_state_dict(self._tensors(PROJECTION))
        except RuntimeError as error:
            raise BadInputError(f"{self.folder} is damaged ({error}). Delete it and fit it again.") from error
        return made.eval().requires_grad_(False)

    def encoder_state(self) -> dict[str, Tensor] | None:
        """The whole state of an encoder that was trained, for `load_encoder`, in float32; None where it was frozen."""
        return self._tensors(ENCODER) if ENCODER in self.hashes else None

    def language_model_state(self) -> dict[str, Tensor] | None:
        """All weights of a language model that was trained, or of `adapters`, in float32; None where it was frozen."""
        return self._tensors(LANGUAGE_MODEL) if LANGUAGE_MODEL in self.hashes else None

    def feature_adapter_state(self) -> dict[str, Tensor] | None:
        """What stood between features and projection in training; None where nothing did."""
        return self._tensors(FEATURE_ADAPTER) if FEATURE_ADAPTER in self.hashes else None

    def copy(self, folder: Path, *, dtype: str = "float16") -> Transfer:
        """The same Transfer in another folder and dtype, such as `float16` to be shipped; its id is another."""
        state = self.encoder_state()
        mark = state_mark(state, "float32")
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
            language_model_state=self.language_model_state(),
            adapters=self.adapters,
            feature_adapter_state=self.feature_adapter_state(),
            seconds=self.seconds,
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
