"""A batch of texts that a decoder says of inputs which an encoder has read once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .logits import logits_at
from .stream import Stream


class DecoderStream(Stream):
    """Continues the decoder's texts token by token; the encoder's states are kept, one a text.

    Attributes:
        logits: of the next token, `[b, V]`, float32.
    """

    def __init__(self, module: Any, vectors: Tensor, mask: Tensor, begin: int) -> None:
        """Read the inputs, and the token that the decoder starts from.

        Args:
            module: an encoder-decoder of transformers.
            vectors: `[b, s, d_model]` of the encoder's inputs, padded on any side that its positions allow.
            mask: `[b, s]`, true where a vector is real.
            begin: the decoder's first token.
        """
        self._module, self._inputs = module, mask.long()
        encoder = module.get_encoder()
        read = encoder(inputs_embeds=vectors, attention_mask=self._inputs, return_dict=True)
        self._states: Tensor = read.last_hidden_state
        self._cache: Any = None
        self._mask = torch.ones(len(mask), 1, dtype=torch.long, device=mask.device)
        self._read(1, input_ids=torch.full((len(mask), 1), begin, device=mask.device))

    def select(self, rows: Tensor) -> None:
        """Go on with these rows, in this order; a row may come several times or not at all."""
        super().select(rows)
        self._inputs, self._states = self._inputs[rows], self._states[rows.to(self._states.device)]

    def _forward(self, keep: Tensor, **tokens: Tensor) -> Tensor:
        """Read tokens and give their logits where `keep` `[b, new]` is true, float32."""
        from transformers.modeling_outputs import BaseModelOutput

        logits, output = logits_at(
            self._module,
            keep,
            encoder_outputs=BaseModelOutput(last_hidden_state=self._states),
            attention_mask=self._inputs,
            decoder_input_ids=tokens["input_ids"],
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = output.past_key_values
        return logits.float()
