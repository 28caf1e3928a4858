"""What a study still needs: stages, pictures, memory, disk and hours, on the devices found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import ConceptTransferError
from ..study.costs import EncoderCost, LanguageModelCost, encoder_cost, language_model_cost
from ..study.devices import Device, devices
from ..study.plan import Step, plan

if TYPE_CHECKING:
    from ..study import Study
    from ..study.selection import Selection

CAPTION_TOKENS, QUESTION_TOKENS = 12, 12
"""A caption's and a question's length in tokens, for the estimate: COCO's captions have 12 on average with GPT-2's."""
SHARE_LARGE, SHARE_SINGLE = 0.3, 0.05
"""Shares of the measured matrix rate that the estimate assumes: for large products, and for one token after another."""


@dataclass(frozen=True)
class Needs:
    """What a whole study takes.

    Attributes:
        steps: its stages, done or not; `seconds` is measured where this machine has done the like, else estimated.
        estimated: whether the time of each is an estimate.
        devices: on which.
        memory: of each model: its name and dtype, parameters, bytes of weights, and for an encoder the bytes that one
            caption of a micro-batch adds while its projection is fitted.
        missing: data that is not there yet, with the reason.
    """

    steps: tuple[Step, ...]
    estimated: tuple[bool, ...]
    devices: tuple[Device, ...]
    memory: tuple[tuple[str, int, int, int | None], ...]
    missing: tuple[tuple[str, str], ...]

    @property
    def seconds(self) -> float | None:
        """Time of what is not done on all devices together; None where a part cannot be told."""
        left = [step.seconds for step in self.steps if not step.done]
        return None if None in left else sum(s for s in left if s is not None)

    @property
    def disk(self) -> int:
        """Bytes of all that will be written and is known."""
        return sum(step.n_bytes or 0 for step in self.steps if not step.done)


def needs(study: Study, encoders: Sequence[str]) -> Needs:
    """What the study takes for these encoders. Loads no weights; a second for measuring each device."""
    found, language_model = devices(), language_model_cost(study)
    steps, missing = _steps(study, encoders)
    timed = [_timed(study, step, language_model, found) for step in steps]
    estimated = tuple(a.seconds is None and b.seconds is not None for a, b in zip(steps, timed, strict=True))
    return Needs(tuple(timed), estimated, found, tuple(_memory(study, encoders, language_model)), tuple(missing))


def _steps(study: Study, encoders: Sequence[str]) -> tuple[list[Step], list[tuple[str, str]]]:
    """Every stage; where data is not there yet, with as many pictures as its description says."""
    missing: dict[str, str] = {}
    there: list[tuple[str, Selection]] = []
    absent: list[tuple[str, str]] = []
    for role, names in study.spec.evaluate.items():
        for selection in study.select(role) if names else []:
            if _readable(selection, missing):
                there.append((role, selection))
            else:
                absent.append((role, selection.name))
    training = _readable(study.training, missing)
    steps: list[Step] = []
    for name in encoders:
        if training:
            steps += plan(study, [name], [], until="fit")
        else:
            recipe = study.recipe(name)
            steps += [Step("fit", name, f"seed {s}", recipe.steps, "steps", False, None, None) for s in _seeds(study)]
        for role, selection in there:
            steps += _evaluation(study, name, role, selection, fitted=training)
        for role, data in absent:
            steps += [_absent(stage, name, data) for stage in _stages(role)]
    return steps, list(missing.items())


def _evaluation(study: Study, name: str, role: str, selection: Selection, *, fitted: bool) -> Iterator[Step]:
    if fitted and role != "questions":
        yield from (step for step in plan(study, [name], [selection], until="caption") if step.stage != "fit")
        return
    rows = selection.manifest.rows
    pictures = len({row.picture for row in rows}) if role == "questions" else len(rows)
    for stage in _stages(role):
        n, unit = (len(rows), "questions") if stage == "answer" else (pictures, "pictures")
        yield Step(stage, name, selection.name, n, unit, False, None, None)


def _absent(stage: str, name: str, data: str) -> Step:
    unit = "questions" if stage == "answer" else "pictures"
    return Step(stage, name, data, _described(data, unit), unit, False, None, None)


def _stages(role: str) -> tuple[str, str]:
    return ("encode", "answer") if role == "questions" else ("encode", "caption")


def _seeds(study: Study) -> range:
    first = study.settings.seed
    return range(first, first + (study.settings.seeds or study.spec.train.seeds))


def _readable(selection: Selection, missing: dict[str, str]) -> bool:
    try:
        return len(selection.manifest) > 0
    except ConceptTransferError as error:
        missing[selection.name] = str(error)
        return False


def _described(data: str, unit: str) -> int:
    """How many pictures or questions the data set has by its description; 0 where there is none."""
    from ..data import descriptions

    if data not in descriptions.available():
        return 0
    counts = descriptions.describe(data).counts
    return int(counts.get(unit, counts.get("pictures", 0)))


def _timed(study: Study, step: Step, language_model: LanguageModelCost | None, found: Sequence[Device]) -> Step:
    """The step with an estimate where nothing was measured, of time and of disk."""
    cost = encoder_cost(study, step.encoder)
    if cost is None or language_model is None:
        return step
    rate = sum(device.rate for device in found)
    large, single = _flops(study, step, cost, language_model)
    seconds = step.seconds or (large / SHARE_LARGE + single / SHARE_SINGLE) / rate
    return replace(step, seconds=seconds, n_bytes=step.n_bytes or _bytes(study, step, cost, language_model))


def _flops(study: Study, step: Step, encoder: EncoderCost, language_model: LanguageModelCost) -> tuple[float, float]:
    """Operations of a step in large products, and one token after another.

    2 a parameter and position forward, 4 with the backward pass of frozen weights, 6 if the forward pass is recomputed.
    """
    spec, recipe, asked = study.encoder_spec(step.encoder), study.recipe(step.encoder), study.spec.answering
    soft, n = spec.prompt_tokens or encoder.tokens, language_model.parameters
    if step.stage == "encode":
        return step.n * encoder.flops, 0.0
    if step.stage == "fit":
        looked_at = encoder.flops * (3 if spec.train else 1 if recipe.features != "store" else 0)
        each = n * (soft + CAPTION_TOKENS) * (6 if recipe.gradient_checkpointing else 4) + looked_at
        return step.n * recipe.batch_size * each, 0.0
    if step.stage == "answer":
        read = sum((shots + 1) * (soft + QUESTION_TOKENS) for shots in asked.shots)
        return step.n * 2.0 * n * read, step.n * 2.0 * n * len(asked.shots) * asked.decoding.max_tokens
    return step.n * 2.0 * n * soft, step.n * 2.0 * n * study.spec.decoding.max_tokens


def _bytes(study: Study, step: Step, encoder: EncoderCost, language_model: LanguageModelCost) -> int:
    spec = study.encoder_spec(step.encoder)
    if step.stage == "encode":
        return 2 * step.n * encoder.tokens * encoder.dim
    if step.stage == "fit":
        weights = encoder.dim * language_model.d_model * (spec.prompt_tokens or 1)
        return 4 * (weights + (encoder.parameters if spec.train else 0))
    return 400 * step.n * (len(study.spec.answering.shots) if step.stage == "answer" else 1)


def _memory(
    study: Study, encoders: Sequence[str], language_model: LanguageModelCost | None
) -> Iterator[tuple[str, int, int, int | None]]:
    """What must fit on each device: the weights of each model, and what one caption adds while fitting."""
    if language_model is None:
        return
    dtype = study.settings.torch_dtype(study.spec.dtype)
    n = language_model.parameters
    yield f"{study.spec.language_model} in {dtype}", n, language_model.weight_bytes(dtype), None
    for name in encoders:
        if (cost := encoder_cost(study, name)) is None:
            continue
        positions = (study.encoder_spec(name).prompt_tokens or cost.tokens) + CAPTION_TOKENS
        checkpointing = study.spec.train.gradient_checkpointing
        each = language_model.activation_bytes(positions, checkpointing=checkpointing)
        yield f"{name} in float32", cost.parameters, 4 * cost.parameters, each * (2 if dtype == "float32" else 1)
