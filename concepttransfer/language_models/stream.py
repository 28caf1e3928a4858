"""A batch of inputs that is being continued: cache, mask, positions, and the logits of the next token."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .logits import logits_at


class Said(NamedTuple):
    """The tokens of one text, and the log-probability of each."""

    ids: list[int]
    logprobs: list[float]


@dataclass(frozen=True)
class Ending:
    """When a text has ended, and what of it is kept.

    Attributes:
        end: the end token's id, or None.
        stop: a text ends before the first of these.
        decode: ids to text.
    """

    end: int | None
    stop: tuple[str, ...]
    decode: Callable[[Sequence[int]], str]

    def reached(self, ids: Sequence[int]) -> bool:
        """Has the text ended with its last token?"""
        if ids[-1] == self.end:
            return True
        return bool(self.stop) and any(stop in self.decode(ids) for stop in self.stop)

    def text(self, ids: Sequence[int]) -> str:
        """The text before the first stop string, stripped."""
        text = self.decode(ids)
        cuts = [at for stop in self.stop if (at := text.find(stop)) >= 0]
        return text[: min(cuts, default=None)].strip()


class Stream:
    """Continues a left-padded batch token by token with a key/value cache.

    Attributes:
        logits: of the next token, `[b, V]`, float32.
    """

    logits: Tensor

    def __init__(self, module: Any, vectors: Tensor, mask: Tensor) -> None:
        """Read the inputs.

        Args:
            module: a causal language model of transformers.
            vectors: `[b, s, d_model]`, padded on the left.
            mask: `[b, s]`, 1 where a vector is real.
        """
        self._module, self._mask = module, mask.long()
        self._cache: Any = None
        # Families without learnt or rotary positions (BLOOM) read them off the mask and take no such argument.
        self._positions = "position_ids" in inspect.signature(module.forward).parameters
        self._read(vectors.shape[1], inputs_embeds=vectors)

    def __len__(self) -> int:
        return len(self._mask)

    def advance(self, ids: Tensor) -> None:
        """Append one token `[b]` to each text."""
        self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=1)
        self._read(1, input_ids=ids[:, None])

    def select(self, rows: Tensor) -> None:
        """Go on with these rows, in this order; a row may come several times or not at all."""
        self._mask, self.logits = self._mask[rows], self.logits[rows]
        self._cache.reorder_cache(rows)

    def nll(self, ids: Tensor) -> Tensor:
        """Negative log-likelihood `[b, t]` of tokens `[b, t]` that follow; nothing can be appended after them."""
        logits = [self.logits.unsqueeze(1)]
        if ids.shape[1] > 1:
            self._mask = torch.nn.functional.pad(self._mask, (0, ids.shape[1] - 1), value=1)
            every = torch.ones_like(ids[:, :-1], dtype=torch.bool)
            logits.append(self._forward(every, input_ids=ids[:, :-1]).view(*every.shape, -1))
        losses = torch.nn.functional.cross_entropy(torch.cat(logits, 1).flatten(0, 1), ids.flatten(), reduction="none")
        return losses.view(ids.shape)

    def _read(self, new: int, **tokens: Tensor) -> None:
        last = torch.zeros(len(self), new, dtype=torch.bool, device=self._mask.device)
        last[:, -1] = True
        self.logits = self._forward(last, **tokens)

    def _forward(self, keep: Tensor, **tokens: Tensor) -> Tensor:
        """Read tokens and give their logits where `keep` `[b, new]` is true, float32."""
        new = keep.shape[1]
        positions = {"position_ids": (self._mask.cumsum(1) - 1).clamp(min=0)[:, -new:]} if self._positions else {}
        tokens |= {"attention_mask": self._mask, **positions}
        logits, output = logits_at(self._module, keep, past_key_values=self._cache, use_cache=True, **tokens)
        self._cache = output.past_key_values
        return logits.float()
