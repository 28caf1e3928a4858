"""How the language model chooses its next token."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Decoding(BaseModel):
    """Greedy, beam or nucleus decoding.

    Attributes:
        method: `greedy` takes the likeliest token, `beam` the likeliest text, `nucleus` draws.
        max_tokens: at most so many tokens are generated, the end token included.
        beams: how many texts a beam search keeps.
        length_penalty: a beam's summed log-probability is divided by its length to this power.
        temperature: logits are divided by it before anything else (nucleus).
        top_p: nucleus keeps the smallest set of tokens whose mass reaches it (Holtzman et al. 2020).
        samples: how many texts to draw for each picture (nucleus).
        seed: of the draws; they depend on it, the row and the sample, not on the batch.
        stop: a text ends before the first of these strings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["greedy", "beam", "nucleus"] = "greedy"
    max_tokens: int = Field(default=30, ge=1)
    beams: int = Field(default=5, ge=1)
    length_penalty: float = 1.0
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=0.9, gt=0, le=1)
    samples: int = Field(default=1, ge=1)
    seed: int = 0
    stop: tuple[str, ...] = ()

    @property
    def n_texts(self) -> int:
        """Texts of each picture or question."""
        return self.samples if self.method == "nucleus" else 1
