"""What the language model reads when it is asked about a picture: pictures and texts by turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInputError
from .few_shot import Asked, commonest_answer, question_of

if TYPE_CHECKING:
    from torch import Tensor

    from ..features import Features
    from ..language_models.base import LanguageModel, Segment
    from ..transfer import Transfer
    from .stage import Answering


def segments(
    asked: Asked, answering: Answering, picture_of: Callable[[bool, str | None], Tensor] | None
) -> list[Segment]:
    """What the language model reads: pictures and texts by turns; texts alone without `picture_of`.

    Args:
        asked: the question and its examples.
        answering: the prompt.
        picture_of: the soft prompt `[k, d_model]` of a picture, given whether it is an example's, and its key.
    """
    made: list[Segment] = []
    for number, row in enumerate((*asked.examples, asked.question)):
        is_example = number < len(asked.examples)
        if picture_of is not None:
            made += [answering.between] * bool(number and answering.between)
            made.append(picture_of(is_example, row.picture))
        text = answering.text(question_of(row))
        made.append(f"{text} {commonest_answer(row)}" if is_example else text)
    return made


class Pictures:
    """Soft prompts of questions' and of examples' pictures, from their features."""

    def __init__(self, transfer: Transfer, questions: Features | None, examples: Features | None, device: Any) -> None:
        if questions is None:
            raise BadInputError(
                "A Transfer needs features of the questions' pictures. Give `features`, or no Transfer."
            )
        self._stores = {False: questions} | ({True: examples} if examples is not None else {})
        for store in self._stores.values():
            transfer.check_features(store)
        self._projection = transfer.projection().to(device)
        self._device = device
        self._known = {which: set(store.row_ids) for which, store in self._stores.items()}

    def has(self, asked: Asked) -> bool:
        """Could every picture be read that stands in this question's prompt?"""
        return all(key in self._known.get(which, ()) for which, key in _needed(asked))

    def soft_prompts(self, batch: Sequence[Asked]) -> Callable[[bool, str | None], Tensor]:
        """Project all pictures of a batch, each once; gives what finds the soft prompt of one."""
        import torch

        found: dict[tuple[bool, str | None], Tensor] = {}
        needed = list(dict.fromkeys(one for asked in batch for one in _needed(asked)))
        for which, store in self._stores.items():
            keys = [key for kind, key in needed if kind == which and key is not None]
            if keys:
                values = torch.from_numpy(store.take(keys).astype(np.float32)).to(self._device)
                with torch.no_grad():
                    found |= zip([(which, key) for key in keys], self._projection(values), strict=True)
        return lambda is_example, key: found[is_example, key]


def _needed(asked: Asked) -> list[tuple[bool, str | None]]:
    return [(False, asked.question.picture), *((True, row.picture) for row in asked.examples)]


def longest_first(
    asked: Sequence[Asked], answering: Answering, language_model: LanguageModel, transfer: Transfer | None
) -> list[Asked]:
    """Alike lengths side by side, so that little is padded; what does not fit is known before anything is generated."""
    picture = transfer.soft_prompts if transfer else 0
    texts = [[one for one in segments(a, answering, None) if isinstance(one, str)] for a in asked]
    counts = iter(language_model.count_tokens([text for each in texts for text in each]))
    lengths = [sum(next(counts) + picture for _ in each) for each in texts]
    order = np.argsort(-np.asarray(lengths), kind="stable")
    return [asked[number] for number in order]
