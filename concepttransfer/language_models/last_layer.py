"""The last layer's feed-forward, only where something is read from it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


@contextlib.contextmanager
def feed_forward_at(module: Any, keep: Tensor) -> Iterator[None]:
    """While the block runs, the last layer's feed-forward works on the positions of `keep` and gives 0 elsewhere.

    After its attention the last layer treats each position by itself, so nothing that is read at the kept positions
    changes. It is two thirds of a layer: in GPT-2 5 % of a forward and backward pass, in GPT-J 2 %.

    Only a feed-forward of the usual form is treated so: a child `mlp` of a class named `...MLP` that maps one tensor.
    Experts, BLOOM's and OPT's run as ever.

    Args:
        module: a causal language model of transformers. The hidden states that it gives mean nothing elsewhere, and
            its last layer must not be recomputed in the backward pass, when the block has ended.
        keep: `[b, s]` (bool).
    """
    block = _feed_forward(module) if keep.shape[1] > 1 else None
    if block is None:
        yield
        return
    places = keep.nonzero(as_tuple=True)

    def select(_: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        return (given[0][_on(given[0])],)

    def spread(_: nn.Module, __: Any, made: Tensor) -> Tensor:
        return made.new_zeros((*keep.shape, made.shape[-1])).index_put(_on(made), made)

    def _on(tensor: Tensor) -> tuple[Tensor, ...]:
        return tuple(place.to(tensor.device) for place in places)

    hooks = [block.register_forward_pre_hook(select), block.register_forward_hook(spread)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def layers(module: Any) -> nn.ModuleList | None:
    """A causal language model's layers, in order; None where they do not stand in one list."""
    depth = getattr(module.config.get_text_config(), "num_hidden_layers", None)
    stacks = (part for part in module.modules() if isinstance(part, nn.ModuleList) and len(part) == depth)
    return next(stacks, None)


def last_layer(module: Any) -> nn.Module | None:
    """The last of a causal language model's layers; None where they do not stand in one list."""
    stack = layers(module)
    return None if stack is None else stack[-1]


def _feed_forward(module: Any) -> nn.Module | None:
    """The last layer's, if it is of the usual form."""
    block: Any = getattr(last_layer(module), "mlp", None)
    if block is None or not type(block).__name__.endswith("MLP"):
        return None
    return block if len(inspect.signature(type(block).forward).parameters) == 2 else None  # self and the tensor
