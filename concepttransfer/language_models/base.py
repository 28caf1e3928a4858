"""What every language model can do, whatever library it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..decoding import Decoding

Segment = Tensor | str
"""A soft prompt `[k, d_model]`, in the space of the library's `inputs_embeds`, or a text."""


class Generation(NamedTuple):
    """What a language model said.

    Attributes:
        text: decoded, cut before the first stop string, stripped of white space at both ends.
        token_ids: every token generated, the end token (or the tokens of a stop string) included.
        logprobs: of each of them, in nats, under the model's own distribution, whatever temperature or nucleus drew it.
    """

    text: str
    token_ids: list[int]
    logprobs: list[float]


class LanguageModel(Protocol):
    """A frozen language model that reads soft prompts and texts, in any order.

    An input is a list of segments. Neighbouring texts are one text. The special tokens that the tokenizer puts before a
    text (BOS of Llama and Gemma) stand once, before the first segment. The joint rule: a text that is learnt or scored
    follows its input as a word follows words. If the last segment is a text that does not end in white space, exactly
    one space stands between the two; after a soft prompt the text stands as at the start of a text.

    Attributes:
        id: names the weights and the tokenizer; see `language_model_identity`.
        d_model: width of a soft prompt.
        module: the library's module; frozen and in eval mode.
        device: where it computes; of a spread model, where its inputs go.
        dtype: of its word vectors, and of all its weights unless it is quantised.
        gradient_checkpointing: recompute layers in the backward pass, which takes less memory and more time.
    """

    id: str
    d_model: int
    module: nn.Module
    gradient_checkpointing: bool

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""

    @property
    def word_vectors(self) -> Tensor:
        """What the library feeds into the model for each word of the vocabulary: `[V, d_model]`."""

    @property
    def vocabulary(self) -> list[str]:
        """The text of each row of `word_vectors`; empty where it stands for no text."""

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has when it is learnt, the end token included."""

    def token_nll(
        self, inputs: Sequence[Sequence[Segment]], texts: Sequence[str], *, max_tokens: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """How surprising is each token of a text after its input?

        Args:
            inputs: b inputs, of any lengths.
            texts: b texts; the end token is appended to each.
            max_tokens: what is longer, end token included, is cut; None: nothing is cut.

        Returns:
            Negative log-likelihoods in nats `[b, t]` (float32), 0 where there is no token, and the mask `[b, t]` (bool)
            of tokens. Gradient flows to the soft prompts.
        """

    def ids_nll(self, inputs: Sequence[Sequence[Segment]], ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """How surprising is each of these tokens after its input, such as those that `generate` gave?

        Args:
            inputs: b inputs, of any lengths; or one that stands before all of them, and is read once.
            ids: b lists of token ids; nothing is appended to them.

        Returns:
            As `token_nll`.
        """

    def logit_lens(self, prompts: Tensor, positions: Sequence[int]) -> Iterator[Tensor]:
        """What would be said next at some positions of soft prompts if each layer were the last? nostalgebraist 2020.

        Args:
            prompts: `[b, k, d_model]`.
            positions: p of 0 to k - 1.

        Yields:
            Logits `[b, p, V]`, for what goes into the first layer, then for what comes out of each; the last are the
            model's own.
        """

    def hidden_states(self, inputs: Sequence[Sequence[Segment]], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """What stands in the model after each of `layers`?

        Args:
            inputs: b inputs, of any lengths.
            layers: 0 is what goes into the first layer, n what comes out of the n-th; negative ones count from the end.

        Returns:
            States `[len(layers), b, s, width]`, padded on the right, and the mask `[b, s]` (bool) of real positions.
        """

    def generate(
        self, inputs: Sequence[Sequence[Segment]], decoding: Decoding, *, keys: Sequence[str] | None = None
    ) -> list[Generation]:
        """Continue each input.

        Args:
            inputs: b inputs, of any lengths.
            decoding: how the next token is chosen.
            keys: a name for each input: draws depend on it, `decoding.seed` and the sample, not on the batch. None: the
                input's place in `inputs`.

        Returns:
            For each input, in order, one Generation; with `nucleus`, `decoding.samples` of them.
        """
