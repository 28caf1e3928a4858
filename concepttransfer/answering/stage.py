"""Questions about pictures, put to the language model: how, the stage that asks, and the table of answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from ..decoding import Decoding
from ..errors import EmptyDataError
from ..lines import is_written, read_index, read_lines, write_lines
from .few_shot import Asked, question_of
from .inputs import Pictures, longest_first, segments

if TYPE_CHECKING:
    from ..features import Features
    from ..language_models.base import Generation, LanguageModel
    from ..transfer import Transfer

BLIND = "blind"
"""What answers of the language model without any picture are called where an encoder's name stands."""
LINES = "answers"
COLUMNS = ("row_id", "shots", "sample", "text", "n_tokens", "logprob")


class Answering(BaseModel):
    """The prompt of visual question answering, and the solved examples that stand before it.

    Attributes:
        prompt: what follows the picture; `{question}` is replaced.
        shots: how many solved examples stand before the question; each number is one pass.
        examples: the data set of the study from which they are drawn; None: no examples, whatever `shots` says.
        pool: at most so many of its rows, drawn by their ids, are used; None: all. Each picture drawn must be encoded.
        between: what stands between an example's answer and the next picture; left out where there are no pictures.
        seed: of the draw of examples, together with the question's id.
        decoding: how the answer is generated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(default=" Q: {question} A:", pattern=r"\{question\}")
    shots: tuple[int, ...] = (0, 1, 2, 4)
    examples: str | None = None
    pool: int | None = Field(default=None, ge=1)
    between: str = ""
    seed: int = 0
    decoding: Decoding = Decoding(max_tokens=16, stop=("\n",))

    @property
    def passes(self) -> tuple[int, ...]:
        """The numbers of shots that are asked with: 0 alone where there are no examples."""
        return self.shots if self.examples else (0,)

    @property
    def effective_decoding(self) -> Decoding:
        """The decoding, ended also where the language model begins to ask the next question itself."""
        again = self.prompt.split("{question}")[0].strip()
        stop = (*self.decoding.stop, again) if again and again not in self.decoding.stop else self.decoding.stop
        return self.decoding.model_copy(update={"stop": stop})

    def text(self, question: str) -> str:
        """What is asked, as it stands after the picture."""
        return self.prompt.replace("{question}", question)


@dataclass(frozen=True)
class Answers:
    """What the language model answers to every question, with each number of shots, through one encoder's Transfer.

    On disk: `answers.jsonl`, a line an answer (row_id, sample, question_id, shots, question, examples, text, token_ids,
    logprobs), and `index.json`.

    Attributes:
        folder: where it lies.
        key: names everything that changes an answer.
        table: a row an answer: row_id, the question's; shots; sample (0, 1, ... where several were drawn); text,
            possibly empty; n_tokens, the end token included; logprob, summed over them, in nats.
        encoder: the encoder's name in its study; `blind` for the language model without any picture.
        seed: of the fit; 0 for `blind`.
        manifest_id: of the questions.
        on: the data set's name.
        study: the study's name.
        meta: decoding, prompt, shots, between, transfer_id, language_model_id, features_key, dtype; how many questions
            were left out since a picture of theirs could not be read.
    """

    folder: Path = field(compare=False)
    key: str
    table: pd.DataFrame = field(compare=False)
    encoder: str
    seed: int
    manifest_id: str
    on: str
    study: str
    meta: Mapping[str, Any]

    @cached_property
    def shots(self) -> tuple[int, ...]:
        """The numbers of shots, from few to many."""
        return tuple(sorted(set(self.table["shots"].tolist())))

    def texts(self, shots: int, sample: int = 0) -> dict[str, str]:
        """The answer to each question, by the question's id: of several samples the one with this number."""
        chosen = self.table[(self.table["shots"] == shots) & (self.table["sample"] == sample)]
        return dict(zip(chosen["row_id"], chosen["text"], strict=True))

    @classmethod
    def load(cls, folder: Path | str) -> Answers:
        """Read the folder that `answer` wrote.

        Raises:
            MissingResourceError: there are no answers in it, or not yet all.
            BadInputError: the files do not belong together.
        """
        folder = Path(folder)
        index = read_index(folder, LINES, what="answers", command="answer")
        return cls(folder=folder, table=_table(read_lines(folder, LINES)), **index)


