"""A tiny language model and captioned features for tests of fitting; as a script, one fit, for `accelerate launch`."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, GPTJConfig, GPTJForCausalLM, PreTrainedTokenizerFast

from concepttransfer.features import Features
from concepttransfer.language_models.causal import CausalLanguageModel
from concepttransfer.training.fit import fit
from concepttransfer.training.recipe import Recipe
from concepttransfer.training.sources import StoredFeatures

NOUNS = ["otter", "zebra", "whale", "horse"]
WORDS = ["<end>", "<unknown>", "A", "picture", "of", "a", "in", "the", "water", "grass", "big", "old", *NOUNS]
PROMPT = "A picture of"
RECIPE = Recipe(
    data="tiny",
    steps=6,
    batch_size=8,
    lr=3e-2,
    warmup_steps=2,
    validation=0.1,
    evaluate_every=3,
    save_every=2,
    precision="float32",
)


def language_model(family: str = "gptj", width: int = 16) -> CausalLanguageModel:
    """A random language model of a real architecture that knows sixteen words."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unknown>")
    shape = {"vocab_size": len(WORDS), "n_embd": width, "n_layer": 2, "n_head": 2, "n_positions": 64}
    shape |= {"bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.3}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if family == "gptj":
            module = GPTJForCausalLM(GPTJConfig(**shape, rotary_dim=4))
        else:
            module = GPT2LMHeadModel(GPT2Config(**shape))
    return CausalLanguageModel(module, fast, id=f"tiny-{family}@1")


def texts(n: int = 40) -> list[list[str]]:
    """Two captions of unequal length for each row; row i shows noun i modulo 4."""
    chance = random.Random(0)
    return [[_caption(NOUNS[i % 4], chance) for _ in range(2)] for i in range(n)]


def _caption(noun: str, chance: random.Random) -> str:
    return " ".join(
        ["a", *chance.sample(["big", "old"], chance.randint(0, 2)), noun, *chance.choice([[], ["in", "water"]])]
    )


def features(n: int = 40, tokens: int = 3, dim: int = 10) -> Features:
    """Features that tell the noun."""
    drawn = np.random.default_rng(0)
    means = drawn.standard_normal((4, tokens, dim)) * 2 + 1
    values = means[np.arange(n) % 4] + 0.3 * drawn.standard_normal((n, tokens, dim))
    row_ids = tuple(f"row{i}" for i in range(n))
    return Features(None, "key", values.astype(np.float16), row_ids, "manifest", "tiny@e", "tiny/patch@s")


def run(folder: Path, recipe: Recipe = RECIPE, model: object = None, **changes: object):
    """One fit with everything tiny."""
    given = {"source": StoredFeatures(features()), "texts": texts(), "language_model": model or language_model()}
    given |= {"key": "key", "encoder_name": "beit", "seed": 0, "prompt": PROMPT, "quiet": True, **changes}
    return fit(recipe=recipe, folder=folder, **given)


class Cramped:
    """A language model that runs out of memory above a number of captions, and notes how many it got."""

    def __init__(self, inner: CausalLanguageModel, room: int) -> None:
        self.inner, self.room, self.sizes = inner, room, []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def token_nll(self, inputs: list, captions: list, **how: object) -> tuple:
        self.sizes.append(len(captions))
        if len(captions) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.inner.token_nll(inputs, captions, **how)


def main(folder: Path) -> None:
    """Fit; of several processes, only the last has little memory."""
    torch.set_num_threads(1)
    rank = int(os.environ.get("RANK", "0"))
    model = Cramped(language_model(), room=3 if rank else 100)
    run(folder, RECIPE.model_copy(update={"steps": 50, "batch_size": 9, "standardize": True, "lr": 3e-3}), model)
    folder.with_name(f"{folder.name}.sizes{rank}").write_text(" ".join(map(str, model.sizes)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
