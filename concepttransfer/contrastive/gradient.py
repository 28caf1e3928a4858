"""The gradient of the contrastive loss over a whole batch, however it is split over micro-batches and processes.

The loss of a batch is no mean of losses of its parts: every pair is a negative of every other one. So each process
first computes the embeddings of its pairs without keeping what a backward pass needs, micro-batch by micro-batch;
embeddings are gathered, and the loss and its gradient with respect to them computed; then each micro-batch is computed
a second time and that gradient passed through it (Gao et al. 2021, GradCache). Where all of a process's pairs fit into
one micro-batch, there is one pass.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..training.accumulation import NAMED_ROWS, out_of_memory
from ..training.batch_plan import Batch, draw
from .exchange import Exchange
from .loss import contrastive_loss, share_of_loss
from .pairs import Loaded, Pairs

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """What is known of a batch after its gradient.

    Attributes:
        loss: in nats; `ln(n)` at chance.
        right: the share of pictures whose own caption is the nearest of the batch; `1 / n` at chance.
    """

    loss: float
    right: float


@dataclass
class ContrastiveGradient:
    """Fills the gradients of a CLIP for one batch after the other.

    Attributes:
        module: with `encode_image`, `encode_text` and `logit_scale`, in training mode.
        pairs: gives pictures and tokens.
        exchange: between processes.
        micro_batch: pairs in one forward pass; the same on all processes.
        local_loss: compute the scores of one's own pairs only.
        bf16: the towers compute in bf16.
        seed: of dropout.
    """

    module: Any
    pairs: Pairs
    exchange: Exchange
    device: torch.device
    micro_batch: int
    local_loss: bool
    bf16: bool
    seed: int

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return [p for p in self.module.parameters() if p.requires_grad]

    def of(self, batch: Batch) -> Measured:
        """Fill `.grad` of the parameters, the same on all processes.

        Raises:
            TrainingError: the loss is not finite, or not even one pair fits into memory.
            BadInputError: too many pictures cannot be read.
        """
        share = batch.share(self.exchange.rank, self.exchange.n_processes)
        loaded = self.pairs.load(share)
        while True:
            parts = loaded.parts(self.micro_batch)
            embedded = self._if_memory_allows(partial(self._embed_all, parts, batch.step))
            if embedded is None:
                continue
            measured, gradient = self._at_embeddings(embedded.detach(), loaded.readable, batch)
            if self._if_memory_allows(partial(self._through, parts, embedded, gradient, batch.step)):
                break
        self.exchange.share_gradients(self.parameters)
        return measured

    def embed(self, part: Loaded) -> Tensor:
        """Pictures and captions of length 1 side by side, float32 `[m, 2, dim]`."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            seen = self.module.encode_image(part.pictures.to(self.device))
            read = self.module.encode_text(part.tokens.to(self.device))
        both = torch.stack([seen.float(), read.float()], dim=1)
        return nn.functional.normalize(both, dim=-1)

    def _embed_all(self, parts: Sequence[Loaded], step: int) -> Tensor:
        """This process's embeddings `[m, 2, dim]`; with their graph where there is one micro-batch."""
        for parameter in self.parameters:
            parameter.grad = None
        if len(parts) == 1:
            with self._chance(step, 0):
                return self.embed(parts[0])
        found = []
        with torch.no_grad(), statistics_kept(self.module):
            for number, part in enumerate(parts):
                with self._chance(step, number):
                    found.append(self.embed(part))
        return torch.cat(found)

    def _at_embeddings(self, mine: Tensor, readable: Tensor, batch: Batch) -> tuple[Measured, Tensor]:
        """The loss of the whole batch, the logit scale's gradient, and that of this process's embeddings."""
        n = len(batch)
        kept = readable.to(self.device, torch.float32)[:, None]
        columns = self.exchange.gathered(torch.cat([mine.flatten(1), kept], dim=1), n)
        whole = columns[:, :-1].reshape(n, 2, -1).clone().requires_grad_()
        use = columns[:, -1] > 0
        self._check(whole, batch, use)
        scale = self.module.logit_scale
        places = self.exchange.places(n, self.device)
        n_used = int(use.sum())
        if self.local_loss:
            at = (use.cumsum(0) - 1)[places][use[places]]
            loss, right = share_of_loss(whole[use, 0], whole[use, 1], scale.exp(), at)
        else:
            loss, right = contrastive_loss(whole[use, 0], whole[use, 1], scale.exp())
        grad, of_scale = torch.autograd.grad(loss, [whole, scale])
        value, n_right = loss.item(), float(right.sum())
        if self.local_loss:
            value, n_right = self.exchange.total(value, n_right)
            grad = self.exchange.summed(grad)
        else:  # every process knows all of it; together they shall add it once
            of_scale = of_scale / self.exchange.n_processes
        if not math.isfinite(value):
            self.stop("loss", batch, batch.rows[:0])
        scale.grad = of_scale
        return Measured(value, n_right / max(1, n_used)), grad[places]

    def _through(self, parts: Sequence[Loaded], embedded: Tensor, gradient: Tensor, step: int) -> bool:
        """Pass the gradient of the embeddings through the towers."""
        if len(parts) == 1:
            embedded.backward(gradient)  # type: ignore[no-untyped-call]
            return True
        for number, (part, grad) in enumerate(zip(parts, torch.split(gradient, self.micro_batch), strict=True)):
            with self._chance(step, number):
                self.embed(part).backward(grad)  # type: ignore[no-untyped-call]
        return True

    def _check(self, whole: Tensor, batch: Batch, use: Tensor) -> None:
        wrong = ~torch.isfinite(whole.detach()).all(dim=(1, 2)) & use
        if bool(wrong.any()):
            self.stop("embedding", batch, batch.rows[wrong.cpu().numpy()])

    def stop(self, what: str, batch: Batch, rows: Any) -> None:
        """End the training, because something is not finite.

        Args:
            what: is not finite: `embedding`, `loss` or `gradient`.
            batch: of the step.
            rows: those at fault; none: any of the batch.

        Raises:
            TrainingError: always.
        """
        found = rows if len(rows) else batch.rows
        named = ", ".join(f"`{self.pairs.manifest.ids[row]}`" for row in found[:NAMED_ROWS].tolist())
        more = f" and {len(found) - NAMED_ROWS} more" if len(found) > NAMED_ROWS else ""
        raise TrainingError(
            f"The {what} of step {batch.step + 1} is not finite, with rows {named}{more}. Nothing of it was learnt.\n"
            "Look at these pictures and captions; if they are sound, lower `lr`, raise `warmup_steps`, or set "
            "`precision: float32`. The same command then begins again at the last checkpoint."
        )

    def _if_memory_allows(self, work: Callable[[], Any]) -> Any:
        """What `work` gives, on all processes; None where one of them ran out of memory: all take less at a time."""
        result = None
        try:
            result, starved = work(), False
        except Exception as error:
            if not out_of_memory(error):
                raise
            starved = True
        if not self.exchange.total(float(starved))[0]:
            return result
        if self.micro_batch == 1:
            raise TrainingError(
                "Memory ran out with a single pair. Set `gradient_checkpointing: true`, or take a smaller architecture."
            )
        self.micro_batch = math.ceil(self.micro_batch / 2)
        logger.info("Memory ran out: micro-batches now hold %d pairs.", self.micro_batch)
        from accelerate.utils.memory import clear_device_cache

        clear_device_cache(garbage_collection=True)
        return None

    @contextlib.contextmanager
    def _chance(self, step: int, number: int) -> Iterator[None]:
        """The same random numbers (dropout) in both passes of a micro-batch, by seed, step and place."""
        on = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=on):
            torch.manual_seed(draw(self.seed, "towers", step, self.exchange.rank, number))
            yield


@contextlib.contextmanager
def statistics_kept(module: nn.Module) -> Iterator[None]:
    """Batch normalisation by the batch, as in training, but without taking note of it: the second pass does."""
    norms = [part for part in module.modules() if getattr(part, "track_running_stats", False) is True]
    for part in norms:
        part.track_running_stats = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for part in norms:
            part.track_running_stats = True  # type: ignore[assignment]
