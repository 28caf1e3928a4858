"""`encode` on a folder of photographs against the bare forward pass on tensors that are in memory already."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import REAL, NotHere, Sides, megabytes, seconds
from benchmarks.record import Measurement, at_least, rate


@dataclass(frozen=True)
class Size:
    """Pictures, pictures a batch, the architecture of timm (random weights), and how often each side runs."""

    pictures: int
    batch: int
    model: str
    arguments: dict[str, Any] = field(default_factory=dict)
    pairs: int = 3


FULL = Size(pictures=96, batch=16, model="vit_base_patch16_224")
TINY = Size(3, 2, "vit_tiny_patch16_224", {"depth": 1}, pairs=1)


def prepare(size: Size, folder: Path) -> Sides:
    """Each side gives the features; ours reads JPEG files and writes a store."""
    import torch

    from concepttransfer.data.image_folder import image_folder
    from concepttransfer.encoders import load_encoder
    from concepttransfer.encoders.spec import EncoderSpec
    from concepttransfer.features import encode

    photographs = REAL / "pictures" / "imagenet_samples"
    if not photographs.is_dir():
        raise NotHere("It reads photographs: set CONCEPTTRANSFER_REAL to the folder that holds them.")
    spec = EncoderSpec(model=f"timm:{size.model}", init="random", features="patch_tokens", arguments=size.arguments)
    encoder: Any = load_encoder(spec, folder)
    manifest = image_folder(photographs).limit(size.pictures)
    inputs = torch.stack([encoder.transform(manifest.read(row)) for row in range(size.pictures)])
    network = encoder.module.network
    numbers = itertools.count()

    def ours() -> Any:
        where = folder / f"features-{next(numbers)}"
        stored = encode(manifest, encoder, where, key="key", batch_size=size.batch, quiet=True)
        return torch.tensor(stored.values[:])

    @torch.inference_mode()
    def baseline() -> Any:
        return torch.cat([network.forward_features(batch)[:, 1:] for batch in inputs.split(size.batch)])

    def same(a: Any, b: Any) -> bool:
        return torch.allclose(a.float(), b, rtol=2e-3, atol=2e-3 * float(b.abs().max()))

    return Sides(ours, baseline, same)


def run(size: Size) -> list[Measurement]:
    """Pictures a second, and peak memory."""
    with TemporaryDirectory() as folder:
        took = seconds(prepare(size, Path(folder)), size.pairs)
    used = megabytes(prepare, size)
    what = f"encoding {size.pictures} JPEG files with ViT-B/16 at 224"
    return [
        rate(what, "pictures/s", size.pictures, took.ours, took.baseline, at_least(0.85)),
        Measurement(f"{what}: peak memory", "MB", used.ours, used.baseline),
    ]
