from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny_language_models import FAMILIES, language_model, module, prefixing_tokenizer, soft_prompt, tokenizer

from concepttransfer.decoding import Decoding
from concepttransfer.errors import ShapeError
from concepttransfer.language_models import load_language_model
from concepttransfer.language_models.causal import CausalLanguageModel
from concepttransfer.language_models.sampling import nucleus, nucleus_masses, uniform_draws
from concepttransfer.language_models.stream import Stream

SPEAKS = ["gptj", "gpt2", "bloom", "mistral", "gemma3_text"]


def inputs_of(model, n=7):
    """Inputs of different length and kind."""
    return [
        [soft_prompt(model, 1 + i % 3, seed=i), ["A picture of", "Q:", ""][i % 3]][: 2 - (i == 5)] for i in range(n)
    ]


def library_tokens(model, segments, **how):
    """What the library's own `generate` says after one input."""
    embedding = model.module.get_input_embeddings()
    parts = [
        s if isinstance(s, torch.Tensor) else embedding(torch.tensor(model.tokens.ids(s)).long()) for s in segments
    ]
    vectors = torch.cat(parts)[None]
    said = model.module.generate(
        inputs_embeds=vectors,
        attention_mask=torch.ones(vectors.shape[:2], dtype=torch.long),
        do_sample=False,
        eos_token_id=model.tokens.end,
        pad_token_id=model.tokens.end,
        **how,
    )[0].tolist()
    end = said.index(model.tokens.end) + 1 if model.tokens.end in said else len(said)
    return said[:end]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_says_what_the_library_says_alone_in_a_batch_and_in_any_order(family):
    model = language_model(family)
    inputs = inputs_of(model)
    decoding = Decoding(max_tokens=16)
    together = model.generate(inputs, decoding)
    assert [g.token_ids for g in together] == [library_tokens(model, row, max_new_tokens=16) for row in inputs]
    backwards = model.generate(inputs[::-1], decoding)[::-1]
    alone = [model.generate([row], decoding)[0] for row in inputs]
    for a, b, c in zip(together, backwards, alone, strict=True):
        assert a.text == b.text == c.text
        assert a.token_ids == b.token_ids == c.token_ids
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)
        assert a.logprobs == pytest.approx(c.logprobs, abs=1e-5)


def test_some_texts_end_early_and_their_rows_leave_the_batch(monkeypatch):
    model = language_model("gpt2", seed=3)
    inputs = inputs_of(model, 16)
    # The end token is made likelier, so that texts end at different steps.
    head = model.module.get_output_embeddings()
    head.register_forward_hook(lambda _m, _g, logits: logits + 4.0 * (torch.arange(logits.shape[-1]) == 0))
    sizes = []
    advance = Stream.advance
    monkeypatch.setattr(Stream, "advance", lambda self, ids: sizes.append(len(ids)) or advance(self, ids))
    said = model.generate(inputs, Decoding(max_tokens=20))
    lengths = [len(one.token_ids) for one in said]
    assert len(set(lengths)) > 3
    assert sizes[0] == 16
    assert sizes[-1] < 16
    for step, size in enumerate(sizes):
        going = sum(length > step + 1 for length in lengths)
        assert going <= size < 2 * going
    assert [one.token_ids for one in said] == [library_tokens(model, row, max_new_tokens=20) for row in inputs]


@pytest.mark.parametrize("family", SPEAKS)
@pytest.mark.parametrize("length_penalty", [1.0, 0.0, 2.0])
def test_beam_search_finds_what_the_librarys_finds(family, length_penalty):
    model = language_model(family, seed=1)
    head = model.module.get_output_embeddings()
    head.register_forward_hook(lambda _m, _g, logits: logits + 4.0 * (torch.arange(logits.shape[-1]) == 0))
    inputs = inputs_of(model, 5)
    decoding = Decoding(method="beam", beams=4, max_tokens=10, length_penalty=length_penalty)
    said = model.generate(inputs, decoding)
    how = {"num_beams": 4, "max_new_tokens": 10, "length_penalty": length_penalty}
    assert [one.token_ids for one in said] == [library_tokens(model, row, **how) for row in inputs]
    alone = [model.generate([row], decoding)[0].token_ids for row in inputs]
    assert alone == [one.token_ids for one in said]


