"""Any decoder-only causal language model of transformers, frozen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..decoding import Decoding
from ..errors import BadInputError, ShapeError
from .activations import fuse_activations
from .base import Generation, Segment
from .beam import beam_search
from .inputs import PAD, Layout, embed, lay_out, pad
from .lens import layer_logits
from .logits import logits_at
from .placement import home, is_offloaded, is_sharded
from .sampling import extend, greedy, nucleus, uniform_draws
from .stream import Ending, Said, Stream
from .tokens import Tokens


class CausalLanguageModel:
    """A `LanguageModel` around a causal model of transformers and its tokenizer.

    Whatever a family does to vectors on the way in (Gemma's scale, OPT's projection, GPT-2's positions) and to logits
    on the way out (Gemma 2's cap, Cohere's and Granite's scale) is done by the library's own code.
    """

    def __init__(self, module: Any, tokenizer: Any, *, id: str, bos: bool | None = None) -> None:
        """Freeze `module` and fuse its activations, in place.

        Args:
            module: a causal language model of transformers.
            tokenizer: its tokenizer.
            id: names the weights and the tokenizer.
            bos: put the begin token before every input; None: as the tokenizer does.
        """
        module.requires_grad_(False)
        fuse_activations(module)
        self.module: nn.Module = module.eval()
        self.tokens = Tokens(tokenizer, module.config.get_text_config(), bos=bos)
        self.id = id if bos is None else f"{id}{'+' if bos else '-'}bos"
        self.d_model = int(self._embedding.weight.shape[1])
        self.gradient_checkpointing = False
        # Kept for the backward pass, offloaded weights would all lie on the device at once; recomputed, a layer's do.
        self._offloaded = is_offloaded(module)
        self._checkpointed: list[nn.Module] | None = None

    @property
    def _embedding(self) -> Any:
        module: Any = self.module
        return module.get_input_embeddings()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return home(self._embedding, self._embedding.weight)

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        dtype: torch.dtype = self._embedding.weight.dtype
        return dtype

    @property
    def word_vectors(self) -> Tensor:
        """What goes into the model for each word of the vocabulary, `[V, d_model]`; computed anew each time."""
        with torch.no_grad():
            vectors: Tensor = self._embedding(torch.arange(len(self._embedding.weight), device=self.device))
        return vectors

    @property
    def positions(self) -> int | None:
        """The longest input it can read, continuation included; None: no limit is stated."""
        module: Any = self.module
        limit = getattr(module.config.get_text_config(), "max_position_embeddings", None)
        return limit if isinstance(limit, int) and limit > 0 else None

    @property
    def vocabulary(self) -> list[str]:
        """The text of each row of `word_vectors`; empty where it stands for no text."""
        return self.tokens.vocabulary(len(self._embedding.weight))

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""
        return self.tokens.text(ids)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has when it is learnt, the end token included."""
        return [len(ids) + (self.tokens.end is not None) for ids in self.tokens.batch(texts)]

    def token_nll(
        self, inputs: Sequence[Sequence[Segment]], texts: Sequence[str], *, max_tokens: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of each token of each text after its input: see `LanguageModel.token_nll`.

        Raises:
            ShapeError: as many texts as inputs were wanted; or a soft prompt of another width.
            BadInputError: an input that is empty, or longer than the model can read.
        """
        if len(inputs) != len(texts):
            raise ShapeError(f"{len(inputs)} inputs need as many texts; these are {len(texts)}.")
        layout = lay_out(inputs, self.tokens, self.d_model)
        return self._nll(layout, self._learnt(texts, layout.last, max_tokens))

    def ids_nll(self, inputs: Sequence[Sequence[Segment]], ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of each of these tokens after its input: see `LanguageModel.ids_nll`.

        Raises:
            ShapeError, BadInputError: as of `token_nll`.
        """
        self._refuse_shards()
        layout, given = lay_out(inputs, self.tokens, self.d_model), [tuple(some) for some in ids]
        if len(inputs) == 1 < len(ids):
            return self._nll_after_one(layout, given)
        if len(inputs) != len(ids):
            raise ShapeError(f"{len(inputs)} inputs need as many lists of tokens; these are {len(ids)}.")
        return self._nll(layout, given)

    def _nll_after_one(self, layout: Layout, given: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """The same for one input before all tokens, which is read once."""
        labels = pad(given, "right").to(self.device)
        mask = labels != PAD
        if not any(given):
            return torch.zeros(labels.shape, device=self.device), mask
        ids, vectors = self._vectors(layout, "left", room=labels.shape[1])
        stream = Stream(self.module, vectors, ids != PAD)
        stream.select(torch.zeros(len(given), dtype=torch.long, device=self.device))
        return stream.nll(labels.clamp(min=0)).masked_fill(~mask, 0), mask

    def _nll(self, layout: Layout, learnt: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """`[b, t]` of tokens after inputs that are laid out, and their mask."""
        labels = pad(learnt, "right").to(self.device)
        mask = labels != PAD
        nothing = torch.zeros(labels.shape, device=self.device)
        if not any(learnt):
            return nothing, mask
        rows = [[*row, *ids] for row, ids in zip(layout.rows, learnt, strict=True)]
        # Padding stands behind all that is real, where causal attention never looks: no mask, no positions are needed.
        _, vectors = self._vectors(layout._replace(rows=rows), "right")
        before = [[0] * (len(row) - 1) + [1] * len(ids) + [0] for row, ids in zip(layout.rows, learnt, strict=True)]
        keep = pad(before, "right", fill=0).bool().to(self.device)
        with self._recomputing():
            logits, _ = logits_at(self.module, keep, inputs_embeds=vectors, use_cache=False)
        losses = nn.functional.cross_entropy(logits.float(), labels[mask], reduction="none")
        return nothing.masked_scatter(mask, losses), mask

    def hidden_states(self, inputs: Sequence[Sequence[Segment]], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """States `[len(layers), b, s, width]` and their mask `[b, s]`: see `LanguageModel.hidden_states`.

        Raises:
            BadInputError: a layer that the model does not have.
            ShapeError: layers of different widths (the last state of small OPT models is narrower than the others).
        """
        self._refuse_shards()
        ids, vectors = self._vectors(lay_out(inputs, self.tokens, self.d_model), "right")
        nowhere = torch.zeros(ids.shape, dtype=torch.bool, device=self.device)
        _, output = logits_at(self.module, nowhere, inputs_embeds=vectors, use_cache=False, output_hidden_states=True)
        states = output.hidden_states
        if wrong := [layer for layer in layers if not -len(states) <= layer < len(states)]:
            raise BadInputError(f"There is no layer {wrong[0]}: layers go from 0 (what goes in) to {len(states) - 1}.")
        chosen = [states[layer].to(self.device) for layer in layers]
        if len(widths := {state.shape[-1] for state in chosen}) > 1:
            raise ShapeError(f"These layers are {sorted(widths)} wide. Ask for those of one width at a time.")
        return torch.stack(chosen), ids != PAD

    @torch.no_grad()
    def logit_lens(self, prompts: Tensor, positions: Sequence[int]) -> Iterator[Tensor]:
        """What each layer holds at some positions of soft prompts, as logits: see `LanguageModel.logit_lens`.

        Raises:
            BadInputError: the layers cannot be told from the rest, or soft prompts that are longer than it can read.
        """
        self._refuse_shards()
        ids, vectors = self._vectors(lay_out([[one] for one in prompts], self.tokens, self.d_model), "right")
        keep = torch.zeros(ids.shape, dtype=torch.bool, device=self.device)
        keep[:, ids.shape[1] - prompts.shape[1] + torch.tensor(list(positions), device=self.device)] = True
        for logits in layer_logits(self.module, vectors, keep):
            yield logits.reshape(len(prompts), len(positions), -1)

    @torch.no_grad()
    def generate(
        self, inputs: Sequence[Sequence[Segment]], decoding: Decoding, *, keys: Sequence[str] | None = None
    ) -> list[Generation]:
        """Continue each input: see `LanguageModel.generate`.

        Raises:
            ShapeError: other than one key for each input.
            BadInputError: an input that is empty, or too long to be continued by `decoding.max_tokens`.
        """
        self._refuse_shards()
        keys = [str(number) for number in range(len(inputs))] if keys is None else keys
        if len(keys) != len(inputs):
            raise ShapeError(f"{len(inputs)} inputs need as many keys; these are {len(keys)}.")
        if not inputs:
            return []
        ids, vectors = self._vectors(lay_out(inputs, self.tokens, self.d_model), "left", room=decoding.max_tokens)
        ending = Ending(self.tokens.end, decoding.stop, self.tokens.text)
        said = decode(Stream(self.module, vectors, ids != PAD), decoding, keys, ending)
        return [Generation(ending.text(one.ids), one.ids, one.logprobs) for one in said]

    def _refuse_shards(self) -> None:
        """Processes that share the weights would wait for each other for ever: their texts differ in length."""
        if is_sharded(self.module):
            raise BadInputError(
                "A language model sharded by FSDP can only be fitted into. Give the same command without accelerate "
                "launch --use_fsdp; what is fitted is kept. --device spread holds a model that one card does not."
            )

    def _learnt(
        self, texts: Sequence[str], before: Sequence[str | None], max_tokens: int | None
    ) -> list[tuple[int, ...]]:
        end = () if self.tokens.end is None else (self.tokens.end,)
        return [(*ids, *end)[:max_tokens] for ids in self.tokens.continuations(texts, before)]

    def _vectors(self, layout: Layout, side: Any, room: int = 0) -> tuple[Tensor, Tensor]:
        """Padded ids `[b, s]` and vectors `[b, s, d_model]`, if the model can read them and `room` tokens more."""
        ids = pad(layout.rows, side).to(self.device)
        if self.positions is not None and ids.shape[1] + room > self.positions:
            more = f" and {room} to be generated" if room else ""
            raise BadInputError(
                f"{self.id} can read {self.positions} tokens; the longest input has {ids.shape[1]}{more}. "
                "Shorten the texts, give fewer examples, or use fewer soft prompts."
            )
        return ids, embed(ids, layout.prompts, self._embedding)

    @contextlib.contextmanager
    def _recomputing(self) -> Iterator[None]:
        """Let the library's layers recompute themselves in the backward pass, which it does only in training mode.

        Only the layers themselves are switched, not what is in them, and their own dropout is off: the model computes
        what it computes in eval mode. The last layer is kept, which `feed_forward_at` relies on.
        """
        if not ((self.gradient_checkpointing or self._offloaded) and torch.is_grad_enabled()):
            yield
            return
        if self._checkpointed is None:
            self._checkpointed = _checkpointed_layers(self.module)
        for layer in self._checkpointed:
            layer.training = True
        try:
            yield
        finally:
            for layer in self._checkpointed:
                layer.training = False


def _checkpointed_layers(module: Any) -> list[nn.Module]:
    from transformers.modeling_layers import GradientCheckpointingLayer

    newer = getattr(module, "activation_checkpointing_enable", None)
    (newer or module.gradient_checkpointing_enable)({"use_reentrant": False})
    layers: list[nn.Module] = [layer for layer in module.modules() if isinstance(layer, GradientCheckpointingLayer)]
    for layer in layers:
        for name, value in vars(layer).items():
            if "dropout" in name and isinstance(value, float):
                setattr(layer, name, 0.0)
    return layers[:-1]  # the last one's backward pass comes at once: recomputing it would save no memory


def decode(stream: Stream, decoding: Decoding, keys: Sequence[str], ending: Ending) -> list[Said]:
    """Texts in order of the stream; with `nucleus`, `samples` of each."""
    if decoding.method == "beam":
        return beam_search(stream, decoding.beams, decoding.length_penalty, decoding.max_tokens, ending)
    if decoding.method == "greedy":
        return extend(stream, greedy, decoding.max_tokens, ending)
    rows = torch.arange(len(stream), device=stream.logits.device).repeat_interleave(decoding.samples)
    stream.select(rows)
    draws = uniform_draws(keys, decoding.samples, decoding.seed, decoding.max_tokens)
    return extend(stream, nucleus(draws, decoding.temperature, decoding.top_p), decoding.max_tokens, ending)
