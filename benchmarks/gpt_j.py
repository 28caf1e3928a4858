"""GPT-J-6B's shape on a GPU: training tokens a second, the share of the card's matrix rate, captions a second."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.measure import NotHere, NotTheSame, peak_memory, timed
from benchmarks.models import captions, causal
from benchmarks.record import Goal, Measurement, at_least, rate

PROMPT = "w1 w2 w3"
"""Stands between picture and continuation, as `A picture of` does."""


@dataclass(frozen=True)
class Size:
    """What is run.

    Attributes:
        batch: captions a training step, and in one forward pass.
        steps: that are timed.
        prefix: soft prompts of a picture.
        caption: tokens learnt of each, and generated.
        pictures: captioned.
        captioned: in one batch.
        device, dtype: of the language model.
        dim: width of an encoder's token.
        matrix: side of the matrices whose product tells the card's rate.
        changes: to GPT-J-6B.
    """

    batch: int = 32
    steps: int = 12
    prefix: int = 196
    caption: int = 12
    pictures: int = 1024
    captioned: int = 256
    device: str = "cuda"
    dtype: str = "bfloat16"
    dim: int = 1024
    matrix: int = 8192
    changes: dict[str, int] = field(default_factory=dict)


FULL = Size()
_SMALL = {"n_embd": 32, "n_layer": 2, "n_head": 2, "rotary_dim": 8, "vocab_size": 1100}
TINY = Size(3, 2, 6, 4, 5, 2, "cpu", "float32", 10, 64, _SMALL)


class Bench:
    """The language model, features that stand for an encoder's, and both ways of training and captioning."""

    def __init__(self, size: Size, folder: Path) -> None:
        from concepttransfer.features import Features

        self.size, self.folder, self.numbers = size, folder, itertools.count()
        self.model, self.module = causal("gptj", end=False, device=size.device, dtype=size.dtype, **size.changes)
        n = max(size.pictures, size.batch)
        values = np.random.default_rng(0).standard_normal((n, size.prefix, size.dim), np.float32).astype(np.float16)
        ids = tuple(f"row{number}" for number in range(n))
        self.features = Features(None, "features", values, ids, "manifest", "encoder", "space")
        self.texts = captions(n, size.caption)

    @property
    def n_parameters(self) -> int:
        """Of the layers, which every token passes; embedding and output head are left out."""
        outer = {id(p) for part in (self.module.get_input_embeddings(), self.module.lm_head) for p in part.parameters()}
        return sum(p.numel() for p in self.module.parameters() if id(p) not in outer)

    def fit(self, steps: int) -> Any:
        """Our fit: a Transfer."""
        from concepttransfer.training.fit import fit
        from concepttransfer.training.recipe import Recipe
        from concepttransfer.training.sources import StoredFeatures

        batch = self.size.batch
        recipe = Recipe(
            data="x", steps=steps, batch_size=batch, micro_batch=batch, validation=0.0, evaluate_every=1, dropout=0.0
        )
        where = self.folder / f"transfer-{next(self.numbers)}"
        texts = [(text,) for text in self.texts]
        named = {"key": where.name, "encoder_name": "encoder", "seed": 0, "quiet": True}
        return fit(StoredFeatures(self.features), texts, self.model, recipe, where, **named)

    def usual_fit(self, steps: int) -> float:
        """The same with the library's loss; gives the last loss."""
        size = self.size
        projection = torch.nn.Linear(size.dim, self.model.d_model, device=size.device)
        optimizer = torch.optim.AdamW(projection.parameters(), lr=8e-4, betas=(0.9, 0.95), weight_decay=0.0)
        ids = torch.tensor(self.model.tokens.batch(self.texts), device=size.device)
        nothing = torch.full((size.batch, size.prefix), -100, device=size.device)
        loss = torch.zeros(())
        for step in range(steps):
            rows = np.arange(step * size.batch, (step + 1) * size.batch) % len(self.texts)
            features = torch.from_numpy(self.features.values[rows]).to(size.device).float()
            with torch.autocast(size.device, torch.bfloat16, enabled=size.dtype == "bfloat16"):
                words = self.module.get_input_embeddings()(ids[rows])
                vectors = torch.cat([projection(features).to(words.dtype), words], dim=1)
                labels = torch.cat([nothing, ids[rows]], dim=1)
                loss = self.module(inputs_embeds=vectors, labels=labels, use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(projection.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return float(loss.detach())

    def captions(self, transfer: Any) -> list[list[int]]:
        """Our captions: their tokens."""
        from concepttransfer.captioning import caption
        from concepttransfer.decoding import Decoding

        named = {"encoder": "encoder", "seed": 0, "manifest_id": "manifest", "on": "random", "study": "benchmark"}
        where = self.folder / f"captions-{next(self.numbers)}"
        decoding = Decoding(max_tokens=self.size.caption)
        how = {"prompt": PROMPT, "decoding": decoding, "key": where.name, "batch_size": self.size.captioned, **named}
        made = caption(self.features, transfer, self.model, where, quiet=True, **how)
        return [ids for ids, _ in made.tokens()]

    @torch.inference_mode()
    def usual_captions(self, transfer: Any) -> list[list[int]]:
        """The same by the library's own generation in batches of the same size."""
        size, projection = self.size, transfer.projection().to(self.size.device)
        prompt = torch.tensor([self.model.tokens.ids(PROMPT)], device=size.device)
        said: list[list[int]] = []
        for start in range(0, len(self.features), size.captioned):
            values = torch.from_numpy(self.features.values[start : start + size.captioned]).to(size.device).float()
            words = self.module.get_input_embeddings()(prompt).expand(len(values), -1, -1)
            vectors = torch.cat([projection(values).to(words.dtype), words], dim=1)
            mask = torch.ones(vectors.shape[:2], dtype=torch.long, device=size.device)
            how = {"max_new_tokens": size.caption, "do_sample": False, "use_cache": True, "pad_token_id": 0}
            said += self.module.generate(inputs_embeds=vectors, attention_mask=mask, **how).tolist()
        return said


def run(size: Size) -> list[Measurement]:
    """Training tokens a second and their share of the card's matrix rate, captions a second, and peak memory."""
    if size.device == "cuda" and not torch.cuda.is_available():
        raise NotHere("It needs a GPU of 40 GB or more.")
    with TemporaryDirectory() as folder:
        bench = Bench(size, Path(folder))
        return [*_training(bench), *_captioning(bench)]


def _training(bench: Bench) -> list[Measurement]:
    size = bench.size
    ours, our_peak = _step_seconds(bench.fit, size)
    usual, usual_peak = _step_seconds(bench.usual_fit, size)
    n = size.batch * (size.prefix + size.caption)
    flops = 4 * bench.n_parameters * n / ours / 1e12
    what = f"fitting into GPT-J-6B, {size.dtype}, {size.prefix} + {size.caption} tokens, batch of {size.batch}"
    share = f"{what}: 4 N FLOP a token, N = {bench.n_parameters:,}, of the rate of matrix products"
    return [
        rate(what, "tokens/s", n, ours, usual, None),
        Measurement(share, "TFLOP/s", flops, _matrix_rate(size), at_least(0.5)),
        Measurement(f"{what}: peak memory", "MB", our_peak, usual_peak),
    ]


def _captioning(bench: Bench) -> list[Measurement]:
    size = bench.size
    transfer = bench.fit(1)
    bench.usual_captions(transfer)
    ours, our_peak, said = _watched(lambda: bench.captions(transfer), size)
    usual, usual_peak, usually_said = _watched(lambda: bench.usual_captions(transfer), size)
    if {len(ids) for ids in said + usually_said} != {size.caption}:
        raise NotTheSame(f"Captions are not of exactly {size.caption} tokens.")
    if size.dtype == "float32" and said != usually_said:
        raise NotTheSame("Both sides say different things.")
    what = f"captions of {size.caption} tokens by GPT-J-6B, {size.dtype}, {size.prefix} soft prompts"
    return [
        rate(what, "captions/s", len(said), ours, usual, Goal("ours", ">=", 150)),
        Measurement(f"{what}: peak memory", "MB", our_peak, usual_peak),
    ]


def _step_seconds(work: Any, size: Size) -> tuple[float, float]:
    """Seconds of a step: what more steps take longer; and the peak memory of the longer run."""
    few = 2
    work(few)
    short, _, _ = _watched(lambda: work(few), size)
    long, peak, _ = _watched(lambda: work(few + size.steps), size)
    return max(long - short, 1e-9) / size.steps, peak


def _watched(work: Any, size: Size) -> tuple[float, float, Any]:
    """Seconds, peak memory of the GPU in MB (without one, of the process), and the outcome."""
    if size.device == "cpu":
        with peak_memory() as peak:
            seconds, outcome = timed(work)
        return seconds, peak(), outcome
    torch.cuda.reset_peak_memory_stats()

    def synchronised() -> Any:
        outcome = work()
        torch.cuda.synchronize()
        return outcome

    seconds, outcome = timed(synchronised)
    return seconds, torch.cuda.max_memory_allocated() / 1e6, outcome


def _matrix_rate(size: Size, times: int = 20) -> float:
    """TFLOP a second of a large matrix product in the model's dtype."""
    a, b = (
        torch.randn(size.matrix, size.matrix, device=size.device, dtype=getattr(torch, size.dtype)) for _ in range(2)
    )

    def products() -> None:
        for _ in range(times):
            a @ b

    products()
    seconds, _, _ = _watched(products, size)
    return times * 2 * size.matrix**3 / seconds / 1e12