def answer(
    asked: Sequence[Asked],
    language_model: LanguageModel,
    folder: Path | str,
    *,
    answering: Answering,
    key: str,
    manifest_id: str,
    on: str,
    study: str,
    transfer: Transfer | None = None,
    features: Features | None = None,
    example_features: Features | None = None,
    encoder: str = BLIND,
    seed: int = 0,
    batch_size: int = 32,
    quiet: bool = False,
    device: str | None = None,
) -> Answers:
    """Let the language model answer questions, as `[picture] Q: .. A: ANSWER [picture] Q: .. A:`.

    Answers that are there under the same key are read; a run that was killed goes on after its last whole batch, and
    several processes that make the same call share the questions. What is longest comes first, so that a question that
    does not fit is known before anything is generated.

    Args:
        asked: the questions and their examples; see `few_shot.ask`.
        language_model: answers them.
        folder: where the answers go.
        answering: prompt and decoding.
        key, manifest_id, on, study, encoder, seed: see `Answers`.
        transfer: makes soft prompts of pictures; None: blind, the same texts without any picture.
        features: of the questions' pictures, their rows named by the pictures' keys.
        example_features: of the examples' pictures, likewise; None where there are no examples.
        batch_size: questions in a batch.
        quiet: show no bar.
        device: where the projection runs; None: with the language model.

    Raises:
        MismatchError: the Transfer was fitted on other features or into another language model.
        EmptyDataError: there is no question whose picture could be read.
        LockedError: another process is writing answers of another key into the same folder.
        Stopped: a process that runs the same command is gone (under `accelerate launch`; see `peers`).
        BadInputError: a batch size below 1, or questions that are longer than the language model can read.
    """
    folder = Path(folder)
    decoding = answering.effective_decoding
    meta = {
        **answering.model_dump(mode="json"),
        "decoding": decoding.model_dump(mode="json"),
        "transfer_id": transfer.id if transfer else None,
        "language_model_id": language_model.id,
        "features_key": features.key if features else None,
        "dtype": str(language_model.dtype).removeprefix("torch."),
    }
    if is_written(folder, key):
        return Answers.load(folder)
    from ..language_models.fitted import as_fitted

    pictures = None
    if transfer is not None:
        transfer.check_language_model(language_model.id, language_model.d_model)
        pictures = Pictures(transfer, features, example_features, device or language_model.device)
    rows = [one for one in asked if pictures is None or pictures.has(one)]
    if not rows:
        raise EmptyDataError(f"None of {len(asked)} questions of `{on}` can be asked: no picture of theirs was read.")
    rows = longest_first(rows, answering, language_model, transfer)

    def say(numbers: np.ndarray[Any, Any], keys: list[str]) -> list[Generation]:
        batch = [rows[number] for number in numbers]
        soft = pictures.soft_prompts(batch) if pictures else None
        inputs = [segments(one, answering, soft) for one in batch]
        return language_model.generate(inputs, decoding, keys=keys)

    left_out = len({one.question.id for one in asked} - {one.question.id for one in rows})
    with as_fitted(language_model, transfer) if transfer else contextlib.nullcontext():
        write_lines(
            folder,
            LINES,
            key=key,
            row_ids=[one.id for one in rows],
            say=say,
            about=lambda number: _about(rows[number]),
            index={
                "meta": {**meta, "left_out": left_out},
                **{"encoder": encoder, "seed": seed, "manifest_id": manifest_id, "on": on, "study": study},
            },
            what=f"answer {len(rows)} questions",
            unit="answer",
            batch_size=batch_size,
            n_samples=decoding.n_texts,
            quiet=quiet,
        )
    return Answers.load(folder)


def _about(asked: Asked) -> dict[str, Any]:
    examples = [row.id for row in asked.examples]
    question = {"question_id": asked.question.id, "question": question_of(asked.question)}
    return {**question, "shots": len(examples), "examples": examples}


def _table(lines: Iterator[dict[str, Any]]) -> pd.DataFrame:
    rows = [
        (x["question_id"], x["shots"], x["sample"], x["text"], len(x["token_ids"]), sum(x["logprobs"])) for x in lines
    ]
    return pd.DataFrame.from_records(rows, columns=list(COLUMNS))
