"""Captions of microworld pictures that are encoded already, against `model.generate` one picture at a time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import Sides, megabytes, seconds
from benchmarks.record import Measurement, at_least, rate


@dataclass(frozen=True)
class Size:
    """Pictures, and how often each side runs."""

    pictures: int
    pairs: int = 3


FULL = Size(pictures=500)
TINY = Size(pictures=12, pairs=1)


def prepare(size: Size, folder: Path) -> Sides:
    """Each side gives the captions; ours also writes them to disk, with their tokens' log-probabilities."""
    import torch
    from transformers import AutoModelForCausalLM

    from concepttransfer.captioning import caption
    from concepttransfer.study.study import load_study

    study = load_study("microworld", quiet=True, limit=size.pictures, seeds=1)
    features = study.features("beit", on="test")
    transfer = study.transfers("beit")[0]
    model, prompt, decoding = study.language_model, study.spec.prompt, study.spec.decoding
    module: Any = AutoModelForCausalLM.from_pretrained(study.resolve(study.spec.language_model), dtype=model.dtype)
    numbers = itertools.count()
    named = {"encoder": "beit", "seed": 0, "manifest_id": features.manifest_id, "on": "test", "study": "microworld"}

    def ours() -> list[str]:
        where = folder / f"captions-{next(numbers)}"
        how = {"prompt": prompt, "decoding": decoding, "key": where.name, "quiet": True, **named}
        return list(caption(features, transfer, model, where, **how).texts().values())

    @torch.inference_mode()
    def baseline() -> list[str]:
        projection = transfer.projection()
        words = module.get_input_embeddings()(torch.tensor([model.tokens.ids(prompt)]))
        said = []
        for row in range(len(features.row_ids)):
            soft = projection(torch.tensor(features.values[row : row + 1]).float())
            vectors = torch.cat([soft, words], dim=1)
            new = module.generate(
                inputs_embeds=vectors,
                attention_mask=torch.ones(vectors.shape[:2], dtype=torch.long),
                max_new_tokens=decoding.max_tokens,
                do_sample=False,
                use_cache=True,
                eos_token_id=model.tokens.end,
                pad_token_id=model.tokens.end,
            )
            said.append(model.tokens.text(new[0].tolist()).strip())
        return said

    return Sides(ours, baseline, lambda a, b: a == b)


def run(size: Size) -> list[Measurement]:
    """Captions a second, and peak memory."""
    with TemporaryDirectory() as folder:
        took = seconds(prepare(size, Path(folder)), size.pairs)
    used = megabytes(prepare, size)
    what = f"captions of {size.pictures} microworld pictures, beit"
    return [
        rate(what, "captions/s", size.pictures, took.ours, took.baseline, at_least(5)),
        Measurement(f"{what}: peak memory", "MB", used.ours, used.baseline),
    ]
