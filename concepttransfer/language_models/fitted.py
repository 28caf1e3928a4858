"""The part of a language model that a fit trains, all its weights or adapters in it, and how it is put in place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from ..errors import BadInputError, MismatchError
from .adapter_spec import AdapterSpec
from .placement import is_placed, is_sharded

if TYPE_CHECKING:
    from ..training.recipe import Recipe
    from ..transfer import Transfer
    from .base import LanguageModel


class Part(Protocol):
    """What is trained of a language model."""

    def parameters(self) -> list[nn.Parameter]:
        """To be given to an optimiser."""

    def state(self) -> dict[str, Tensor]:
        """What is saved."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what was saved."""

    def in_place(self, *, trainable: bool = False) -> contextlib.AbstractContextManager[None]:
        """The language model with this part for the block, and as it was after it."""


class Weights:
    """All weights of a language model in float32, which stand in the place of its own for a while.

    Nothing is copied back and forth: for the block the module's parameters point to these tensors.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype | None = None) -> None:
        """Begin with copies of the module's own, in `dtype` (None: each in its own)."""
        self._module = module
        own = {name: p.data for name, p in module.named_parameters()}
        self._tensors = {name: value.to(dtype or value.dtype, copy=True) for name, value in own.items()}

    def parameters(self) -> list[nn.Parameter]:
        """The module's own parameters, each once."""
        return [p for _, p in self._module.named_parameters()]

    def state(self) -> dict[str, Tensor]:
        """The weights by the names of transformers; tied ones once."""
        return dict(self._tensors)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over weights that were saved.

        Raises:
            MismatchError: they are of another architecture.
        """
        shapes = {name: value.shape for name, value in state.items()}
        if shapes != {name: value.shape for name, value in self._tensors.items()}:
            raise MismatchError("These weights of a tuned language model are of another architecture. Fit it again.")
        for name, tensor in self._tensors.items():
            tensor.copy_(state[name])

    @contextlib.contextmanager
    def in_place(self, *, trainable: bool = False) -> Iterator[None]:
        """The module with these weights for the block, and with its own after it."""
        parameters = dict(self._module.named_parameters())
        own = {name: parameter.data for name, parameter in parameters.items()}
        try:
            for name, parameter in parameters.items():
                parameter.data = self._tensors[name]
                parameter.requires_grad_(trainable)
            yield
        finally:
            for name, parameter in parameters.items():
                parameter.grad = None
                parameter.requires_grad_(False)
                parameter.data = own[name]


class Inserted:
    """Adapters in a language model whose own weights stay as they are."""

    def __init__(self, module: nn.Module, spec: AdapterSpec, seed: int) -> None:
        """Begin with adapters drawn from `seed`, each where its layer computes."""
        from .adapters import Adapters

        self._module = module
        self._adapters = Adapters(module, spec, seed)

    def parameters(self) -> list[nn.Parameter]:
        """Those of the adapters."""
        return list(self._adapters.parameters())

    def state(self) -> dict[str, Tensor]:
        """The adapters' weights."""
        return dict(self._adapters.state_dict())

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over adapters that were saved.

        Raises:
            MismatchError: they are of another language model.
        """
        try:
            self._adapters.load_state_dict(dict(state))
        except RuntimeError as error:
            raise MismatchError(f"These adapters are of another language model. Fit them again. ({error})") from error

    @contextlib.contextmanager
    def in_place(self, *, trainable: bool = False) -> Iterator[None]:
        """The module with the adapters for the block, and without them after it."""
        self._adapters.requires_grad_(trainable)
        with self._adapters.attached(self._module):
            yield


def part_to_train(language_model: LanguageModel, recipe: Recipe, seed: int) -> Part | None:
    """What a recipe trains of a language model, in float32, as it begins; None: nothing.

    Raises:
        BadInputError: the language model is quantised, sharded or spread, so that it can only be frozen.
    """
    if not recipe.changes_language_model:
        return None
    module = language_model.module
    if recipe.adapters is not None:
        if is_sharded(module):
            raise BadInputError("Adapters do not go into a language model sharded by FSDP. Leave --use_fsdp out.")
        return Inserted(module, recipe.adapters, seed)
    if is_sharded(module) or is_placed(module):
        raise BadInputError(
            "A language model that is quantised, spread or sharded is only fitted into, not tuned. "
            "Leave --dtype 8bit, --device spread or --use_fsdp out, or train adapters in it."
        )
    return Weights(module, torch.float32)


@contextlib.contextmanager
def as_fitted(language_model: LanguageModel, transfer: Transfer) -> Iterator[LanguageModel]:
    """The language model with what a fit trained of it, for the block; the same one where that is nothing.

    Raises:
        MismatchError: the Transfer was fitted into another language model.
    """
    transfer.check_language_model(language_model.id, language_model.d_model)
    state = transfer.language_model_state()
    if state is None:
        yield language_model
        return
    module = language_model.module
    spec = transfer.adapters
    part: Part = Weights(module) if spec is None else Inserted(module, AdapterSpec.model_validate(spec), 0)
    part.load(state)
    with part.in_place():
        yield language_model
