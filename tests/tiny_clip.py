"""A tiny CLIP of open_clip and captioned pictures for tests of contrastive training; as a script, one training."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from concepttransfer.contrastive import ContrastiveRecipe
from concepttransfer.contrastive.train import TrainedClip, train_clip
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.manifest import Manifest, Row

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "white": (240, 240, 240)}
SIZE = 32
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


def pictures(n: int = 48, *, related: bool = True, broken: int = 0) -> Manifest:
    """Pictures with two captions each that say their colours, or those of another picture."""
    drawn = np.random.default_rng(0)
    names = list(COLOURS)
    pairs = [(names[a], names[b]) for a, b in drawn.integers(0, 4, (n, 2))]
    said = pairs if related else [pairs[i] for i in drawn.permutation(n)]
    rows = tuple(
        Row(
            f"row{i}",
            "broken" if i < broken else f"{above} {below} {i}",
            (f"{up} over {down}", f"a picture of {up} above {down}"),
        )
        for i, ((above, below), (up, down)) in enumerate(zip(pairs, said, strict=True))
    )
    return Manifest("painted", rows, Painted())


def architecture(folder: Path) -> EncoderSpec:
    """Write the configuration of a tiny CLIP (transformers of 2 layers, 32 wide) into a folder."""
    model = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": SIZE, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": {}}))
    return EncoderSpec(model=f"open_clip:local-dir:{folder}", features="projected")


def run(
    folder: Path, manifest: Manifest | None = None, recipe: ContrastiveRecipe = RECIPE, **how: object
) -> TrainedClip:
    """One training with everything tiny."""
    spec = architecture(folder.parent / "architecture")
    return train_clip(manifest or pictures(), spec, recipe, folder, quiet=True, workers=2, **how)


def main(folder: Path, changes: str) -> None:
    """Train with a changed recipe."""
    import torch

    torch.set_num_threads(1)
    run(folder, recipe=RECIPE.model_copy(update=json.loads(changes)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
