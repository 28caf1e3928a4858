"""Language models of a known shape with random weights, and words for them."""

from __future__ import annotations

import copy
import random
from typing import Any

N_WORDS = 1000


def causal(
    shape: str, *, end: bool = True, device: str = "cpu", dtype: str = "float32", **changes: Any
) -> tuple[Any, Any]:
    """Our language model with random weights, and transformers' own as it comes, which has the same weights.

    Args:
        shape: a model type of transformers whose default configuration is the model meant: `gpt2` is GPT-2 small,
            `gptj` is GPT-J-6B.
        end: texts end with an end token; without, as many tokens are generated as are allowed.
        device: where the weights are drawn.
        dtype: of the weights.
        changes: of the configuration.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    from concepttransfer.language_models.causal import CausalLanguageModel

    ids = {"bos_token_id": 0, "eos_token_id": 0 if end else None}
    config = AutoConfig.for_model(shape, **ids, **changes)
    torch.manual_seed(0)
    with torch.device(device):
        module = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    words = {"<end>": 0, "<unknown>": 1, **{f"w{number}": number + 2 for number in range(N_WORDS)}}
    made = Tokenizer(models.WordLevel(words, unk_token="<unknown>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    named = {"eos_token": "<end>"} if end else {}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unknown>", **named)
    usual = copy.deepcopy(module, {id(part): part for part in (*module.parameters(), *module.buffers())}).eval()
    return CausalLanguageModel(module, tokenizer, id=f"{shape}-random"), usual


def captions(n: int, n_words: int) -> list[str]:
    """`n` texts of so many words, each a token."""
    drawn = random.Random(0)
    return [" ".join(f"w{drawn.randrange(N_WORDS)}" for _ in range(n_words)) for _ in range(n)]
