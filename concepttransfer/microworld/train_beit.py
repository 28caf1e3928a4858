"""Trains BEiT by masked visual tokens: pictures alone, no label and no word (Bao et al. 2022).

The visual tokens are not a discrete VAE's but the nearest of a few hundred patches found by k-means: in a world of flat
colours they say the same. Patches are compared after their picture is brought to mean 0 in each channel and deviation
1, so that light and colour cast do not decide.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from concepttransfer.microworld.build import Job, Made
from concepttransfer.microworld.networks import SIZE, WIDTH_OF_BEIT, beit, normalise
from concepttransfer.microworld.pretraining import Pictures, dev_pictures, pretraining_pictures
from concepttransfer.microworld.train_loop import Optimisation, batch_indices
from concepttransfer.microworld.train_pictures import made, shifted, train_on_pictures
from concepttransfer.storage import write_bytes

PATCH = 16
GRID = SIZE // PATCH
_COARSE = 8
"""Patches are compared at this many pixels a side."""


class MaskedPatches(nn.Module):
    """BEiT and the head that guesses the visual tokens of the masked patches."""

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.encoder = beit()
        self.head = nn.Linear(WIDTH_OF_BEIT, codes)

    def forward(self, pictures: Tensor, mask: Tensor) -> Tensor:
        """Each masked patch's score for each code, `[masked,codes]`; mask: `[b,36]`."""
        hidden = self.encoder(pixel_values=pictures, bool_masked_pos=mask).last_hidden_state[:, 1:]
        return self.head(hidden[mask])  # type: ignore[no-any-return]


class VisualTokens:
    """The task of guessing the codes of masked patches."""

    def __init__(self, module: nn.Module, codebook: Tensor, pictures: Pictures, how: Optimisation, recipe: Any) -> None:
        """Learn `pictures` with `module`; `codebook`: `[codes,192]`."""
        self.module = module
        self._codebook = codebook
        self._pictures = pictures
        self._how = how
        self._shift, self._masked = recipe["shift"], recipe["masked"]

    def loss(self, step: int, device: torch.device) -> tuple[Tensor, float]:
        """Loss over the masked patches of a step's batch, and the share of them guessed right."""
        how = self._how
        rows = batch_indices(step, how.batch_size, len(self._pictures.animals), how.seed)
        pictures = shifted(self._pictures.take(rows), self._shift, [how.seed, step]).to(device)
        mask = block_masks(len(rows), self._masked, np.random.default_rng([how.seed, step, 2])).to(device)
        return self.guess(pictures, mask)

    def guess(self, pictures: Tensor, mask: Tensor) -> tuple[Tensor, float]:
        """Loss over the masked patches of these pictures, and the share of them guessed right."""
        codes = nearest(patches(pictures), self._codebook)[mask]
        scores = self.module(pictures, mask).float()
        return nn.functional.cross_entropy(scores, codes), (scores.argmax(1) == codes).float().mean().item()


def patches(pictures: Tensor) -> Tensor:
    """Patches at 8 x 8 pixels of pictures brought to mean 0 and deviation 1: `[b,3,96,96]` to `[b,36,192]`."""
    with torch.autocast(pictures.device.type, enabled=False):
        even = pictures - pictures.mean((2, 3), keepdim=True)
        even = even / (pictures.std((1, 2, 3), keepdim=True) + 0.05)
        coarse = nn.functional.avg_pool2d(even, PATCH // _COARSE)
        cut = coarse.unfold(2, _COARSE, _COARSE).unfold(3, _COARSE, _COARSE)
        return cut.permute(0, 2, 3, 1, 4, 5).reshape(len(pictures), GRID * GRID, -1)


def nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """The number of the code nearest to each vector: `[...,d]` and `[codes,d]` to `[...]`."""
    with torch.autocast(vectors.device.type, enabled=False):
        return ((codebook**2).sum(1) - 2 * vectors @ codebook.T).argmin(-1)


def block_masks(n: int, share: float, rng: np.random.Generator) -> Tensor:
    """BEiT's blockwise masks, `[n,36]`: rectangles of 2 to 4 patches a side until at least `share` is masked."""
    masks = np.zeros((n, GRID, GRID), dtype=bool)
    for mask in masks:
        while mask.mean() < share:
            high, wide = rng.integers(2, 5, 2)
            top, left = rng.integers(0, GRID - high + 1), rng.integers(0, GRID - wide + 1)
            mask[top : top + high, left : left + wide] = True
    return torch.from_numpy(masks.reshape(n, -1))


def codebook(pictures: Pictures, recipe: Any, path: Path) -> Tensor:
    """The centres of k-means over patches of the first pictures, `[codes,192]`; kept at `path`."""
    from sklearn.cluster import MiniBatchKMeans

    if not path.exists():
        rows = np.arange(min(recipe["codebook_pictures"], len(pictures.animals)))
        found = patches(normalise(pictures.take(rows))).flatten(0, 1).numpy()
        means = MiniBatchKMeans(recipe["codes"], batch_size=4096, n_init=1, max_iter=30, random_state=0).fit(found)
        content = io.BytesIO()
        np.save(content, means.cluster_centers_.astype(np.float32))
        write_bytes(path, content.getvalue())
    return torch.from_numpy(np.load(path))


def make_beit(job: Job) -> Made:
    """Train BEiT on the pretraining pictures; its head is dropped."""
    recipe, how = job.recipe, Optimisation(**job.recipe["optimisation"])
    pictures = pretraining_pictures(recipe["pictures"], quiet=job.quiet)
    codes = codebook(pictures, recipe, job.work / "codebook.npy").to(job.device)
    torch.manual_seed(how.seed)
    module = MaskedPatches(recipe["codes"]).to(job.device)
    task = VisualTokens(module, codes, pictures, how, recipe)
    done, facts = train_on_pictures(task, pictures, how, job)
    facts["dev"] = {"masked_right": dev_accuracy(task, job.device)}
    return made(job, module.encoder, done, facts)


@torch.no_grad()
def dev_accuracy(task: VisualTokens, device: str) -> float:
    """The share of masked patches of dev's pictures whose code is guessed right."""
    pictures = dev_pictures()
    task.module.eval()
    mask = block_masks(len(pictures.animals), 0.4, np.random.default_rng(0))
    return round(task.guess(normalise(pictures.take(range(len(mask)))).to(device), mask.to(device))[1], 4)
