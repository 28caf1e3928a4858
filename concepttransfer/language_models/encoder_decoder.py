"""Any encoder-decoder of transformers that is built like T5, frozen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..decoding import Decoding
from ..errors import BadInputError, ShapeError
from .base import Generation, Segment
from .causal import CausalLanguageModel, decode
from .decoder_stream import DecoderStream
from .inputs import PAD, Layout, lay_out, pad
from .logits import logits_at
from .stream import Ending


class EncoderDecoderLanguageModel(CausalLanguageModel):
    """A `LanguageModel` around an encoder-decoder of transformers and its tokenizer.

    The encoder reads the input, the decoder says or scores the text, from the configuration's start token on. What the
    tokenizer puts after a text (T5: `</s>`) stands after an input that ends in a text or holds nothing, and not after
    one that ends in a soft prompt. The text is a sequence of its own: nothing stands right before it, so by the joint
    rule it is tokenised as at the start of a text, whatever its input ends with.

    The encoder looks both ways, so its inputs are padded on the right and masked. `hidden_states` are the encoder's.
    """

    def __init__(self, module: Any, tokenizer: Any, *, id: str, bos: bool | None = None) -> None:
        """Freeze `module` and fuse its activations, in place.

        Args:
            module: an encoder-decoder language model of transformers.
            tokenizer: its tokenizer.
            id: names the weights and the tokenizer.
            bos: put the begin token before every input; None: as the tokenizer does.

        Raises:
            BadInputError: the configuration names no token from which the decoder starts.
        """
        super().__init__(module, tokenizer, id=id, bos=bos)
        begin = getattr(module.config, "decoder_start_token_id", None)
        begin = getattr(module.config, "bos_token_id", None) if begin is None else begin
        if begin is None:
            raise BadInputError(
                f"{id} says of no token that its decoder starts from it. Set `decoder_start_token_id` in its "
                "config.json (T5's is its pad token)."
            )
        self.begin = int(begin)

    def token_nll(
        self, inputs: Sequence[Sequence[Segment]], texts: Sequence[str], *, max_tokens: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of each token of each text, given its input: see `LanguageModel.token_nll`.

        Raises:
            ShapeError: as many texts as inputs were wanted; or a soft prompt of another width.
            BadInputError: an input or a text that is longer than the model can read.
        """
        if len(inputs) != len(texts):
            raise ShapeError(f"{len(inputs)} inputs need as many texts; these are {len(texts)}.")
        return self._nll(self._lay_out(inputs), self._learnt(texts, [None] * len(texts), max_tokens))

    def ids_nll(self, inputs: Sequence[Sequence[Segment]], ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of each of these tokens, given its input: see `LanguageModel.ids_nll`.

        Raises:
            ShapeError, BadInputError: as of `token_nll`.
        """
        self._refuse_shards()
        layout, given = self._lay_out(inputs), [tuple(some) for some in ids]
        if len(inputs) == 1 < len(ids):
            return self._nll_after_one(layout, given)
        if len(inputs) != len(ids):
            raise ShapeError(f"{len(inputs)} inputs need as many lists of tokens; these are {len(ids)}.")
        return self._nll(layout, given)

    def hidden_states(self, inputs: Sequence[Sequence[Segment]], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The encoder's states `[len(layers), b, s, width]`, mask `[b, s]`: see `LanguageModel.hidden_states`.

        The last layer's are those that the decoder attends to, after the encoder's last norm.

        Raises:
            BadInputError: a layer that the encoder does not have.
        """
        self._refuse_shards()
        ids, vectors = self._vectors(self._lay_out(inputs), "right")
        encoder: Any = self.module.get_encoder()  # type: ignore[operator]
        mask = ids != PAD
        output = encoder(inputs_embeds=vectors, attention_mask=mask.long(), output_hidden_states=True, return_dict=True)
        states = output.hidden_states
        if wrong := [layer for layer in layers if not -len(states) <= layer < len(states)]:
            raise BadInputError(
                f"There is no layer {wrong[0]}: the encoder's go from 0 (what goes in) to {len(states) - 1}."
            )
        return torch.stack([states[layer].to(self.device) for layer in layers]), mask

    def logit_lens(self, prompts: Tensor, positions: Sequence[int]) -> Iterator[Tensor]:
        """Not to be had of an encoder-decoder.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(
            f"{self.id} is an encoder-decoder: soft prompts go into its encoder, whose states are no words that it "
            "would say next. The logit lens is for decoder-only language models."
        )

    @torch.no_grad()
    def generate(
        self, inputs: Sequence[Sequence[Segment]], decoding: Decoding, *, keys: Sequence[str] | None = None
    ) -> list[Generation]:
        """What the decoder says of each input: see `LanguageModel.generate`.

        Raises:
            ShapeError: other than one key for each input.
            BadInputError: an input that is too long, or `decoding.max_tokens` more than the decoder can hold.
        """
        self._refuse_shards()
        keys = [str(number) for number in range(len(inputs))] if keys is None else keys
        if len(keys) != len(inputs):
            raise ShapeError(f"{len(inputs)} inputs need as many keys; these are {len(keys)}.")
        if not inputs:
            return []
        self._check_room(decoding.max_tokens)
        ending = Ending(self.tokens.end, decoding.stop, self.tokens.text)
        said = decode(self._stream(self._lay_out(inputs)), decoding, keys, ending)
        return [Generation(ending.text(one.ids), one.ids, one.logprobs) for one in said]

    def _lay_out(self, inputs: Sequence[Sequence[Segment]]) -> Layout:
        return lay_out(inputs, self.tokens, self.d_model, closed=True)

    def _stream(self, layout: Layout) -> DecoderStream:
        ids, vectors = self._vectors(layout, "right")
        return DecoderStream(self.module, vectors, ids != PAD, self.begin)

    def _nll_after_one(self, layout: Layout, given: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """The same for one input before all tokens, which the encoder reads once."""
        labels = pad(given, "right").to(self.device)
        mask = labels != PAD
        if not any(given):
            return torch.zeros(labels.shape, device=self.device), mask
        self._check_room(labels.shape[1])
        stream = self._stream(layout)
        stream.select(torch.zeros(len(given), dtype=torch.long, device=self.device))
        return stream.nll(labels.clamp(min=0)).masked_fill(~mask, 0), mask

    def _nll(self, layout: Layout, learnt: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """`[b, t]` of tokens that the decoder is to say of inputs that are laid out, and their mask."""
        labels = pad(learnt, "right").to(self.device)
        mask = labels != PAD
        nothing = torch.zeros(labels.shape, device=self.device)
        if not any(learnt):
            return nothing, mask
        self._check_room(labels.shape[1])
        ids, vectors = self._vectors(layout, "right")
        # Padding stands behind what is real, where the decoder's causal attention never looks: it needs no mask.
        before = nn.functional.pad(labels[:, :-1].clamp(min=0), (1, 0), value=self.begin)
        inputs = {"inputs_embeds": vectors, "attention_mask": (ids != PAD).long()}
        with self._recomputing():
            logits, _ = logits_at(self.module, mask, **inputs, decoder_input_ids=before, use_cache=False)
        losses = nn.functional.cross_entropy(logits.float(), labels[mask], reduction="none")
        return nothing.masked_scatter(mask, losses), mask

    def _check_room(self, tokens: int) -> None:
        if self.positions is not None and tokens > self.positions:
            raise BadInputError(
                f"The decoder of {self.id} can hold {self.positions} tokens; {tokens} are wanted. Shorten the texts."
            )
