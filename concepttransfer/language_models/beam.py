"""Beam search, normalised by length."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from .stream import Ending, Said, Stream


@dataclass
class _Search:
    """The beams of one input.

    Attributes:
        number: of the input.
        running: the texts that go on, best first, with the sums of their log-probabilities.
        ended: at most as many texts that have ended as there are beams, best first, with their normalised scores.
    """

    number: int
    running: list[tuple[float, Said]] = field(default_factory=lambda: [(0.0, Said([], []))])
    ended: list[tuple[float, Said]] = field(default_factory=list)

    def end(self, score: float, said: Said, beams: int) -> None:
        """Keep a text that has ended if it is among the best."""
        self.ended = sorted([*self.ended, (score, said)], key=lambda found: -found[0])[:beams]

    def done(self, length: int, beams: int, length_penalty: float) -> bool:
        """Can no running text, normalised by its present length, come among the best any more?"""
        if not self.running:
            return True
        return len(self.ended) == beams and self.running[0][0] / length**length_penalty <= self.ended[-1][0]


def beam_search(stream: Stream, beams: int, length_penalty: float, max_tokens: int, ending: Ending) -> list[Said]:
    """The text with the highest sum of log-probabilities over length to the power `length_penalty`, of each input.

    The same search as transformers' `generate(num_beams=beams, early_stopping=False)`: of the 2 `beams` best
    continuations, those that end count only if they are among the best `beams`; an input is done when its best running
    text, normalised by its present length, is no better than the worst of `beams` ended ones. One beam is greedy.

    Args:
        stream: the inputs.
        beams: texts kept for each input.
        length_penalty: 0 compares sums, 1 means.
        max_tokens: at most so many tokens a text.
        ending: when a text has ended.
    """
    searches = [_Search(number) for number in range(len(stream))]
    best: list[Said] = [Said([], []) for _ in searches]
    for step in range(1, max_tokens + 1):
        parents = _step(searches, stream, beams, length_penalty, ending, step, last=step == max_tokens)
        going = []
        for search, rows in zip(searches, parents, strict=True):
            if search.done(step, beams, length_penalty) or step == max_tokens:
                best[search.number] = search.ended[0][1]
            else:
                going.append((search, rows))
        if not going:
            break
        searches = [search for search, _ in going]
        device = stream.logits.device
        stream.select(torch.tensor([row for _, rows in going for row in rows], device=device))
        newest = [said.ids[-1] for search in searches for _, said in search.running]
        stream.advance(torch.tensor(newest, device=device))
    return best


def _step(
    searches: list[_Search], stream: Stream, beams: int, length_penalty: float, ending: Ending, step: int, *, last: bool
) -> list[list[int]]:
    """Let each search go on by a token; gives, for each, the rows of the stream that its running texts come from."""
    scores = stream.logits.log_softmax(-1)
    parents, row = [], 0
    for search in searches:
        here = scores[row : row + len(search.running)]
        sums = here + torch.tensor([score for score, _ in search.running], device=here.device)[:, None]
        top = sums.flatten().topk(min(2 * beams, sums.numel()))
        places, values = top.indices.tolist(), here.flatten()[top.indices].tolist()
        running: list[tuple[float, Said]] = []
        rows: list[int] = []
        for rank, (total, place, value) in enumerate(zip(top.values.tolist(), places, values, strict=True)):
            parent, token = divmod(place, here.shape[1])
            said = search.running[parent][1]
            said = Said([*said.ids, token], [*said.logprobs, value])
            if last or ending.reached(said.ids):
                if rank < beams:
                    search.end(total / step**length_penalty, said, beams)
            elif len(running) < beams and math.isfinite(total):
                running.append((total, said))
                rows.append(row + parent)
        row += len(here)
        search.running = running
        parents.append(rows)
    return parents
