"""Lays segments of any kind and length out as one batch of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import BadInputError, ShapeError
from .base import Segment
from .tokens import Tokens

SOFT, PAD = -1, -2
"""What stands for a soft prompt's vector, and for nothing, in a row of token ids."""


class Layout(NamedTuple):
    """Inputs as rows of token ids with places kept for soft prompts.

    Attributes:
        rows: ids of each input; SOFT where a vector of a soft prompt goes.
        prompts: the soft prompts of all rows, row by row, each `[k, d_model]`.
        last: the text that each input ends with, or None.
    """

    rows: list[list[int]]
    prompts: list[Tensor]
    last: list[str | None]


def lay_out(inputs: Sequence[Sequence[Segment]], tokens: Tokens, d_model: int, *, closed: bool = False) -> Layout:
    """Read inputs; neighbouring texts are joined before they are tokenised.

    Args:
        inputs: each a list of segments.
        tokens: the tokenizer.
        d_model: width of a soft prompt.
        closed: what the tokenizer puts after a text stands after an input that ends in a text or holds nothing.

    Raises:
        ShapeError: a soft prompt that is not `[k, d_model]`.
        BadInputError: an input that holds nothing, before a model without a begin token.
    """
    layout = Layout([], [], [])
    for segments in inputs:
        row, text = list(tokens.start), ""
        for segment in segments:
            if isinstance(segment, str):
                text += segment
                continue
            if segment.ndim != 2 or segment.shape[1] != d_model:
                raise ShapeError(f"A soft prompt must be [k, {d_model}]; this one is {list(segment.shape)}.")
            row += [*tokens.ids(text), *[SOFT] * len(segment)]
            layout.prompts.append(segment)
            text = ""
        row += tokens.ids(text)
        if closed and (text or SOFT not in row):
            row += tokens.after
        if not row:
            raise BadInputError("An input holds nothing to go on from. Give a text or a soft prompt.")
        layout.rows.append(row)
        layout.last.append(text or None)
    return layout


def pad(rows: Sequence[Sequence[int]], side: Literal["left", "right"], fill: int = PAD) -> Tensor:
    """Rows of ids, filled up on one side: `[b, s]`."""
    longest = max((len(row) for row in rows), default=0)
    fillings = ([fill] * (longest - len(row)) for row in rows)
    if side == "left":
        return torch.tensor([[*filling, *row] for row, filling in zip(rows, fillings, strict=True)], dtype=torch.long)
    return torch.tensor([[*row, *filling] for row, filling in zip(rows, fillings, strict=True)], dtype=torch.long)


def embed(ids: Tensor, prompts: Sequence[Tensor], embedding: nn.Module) -> Tensor:
    """The vectors `[b, s, d_model]` of padded ids `[b, s]`: words by the library's embedding, soft prompts as they are.

    The embedding module is called, not its table read, because some families scale in it (Gemma, by the root of the
    width). Soft prompts of all rows are put in at once; gradient flows to them, and to words that are trained.
    """
    trained = torch.is_grad_enabled() and any(weight.requires_grad for weight in embedding.parameters())
    with torch.set_grad_enabled(trained):
        words: Tensor = embedding(ids.clamp(min=0))
    if not prompts:
        return words
    vectors = torch.cat(list(prompts)).to(device=words.device, dtype=words.dtype)
    return words.masked_scatter((ids == SOFT).unsqueeze(-1), vectors)
