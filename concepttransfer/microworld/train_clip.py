"""Trains CLIP: pictures and captions, each to find its own among the batch (Radford et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from concepttransfer.contrastive.loss import contrastive_loss, scale_of
from concepttransfer.microworld.build import Job, Made
from concepttransfer.microworld.networks import clip, normalise, text_tensor, tokenizer
from concepttransfer.microworld.pretraining import Pictures, dev_pictures, pretraining_pictures
from concepttransfer.microworld.scene import ANIMALS
from concepttransfer.microworld.train_loop import Optimisation, batch_indices
from concepttransfer.microworld.train_pictures import made, shifted, train_on_pictures


class Contrast:
    """The task of matching pictures and captions: one of a picture's captions is drawn each time it is seen."""

    def __init__(self, module: Any, tokens: Tensor, pictures: Pictures, how: Optimisation, recipe: Any) -> None:
        """Learn `pictures` with their captions, `tokens`: `[n,captions,CONTEXT]`."""
        self.module = module
        self._tokens = tokens
        self._pictures = pictures
        self._how = how
        self._shift = recipe["shift"]

    def loss(self, step: int, device: torch.device) -> tuple[Tensor, float]:
        """The mean of both directions' losses, and the share of pictures that find their caption."""
        how = self._how
        rows = batch_indices(step, how.batch_size, len(self._pictures.animals), how.seed)
        pictures = shifted(self._pictures.take(rows), self._shift, [how.seed, step]).to(device)
        said = np.random.default_rng([how.seed, step, 2]).integers(0, self._tokens.shape[1], len(rows))
        texts = self._tokens[rows, said].to(device, torch.int64)
        seen = nn.functional.normalize(self.module.encode_image(pictures).float(), dim=-1)
        read = nn.functional.normalize(self.module.encode_text(texts).float(), dim=-1)
        loss, right = contrastive_loss(seen, read, scale_of(self.module.logit_scale))
        return loss, right.float().mean().item()


def caption_tokens(words: Any, texts: Sequence[Sequence[str]]) -> Tensor:
    """Every caption as the text tower reads it, int16 `[n,captions,CONTEXT]`."""
    return torch.stack([torch.stack([text_tensor(words, text) for text in five]) for five in texts]).to(torch.int16)


def make_clip(job: Job) -> Made:
    """Train CLIP on the pretraining pictures and their captions; all of it is shipped."""
    how = Optimisation(**job.recipe["optimisation"])
    pictures = pretraining_pictures(job.recipe["pictures"], quiet=job.quiet)
    words = tokenizer(job.out / "tokenizer")
    torch.manual_seed(how.seed)
    module = clip().to(job.device).to(memory_format=torch.channels_last)
    task = Contrast(module, caption_tokens(words, pictures.texts), pictures, how, job.recipe)
    done, facts = train_on_pictures(task, pictures, how, job)
    facts["dev"] = {"zero_shot_right": zero_shot(module, words, job.device)}
    return made(job, module, done, facts)


@torch.no_grad()
def zero_shot(module: Any, words: Any, device: str) -> float:
    """The share of dev's pictures whose nearest text among "a zebra", "a cow", ... names their animal."""
    pictures = dev_pictures()
    module.eval()
    names = torch.stack([text_tensor(words, f"{'an' if name[0] in 'aeiou' else 'a'} {name}") for name in ANIMALS])
    read = nn.functional.normalize(module.encode_text(names.to(device)), dim=-1)
    seen = module.encode_image(normalise(pictures.take(range(len(pictures.animals)))).to(device))
    said = (seen @ read.T).argmax(1).cpu()
    return round(float(np.mean([ANIMALS[i] == animal for i, animal in zip(said, pictures.animals, strict=True)])), 4)
