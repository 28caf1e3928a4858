"""Fits a projection, and an encoder that is to be tuned, into a frozen language model: nothing but the loop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInputError, ShapeError
from ..processes.peers import together
from ..progress import progress
from ..transfer import Transfer
from .checkpoints import checkpoint_path, read_checkpoint, write_checkpoint
from .history import thinned
from .recipe import Recipe
from .run import Job, TrainingRun
from .sources import FeatureSource
from .surroundings import build_accelerator, held, repeatable

if TYPE_CHECKING:
    from accelerate import Accelerator

    from ..feature_adapters import FeatureAdapter
    from ..language_models.base import LanguageModel

SAVE_SECONDS = 600
"""A checkpoint is written after so long at the latest, however few steps that is."""


@together()
def fit(
    source: FeatureSource,
    texts: Sequence[Sequence[str]],
    language_model: LanguageModel,
    recipe: Recipe,
    folder: Path | str,
    *,
    key: str,
    encoder_name: str,
    seed: int,
    prompt: str = "",
    prompt_tokens: int | None = None,
    tuned: bool = False,
    quiet: bool = False,
    trackers: Sequence[str] = (),
    dtype: str = "float32",
    meta: Mapping[str, Any] | None = None,
    questions: Sequence[str] | None = None,
    adapter: FeatureAdapter | None = None,
) -> Transfer:
    """Fit one projection with one seed; a run that was killed goes on from its last checkpoint.

    A Transfer of the same `key` that is there already is given back. Under `accelerate launch` every process calls this
    with the same arguments, and gets the same Transfer; only the main one writes.

    Args:
        source: features of the training pictures (`StoredFeatures`, `OnlineFeatures`), or of captions (`TextFeatures`).
        texts: captions of each row of `source`, in its order; rows without one are left out.
        language_model: frozen, but for what the recipe trains of it, and given back as it came; under several processes
            it is moved to the process's device.
        recipe: how.
        folder: of the Transfer. The checkpoint lies beside it, as do trackers' files (`FOLDER.logs`).
        key: the caller's name for everything that this fit depends on.
        encoder_name: the encoder's name in its study, for messages and the Transfer.
        seed: of first weights, order, choice of captions and dropout.
        prompt: text between picture and caption; empty: none.
        prompt_tokens: k soft prompts from one pooled feature; None: one soft prompt a token.
        tuned: the encoder is trained too, with `recipe.encoder_lr`; `source` must hold its network, which is given back
            as it came.
        quiet: show no bar.
        trackers: `tensorboard`, `wandb`, ... as accelerate names them.
        dtype: of the saved weights, `float32` or `float16`.
        meta: whatever the Transfer should say besides.
        questions: of each row, to replace `{question}` in the prompt; None: it asks nothing.
        adapter: what is done to the features in training; None: nothing.

    Raises:
        MismatchError: the adapter was fitted on other features.
        ShapeError: there are not as many lists of texts as rows.
        TrainingError: the loss is not finite (its rows are named), or one caption does not fit into memory.
        LockedError: another process makes the same Transfer.
        Stopped: a process that fits with this one is gone (see `peers`).
    """
    folder = Path(folder)
    if len(texts) != len(source.row_ids):
        raise ShapeError(f"{len(source.row_ids)} rows of features need as many lists of texts; these are {len(texts)}.")
    if tuned and source.trained is None:
        raise BadInputError(
            f"{encoder_name} is to be tuned, but its features are frozen. Give OnlineFeatures(tuned=True)."
        )
    job = Job(source, texts, language_model, recipe, seed, prompt, prompt_tokens, tuned, questions, adapter)
    accelerator = build_accelerator(trackers, folder.with_name(f"{folder.name}.logs"))
    with held(accelerator, folder):
        if (folder / "transfer.json").is_file() and (there := Transfer.load(folder)).key == key:
            return there
        path, named = checkpoint_path(folder), job.fingerprint(key)
        run = TrainingRun(job, accelerator)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_given_back(job))
            stack.enter_context(repeatable(run.device))
            stack.enter_context(_tracked(accelerator, trackers, recipe, key))
            run.restore(read_checkpoint(path, named))
            if run.part is not None:
                stack.enter_context(run.part.in_place(trainable=True))
            began = saved = time.monotonic()
            before = run.seconds
            for step in _steps(run, f"fit {encoder_name}", quiet or not accelerator.is_main_process):
                run.step(step)
                run.seconds = before + time.monotonic() - began
                due = run.next_step % recipe.save_every == 0 or time.monotonic() - saved > SAVE_SECONDS
                if due and run.next_step < recipe.steps and accelerator.is_main_process:
                    write_checkpoint(path, named, *run.state())
                    saved = time.monotonic()
            about = {**run.about(), **(meta or {})}
            if accelerator.is_main_process:
                _write(run, folder, key, encoder_name, about, dtype)
                path.unlink(missing_ok=True)
            accelerator.wait_for_everyone()
    return Transfer.load(folder)


def _steps(run: TrainingRun, what: str, quiet: bool) -> Iterator[int]:
    """The steps that are left, with a bar that shows rate, ending time and loss."""
    total = run.recipe.steps
    with progress(total, what, unit="step", quiet=quiet, initial=run.next_step) as bar:
        for step in range(run.next_step, total):
            yield step
            bar.set_postfix(loss=f"{run.history[-1][1]:.3f}", refresh=False)
            bar.update()


def _write(run: TrainingRun, folder: Path, key: str, encoder_name: str, meta: Mapping[str, Any], dtype: str) -> None:
    job = run.job
    run.projection.fold()
    Transfer.write(
        folder,
        run.projection,
        key=key,
        encoder=encoder_name,
        seed=job.seed,
        space=job.source.space,
        encoder_identity=job.source.identity,
        language_model_id=job.language_model.id,
        tokens=job.source.tokens,
        meta=meta,
        history=thinned(np.array(run.history), run.recipe.evaluate_every),
        encoder_state=None if run.encoder is None else run.encoder.state_dict(),
        language_model_state=None if run.part is None else run.part.state(),
        adapters=None if run.recipe.adapters is None else run.recipe.adapters.model_dump(mode="json"),
        feature_adapter_state=None if run.adapter is None else (run.adapter.state_dict() or None),
        seconds=run.seconds,
        dtype=dtype,
    )


@contextlib.contextmanager
def _tracked(accelerator: Accelerator, trackers: Sequence[str], recipe: Recipe, key: str) -> Iterator[None]:
    settings = {name: v if isinstance(v, int | float | str) else str(v) for name, v in recipe.model_dump().items()}
    if trackers:
        accelerator.init_trackers("concepttransfer", {**settings, "key": key})
    try:
        yield
    finally:
        for tracker in accelerator.trackers:  # not end_training(), which would also part the processes
            tracker.finish()


@contextlib.contextmanager
def _given_back(job: Job) -> Iterator[None]:
    """Leave language model and encoder as they came, so that the next seed starts where this one did."""
    model, encoder = job.language_model, job.encoder
    recomputes = model.gradient_checkpointing
    model.gradient_checkpointing = job.recipe.gradient_checkpointing
    state = {} if encoder is None else {name: value.clone() for name, value in encoder.state_dict().items()}
    try:
        yield
    finally:
        model.gradient_checkpointing = recomputes
        if encoder is not None:
            encoder.load_state_dict(state)
            encoder.zero_grad(set_to_none=True)