@pytest.mark.parametrize("family", SPEAKS)
def test_one_beam_is_greedy(family):
    model = language_model(family)
    inputs = inputs_of(model)
    greedy = model.generate(inputs, Decoding(max_tokens=12))
    beam = model.generate(inputs, Decoding(method="beam", beams=1, max_tokens=12))
    assert [g.token_ids for g in greedy] == [b.token_ids for b in beam]
    for a, b in zip(greedy, beam, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


def test_more_beams_find_likelier_texts():
    model = language_model("gpt2")
    inputs = inputs_of(model, 12)

    def mean(beams):
        said = model.generate(inputs, Decoding(method="beam", beams=beams, max_tokens=8))
        return sum(sum(one.logprobs) / len(one.logprobs) for one in said)

    assert mean(1) < mean(8)


@pytest.mark.parametrize(
    "decoding", [Decoding(max_tokens=9), Decoding(method="nucleus", temperature=0.5, max_tokens=9)]
)
def test_logprobs_are_those_of_the_models_own_distribution(decoding):
    """Also where a temperature drew the tokens: scored again as a text, they are as likely."""
    model = language_model("gptj")
    segments = [soft_prompt(model, 4), "A picture of"]
    (said,) = model.generate([segments], decoding)
    embedding = model.module.get_input_embeddings()
    ids = list(said.token_ids)
    before = torch.cat([segments[0], embedding(torch.tensor(model.tokens.ids(segments[1])))])
    with torch.no_grad():
        logits = model.module(inputs_embeds=torch.cat([before, embedding(torch.tensor(ids))])[None]).logits[0]
    scores = logits[len(before) - 1 : -1].log_softmax(-1)
    assert said.logprobs == pytest.approx([scores[i, token].item() for i, token in enumerate(ids)], abs=1e-5)


def smallest_set(probabilities, top_p):
    """The definition, in words: take the likeliest until their mass reaches top_p."""
    kept, mass = set(), 0.0
    for token in sorted(range(len(probabilities)), key=lambda t: -probabilities[t]):
        if mass >= top_p:
            break
        kept.add(token)
        mass += probabilities[token]
    return kept


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.7, 0.9, 1.0])
def test_the_nucleus_is_the_smallest_set_whose_mass_reaches_p(top_p):
    generator = torch.Generator().manual_seed(0)
    for sharpness in (0.1, 1.0, 5.0):
        probabilities = (sharpness * torch.randn(1, 50, generator=generator)).softmax(-1).double()
        masses, order = nucleus_masses(probabilities, top_p)
        assert set(order[masses > 0].tolist()) == smallest_set(probabilities[0].tolist(), top_p)


def test_the_nucleus_keeps_four_of_six_where_old_code_kept_one_or_all():
    probabilities = torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.03, 0.02]])
    masses, _ = nucleus_masses(probabilities, 0.9)
    assert (masses > 0).sum() == 4


def test_tokens_are_drawn_as_often_as_their_renormalised_tempered_mass():
    logits = torch.tensor([[2.0, 1.0, 0.5, 0.0, -1.0, -3.0]])
    n, temperature, top_p = 20000, 0.7, 0.8
    draws = uniform_draws(["row"], n, 0, 1)
    chosen = nucleus(draws, temperature, top_p)(logits.expand(n, -1).log_softmax(-1), 0, list(range(n)))
    tempered = (logits[0] / temperature).softmax(-1)
    kept = smallest_set(tempered.tolist(), top_p)
    wanted = np.array([tempered[t] if t in kept else 0.0 for t in range(6)])
    wanted /= wanted.sum()
    got = np.bincount(chosen.numpy(), minlength=6) / n
    assert set(np.flatnonzero(got)) == kept
    assert np.abs(got - wanted).max() < 4 * math.sqrt(0.25 / n)


