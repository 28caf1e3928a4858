"""Trains the microworld's tokenizer and its GPT-J, on text alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from concepttransfer.microworld.build import Job, Made
from concepttransfer.microworld.grammar import documents
from concepttransfer.microworld.networks import END, PAD, gpt_j, tokenizer
from concepttransfer.microworld.train_loop import Optimisation, train, training_flops
from concepttransfer.storage import new_folder, write_json

FOLDER, TOKENIZER_FOLDER = "language_model", "tokenizer"
_SPECIAL = ("<|endoftext|>", "<|pad|>")
_CONFIG = {
    "bos_token": _SPECIAL[END],
    "eos_token": _SPECIAL[END],
    "pad_token": _SPECIAL[PAD],
    "model_max_length": 512,
    "clean_up_tokenization_spaces": False,
    "tokenizer_class": "PreTrainedTokenizerFast",
}
_POOL = 16
"""Batches among which documents are sorted by length, so that little is padded."""


Ids = np.ndarray[Any, np.dtype[np.int16]]


class NextToken:
    """The language model's task: each token of a document, and its end, from those before it."""

    def __init__(self, module: nn.Module, texts: Sequence[Ids], how: Optimisation) -> None:
        """Learn `texts` (token ids, the end token included) with `module`."""
        self.module = module
        self._texts = texts
        self._how = how
        self._sorted: tuple[int, np.ndarray[Any, Any]] = (-1, np.empty(0))

    def loss(self, step: int, device: torch.device) -> tuple[Tensor, float]:
        """Mean loss of the batch's tokens, and the share whose likeliest guess is right."""
        ids, mask = padded([self._texts[i] for i in self._batch(step)], device)
        return next_token_loss(self.module, ids, mask)

    def _batch(self, step: int) -> np.ndarray[Any, Any]:
        pool, size = step // _POOL, self._how.batch_size
        if self._sorted[0] != pool:
            rng = np.random.default_rng([self._how.seed, pool])
            chosen = rng.integers(0, len(self._texts), size * _POOL)
            ordered = chosen[np.argsort([len(self._texts[i]) for i in chosen], kind="stable")]
            self._sorted = (pool, rng.permutation(ordered.reshape(_POOL, size)))
        return np.asarray(self._sorted[1][step % _POOL])


def next_token_loss(module: nn.Module, ids: Tensor, mask: Tensor) -> tuple[Tensor, float]:
    """Mean negative log-likelihood of all tokens but the first (`ids`, `mask`: [b,t]), and the share guessed right."""
    logits = module(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    wanted = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
    right = (logits.argmax(-1) == wanted).sum() / mask[:, 1:].sum()
    return loss, right.item()


def padded(texts: Sequence[Ids], device: torch.device) -> tuple[Tensor, Tensor]:
    """Texts of different length as ids and mask, `[b,t]` both, pads at the right."""
    ids = torch.full((len(texts), max(map(len, texts))), PAD)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.from_numpy(text.astype(np.int64))
        mask[row, : len(text)] = 1
    return ids.to(device), mask.to(device)


def make_tokenizer(job: Job) -> Made:
    """Learn byte-level BPE from the corpus and save it as a transformers tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    recipe = job.recipe
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe["vocabulary"],
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learnt.train_from_iterator(documents(recipe["seed"], recipe["documents"]), trainer)
    with new_folder(job.out / TOKENIZER_FOLDER) as folder:
        learnt.save(str(folder / "tokenizer.json"))
        write_json(folder / "tokenizer_config.json", _CONFIG)
    return Made(_files(job, TOKENIZER_FOLDER), {"tokens": learnt.get_vocab_size()})


def make_language_model(job: Job) -> Made:
    """Train GPT-J on the corpus and save it beside its tokenizer, float16."""
    recipe, device = job.recipe, torch.device(job.device)
    how = Optimisation(**recipe["optimisation"])
    words = tokenizer(job.out / TOKENIZER_FOLDER)
    texts = encoded(words, documents(recipe["corpus_seed"], recipe["documents"]), recipe["max_tokens"])
    held_out = encoded(words, documents(recipe["validation_seed"], recipe["validation"]), recipe["max_tokens"])
    torch.manual_seed(how.seed)
    module: Any = gpt_j()
    task = NextToken(module.to(device), texts, how)
    flops = training_flops(task, device)
    done = train(task, how, job.work / "checkpoint.pt", name=job.name, device=device, quiet=job.quiet)
    loss = validation_loss(task.module, held_out, device)
    _save(job, task.module)
    facts = {
        "parameters": sum(weight.numel() for weight in task.module.parameters()),
        "steps": done.step,
        "documents_seen": done.step * how.batch_size,
        "corpus": {"tokens": sum(map(len, texts)), "sha256": sha256(np.concatenate(texts).tobytes()).hexdigest()},
        "seconds": round(done.seconds),
        "tera_flops": round(flops * done.step / 1e12),
        "validation_loss": round(loss, 4),
    }
    return Made(_files(job, FOLDER), facts, tuple(done.curve))


def encoded(words: Any, texts: Iterable[str], max_tokens: int) -> list[Ids]:
    """Each text's token ids, cut to `max_tokens - 1`, and the end token; int16, so that a corpus stays small."""
    ids = (words(list(some), add_special_tokens=False)["input_ids"] for some in batched(texts, 1000))
    return [np.array([*text[: max_tokens - 1], END], dtype=np.int16) for some in ids for text in some]


def batched(texts: Iterable[str], n: int) -> Iterator[list[str]]:
    """The texts, `n` at a time."""
    left = iter(texts)
    while some := list(islice(left, n)):
        yield some


@torch.no_grad()
def validation_loss(module: nn.Module, texts: Sequence[Ids], device: torch.device) -> float:
    """Mean negative log-likelihood of all tokens of the texts but each one's first, in nats, float32."""
    ordered, total, count = sorted(texts, key=len), 0.0, 0
    for start in range(0, len(ordered), 100):
        ids, mask = padded(ordered[start : start + 100], device)
        tokens = int(mask[:, 1:].sum())
        total += next_token_loss(module, ids, mask)[0].item() * tokens
        count += tokens
    return total / count


def _save(job: Job, module: Any) -> None:
    """Write weights, float16, and a copy of the tokenizer as one transformers folder, all at once."""
    with new_folder(job.out / FOLDER) as folder:
        module.to("cpu").half().save_pretrained(folder)
        for file in _files(job, TOKENIZER_FOLDER):
            shutil.copyfile(job.out / file, folder / Path(file).name)
        for path in folder.iterdir():
            path.chmod(0o644)


def _files(job: Job, folder: str) -> tuple[str, ...]:
    return tuple(sorted(f"{folder}/{path.name}" for path in (job.out / folder).iterdir()))
