"""A contrastive training between its steps: what is trained, one step of it, and its state on disk."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import BadInputError
from ..training.batch_plan import Batch, hold_out
from ..training.checkpoints import optimizer_tensors, restore_optimizer
from .exchange import Exchange
from .gradient import ContrastiveGradient
from .held_out import HeldOut, measure
from .optimiser import build_optimiser
from .pairs import PairPlan, Pairs
from .recipe import ContrastiveRecipe
from .towers import Towers

if TYPE_CHECKING:
    from accelerate import Accelerator

CPU_MICRO_BATCH = 256
"""Where a micro-batch is not given: on a CPU the machine would swap before an allocation fails."""
COLUMNS = ("step", "loss", "right", "lr", "logit_scale", "validation_loss", "to_text", "to_picture")
"""Of the curve: `right` is of the batch, `to_text` and `to_picture` are recalls at 1 among the pairs held out."""

logger = logging.getLogger(__name__)


class ContrastiveRun:
    """A training on its way: towers, optimiser, and the steps done."""

    def __init__(
        self,
        towers: Towers,
        pairs: Pairs,
        recipe: ContrastiveRecipe,
        seed: int,
        accelerator: Accelerator,
        device: str | None = None,
    ) -> None:
        """Everything in place for step 0, on `device` where it is given and there is one process.

        Raises:
            EmptyDataError: no row has a caption.
            BadInputError: there are fewer pictures than pairs in a batch, or more processes.
        """
        self.recipe, self.pairs, self.accelerator = recipe, pairs, accelerator
        alone = device is not None and accelerator.num_processes == 1
        self.device: torch.device = torch.device(device) if device and alone else accelerator.device
        self.bf16 = _bf16(recipe, self.device)
        self.module: Any = towers.module.to(self.device).requires_grad_(True).train()
        rows, self.held_out = hold_out(pairs.texts, recipe.validation)
        self.plan = PairPlan([len(captions) for captions in pairs.texts], rows, recipe.batch_size, seed)
        self.exchange = Exchange(accelerator)
        if recipe.batch_size < self.exchange.n_processes:
            raise BadInputError(
                f"A batch of {recipe.batch_size} pairs is too small for {self.exchange.n_processes} processes. "
                "Raise `batch_size`, or start fewer."
            )
        self.optimiser = build_optimiser(self.module, recipe)
        self.gradient = ContrastiveGradient(
            self.module,
            pairs,
            self.exchange,
            self.device,
            self._first_micro_batch(),
            recipe.local_loss,
            self.bf16,
            seed,
        )
        self.next_step = 0
        self.seconds = 0.0
        self.curve: list[tuple[float, ...]] = []

    def step(self, step: int) -> None:
        """One optimiser step, and what is measured after it."""
        rate = self.recipe.rate(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        batch = self.plan.batch(step)
        self.pairs.prefetch(self._mine(batch))
        if step + 1 < self.recipe.steps:
            self.pairs.prefetch(self._mine(self.plan.batch(step + 1)))
        found = self.gradient.of(batch)
        norm = torch.nn.utils.clip_grad_norm_(self.gradient.parameters, self.recipe.clip or math.inf)
        if not bool(torch.isfinite(norm)):
            self.gradient.stop("gradient", batch, batch.rows[:0])
        self.optimiser.step()
        with torch.no_grad():
            self.module.logit_scale.clamp_(0, math.log(self.recipe.largest_scale))
        self.next_step = step + 1
        self.curve.append(
            (self.next_step, found.loss, found.right, rate, self.module.logit_scale.item(), *self._measured())
        )

    def measured(self) -> HeldOut | None:
        """Loss and retrieval of the rows held out; None where there are none."""
        return measure(self.gradient, self.held_out) if len(self.held_out) else None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything from which `restore` goes on: tensors, and what is none."""
        tensors = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        tensors.update(optimizer_tensors(self.optimiser))
        tensors["curve"] = torch.tensor(self.curve, dtype=torch.float64)
        how = {"micro_batch": self.gradient.micro_batch, "processes": self.exchange.n_processes}
        return tensors, {"step": self.next_step, "seconds": self.seconds, "unreadable": self.pairs.unreadable, **how}

    def restore(self, saved: tuple[Mapping[str, Tensor], Mapping[str, Any]] | None) -> None:
        """Go on from what `state` gave; None: from the beginning."""
        if saved is None:
            return
        tensors, state = saved
        weights = {n.removeprefix("module."): v for n, v in tensors.items() if n.startswith("module.")}
        self.module.load_state_dict(weights)
        restore_optimizer(self.optimiser, tensors)
        self.curve = [tuple(row) for row in tensors["curve"].tolist()]
        self.pairs.unreadable.update(state["unreadable"])
        self.next_step, self.seconds = state["step"], state["seconds"]
        if self.recipe.micro_batch is None and state["processes"] == self.exchange.n_processes:
            self.gradient.micro_batch = state["micro_batch"]

    def unreadable(self) -> dict[str, str]:
        """Reasons by row id, of all processes. To be called by all of them."""
        from accelerate.utils import gather_object

        faults = sorted(self.pairs.unreadable.items())
        return dict(sorted(set(gather_object(faults))) if self.exchange.n_processes > 1 else faults)

    def _measured(self) -> tuple[float, float, float]:
        """What the curve says of the rows held out, where it is measured at this step; the main process does it."""
        done, missing = self.next_step, (math.nan,) * 3
        due = done % self.recipe.evaluate_every == 0 or done == self.recipe.steps
        if not due or not self.accelerator.is_main_process or (found := self.measured()) is None:
            return missing
        return found.loss, float(np.mean(found.to_text)), float(np.mean(found.to_picture))

    def _mine(self, batch: Batch) -> Batch:
        return batch.share(self.exchange.rank, self.exchange.n_processes)

    def _first_micro_batch(self) -> int:
        share = math.ceil(self.recipe.batch_size / self.exchange.n_processes)
        most = CPU_MICRO_BATCH if self.device.type == "cpu" else share
        return min(share, self.recipe.micro_batch or most)


def _bf16(recipe: ContrastiveRecipe, device: torch.device) -> bool:
    has = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return recipe.precision == "bf16" or (recipe.precision == "auto" and has)
