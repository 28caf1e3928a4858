"""The logit lens: what a language model would say next if one of its layers were the last. nostalgebraist 2020.

The states behind a layer are put in the place of what the last layer gives, and the library does the rest: the final
norm, a projection where there is one, the output head, scales and caps. So no family's parts have to be known by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from .last_layer import last_layer
from .logits import logits_at


def layer_logits(module: Any, vectors: Tensor, keep: Tensor) -> Iterator[Tensor]:
    """Logits `[n, V]` (float32) of what goes into the first layer, then of what each layer gives.

    The last ones are the model's own: transformers hands out the last state behind the final norm, so it is read by the
    head alone.

    Args:
        module: a causal language model of transformers.
        vectors: `[b, s, d_model]`, without padding.
        keep: `[b, s]` (bool), n of them true: the positions that are read, row by row.

    Raises:
        BadInputError: the layers do not stand in one list.
    """
    own, output = logits_at(module, keep, inputs_embeds=vectors, use_cache=False, output_hidden_states=True)
    states = [state[keep.to(state.device)] for state in output.hidden_states[:-1]]
    del output
    for state in states:
        yield unembed(module, state, vectors.shape[-1]).float()
    yield own.float()


def unembed(module: Any, states: Tensor, d_model: int) -> Tensor:
    """Logits `[n, V]` of states `[n, width]`, as if the last layer had given them.

    Each state stands alone in an input of one token; what is before the last layer computes and is thrown away.

    Args:
        module: a causal language model of transformers.
        states: of the width of its layers.
        d_model: the width of its inputs.

    Raises:
        BadInputError: the layers do not stand in one list.
    """
    layer = last_layer(module)
    if layer is None:
        raise BadInputError(
            f"The layers of {type(module).__name__} do not stand in one list, so that the last cannot be told from the "
            "rest. The logit lens reads decoder-only language models of transformers' usual form."
        )

    def put(_: nn.Module, __: Any, made: Any) -> Any:
        tensor = made[0] if isinstance(made, tuple) else made
        given = states.unsqueeze(1).to(device=tensor.device, dtype=tensor.dtype)
        return (given, *made[1:]) if isinstance(made, tuple) else given

    carriers = torch.zeros(len(states), 1, d_model, device=states.device, dtype=states.dtype)
    keep = torch.ones(len(states), 1, dtype=torch.bool, device=states.device)
    hook = layer.register_forward_hook(put)
    try:
        logits, _ = logits_at(module, keep, inputs_embeds=carriers, use_cache=False)
    finally:
        hook.remove()
    return logits
