"""Token losses of captions after soft prompts, forward and backward to the prompts, against `model(labels=...)`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Sides, megabytes, seconds
from benchmarks.models import captions, causal
from benchmarks.record import Measurement, at_most


@dataclass(frozen=True)
class Size:
    """Captions a batch, soft prompts of each, tokens of a caption (the end token included), changes to GPT-2 small."""

    batch: int
    prefix: int
    caption: int
    changes: dict[str, int] = field(default_factory=dict)
    pairs: int = 5


FULL = Size(batch=8, prefix=196, caption=12)
_SMALL = {"n_embd": 64, "n_layer": 2, "n_head": 2, "vocab_size": 20_000}
TINY = Size(batch=4, prefix=40, caption=5, changes=_SMALL, pairs=1)


def prepare(size: Size, folder: Path) -> Sides:
    """Each side gives the loss of a token and the gradient of the soft prompts."""
    import torch

    model, module = causal("gpt2", **size.changes)
    texts = captions(size.batch, size.caption - 1)
    prompts = 0.02 * torch.randn(size.batch, size.prefix, model.d_model)
    prompts.requires_grad_(True)
    ids = torch.tensor([[*found, model.tokens.end] for found in model.tokens.batch(texts)])
    labels = torch.cat([torch.full((size.batch, size.prefix), -100), ids], dim=1)

    def ours() -> Any:
        losses, mask = model.token_nll([[prompt] for prompt in prompts], texts)
        return _learnt(losses.sum() / mask.sum())

    def baseline() -> Any:
        words = module.get_input_embeddings()(ids)
        vectors = torch.cat([prompts, words], dim=1)
        return _learnt(module(inputs_embeds=vectors, labels=labels, use_cache=False).loss)

    def _learnt(loss: Any) -> Any:
        prompts.grad = None
        loss.backward()
        return loss.detach(), prompts.grad

    def same(a: Any, b: Any) -> bool:
        scale = float(b[1].abs().max())
        return torch.allclose(a[0], b[0], rtol=1e-5) and torch.allclose(a[1], b[1], rtol=1e-3, atol=1e-4 * scale)

    return Sides(ours, baseline, same)


def run(size: Size) -> list[Measurement]:
    """Time of a batch, and peak memory above what is there before it: the weights and the prompts."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        took = seconds(prepare(size, Path(folder)), size.pairs)
    used = megabytes(prepare, size)
    what = f"token losses, GPT-2 small, {size.prefix} + {size.caption} tokens, batch of {size.batch}"
    return [
        Measurement(what, "s", took.ours, took.baseline, at_most(0.65)),
        Measurement(f"{what}: peak above the weights", "MB", used.ours_above, used.baseline_above, at_most(0.75)),
    ]
