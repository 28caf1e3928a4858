"""A tiny CLIP of open_clip and captioned pictures for tests of contrastive training; as a script, one training."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from concepttransfer.contrastive import ContrastiveRecipe
from concepttransfer.contrastive.pairs import Pairs
from concepttransfer.contrastive.run import ContrastiveRun
from concepttransfer.contrastive.towers import build_towers
from concepttransfer.contrastive.train import TrainedClip, train_clip
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.manifest import Manifest, Row
from concepttransfer.storage import write_text
from concepttransfer.training.surroundings import build_accelerator

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "white": (240, 240, 240)}
SIZE = 32
BROKEN = 1
"""A row of 120 that is trained on, not held out."""
RECIPE = ContrastiveRecipe(
    steps=6, batch_size=9, lr=2e-3, warmup_steps=2, weight_decay=0.1, validation=0.1, evaluate_every=3, save_every=2,
    precision="float32",
)  # fmt: skip


@dataclass(frozen=True)
class Painted:
    """Pictures of two colours, one above the other, with noise; a key is `red blue 7`. `broken` cannot be read."""

    def read(self, key: str) -> Image.Image:
        """Paint one picture."""
        if key == "broken":
            raise OSError("image file is truncated")
        above, below, number = key.split()
        pixels = np.zeros((40, SIZE, 3)) + COLOURS[above]
        pixels[20:] = COLOURS[below]
        noise = np.random.default_rng(int(number)).normal(0, 20, pixels.shape)
        return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def pictures(n: int = 48, *, related: bool = True, broken: tuple[int, ...] = ()) -> Manifest:
    """Pictures with two captions each that say their colours, or those of another picture."""
    drawn = np.random.default_rng(0)
    names = list(COLOURS)
    pairs = [(names[a], names[b]) for a, b in drawn.integers(0, 4, (n, 2))]
    said = pairs if related else [pairs[i] for i in drawn.permutation(n)]
    rows = tuple(
        Row(
            f"row{i}",
            "broken" if i in broken else f"{above} {below} {i}",
            (f"{up} over {down}", f"a picture of {up} above {down}"),
        )
        for i, ((above, below), (up, down)) in enumerate(zip(pairs, said, strict=True))
    )
    return Manifest("painted", rows, Painted())


def architecture(
    folder: Path, size: int = SIZE, patch: int = 8, vision: dict[str, float] | None = None, **more: float
) -> EncoderSpec:
    """Write the configuration of a tiny CLIP (transformers of 2 layers, 32 wide) into a folder."""
    model = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": size, "layers": 2, "width": 32, "head_width": 16, "patch_size": patch}
        | (vision or {}),
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    config = {"model_cfg": model | more, "preprocess_cfg": {}}
    write_text(folder / "open_clip_config.json", json.dumps(config))  # at once: several processes do it
    return EncoderSpec(model=f"open_clip:local-dir:{folder}", features="projected")


def run(
    folder: Path, manifest: Manifest | None = None, recipe: ContrastiveRecipe = RECIPE, **how: object
) -> TrainedClip:
    """One training with everything tiny."""
    spec = architecture(folder.parent / "architecture")
    return train_clip(manifest or pictures(), spec, recipe, folder, quiet=True, workers=2, **how)


def gradient(folder: Path, recipe: ContrastiveRecipe) -> dict[str, torch.Tensor]:
    """The gradient of the first batch, by parameter, as every process has it."""
    towers = build_towers(architecture(folder / "architecture"), folder, recipe, seed=0)
    pairs = Pairs(pictures(), towers, crop=recipe.crop, seed=0, workers=1)
    run = ContrastiveRun(towers, pairs, recipe, 0, build_accelerator())
    run.gradient.of(run.plan.batch(0))
    pairs.close()
    return {name: value.grad.clone() for name, value in run.module.named_parameters()}


def main(folder: Path, *changes: str) -> None:
    """For each change of the recipe (JSON), a training, and a file of its first gradient."""
    torch.set_num_threads(1)
    for number, change in enumerate(changes):
        recipe = RECIPE.model_copy(update=json.loads(change))
        run(folder / f"trained{number}", pictures(120, broken=(BROKEN,)), recipe)
        found = gradient(folder, recipe)
        if int(os.environ.get("RANK", "0")) == 0:
            save_file(found, folder / f"gradient{number}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
