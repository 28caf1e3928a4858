"""The stage that reads soft prompts: nearest words, norms, the logit lens, and captions without single positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..processes.peers import together
from ..progress import progress
from ..storage import file_digest, lock, read_json, write_bytes, write_json
from .prompt_readings import (
    ARRAYS,
    CUT,
    CUTS,
    FORMAT,
    INDEX,
    NO_PROMPT,
    WHOLE,
    Lens,
    PromptReadings,
    read_positions,
)
from .token_scoring import TOGETHER, Prompts, _check, write_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from ..captioning import Captions
    from ..features import Features
    from ..language_models.base import LanguageModel, Segment
    from ..transfer import Transfer

PICTURES_TOGETHER = 8
SAMPLED_WORDS = 2000
"""Words whose nearest other word is looked for, where the vocabulary has more."""
_BLOCK = 1 << 24


@together()
def read_prompts(
    captions: Captions,
    features: Features,
    transfer: Transfer,
    language_model: LanguageModel,
    folder: Path | str,
    *,
    lens: Lens,
    key: str,
    batch_size: int | None = None,
    quiet: bool = False,
) -> PromptReadings:
    """Read the soft prompts of all captioned pictures, and score their captions with single positions cut.

    The scores are resumed and shared as `score_tokens` does; the readings take moments, and one process makes them
    while others wait.

    Args:
        captions: of the pictures that are read.
        features: of them.
        transfer: makes soft prompts of them.
        language_model: reads.
        folder: where the readings go.
        lens: how many positions and words.
        key: names everything that changes a reading.
        batch_size: pictures whose captions are scored at a time; None: about 256 inputs.
        quiet: show no bar.

    Raises:
        MismatchError, BadInputError: as `score_tokens`; the language model's layers cannot be told.
    """
    folder = Path(folder)
    from ..language_models.fitted import as_fitted

    _check(captions, features, transfer, language_model)
    if _is_there(folder, key):
        return PromptReadings.load(folder)
    prompts = Prompts(features, transfer.projection(), language_model.device)
    positions = read_positions(transfer.soft_prompts, lens.positions)
    has_cuts = bool(captions.meta["prompt"].strip()) or transfer.soft_prompts > 1
    with as_fitted(language_model, transfer):
        if has_cuts:
            _score_cuts(captions, prompts, language_model, folder / CUTS, positions, key, batch_size, quiet)
        _read(captions, transfer, language_model, folder, prompts, positions, lens, has_cuts, key, quiet)
    return PromptReadings.load(folder)


def _read(
    captions: Captions,
    transfer: Transfer,
    language_model: LanguageModel,
    folder: Path,
    prompts: Prompts,
    positions: Sequence[int],
    lens: Lens,
    has_cuts: bool,
    key: str,
    quiet: bool,
) -> None:
    with lock(folder, wait=-1):
        if _is_there(folder, key):
            return
        arrays = _Reader(language_model, lens).read(prompts, captions.row_ids, positions, quiet=quiet)
        words = language_model.vocabulary
        kept = sorted({int(number) for name in ("nearest", "lens") for number in np.unique(arrays[name])})
        write_bytes(folder / ARRAYS, _packed(arrays))
        index = {
            "format": FORMAT,
            "key": key,
            "sha256": file_digest(folder / ARRAYS),
            "row_ids": captions.row_ids,
            "positions": positions,
            "n_positions": transfer.soft_prompts,
            "vocabulary": {number: words[number] for number in kept},
            "has_cuts": has_cuts,
            "meta": {
                "transfer_id": transfer.id,
                "language_model_id": language_model.id,
                "prompt": captions.meta["prompt"],
                "lens": lens.model_dump(mode="json"),
                "n_words": sum(map(bool, words)),
            },
            **{name: getattr(captions, name) for name in ("encoder", "seed", "manifest_id", "on", "study")},
        }
        write_json(folder / INDEX, index)


def _is_there(folder: Path, key: str) -> bool:
    return (folder / INDEX).is_file() and read_json(folder / INDEX).get("key") == key


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    from safetensors.numpy import save

    packed: bytes = save({name: np.ascontiguousarray(values) for name, values in arrays.items()})
    return packed


class _Reader:
    """A language model's words, against which vectors are held."""

    def __init__(self, language_model: LanguageModel, lens: Lens) -> None:
        import torch

        self.language_model, self.lens = language_model, lens
        spoken = [bool(text) for text in language_model.vocabulary]
        self.spoken = torch.tensor(spoken, device=language_model.device)
        self.words = language_model.word_vectors.float()
        self.directions = _directions(self.words)
        self.top = min(lens.top, int(self.spoken.sum()))

    def read(
        self, prompts: Prompts, rows: Sequence[str], positions: Sequence[int], *, quiet: bool
    ) -> dict[str, NDArray[Any]]:
        """All arrays of `PromptReadings`."""
        found: list[dict[str, Tensor]] = []
        with progress(len(rows), f"read the prompts of {len(rows)} pictures", unit="picture", quiet=quiet) as bar:
            for start in range(0, len(rows), PICTURES_TOGETHER):
                some = list(rows[start : start + PICTURES_TOGETHER])
                vectors = prompts.of(some)
                found.append(self._nearness(vectors[:, list(positions)]) | self._lens(vectors, positions))
                bar.update(len(some))
        arrays = {name: np.concatenate([one[name].cpu().numpy() for one in found]) for name in found[0]}
        return arrays | {"random_cosine": self._random(arrays["norms"].shape)} | self._of_words()

    def _nearness(self, vectors: Tensor) -> dict[str, Tensor]:
        """Of vectors `[b, m, d_model]`: lengths, nearest words, and the cosine to the mean word."""
        import torch

        directions = _directions(vectors.float())
        cosines, ids = self._nearest(directions, self.top)
        mean = _directions(self.words[self.spoken].mean(0, keepdim=True))[0]
        return {
            "norms": torch.linalg.vector_norm(vectors.float(), dim=-1),
            "nearest": ids.int(),
            "nearest_cosine": cosines,
            "mean_cosine": directions @ mean,
        }

    def _nearest(self, directions: Tensor, top: int) -> tuple[Tensor, Tensor]:
        cosines = directions @ self.directions.T
        values, ids = cosines.masked_fill_(~self.spoken, -np.inf).topk(top, dim=-1)
        return values, ids

    def _lens(self, vectors: Tensor, positions: Sequence[int]) -> dict[str, Tensor]:
        """What each layer would say: ids and log-probabilities, `[b, L+1, m, top]`."""
        import torch

        soft = vectors.to(self.language_model.dtype)
        best = [
            logits.log_softmax(-1).masked_fill(~self.spoken, -np.inf).topk(self.top, dim=-1)
            for logits in self.language_model.logit_lens(soft, positions)
        ]
        values, ids = (torch.stack([getattr(one, name) for one in best], dim=1) for name in ("values", "indices"))
        return {"lens": ids.int(), "lens_logprob": values.float()}

    def _random(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """`[P, m]` how near a random direction, which has no length, is to its nearest word."""
        import torch

        rng = np.random.default_rng([self.lens.seed, 13])
        width = self.words.shape[1]
        made = np.empty(shape, dtype=np.float32)
        for row in range(shape[0]):
            drawn = torch.from_numpy(rng.standard_normal((shape[1], width))).float().to(self.words.device)
            made[row] = self._nearest(_directions(drawn), 1)[0][:, 0].cpu().numpy()
        return made

    def _of_words(self) -> dict[str, NDArray[Any]]:
        """How long words are, and how near to their nearest other word and to their mean."""
        import torch

        ids = torch.nonzero(self.spoken)[:, 0]
        rng = np.random.default_rng([self.lens.seed, 17])
        some = ids[np.sort(rng.permutation(len(ids))[:SAMPLED_WORDS])]
        step = max(1, _BLOCK // len(self.words))
        near = torch.cat([self._to_others(some[at : at + step]) for at in range(0, len(some), step)])
        words = self.words[ids]
        mean = _directions(words.mean(0, keepdim=True))[0]
        found = {
            "word_norm": torch.linalg.vector_norm(words, dim=-1),
            "word_cosine": near,
            "word_mean_cosine": self.directions[ids] @ mean,
        }
        return {name: _spread(values.cpu().numpy()) for name, values in found.items()}

    def _to_others(self, ids: Tensor) -> Tensor:
        import torch

        cosines = self.directions[ids] @ self.directions.T
        cosines[torch.arange(len(ids), device=cosines.device), ids] = -np.inf
        return cosines.masked_fill_(~self.spoken, -np.inf).amax(-1)


def _directions(vectors: Tensor) -> Tensor:
    import torch

    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / lengths.clamp(min=1e-12)


def _spread(values: NDArray[Any]) -> NDArray[Any]:
    """[102] the mean, then the 0th to 100th percentile."""
    return np.concatenate([[values.mean()], np.percentile(values, np.arange(101))]).astype(np.float64)


def _score_cuts(
    captions: Captions,
    prompts: Prompts,
    language_model: LanguageModel,
    folder: Path,
    positions: Sequence[int],
    key: str,
    batch_size: int | None,
    quiet: bool,
) -> None:
    """Captions behind their prompts, whole, without each position, and without any."""
    rows, prompt = captions.row_ids, str(captions.meta["prompt"])
    conditions = [WHOLE, *(CUT.format(at) for at in positions), *([NO_PROMPT] if prompt.strip() else [])]

    def cut(soft: Tensor) -> list[list[Segment]]:
        import torch

        parts: list[Tensor] = [soft, *(torch.cat([soft[:at], soft[at + 1 :]]) for at in positions)]
        return [[part, prompt] for part in parts]

    def inputs(numbers: NDArray[np.int64]) -> list[list[list[Segment]]]:
        bare: list[Segment] = [prompt]
        made = [cut(soft) for soft in prompts.of([rows[number] for number in numbers])]
        return [[*one, bare] for one in made] if prompt.strip() else made

    write_scores(
        captions,
        language_model,
        folder,
        conditions=conditions,
        inputs=inputs,
        others={},
        key=key,
        meta={"positions": list(positions)},
        batch_size=batch_size or max(1, TOGETHER // len(conditions)),
        quiet=quiet,
    )
