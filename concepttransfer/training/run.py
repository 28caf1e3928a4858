"""A fit between its steps: what is trained, one step of it, its validation loss, and its state on disk."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..language_models.fitted import part_to_train
from ..language_models.placement import is_placed, is_sharded
from ..projections import Projection, build_projection
from ..storage import digest
from .accumulation import Accumulator
from .batch_plan import Batch, draw, hold_out, validation_batches
from .checkpoints import optimizer_tensors, restore_optimizer
from .mixing import MixedPlan, planned
from .recipe import Recipe
from .schedule import learning_rate
from .sources import FeatureSource, statistics

if TYPE_CHECKING:
    from accelerate import Accelerator

    from ..feature_adapters import FeatureAdapter
    from ..language_models.base import LanguageModel

CPU_MICRO_BATCH = 64
"""Where a micro-batch is not given: on a CPU the machine would swap before an allocation fails."""

SHARDED_MICRO_BATCH = 16
"""Where a micro-batch is not given: processes that share a language model cannot find theirs by halving."""


@dataclass(frozen=True)
class Job:
    """What is fitted to what, and how: see `concepttransfer.training.fit`."""

    source: FeatureSource
    texts: Sequence[Sequence[str]]
    language_model: LanguageModel
    recipe: Recipe
    seed: int
    prompt: str
    prompt_tokens: int | None
    tuned: bool
    questions: Sequence[str] | None = None
    adapter: FeatureAdapter | None = None

    def __post_init__(self) -> None:
        if self.adapter is not None:
            self.adapter.check(self.source.space, self.source.dim)

    @property
    def encoder(self) -> nn.Module | None:
        """The network that is trained with the projection, or None."""
        return self.source.trained if self.tuned else None

    def prompt_of(self, row: int) -> str:
        """The text between a row's features and what is learnt."""
        return self.prompt if self.questions is None else self.prompt.replace("{question}", self.questions[row])

    def fingerprint(self, key: str) -> str:
        """Names the job: a checkpoint of another one is not resumed."""
        parts = self.source.identity, self.language_model.id, self.recipe.identity(), self.seed
        asked = [] if self.questions is None else [self.questions]
        return digest(key, *parts, self.prompt, self.prompt_tokens, self.tuned, self.texts, *asked)


