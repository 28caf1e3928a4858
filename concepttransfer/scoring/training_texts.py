"""Which texts were the projections fitted on? Known texts, so that it can be told what a caption says anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..language.caption_tokens import TOKENISER, tokens
from ..storage import digest


@dataclass(frozen=True, eq=False)
class TrainingTexts:
    """The captions that projections were fitted on.

    Attributes:
        name: of the data set.
        manifest_id: of its rows.
        encoders: whose projections were fitted on them; imported ones were fitted on others.
        texts: all of them, in any order.
    """

    name: str
    manifest_id: str
    encoders: frozenset[str]
    texts: Iterable[tuple[str, ...]]

    @property
    def id(self) -> str:
        """Names the texts and the rule by which two are the same."""
        return digest("training-texts", self.manifest_id, TOKENISER)

    def __contains__(self, text: str) -> bool:
        """Whether a text was among them, whatever its capitals and punctuation."""
        return " ".join(tokens(text)) in self._known

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(" ".join(tokens(text)) for texts in self.texts for text in texts)
