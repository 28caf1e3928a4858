"""What the language model says of each picture: the stage that asks it, and the table that holds the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .decoding import Decoding
from .errors import ShapeError
from .lines import is_written, read_index, read_lines, write_lines

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .features import Features
    from .language_models.base import Generation, LanguageModel, Segment
    from .transfer import Transfer

LINES = "captions"
COLUMNS = ("row_id", "sample", "prompt", "text", "n_tokens", "logprob")


@dataclass(frozen=True)
class Captions:
    """Every caption of one encoder's Transfer over one data set.

    On disk: `captions.jsonl`, a line a caption (row_id, sample, prompt, text, token_ids, logprobs), and `index.json`.

    Attributes:
        folder: where it lies.
        key: names everything that changes a caption.
        table: a row a caption: row_id; sample (0, 1, ... where several were drawn); prompt; text, possibly empty;
            n_tokens, the end token included; logprob, summed over them, in nats.
        encoder: the encoder's name in its study.
        seed: of the fit.
        manifest_id: of the data set.
        on: the data set's name.
        study: the study's name.
        meta: decoding, prompt, transfer_id, language_model_id, features_key, dtype.
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

    @property
    def decoding(self) -> Decoding:
        """How the captions were decoded."""
        return Decoding.model_validate(self.meta["decoding"])

    @cached_property
    def row_ids(self) -> tuple[str, ...]:
        """The rows that were captioned, in order, each once."""
        return tuple(dict.fromkeys(self.table["row_id"]))

    def texts(self, sample: int = 0) -> dict[str, str]:
        """The caption of each row, by row id: of several samples the one with this number."""
        chosen = self.table[self.table["sample"] == sample]
        return dict(zip(chosen["row_id"], chosen["text"], strict=True))

    def tokens(self) -> Iterator[tuple[list[int], list[float]]]:
        """Token ids and their log-probabilities in nats, of each caption in the table's order, read from disk."""
        for line in read_lines(self.folder, LINES):
            yield line["token_ids"], line["logprobs"]

    @classmethod
    def load(cls, folder: Path | str) -> Captions:
        """Read the folder that `caption` wrote.

        Raises:
            MissingResourceError: there are no captions in it, or not yet all.
            BadInputError: the files do not belong together.
        """
        folder = Path(folder)
        index = read_index(folder, LINES, what="captions", command="caption")
        return cls(folder=folder, table=_table(read_lines(folder, LINES)), **index)


def caption(
    features: Features,
    transfer: Transfer,
    language_model: LanguageModel,
    folder: Path | str,
    *,
    prompt: str,
    decoding: Decoding,
    key: str,
    encoder: str,
    seed: int,
    manifest_id: str,
    on: str,
    study: str,
    batch_size: int = 64,
    quiet: bool = False,
    device: str | None = None,
    questions: Sequence[str] | None = None,
) -> Captions:
    """Let the language model speak about every picture, as `[soft prompts] prompt ...`.

    Each batch is on disk before the next begins. A run that was killed goes on after the last whole batch, so that
    the same batches are made and the file has the same bytes. Several processes that make the same call share the
    pictures. Captions that are there under the same key are read.

    Args:
        features: of the pictures.
        transfer: makes soft prompts of them.
        language_model: continues them.
        folder: where the captions go.
        prompt: the text after the picture; may be empty; `{question}` in it is replaced where there are `questions`.
        decoding: how the next token is chosen; draws depend on its seed, the row id and the sample.
        key, encoder, seed, manifest_id, on, study: see `Captions`.
        batch_size: pictures in a batch.
        quiet: show no bar.
        device: where the projection runs; None: with the language model.
        questions: what is given with each picture, such as an article, in the order of the features; None: nothing.

    Raises:
        ShapeError: there are not as many questions as pictures.
        MismatchError: the Transfer was fitted on other features or into another language model.
        LockedError: another process is writing captions of another key into the same folder.
        Stopped: a process that runs the same command is gone (under `accelerate launch`; see `peers`).
        BadInputError: a batch size below 1, or inputs longer than the language model can read.
    """
    folder = Path(folder)
    if questions is not None and len(questions) != len(features.row_ids):
        raise ShapeError(f"{len(features.row_ids)} pictures need as many questions; these are {len(questions)}.")
    transfer.check_features(features)
    transfer.check_language_model(language_model.id, language_model.d_model)
    named = {"encoder": encoder, "seed": seed, "manifest_id": manifest_id, "on": on, "study": study}
    meta = {
        "decoding": decoding.model_dump(mode="json"),
        "prompt": prompt,
        "transfer_id": transfer.id,
        "language_model_id": language_model.id,
        "features_key": features.key,
        "dtype": str(language_model.dtype).removeprefix("torch."),
    }
    if not is_written(folder, key):
        from .language_models.fitted import as_fitted

        where = device or language_model.device
        projection = transfer.projection().to(where)

        def said(row: int) -> str:
            return prompt if questions is None else prompt.replace("{question}", questions[row])

        def say(rows: np.ndarray[Any, Any], keys: list[str]) -> list[Generation]:
            values, prompts = _tensor(features.values[rows], where), [said(row) for row in map(int, rows)]
            return caption_features(values, projection, language_model, prompt=prompts, decoding=decoding, keys=keys)

        with as_fitted(language_model, transfer):
            write_lines(
                folder,
                LINES,
                key=key,
                row_ids=features.row_ids,
                say=say,
                about=lambda row: {"prompt": said(row)},
                index={"meta": meta, **named},
                what=f"caption {len(features.row_ids)} pictures",
                unit="caption",
                batch_size=batch_size,
                n_samples=decoding.n_texts,
                quiet=quiet,
            )
    return Captions.load(folder)


def caption_features(
    values: Tensor,
    projection: nn.Module,
    language_model: LanguageModel,
    *,
    prompt: str | Sequence[str],
    decoding: Decoding,
    keys: Sequence[str] | None = None,
    examples: Sequence[Segment] = (),
) -> list[Generation]:
    """Caption a batch, or a single picture, from its features.

    Args:
        values: features `[b, tokens, dim]`.
        projection: to soft prompts `[b, k, d_model]`, in evaluation mode.
        language_model: continues them.
        prompt: the text after each picture, the same or one for each; may be empty.
        decoding: how the next token is chosen.
        keys: a name for each picture, on which draws depend; None: its place in the batch.
        examples: segments before each picture, such as other pictures' soft prompts and their captions.

    Returns:
        For each picture, in order, one Generation; with `nucleus`, `decoding.samples` of them.
    """
    import torch

    with torch.no_grad():
        prompts = projection(values)
    after = [prompt] * len(prompts) if isinstance(prompt, str) else prompt
    inputs = [[*examples, soft, text] for soft, text in zip(prompts, after, strict=True)]
    return language_model.generate(inputs, decoding, keys=keys)


def _tensor(values: Any, device: Any) -> Tensor:
    import torch

    return torch.from_numpy(np.array(values)).to(device).float()  # half as many bytes go to a GPU as in float32


def _table(lines: Iterator[dict[str, Any]]) -> pd.DataFrame:
    rows = [
        (line["row_id"], line["sample"], line["prompt"], line["text"], len(line["token_ids"]), sum(line["logprobs"]))
        for line in lines
    ]
    return pd.DataFrame.from_records(rows, columns=list(COLUMNS))
