"""Greedy and nucleus decoding: each text is continued on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..storage import digest
from .stream import Ending, Said, Stream

Choose = Callable[[Tensor, int, list[int]], Tensor]
"""From log-probabilities `[b, V]`, the step, and the texts' numbers, the next tokens `[b]`."""


def extend(stream: Stream, choose: Choose, max_tokens: int, ending: Ending) -> list[Said]:
    """Continue every text until it ends; texts that have ended leave the batch when they are half of it.

    Args:
        stream: the inputs, one a text.
        choose: takes the next tokens.
        max_tokens: at most so many tokens a text.
        ending: when a text has ended.
    """
    said = [Said([], []) for _ in range(len(stream))]
    texts, open_texts = list(range(len(said))), set(range(len(said)))
    for step in range(max_tokens):
        scores = stream.logits.log_softmax(-1)
        chosen = choose(scores, step, texts)
        values = scores.gather(1, chosen[:, None])[:, 0]
        for text, token, value in zip(texts, chosen.tolist(), values.tolist(), strict=True):
            if text in open_texts:
                said[text].ids.append(token)
                said[text].logprobs.append(value)
                if ending.reached(said[text].ids):
                    open_texts.discard(text)
        if not open_texts or step == max_tokens - 1:
            break
        if 2 * len(open_texts) <= len(texts):
            kept = torch.tensor([i for i, text in enumerate(texts) if text in open_texts], device=chosen.device)
            stream.select(kept)
            chosen, texts = chosen[kept], [texts[i] for i in kept.tolist()]
        stream.advance(chosen)
    return said


def greedy(scores: Tensor, step: int, texts: list[int]) -> Tensor:
    """The likeliest token of each text; of equals, the one with the lowest id."""
    return scores.argmax(-1)


def nucleus(draws: Tensor, temperature: float, top_p: float) -> Choose:
    """Draw from the nucleus: temperature first, then the smallest set of tokens whose mass reaches `top_p`.

    Holtzman et al. 2020, section 3.1. (Code in circulation keeps the set of mass 1 - p, or drops the likeliest tokens.)

    Args:
        draws: `[texts, max_tokens]` uniform in [0, 1).
        temperature: logits are divided by it.
        top_p: mass of the nucleus.
    """

    def choose(scores: Tensor, step: int, texts: list[int]) -> Tensor:
        masses, order = nucleus_masses((scores / temperature).softmax(-1), top_p)
        reached = masses.cumsum(-1)
        wanted = draws[texts, step].to(reached.device) * reached[:, -1]
        place = (reached <= wanted[:, None]).sum(-1)
        last = (masses > 0).sum(-1) - 1
        return order.gather(1, torch.minimum(place, last)[:, None])[:, 0]

    return choose


def nucleus_masses(probabilities: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Probabilities `[b, V]` in falling order, 0 outside the nucleus (float64), and the tokens in that order."""
    masses, order = probabilities.double().sort(stable=True, dim=-1, descending=True)
    before = masses.cumsum(-1) - masses
    before[:, 0] = 0.0
    return masses.where(before < top_p, 0.0), order


def uniform_draws(keys: Sequence[str], samples: int, seed: int, n: int) -> Tensor:
    """`n` uniform draws for each key and sample, `[keys * samples, n]`; a row depends on seed, key and sample alone."""

    def row(key: str, sample: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.random.Generator(np.random.Philox(key=int(digest(seed, key, sample)[:32], 16))).random(n)

    return torch.from_numpy(np.stack([row(key, sample) for key in keys for sample in range(samples)]))
