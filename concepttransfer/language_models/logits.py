"""Logits only where they are asked for."""

from __future__ import annotations

import contextlib
from typing import Any

from torch import Tensor, nn

from .last_layer import feed_forward_at


def logits_at(module: Any, keep: Tensor, **arguments: Any) -> tuple[Tensor, Any]:
    """Run a language model and give its logits where `keep` is true.

    With a picture of 144 or 196 vectors before a caption of ten tokens, nine tenths of the vocabulary projection of a
    plain call are thrown away. So the hidden states are selected just before they enter the output head, and what
    the library does behind it (scales, soft caps) stays the library's. The same is done to the last layer's
    feed-forward, unless hidden states are asked for or it is an encoder-decoder.

    Args:
        module: a causal language model of transformers, or an encoder-decoder.
        keep: `[b, s]` (bool), n of them true; of an encoder-decoder the decoder's tokens.
        arguments: what the module is called with.

    Returns:
        Logits `[n, V]` in the order of `keep`'s rows and on its device (a spread model's head may be on another), and
        the module's whole output.
    """
    head: nn.Module | None = module.get_output_embeddings()
    selected: list[bool] = []

    def select(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        selected.append(True)
        return (given[0][keep.to(given[0].device)].unsqueeze(0), *given[1:])

    hook = head.register_forward_pre_hook(select) if head is not None else None
    whole = arguments.get("output_hidden_states") or getattr(module.config, "is_encoder_decoder", False)
    less = contextlib.nullcontext() if whole else feed_forward_at(module, keep)
    try:
        with less:
            output = module(**arguments, return_dict=True)
    finally:
        if hook is not None:
            hook.remove()
    logits: Tensor = output.logits
    return (logits[0] if selected else logits[keep.to(logits.device)]).to(keep.device), output