class TrainingRun:
    """A job on its way: parameters, optimiser, and the steps done."""

    def __init__(self, job: Job, accelerator: Accelerator) -> None:
        """Everything in place for step 0, but for the first weights, which `restore` gives."""
        self.job, self.accelerator, self.recipe, self.source = job, accelerator, job.recipe, job.source
        self.device = _device(accelerator, job.language_model)
        self.bf16 = _bf16(job.recipe, self.device)
        module = job.language_model.module
        (module if is_placed(module) else module.to(self.device)).requires_grad_(False).eval()
        job.source.to(self.device)
        rows, self.held_out = hold_out(job.texts, job.recipe.validation)
        lengths = _lengths(job.language_model, job.texts, job.recipe.max_tokens)
        self.plan = planned(job.recipe, lengths, rows, job.seed, job.source.row_ids)
        self.projection = self._empty_projection()
        # Evaluation mode: batch statistics stay, nothing is dropped. Its weights learn all the same.
        self.encoder = None if job.encoder is None else job.encoder.eval().requires_grad_(True)
        self.part = part_to_train(job.language_model, job.recipe, draw(job.seed, "adapters"))
        self.adapter = None if job.adapter is None else job.adapter.to(self.device)
        self.optimizer = self._optimizer()
        self.accumulator = Accumulator(
            accelerator,
            [p for group in self.optimizer.param_groups for p in group["params"]],
            self.losses,
            lambda batch: job.source.prefetch(batch.rows),
            job.source.row_ids,
            self._first_micro_batch(),
            in_step=is_sharded(module),
        )
        self.next_step = 0
        self.seconds = 0.0
        self.history: list[tuple[float, ...]] = []

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Summed loss `[b]` and number of target tokens `[b]` of each caption of `batch`."""
        features = self._features(batch)
        draws = batch.draws(self.job.seed) if self.projection.training and self.recipe.dropout else None
        texts = [self.job.texts[row][choice] for row, choice in zip(batch.rows, batch.choices, strict=True)]
        with self._mixed():
            soft = self.projection(features, draws)
            said = [self.job.prompt_of(row) for row in batch.rows]
            inputs = [[prompt, text] if text else [prompt] for prompt, text in zip(soft, said, strict=True)]
            losses, mask = self.job.language_model.token_nll(inputs, texts, max_tokens=self.recipe.max_tokens)
        if self.source.unreadable:
            readable = [self.source.row_ids[row] not in self.source.unreadable for row in batch.rows]
            mask = mask & torch.tensor(readable, device=mask.device)[:, None]
        return torch.where(mask, losses, 0.0).sum(1), mask.sum(1)

    def step(self, step: int) -> None:
        """One optimiser step, and what is measured after it."""
        rate = learning_rate(self.recipe, step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate / self.recipe.lr
        batch = self.plan.batch(step)
        loss, _ = self.accumulator.gradient(batch)
        norm = torch.nn.utils.clip_grad_norm_(self.accumulator.parameters, self.recipe.clip or math.inf)
        if not bool(torch.isfinite(norm)):
            mine = batch.share(self.accelerator.process_index, self.accelerator.num_processes)
            self.accumulator.stop(step, "gradient", [self.source.row_ids[row] for row in mine.rows])
        self.optimizer.step()
        done = step + 1
        measured = len(self.held_out) and (done % self.recipe.evaluate_every == 0 or done == self.recipe.steps)
        validation = self.validation_loss() if measured else math.nan
        self.history.append((done, loss, validation, rate))
        self.next_step = done
        entry = {"loss": loss, "lr": rate, **({"validation_loss": validation} if measured else {})}
        self.accelerator.log(entry, step=done)

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean loss of a target token of the held-out rows' first captions, without dropout, in nats."""
        self.projection.eval()
        loss = count = 0.0
        for part in validation_batches(self.plan, self.held_out, self.accumulator.micro_batch):
            share = part.share(self.accelerator.process_index, self.accelerator.num_processes)
            if len(share) or self.accumulator.in_step:
                losses, counts = self.losses(share if len(share) else part[:1])
            if len(share):
                loss, count = loss + float(losses.double().sum()), count + float(counts.sum())
        self.projection.train()
        loss, count = self.accumulator.total(loss, count)
        return loss / max(count, 1)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything from which `restore` goes on: tensors, and what is none."""
        projection = dict(self.projection.named_parameters()) | dict(self.projection.named_buffers())
        encoder = {} if self.encoder is None else self.encoder.state_dict()
        tensors: dict[str, Tensor] = {f"projection.{name}": value for name, value in projection.items()}
        tensors.update({f"encoder.{name}": value for name, value in encoder.items()})
        part = {} if self.part is None else self.part.state()
        tensors.update({f"language_model.{name}": value for name, value in part.items()})
        tensors.update(optimizer_tensors(self.optimizer))
        tensors["history"] = torch.tensor(self.history, dtype=torch.float64)
        how = {"micro_batch": self.accumulator.micro_batch, "processes": self.accelerator.num_processes}
        done = {"step": self.next_step, "seconds": self.seconds, "unreadable": self.source.unreadable}
        return tensors, {**done, **how}

    def restore(self, saved: tuple[Mapping[str, Tensor], Mapping[str, Any]] | None) -> None:
        """Go on from what `state` gave; None: from the beginning."""
        if saved is None:
            self._start()
            return
        tensors, state = saved
        learnt = _below("projection", tensors)
        if "mean" in learnt:
            self.projection.standardize(learnt.pop("mean"), learnt.pop("deviation"))
        self.projection.load_state_dict(learnt)
        if self.encoder is not None:
            self.encoder.load_state_dict(_below("encoder", tensors))
        if self.part is not None:
            self.part.load(_below("language_model", tensors))
        restore_optimizer(self.optimizer, tensors)
        self.history = [tuple(row) for row in tensors["history"].tolist()]
        self.source.unreadable.update(state["unreadable"])
        self.next_step, self.seconds = state["step"], state.get("seconds", 0.0)
        if self.recipe.micro_batch is None and state["processes"] == self.accelerator.num_processes:
            self.accumulator.micro_batch = state["micro_batch"]

    def about(self) -> dict[str, Any]:
        """What a Transfer says of its fit. To be called by all processes."""
        from accelerate.utils import gather_object

        unreadable = sorted(self.source.unreadable.items())
        if self.accelerator.num_processes > 1:
            unreadable = sorted(set(gather_object(unreadable)))
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "prompt": self.job.prompt,
            "rows": len(self.plan.rows),
            "held_out": len(self.held_out),
            "unreadable": dict(unreadable),
            **({"data_sets": self.plan.about(dict(unreadable))} if isinstance(self.plan, MixedPlan) else {}),
            "precision": "bf16" if self.bf16 else "float32",
            "tuned": self.encoder is not None,
        }

    def _start(self) -> None:
        mean, deviation, scale = statistics(self.source, self.plan.rows, adapter=self.adapter)
        if self.recipe.standardize:
            self.projection.standardize(mean, deviation)
            scale = 1.0
        self.projection.start(_word_deviation(self.job.language_model), scale, draw(self.job.seed, "projection"))

    def _empty_projection(self) -> Projection:
        wanted, dim, d_model = self.recipe.projection, self.source.dim, self.job.language_model.d_model
        shape: dict[str, Any] = {"dim": dim, "d_model": d_model, "prompt_tokens": self.job.prompt_tokens}
        made = build_projection(wanted.kind, **shape, dropout=self.recipe.dropout, **wanted.options)
        return made.to(self.device).train()

    def _optimizer(self) -> torch.optim.AdamW:
        groups: list[dict[str, Any]] = [{"params": list(self.projection.parameters()), "peak": self.recipe.lr}]
        if self.encoder is not None:
            groups.append({"params": list(self.encoder.parameters()), "peak": self.recipe.encoder_lr})
        if self.part is not None:
            peak = self.recipe.language_model_lr or self.recipe.lr
            groups.append({"params": self.part.parameters(), "peak": peak})
        return torch.optim.AdamW(
            groups, lr=self.recipe.lr, betas=self.recipe.betas, weight_decay=self.recipe.weight_decay
        )

    def _first_micro_batch(self) -> int:
        share = math.ceil(self.recipe.batch_size / self.accelerator.num_processes)
        most = CPU_MICRO_BATCH if self.device.type == "cpu" else share
        if is_sharded(self.job.language_model.module):
            most = SHARDED_MICRO_BATCH
        return int(min(share, self.recipe.micro_batch or most))

    def _features(self, batch: Batch) -> Tensor:
        # A frozen encoder computes in its own dtype, so that features are those of the store.
        with self._mixed() if self.encoder is not None else contextlib.nullcontext():
            values = self.source.batch(batch.rows, batch.choices)
            features = values.to(self.device).float()  # half the bytes go to a GPU
        if self.adapter is None:
            return features
        draws = batch.draws(self.job.seed, "feature adapter") if self.projection.training else None
        adapted: Tensor = self.adapter(features, draws)
        return adapted

    def _mixed(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def _device(accelerator: Accelerator, language_model: LanguageModel) -> torch.device:
    """One process computes where its language model is; of several, each where accelerate put it."""
    device: torch.device = language_model.device if accelerator.num_processes == 1 else accelerator.device
    return device


def _bf16(recipe: Recipe, device: torch.device) -> bool:
    has = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return recipe.precision == "bf16" or (recipe.precision == "auto" and has)


def _lengths(language_model: LanguageModel, texts: Sequence[Sequence[str]], most: int) -> list[list[int]]:
    """Tokens of each caption as it is learnt, counted once."""
    flat = [text for captions in texts for text in captions]
    counts: list[int] = []
    for start in range(0, len(flat), 4096):
        counts += [min(count, most) for count in language_model.count_tokens(flat[start : start + 4096])]
    ends = np.cumsum([len(captions) for captions in texts])
    return [counts[end - len(captions) : end] for captions, end in zip(texts, ends, strict=True)]


def _word_deviation(language_model: LanguageModel, sampled: int = 4096) -> float:
    vectors = language_model.word_vectors
    return float(vectors[:: max(1, len(vectors) // sampled)].detach().float().std())


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): v for name, v in tensors.items() if name.startswith(f"{prefix}.")}
