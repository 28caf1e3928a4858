"""Trains encoders on class labels: NF-ResNet from nothing, BEiT from its masked patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from concepttransfer.microworld.build import Job, Made
from concepttransfer.microworld.networks import WIDTH_OF_BEIT, beit, load_weights, nf_resnet, readouts
from concepttransfer.microworld.pretraining import Pictures, dev_pictures, pretraining_pictures
from concepttransfer.microworld.scene import ANIMALS
from concepttransfer.microworld.train_loop import Optimisation, batch_indices
from concepttransfer.microworld.train_pictures import made, shifted, train_on_pictures

NOT_IN_IMAGENET_1K = frozenset(
    {
        "bat", "blue whale", "cow", "deer", "dolphin", "giraffe", "humpback whale", "mole", "moose", "mouse", "raccoon",
        "rat", "rhinoceros", "seal", "walrus",
    }
)  # fmt: skip
"""The 15 of AwA2's animals that none of ImageNet-1k's classes shows.

The other 35 are a class themselves, or the kind of one (fox: red fox), or the one kind of it that AwA2 names (grizzly
bear: brown bear; bobcat: lynx; horse: sorrel). Killer whale and sea lion are classes, but of their own: they make
neither the dolphin nor the seal one.
"""


class Labels:
    """The task of telling animals apart: cross-entropy with smoothed labels."""

    def __init__(self, module: nn.Module, pictures: Pictures, how: Optimisation, recipe: Any) -> None:
        """Learn the animals of `pictures` with `module`, whose outputs are as many as `recipe["labels"]` names."""
        self.module = module
        self._pictures = pictures
        self._how = how
        self._shift, self._smoothing = recipe["shift"], recipe["label_smoothing"]
        self._classes = torch.tensor(class_numbers(labels_of(recipe), pictures.animals))
        self._rows = np.flatnonzero(self._classes.numpy() >= 0)

    def loss(self, step: int, device: torch.device) -> tuple[Tensor, float]:
        """Loss of the batch of a step, and the share of its pictures named right."""
        rows = self._rows[batch_indices(step, self._how.batch_size, len(self._rows), self._how.seed)]
        pictures = shifted(self._pictures.take(rows), self._shift, [self._how.seed, step]).to(device)
        wanted = self._classes[rows].to(device)
        scores = self.module(pictures).float()
        loss = nn.functional.cross_entropy(scores, wanted, label_smoothing=self._smoothing)
        return loss, (scores.argmax(1) == wanted).float().mean().item()


class TunedBeit(nn.Module):
    """BEiT with a linear head on the mean of its patch tokens, as its authors finetune it; gives `[b,classes]`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = beit()
        self.norm = nn.LayerNorm(WIDTH_OF_BEIT)
        self.head = nn.Linear(WIDTH_OF_BEIT, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Each class's score."""
        pooled = readouts("beit")["pooled"](self.encoder, pictures)[:, 0]
        return self.head(self.norm(pooled))  # type: ignore[no-any-return]


def labels_of(recipe: Any) -> tuple[str, ...]:
    """The animals that are labels: all, or those of ImageNet-1k, in AwA2's order."""
    return tuple(animal for animal in ANIMALS if recipe["labels"] == "all" or animal not in NOT_IN_IMAGENET_1K)


def class_numbers(labels: tuple[str, ...], animals: tuple[str, ...]) -> list[int]:
    """Each animal's number among `labels`; -1: it is not among them."""
    number = {animal: position for position, animal in enumerate(labels)}
    return [number.get(animal, -1) for animal in animals]


def make_nf_resnet(job: Job) -> Made:
    """Train NF-ResNet on the labels that the recipe names; its head is dropped."""
    torch.manual_seed(job.recipe["optimisation"].get("seed", 0))
    module = nf_resnet(len(labels_of(job.recipe)))
    return _make(job, module, lambda: _without_head(module))


def make_beit_ft(job: Job) -> Made:
    """Finetune BEiT on the labels that the recipe names; its head is dropped."""
    torch.manual_seed(job.recipe["optimisation"].get("seed", 0))
    module = TunedBeit(len(labels_of(job.recipe)))
    load_weights(module.encoder, job.out / "beit.safetensors")
    return _make(job, module, lambda: module.encoder)


def _without_head(module: Any) -> nn.Module:
    module.reset_classifier(0)
    return module  # type: ignore[no-any-return]


def _make(job: Job, module: nn.Module, shipped: Callable[[], nn.Module]) -> Made:
    how = Optimisation(**job.recipe["optimisation"])
    pictures = pretraining_pictures(job.recipe["pictures"], quiet=job.quiet)
    task = Labels(module.to(job.device).to(memory_format=torch.channels_last), pictures, how, job.recipe)
    done, facts = train_on_pictures(task, pictures, how, job)
    facts["dev"] = {"labels_right": dev_accuracy(module, labels_of(job.recipe), job.device)}
    return made(job, shipped(), done, facts)


@torch.no_grad()
def dev_accuracy(module: nn.Module, labels: tuple[str, ...], device: str) -> float:
    """The share of dev's pictures of these labels that the head names right."""
    pictures, right, n = dev_pictures(), 0, 0
    wanted = torch.tensor(class_numbers(labels, pictures.animals))
    module.eval()
    for rows in torch.split(torch.nonzero(wanted >= 0).flatten(), 100):
        said = module(shifted(pictures.take(rows.numpy()), 0, []).to(device)).argmax(1).cpu()
        right, n = right + int((said == wanted[rows]).sum()), n + len(rows)
    return round(right / n, 4)
