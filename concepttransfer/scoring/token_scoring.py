"""The stage that asks the language model how likely a caption's tokens are under several conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..captioning import LINES as CAPTION_LINES
from ..errors import BadInputError, MismatchError
from ..lines import is_written, read_lines, write_lines
from .blank import KEY as BLANK_KEY
from .token_scores import BLANK, LINES, NONE, OTHER, PICTURE, TokenScores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from ..captioning import Captions
    from ..features import Features
    from ..language_models.base import Generation, LanguageModel, Segment
    from ..transfer import Transfer

TOGETHER, AT_A_TIME = 256, 64
"""Inputs between two writes to disk, about (whole rows with all their conditions), and those of one pass."""

Inputs = Callable[["NDArray[np.int64]"], "list[list[list[Segment]]]"]
"""Of some rows, by their numbers: an input for each condition."""


class Prompts:
    """Soft prompts of rows, made when they are asked for."""

    def __init__(self, features: Features, projection: nn.Module, device: Any) -> None:
        """Take what is projected, by what, and where."""
        self.features, self.projection, self.device = features, projection.to(device), device

    def of(self, row_ids: Sequence[str]) -> Tensor:
        """`[b, k, d_model]`.

        Raises:
            BadInputError: the features of a row hold a value that is no number.
        """
        import torch

        values = torch.from_numpy(np.array(self.features.take(row_ids))).to(self.device).float()
        finite = torch.isfinite(values).flatten(1).all(1)
        if not bool(finite.all()):
            row = row_ids[int(torch.nonzero(~finite)[0])]
            raise BadInputError(
                f"The features of `{row}` hold values that are no numbers. Encode the pictures again "
                "(concepttransfer encode --force), and check the weights if that does not help."
            )
        with torch.no_grad():
            made: Tensor = self.projection(values)
        return made


def score_tokens(
    captions: Captions,
    features: Features,
    blank: Features,
    transfer: Transfer,
    language_model: LanguageModel,
    folder: Path | str,
    *,
    others: Mapping[str, str],
    key: str,
    batch_size: int | None = None,
    quiet: bool = False,
) -> TokenScores:
    """How likely are the tokens of every caption with its picture, a blank one, another one, and none at all?

    Each batch is on disk before the next begins; a run that was killed goes on where it stopped, and several processes
    share the pictures, as those that caption do. Scores that are there under the same key are read.

    Args:
        captions: whose tokens are scored; of several samples the first.
        features: of the pictures.
        blank: of the blank picture, one row.
        transfer: makes soft prompts of both.
        language_model: scores.
        folder: where the scores go.
        others: row id -> the row whose prompt stands in its place; without any there is no condition `other`.
        key: names everything that changes a score.
        batch_size: captions at a time; None: about 256 inputs.
        quiet: show no bar.

    Raises:
        MismatchError: captions, features, Transfer and language model were not made for each other.
        BadInputError: features that are no numbers, or inputs longer than the language model can read.
    """
    from ..language_models.fitted import as_fitted

    _check(captions, features, transfer, language_model)
    prompt = str(captions.meta["prompt"])
    conditions = [PICTURE, BLANK, *([OTHER] if others else []), *([NONE] if prompt.strip() else [])]
    rows, prompts = captions.row_ids, Prompts(features, transfer.projection(), language_model.device)

    def inputs(numbers: NDArray[np.int64]) -> list[list[list[Segment]]]:
        ids = [rows[number] for number in numbers]
        given: dict[str, list[list[Segment]]] = {PICTURE: [[soft, prompt] for soft in prompts.of(ids)]}
        grey = Prompts(blank, prompts.projection, prompts.device).of(blank.row_ids[:1])[0]
        given[BLANK] = [[grey, prompt]] * len(ids)  # one object: what is the same before all is read once
        if others:
            given[OTHER] = [[soft, prompt] for soft in prompts.of([others[row] for row in ids])]
        bare: list[Segment] = [prompt]
        given[NONE] = [bare] * len(ids)
        return [[given[condition][n] for condition in conditions] for n in range(len(ids))]

    with as_fitted(language_model, transfer):
        return write_scores(
            captions,
            language_model,
            folder,
            conditions=conditions,
            inputs=inputs,
            others=others,
            key=key,
            meta={"transfer_id": transfer.id, "blank": BLANK_KEY},
            batch_size=batch_size or max(1, TOGETHER // len(conditions)),
            quiet=quiet,
        )


def write_scores(
    captions: Captions,
    language_model: LanguageModel,
    folder: Path | str,
    *,
    conditions: Sequence[str],
    inputs: Inputs,
    others: Mapping[str, str],
    key: str,
    meta: Mapping[str, Any],
    batch_size: int,
    quiet: bool,
) -> TokenScores:
    """Score the tokens of captions behind inputs of any kind, and keep them; arguments as those of `score_tokens`."""
    folder = Path(folder)
    if not is_written(folder, key):
        _write(captions, language_model, folder, conditions, inputs, others, key, meta, batch_size, quiet)
    return TokenScores.load(folder)


def _write(
    captions: Captions,
    language_model: LanguageModel,
    folder: Path,
    conditions: Sequence[str],
    inputs: Inputs,
    others: Mapping[str, str],
    key: str,
    meta: Mapping[str, Any],
    batch_size: int,
    quiet: bool,
) -> None:
    from ..language_models.base import Generation

    said = _said(captions)
    rows = captions.row_ids
    known: dict[tuple[int, ...], list[str]] = {}

    def say(numbers: NDArray[np.int64], keys: list[str]) -> list[Generation]:
        each = [(keys[n], one) for n, some in enumerate(inputs(numbers)) for one in some]
        scored = _logprobs(language_model, [one for _, one in each], [said[row][1] for row, _ in each])
        return [Generation(said[row][0], said[row][1], one) for (row, _), one in zip(each, scored, strict=True)]

    def about(number: int) -> dict[str, Any]:
        ids = tuple(said[rows[number]][1])
        if ids not in known:
            known[ids] = pieces(ids, language_model.text)
        return {"prompt": captions.meta["prompt"], "pieces": known[ids], "other": others.get(rows[number], "")}

    write_lines(
        folder,
        LINES,
        key=key,
        row_ids=rows,
        say=say,
        about=about,
        index={
            "meta": {
                "conditions": list(conditions),
                "captions_key": captions.key,
                "language_model_id": language_model.id,
                "dtype": str(language_model.dtype).removeprefix("torch."),
                **{name: captions.meta[name] for name in ("prompt", "decoding")},
                **meta,
            },
            "encoder": captions.encoder,
            "seed": captions.seed,
            "manifest_id": captions.manifest_id,
            "on": captions.on,
            "study": captions.study,
        },
        what=f"score the words of {len(rows)} captions",
        unit="score",
        batch_size=batch_size,
        n_samples=len(conditions),
        quiet=quiet,
    )


def _check(captions: Captions, features: Features, transfer: Transfer, language_model: LanguageModel) -> None:
    transfer.check_features(features)
    transfer.check_language_model(language_model.id, language_model.d_model)
    if captions.meta["transfer_id"] != transfer.id:
        raise MismatchError(
            f"These captions were made by another fit than `{transfer.encoder}`, seed {transfer.seed}. Caption again: "
            f"concepttransfer caption --encoder {transfer.encoder}"
        )


def _said(captions: Captions) -> dict[str, tuple[str, list[int]]]:
    """The caption of each row and its tokens as they were generated; of several samples the first."""
    lines = (line for line in read_lines(captions.folder, CAPTION_LINES) if line["sample"] == 0)
    return {line["row_id"]: (line["text"], line["token_ids"]) for line in lines}


def _logprobs(
    language_model: LanguageModel, inputs: Sequence[Sequence[Segment]], ids: Sequence[Sequence[int]]
) -> list[list[float]]:
    """Of each token of each list, those of like length together, so that little is padded."""
    import torch

    found: list[list[float]] = [[]] * len(ids)
    for numbers, shared in _alike(inputs):
        order = sorted(numbers, key=lambda n: _length(inputs[n]) + len(ids[n]))
        for start in range(0, len(order), AT_A_TIME):
            some = order[start : start + AT_A_TIME]
            with torch.no_grad():
                nll, _ = language_model.ids_nll(shared or [inputs[n] for n in some], [ids[n] for n in some])
            for n, row in zip(some, nll.tolist(), strict=True):
                found[n] = [-value for value in row[: len(ids[n])]]
    return found


def _alike(inputs: Sequence[Sequence[Segment]]) -> Iterator[tuple[list[int], list[Sequence[Segment]] | None]]:
    """Inputs that are one object, which is read once for all of them; then those that stand alone."""
    same: dict[int, list[int]] = {}
    for number, one in enumerate(inputs):
        same.setdefault(id(one), []).append(number)
    yield from ((numbers, [inputs[numbers[0]]]) for numbers in same.values() if len(numbers) > 1)
    yield [numbers[0] for numbers in same.values() if len(numbers) == 1], None


def _length(given: Sequence[Segment]) -> int:
    """Soft prompts of an input: by what inputs of a batch differ in length, their texts being the same."""
    return sum(0 if isinstance(part, str) else len(part) for part in given)


def pieces(ids: Sequence[int], text: Callable[[Sequence[int]], str]) -> list[str]:
    """What each token adds to the text before it; a character made of several tokens comes with its last one."""
    said, found = "", []
    for end in range(1, len(ids) + 1):
        now = text(ids[:end])
        whole = now.startswith(said) and not now.endswith("\N{REPLACEMENT CHARACTER}")
        found.append(now[len(said) :] if whole else "")
        said = now if whole else said
    return found
