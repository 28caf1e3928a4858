"""The gradient of one effective batch, gathered from micro-batches and processes."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from .batch_plan import Batch

if TYPE_CHECKING:
    from accelerate import Accelerator

logger = logging.getLogger(__name__)

NAMED_ROWS = 8
"""Rows that a message names at most."""


@dataclass
class Accumulator:
    """Computes the gradient of the mean token loss over a whole batch, however it is split.

    Processes meet only after their backward passes, once for a few numbers and once for the gradient. So a process that
    runs out of memory does not leave the others waiting inside theirs, as it would if gradients were exchanged there
    (`DistributedDataParallel`): all halve their micro-batch and begin the batch again.

    Attributes:
        accelerator: knows the processes.
        parameters: what is trained.
        losses: summed loss `[b]` and number of target tokens `[b]` of each caption of a micro-batch.
        prefetch: told of the next micro-batch while one is computed.
        row_ids: names of the rows, for messages.
        micro_batch: captions in one forward pass; the same on all processes.
        in_step: each process holds only a share of the language model (FSDP), so all must compute equally often, and
            none can begin a batch again by itself.
    """

    accelerator: Accelerator
    parameters: Sequence[nn.Parameter]
    losses: Callable[[Batch], tuple[Tensor, Tensor]]
    prefetch: Callable[[Batch], None]
    row_ids: Sequence[str]
    micro_batch: int
    in_step: bool = False

    def gradient(self, batch: Batch) -> tuple[float, int]:
        """Fill `.grad` of the parameters, the same on all processes.

        Returns:
            The mean loss of a target token of the batch, in nats, and the number of target tokens.

        Raises:
            TrainingError: the loss is not finite, or not even one caption fits into memory.
        """
        share = batch.share(self.accelerator.process_index, self.accelerator.num_processes)
        while True:
            losses, counts, starved = self._attempt(batch, share)
            wrong = share.rows[(~torch.isfinite(losses)).numpy()] if not starved else share.rows[:0]
            loss, count, n_wrong, n_starved = self.total(losses.sum(), counts.sum(), len(wrong), starved)
            if n_starved:
                self._halve()
            elif n_wrong:
                self.stop(batch.step, "loss", [self.row_ids[row] for row in wrong])
            else:
                break
        self._exchange(1 / max(count, 1))
        return loss / max(count, 1), int(count)

    def total(self, *values: Tensor | float) -> list[float]:
        """Sums of numbers over all processes."""
        numbers = torch.tensor([float(value) for value in values], dtype=torch.float64)
        if self.accelerator.num_processes > 1:
            numbers = self.accelerator.reduce(numbers.to(self.accelerator.device), "sum")
        return numbers.tolist()

    def stop(self, step: int, what: str, rows: Sequence[str]) -> None:
        """End the fit on all processes, because something is not finite.

        Args:
            step: the step, from 0.
            what: is not finite: `loss` or `gradient`.
            rows: of this process's share that are at fault.

        Raises:
            TrainingError: always.
        """
        from accelerate.utils import gather_object

        found = [row for row in gather_object(list(rows)) if row] if self.accelerator.num_processes > 1 else list(rows)
        named = ", ".join(f"`{row}`" for row in found[:NAMED_ROWS])
        more = f" and {len(found) - NAMED_ROWS} more" if len(found) > NAMED_ROWS else ""
        raise TrainingError(
            f"The {what} of step {step + 1} is not finite; its batch holds rows {named}{more}. Nothing was learnt.\n"
            "Look at the features and texts of these rows; if they are sound, lower `lr` or set `precision: float32`."
        )

    def _attempt(self, batch: Batch, share: Batch) -> tuple[Tensor, Tensor, bool]:
        for parameter in self.parameters:
            parameter.grad = None
        done: list[tuple[Tensor, Tensor]] = []
        try:
            parts = list(share.parts(self.micro_batch))
            for part, coming in zip(parts, [*parts[1:], share[:0]], strict=True):
                self.prefetch(coming)
                losses, counts = self.losses(part)
                losses.sum().backward()  # type: ignore[no-untyped-call]
                done.append((losses.detach(), counts))
            if self.in_step:
                self._idle(batch, len(parts))
        except Exception as error:
            if not out_of_memory(error):
                raise
            if self.in_step:
                raise self._starved() from error
            return torch.zeros(0), torch.zeros(0), True
        if not done:
            return torch.zeros(0), torch.zeros(0), False
        losses, counts = (torch.cat(column).double().cpu() for column in zip(*done, strict=True))
        return losses, counts, False

    def _idle(self, batch: Batch, done: int) -> None:
        """After `done` micro-batches, compute for nothing as often as the process with the most of them still does."""
        largest = math.ceil(len(batch) / self.accelerator.num_processes)
        for _ in range(done, math.ceil(largest / self.micro_batch)):
            (0 * self.losses(batch[:1])[0].sum()).backward()  # type: ignore[no-untyped-call]

    def _starved(self) -> TrainingError:
        half = self.micro_batch // 2
        less = f"set `micro_batch: {half}` under `train:`" if half else "take more processes"
        return TrainingError(
            f"Memory ran out with micro-batches of {self.micro_batch}. Processes that share a language model cannot "
            f"take smaller ones in the middle of a step: {less}, or `gradient_checkpointing: true`. "
            "The same command then goes on from the last checkpoint."
        )

    def _halve(self) -> None:
        from accelerate.utils.memory import clear_device_cache

        if self.micro_batch == 1:
            raise TrainingError(
                "Memory ran out with a single caption. Set `gradient_checkpointing: true`, load the language model in "
                "bfloat16 (--dtype bfloat16), or take a smaller one."
            )
        self.micro_batch = math.ceil(self.micro_batch / 2)
        for parameter in self.parameters:
            parameter.grad = None
        clear_device_cache(garbage_collection=True)
        logger.info("Memory ran out: micro-batches now hold %d captions.", self.micro_batch)

    def _exchange(self, scale: float) -> None:
        if self.accelerator.num_processes > 1:
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
            flat = self.accelerator.reduce(torch.cat([grad.reshape(-1) for grad in grads]), "sum")
            for parameter, grad in zip(self.parameters, flat.split([g.numel() for g in grads]), strict=True):
                parameter.grad = grad.view_as(parameter)
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(scale)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a smaller batch may fit."""
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or bool(should_reduce_batch_size(error))
