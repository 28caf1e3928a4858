"""What processes that train together tell each other: embeddings, gradients and a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from accelerate import Accelerator


class Exchange:
    """Between processes each of which holds every n-th pair of a batch; alone, nothing is sent."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.n_processes, self.rank = int(accelerator.num_processes), int(accelerator.process_index)

    def places(self, n: int, device: torch.device) -> Tensor:
        """Where this process's pairs stand in a batch of `n`."""
        return torch.arange(self.rank, n, self.n_processes, device=device)

    def gathered(self, mine: Tensor, n: int) -> Tensor:
        """The rows of all processes in the order of the batch, `[n, dim]`, from this process's `[m, dim]`."""
        if self.n_processes == 1:
            return mine
        largest = math.ceil(n / self.n_processes)
        padded = torch.cat([mine, mine.new_zeros(largest - len(mine), *mine.shape[1:])])
        everyone: Tensor = self.accelerator.gather(padded.contiguous())
        by_turns = everyone.view(self.n_processes, largest, *mine.shape[1:]).transpose(0, 1)
        return by_turns.reshape(self.n_processes * largest, *mine.shape[1:])[:n]

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.n_processes == 1:
            return values
        total: Tensor = self.accelerator.reduce(values.contiguous(), "sum")
        return total

    def total(self, *numbers: float) -> list[float]:
        """Sums of numbers over all processes."""
        if self.n_processes == 1:
            return list(numbers)
        values: list[float] = self.summed(
            torch.tensor(numbers, dtype=torch.float64, device=self.accelerator.device)
        ).tolist()
        return values

    def share_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Let every parameter's gradient be the sum of all processes'."""
        if self.n_processes == 1:
            return
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = self.summed(torch.cat([grad.reshape(-1) for grad in grads]))
        for parameter, grad in zip(parameters, torch.split(flat, [g.numel() for g in grads]), strict=True):
            parameter.grad = grad.view_as(parameter)
