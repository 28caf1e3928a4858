"""How questions about pictures are put to the language model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .decoding import Decoding


class Answering(BaseModel):
    """The prompt of visual question answering, and the solved examples that stand before it.

    Attributes:
        prompt: what follows the picture; `{question}` is replaced.
        shots: how many solved examples stand before the question; each number is one pass.
        examples: the data set of the study from which they are drawn; None: no examples, whatever `shots` says.
        seed: of the draw of examples, together with the question's id.
        decoding: how the answer is generated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(default=" Q: {question} A:", pattern=r"\{question\}")
    shots: tuple[int, ...] = (0, 1, 2, 4)
    examples: str | None = None
    seed: int = 0
    decoding: Decoding = Decoding(max_tokens=16, stop=("\n",))
