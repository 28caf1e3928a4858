"""Fits into language models that lie in folders; as a script, for `accelerate launch --use_fsdp`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import tiny_fit
import torch

from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError
from concepttransfer.language_models import load_language_model, placement

FAMILIES = {"gpt2": {"micro_batch": 1}, "gptj": {"micro_batch": 4, "gradient_checkpointing": True}}
"""Batches of 9 captions: two processes have 5 and 4 of them, so 5 and 4 micro-batches of one, 2 and 1 of four."""


def save(folder: Path) -> None:
    """Put the tiny language models into `folder`."""
    for family in FAMILIES:
        model = tiny_fit.language_model(family)
        model.module.save_pretrained(folder / family)
        model.tokens._tokenizer.save_pretrained(folder / family)


def main(models: Path, out: Path) -> None:
    """One fit into each; a note of how many weights this process held, and of what generation said."""
    torch.set_num_threads(1)
    device = placement.SHARD if placement.fsdp() else "cpu"
    notes = []
    for family, how in FAMILIES.items():
        model = load_language_model(family, models, device=device)
        recipe = tiny_fit.RECIPE.model_copy(update={"steps": 12, "batch_size": 9, "standardize": True, **how})
        tiny_fit.run(out / family, recipe, model)
        held = sum(getattr(p, "to_local", lambda p=p: p)().numel() for p in model.module.parameters())
        try:
            model.generate([["a"]], Decoding(max_tokens=2))
        except BadInputError as error:
            notes.append(f"{held} {error}")
        else:
            notes.append(f"{held} spoke")
    (out / f"notes{os.environ.get('RANK', '')}").write_text("\n".join(notes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