def test_draws_follow_seed_row_and_sample_and_not_the_batch():
    model = language_model("gptj")
    inputs = inputs_of(model, 4)
    names = ["a", "b", "c", "d"]
    decoding = Decoding(method="nucleus", samples=3, max_tokens=8, seed=5, top_p=0.95)
    said = model.generate(inputs, decoding, keys=names)
    assert len(said) == 12
    assert len({one.text for one in said}) > 8
    backwards = model.generate(inputs[::-1], decoding, keys=names[::-1])
    for row in range(4):
        alone = model.generate(inputs[row : row + 1], decoding, keys=names[row : row + 1])
        wanted = [one.token_ids for one in said[3 * row : 3 * row + 3]]
        assert wanted == [one.token_ids for one in alone]
        assert wanted == [one.token_ids for one in backwards[3 * (3 - row) : 3 * (3 - row) + 3]]
    one = model.generate(inputs, decoding.model_copy(update={"samples": 1}), keys=names)
    assert [g.token_ids for g in one] == [g.token_ids for g in said[::3]]
    other = model.generate(inputs, decoding.model_copy(update={"seed": 6}), keys=names)
    assert [g.token_ids for g in other] != [g.token_ids for g in said]
    with pytest.raises(ShapeError, match="as many keys"):
        model.generate(inputs, decoding, keys=["a"])


def test_a_tiny_nucleus_is_greedy():
    model = language_model("gpt2")
    inputs = inputs_of(model)
    drawn = model.generate(inputs, Decoding(method="nucleus", top_p=1e-6, max_tokens=10))
    assert [g.token_ids for g in drawn] == [g.token_ids for g in model.generate(inputs, Decoding(max_tokens=10))]


@pytest.mark.parametrize("method", ["greedy", "beam", "nucleus"])
def test_a_text_ends_before_the_first_stop_string(method):
    model = language_model("gptj", seed=2)
    inputs = inputs_of(model)
    free = model.generate(inputs, Decoding(method=method, max_tokens=20))
    stop = free[0].text[3:5]
    stopped = model.generate(inputs, Decoding(method=method, max_tokens=20, stop=(stop, "never said")))
    assert not any(stop in one.text for one in stopped)
    assert len(stopped[0].token_ids) < len(free[0].token_ids)
    assert len(stopped[0].token_ids) == len(stopped[0].logprobs)
    if method != "beam":
        assert stopped[0].text == free[0].text[: free[0].text.index(stop)].strip()


def test_an_end_at_once_is_an_empty_text():
    model = language_model("gpt2")
    head = model.module.get_output_embeddings()
    head.register_forward_hook(lambda _m, _g, logits: logits + 100.0 * (torch.arange(logits.shape[-1]) == 0))
    for method in ("greedy", "beam", "nucleus"):
        (said,) = model.generate([["A"]], Decoding(method=method))
        assert (said.text, said.token_ids) == ("", [0])


def test_pictures_and_texts_interleave():
    """Few-shot: what was said of other pictures changes what is said of this one, and each place counts."""
    model = language_model("gptj")
    a, b = soft_prompt(model, 3, seed=1), soft_prompt(model, 3, seed=2)
    inputs = [[a, "A red dog.", b, "A"], [b, "A red dog.", a, "A"], [a, "A zebra.", b, "A"], [b, "A"]]
    said = model.generate(inputs, Decoding(max_tokens=10))
    assert len({one.text for one in said}) == 4
    assert said[0].token_ids == library_tokens(model, inputs[0], max_new_tokens=10)


def test_a_begin_token_is_read_first():
    made = CausalLanguageModel(module("llama"), tokenizer(bos=True), id="x")
    (said,) = made.generate([[]], Decoding(max_tokens=8))
    wanted = made.module.generate(input_ids=torch.tensor([[1]]), max_new_tokens=8, do_sample=False, eos_token_id=0)
    assert [1, *said.token_ids] == wanted[0].tolist()


def test_generated_text_is_stripped_whatever_the_tokenizer():
    model = CausalLanguageModel(module("llama"), prefixing_tokenizer(), id="x")
    said = model.generate(inputs_of(model), Decoding(max_tokens=10))
    assert all(one.text == one.text.strip() for one in said)


def test_a_real_language_model_tells_its_story(real):
    model = load_language_model("hf:language_model/stories260k", real)
    (story,) = model.generate([[]], Decoding(max_tokens=200))
    expected = (real / "language_model" / "stories260k" / "expected_greedy.txt").read_text()
    assert story.text == expected.strip()
    padded = model.generate([["The dog"], [], ["Once upon a time there was a"]], Decoding(max_tokens=200))
    assert padded[1].token_ids == story.token_ids
    nll, mask = model.token_nll([[]], [story.text])
    assert nll[mask][:200].tolist() == pytest.approx([-value for value in story.logprobs], abs=1e-4)
