"""Real architectures of language models, tiny and random, and tokenizers of the kinds that they come with."""

from __future__ import annotations

import functools

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from concepttransfer.language_models.causal import CausalLanguageModel

CORPUS = [
    "A picture of a red dog on the grass.",
    "A picture of two black cats beside a blue ball.",
    "Q: what is in the picture? A: a zebra with stripes",
    "the horse runs in a green field, and the sheep does not.",
]
VOCABULARY = 300
_SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64}
_LLAMA = {**_SHAPE, "hidden_size": 32, "intermediate_size": 48, "num_key_value_heads": 2, "initializer_range": 0.3}
_GEMMA = {**_LLAMA, "head_dim": 8}

FAMILIES = {
    "gptj": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "rotary_dim": 4, "initializer_range": 0.3},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "initializer_range": 0.3},
    "gpt_neox": {**_SHAPE, "hidden_size": 32, "intermediate_size": 48, "initializer_range": 0.3},
    "opt": {**_SHAPE, "hidden_size": 32, "ffn_dim": 48, "word_embed_proj_dim": 24, "init_std": 0.3},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3},
    "llama": _LLAMA,
    "mistral": {**_LLAMA, "sliding_window": 6},
    "qwen2": _LLAMA,
    "gemma": _GEMMA,
    "gemma2": {**_GEMMA, "final_logit_softcapping": 2.0, "sliding_window": 6, "query_pre_attn_scalar": 8},
    "gemma3_text": {**_GEMMA, "sliding_window": 6, "query_pre_attn_scalar": 8, "final_logit_softcapping": 3.0},
    "cohere": {**_LLAMA, "logit_scale": 0.5},
    "granite": {**_LLAMA, "embedding_multiplier": 3.0, "logits_scaling": 2.0},
}


@functools.cache
def tokenizer(*, bos: bool = False, end: bool = True):
    """Byte-level BPE as GPT-2's. Its end token has id 0, and is its pad token too, where it has one."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<end>", "<begin>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(CORPUS, trainer)
    if bos:
        made.post_processor = processors.TemplateProcessing(single="<begin> $A", special_tokens=[("<begin>", 1)])
    named = {"eos_token": "<end>", "pad_token": "<end>"} if end else {}
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<begin>", **named)


@functools.cache
def prefixing_tokenizer():
    """One that puts a space before every text, as Llama's does."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<end>", "<unk>"], initial_alphabet=["\n"], show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>", unk_token="<unk>")


def module(family: str, *, seed: int = 0, **changes):
    """A causal language model of a family, with random weights."""
    torch.manual_seed(seed)
    shape = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 0, "pad_token_id": 0}
    config = AutoConfig.for_model(family, **{**shape, **FAMILIES[family], **changes})
    return AutoModelForCausalLM.from_config(config)


def language_model(family: str = "gptj", *, seed: int = 0, bos: bool | None = None, **changes) -> CausalLanguageModel:
    """The same, frozen, with the byte-level tokenizer."""
    return CausalLanguageModel(module(family, seed=seed, **changes), tokenizer(), id=f"tiny-{family}", bos=bos)


def soft_prompt(model: CausalLanguageModel, k: int, seed: int = 0) -> torch.Tensor:
    """k random vectors about as large as words."""
    drawn = torch.randn(k, model.d_model, generator=torch.Generator().manual_seed(seed))
    return drawn * float(model.word_vectors.std())
