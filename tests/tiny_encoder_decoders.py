"""Encoder-decoders built like T5, tiny and random, and a tokenizer like T5's: it ends every text, and starts none."""

from __future__ import annotations

import functools

import torch
from tiny_language_models import CORPUS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

from concepttransfer.language_models.encoder_decoder import EncoderDecoderLanguageModel

PAD, END = 0, 1
VOCABULARY = 200
_SHAPE = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "initializer_factor": 2.0}

FAMILIES = {
    "t5": _SHAPE,  # word vectors and output head are one matrix, and the head's input is scaled
    "mt5": {**_SHAPE, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "umt5": {**_SHAPE, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}


@functools.cache
def tokenizer():
    """Pieces with a space before every word, as of SentencePiece; pad 0, end 1, unknown 2, as T5's."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    made.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=VOCABULARY - 10, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", END)])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def module(family: str = "t5", *, seed: int = 0, **changes):
    """An encoder-decoder of a family, with random weights."""
    torch.manual_seed(seed)
    shape = {"vocab_size": VOCABULARY, "pad_token_id": PAD, "eos_token_id": END, "decoder_start_token_id": PAD}
    return AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(family, **{**shape, **FAMILIES[family], **changes}))


def encoder_decoder(family: str = "t5", *, seed: int = 0, **changes) -> EncoderDecoderLanguageModel:
    """The same, frozen, with the tokenizer."""
    return EncoderDecoderLanguageModel(module(family, seed=seed, **changes), tokenizer(), id=f"tiny-{family}")
