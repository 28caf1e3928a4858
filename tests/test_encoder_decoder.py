from __future__ import annotations

import pytest
import torch
from tiny_encoder_decoders import END, FAMILIES, PAD, VOCABULARY, encoder_decoder, module, tokenizer
from tiny_fit import RECIPE, features, run
from tiny_language_models import language_model, soft_prompt

from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, ShapeError
from concepttransfer.language_models import load_language_model
from concepttransfer.language_models.causal import CausalLanguageModel
from concepttransfer.language_models.decoder_stream import DecoderStream
from concepttransfer.language_models.encoder_decoder import EncoderDecoderLanguageModel
from concepttransfer.language_models.fitted import as_fitted
from concepttransfer.language_models.inputs import embed
from concepttransfer.study.costs import _language_model_cost

TEXTS = ["a red dog on the grass", "zebra", "two black cats beside a blue ball", ""]


def inputs_of(model):
    """Inputs of different length and kind: a question below a picture, a text alone, a picture alone, two pictures."""
    return [
        [soft_prompt(model, 4), "Q: what is in the picture?"],
        ["A picture of a red dog"],
        [soft_prompt(model, 2, seed=1)],
        [soft_prompt(model, 1, seed=2), "A", soft_prompt(model, 3, seed=3), "the horse"],
    ]


def encoded(model, segments, side="right", room=0):
    """What the library's encoder is to read of one input, and its mask, laid out by hand; padding is noise."""
    embedding = model.module.get_input_embeddings()
    parts = [s if isinstance(s, torch.Tensor) else embedding(torch.tensor(model.tokens.ids(s))) for s in segments]
    if not segments or isinstance(segments[-1], str):
        parts.append(embedding(torch.tensor([END])))
    vectors = torch.cat(parts)
    noise, mask = torch.full((room, model.d_model), 3.0), torch.ones(len(vectors))
    ordered = [vectors, noise] if side == "right" else [noise, vectors]
    masks = [mask, torch.zeros(room)] if side == "right" else [torch.zeros(room), mask]
    return torch.cat(ordered)[None], torch.cat(masks)[None].long()


def library_loss(model, segments, ids, **padding):
    vectors, mask = encoded(model, segments, **padding)
    return model.module(inputs_embeds=vectors, attention_mask=mask, labels=torch.tensor([ids])).loss


def library_tokens(model, segments, **how):
    vectors, mask = encoded(model, segments)
    said = model.module.generate(inputs_embeds=vectors, attention_mask=mask, do_sample=False, **how)[0].tolist()
    assert said[0] == PAD, "the decoder's start token"
    return said[1 : said.index(END) + 1 if END in said else None]


def likelier_end(model, by):
    """Make the end token likelier, so that texts end, and at different steps."""
    head = model.module.get_output_embeddings()
    head.register_forward_hook(lambda _m, _g, logits: logits + by * (torch.arange(logits.shape[-1]) == END))
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_token_mean_is_the_librarys_own_loss(family):
    model = encoder_decoder(family)
    inputs = inputs_of(model)
    nll, mask = model.token_nll(inputs, TEXTS)
    assert nll.dtype == torch.float32
    for row, (segments, text) in enumerate(zip(inputs, TEXTS, strict=True)):
        ids = tokenizer()(text)["input_ids"]
        assert ids[-1] == END, "this tokenizer ends its texts itself, as T5's does"
        assert int(mask[row].sum()) == len(ids) == model.count_tokens([text])[0]
        loss = library_loss(model, segments, ids)
        assert nll[row][mask[row]].mean().item() == pytest.approx(loss.item(), abs=1e-4)
    assert not nll[~mask].any()


@pytest.mark.parametrize("side", ["left", "right"])
def test_where_the_encoders_input_is_padded_does_not_matter(side):
    model = encoder_decoder()
    for segments in inputs_of(model):
        alone, _ = model.token_nll([segments], ["a dog"])
        ids = tokenizer()("a dog")["input_ids"]
        wanted = library_loss(model, segments, ids, side=side, room=5)
        assert alone.mean().item() == pytest.approx(wanted.item(), abs=1e-4)


def test_a_text_alone_is_read_as_the_library_reads_its_token_ids():
    model = encoder_decoder()
    nll, mask = model.token_nll([["A picture of a dog"]], ["zebra"])
    labels = tokenizer()("zebra", return_tensors="pt")["input_ids"]
    wanted = model.module(**tokenizer()("A picture of a dog", return_tensors="pt"), labels=labels).loss
    assert nll[mask].mean().item() == pytest.approx(wanted.item(), abs=1e-5)


def test_nothing_is_an_empty_text():
    model = encoder_decoder()
    nothing, _ = model.token_nll([[], [""], ["", ""]], ["zebra"] * 3)
    labels = tokenizer()("zebra", return_tensors="pt")["input_ids"]
    wanted = model.module(input_ids=torch.tensor([[END]]), labels=labels).loss
    assert nothing.mean(1).tolist() == pytest.approx([wanted.item()] * 3, abs=1e-5)


def test_a_text_begins_a_sequence_of_its_own_whatever_its_input_ends_with():
    """The joint rule: nothing stands right before what the decoder says."""
    model = encoder_decoder()
    soft = soft_prompt(model, 2)
    after = [["A red"], ["A red "], [soft], [soft, "A red\n"]]
    nll, mask = model.token_nll(after, ["dog"] * 4)
    ids = model.tokens.ids("dog")
    assert mask.sum(1).tolist() == [len(ids) + 1] * 4
    again, _ = model.ids_nll(after, [[*ids, END]] * 4)
    assert torch.equal(nll, again)


def test_neighbouring_texts_are_one_text_and_its_end_is_read():
    model = encoder_decoder()
    one, _ = model.token_nll([["A picture of"]], ["dog"])
    split, _ = model.token_nll([["A pic", "ture", " of", ""]], ["dog"])
    unended, _ = model.token_nll([["A picture of", soft_prompt(model, 1) * 0]], ["dog"])
    assert torch.equal(one, split)
    assert not torch.allclose(one, unended)


def test_a_row_does_not_depend_on_the_batch_it_is_in():
    model = encoder_decoder("umt5")
    inputs = inputs_of(model)
    together, mask = model.token_nll(inputs, TEXTS)
    for row in range(4):
        alone, _ = model.token_nll(inputs[row : row + 1], TEXTS[row : row + 1])
        torch.testing.assert_close(together[row][mask[row]], alone[0], atol=1e-4, rtol=1e-5)


def test_a_cut_text_learns_no_end():
    model = encoder_decoder()
    full, _ = model.token_nll([["A"]], [TEXTS[2]])
    cut, mask = model.token_nll([["A"]], [TEXTS[2]], max_tokens=3)
    assert mask.shape == (1, 3)
    torch.testing.assert_close(cut, full[:, :3], atol=1e-5, rtol=1e-5)


def test_logits_are_computed_only_where_there_is_a_label():
    model = encoder_decoder()
    widths = []
    model.module.get_output_embeddings().register_forward_hook(lambda _m, _g, logits: widths.append(logits.shape))
    _, mask = model.token_nll([[soft_prompt(model, 9)]] * 3, TEXTS[:3])
    assert widths == [(1, int(mask.sum()), VOCABULARY)]


def test_one_input_before_many_texts_is_read_once_and_scored_the_same():
    model = encoder_decoder()
    segments, ids = inputs_of(model)[0], [[5, 9, END], [7], [], [30, 31, 32, 33]]
    reads = []
    model.module.get_encoder().register_forward_hook(lambda *_: reads.append(1))
    once, mask = model.ids_nll([segments], ids)
    assert len(reads) == 1
    each, same = model.ids_nll([segments] * 4, ids)
    assert torch.equal(mask, same)
    torch.testing.assert_close(once, each, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("recompute", [False, True])
def test_frozen_gradient_reaches_the_soft_prompts_and_nothing_else(recompute):
    model = encoder_decoder("mt5", dropout_rate=0.5)
    prompt = soft_prompt(model, 3).requires_grad_()
    loss = library_loss(model, [prompt, "A picture of"], tokenizer()("a dog")["input_ids"])
    (wanted,) = torch.autograd.grad(loss, prompt)
    model.gradient_checkpointing = recompute
    nll, mask = model.token_nll([[prompt, "A picture of"]], ["a dog"])
    nll[mask].mean().backward()
    torch.testing.assert_close(prompt.grad, wanted, atol=1e-4, rtol=1e-3)
    assert all(parameter.grad is None for parameter in model.module.parameters())
    assert not any(part.training for part in model.module.modules())


@pytest.mark.parametrize("made", [encoder_decoder, language_model])
def test_a_language_model_that_is_trained_gets_the_librarys_gradient_its_words_included(made):
    """Words that are only read get theirs too: an embedding under no_grad would not."""
    model = made()
    model.module.requires_grad_(True)
    ids = [*model.tokens.ids("A picture of"), *([END] if made is encoder_decoder else [])]
    nll, mask = model.token_nll([["A picture of"]], ["dog"])
    nll[mask].mean().backward()
    ours = {name: weight.grad.clone() for name, weight in model.module.named_parameters()}
    model.module.zero_grad()
    if made is encoder_decoder:
        labels = torch.tensor([[*model.tokens.ids("dog"), END]])
        model.module(input_ids=torch.tensor([ids]), labels=labels).loss.backward()
    else:
        after = [*model.tokens.ids(" dog"), 0]
        labels = torch.tensor([[-100] * len(ids) + after])
        model.module(input_ids=torch.tensor([ids + after]), labels=labels).loss.backward()
    read = [id for id in ids if id not in model.tokens.ids("dog")]
    embedding = model.module.get_input_embeddings()
    assert embedding.weight.grad[read].abs().sum(1).min() > 0
    for name, weight in model.module.named_parameters():
        torch.testing.assert_close(ours[name], weight.grad, atol=1e-3, rtol=1e-3)


def test_words_keep_no_graph_where_nothing_is_trained():
    model = encoder_decoder()
    vectors = embed(torch.tensor([[5, 6]]), [], model.module.get_input_embeddings())
    assert not vectors.requires_grad


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_says_what_the_library_says_alone_in_a_batch_and_in_any_order(family):
    model = likelier_end(encoder_decoder(family), 3.0)
    inputs = inputs_of(model)
    together = model.generate(inputs, Decoding(max_tokens=12))
    assert [one.token_ids for one in together] == [library_tokens(model, row, max_new_tokens=12) for row in inputs]
    backwards = model.generate(inputs[::-1], Decoding(max_tokens=12))[::-1]
    alone = [model.generate([row], Decoding(max_tokens=12))[0] for row in inputs]
    for a, b, c in zip(together, backwards, alone, strict=True):
        assert a.text == b.text == c.text
        assert a.token_ids == b.token_ids == c.token_ids
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("length_penalty", [1.0, 0.0, 2.0])
def test_beam_search_finds_what_the_librarys_finds(family, length_penalty):
    model = likelier_end(encoder_decoder(family, seed=1), 4.0)
    inputs = inputs_of(model)
    decoding = Decoding(method="beam", beams=4, max_tokens=9, length_penalty=length_penalty)
    said = [one.token_ids for one in model.generate(inputs, decoding)]
    how = {"num_beams": 4, "max_new_tokens": 9, "length_penalty": length_penalty}
    assert said == [library_tokens(model, row, **how) for row in inputs]
    assert said == [model.generate([row], decoding)[0].token_ids for row in inputs]


def test_logprobs_are_those_of_the_text_scored():
    model = encoder_decoder("umt5")
    inputs = inputs_of(model)
    for method in ("greedy", "beam", "nucleus"):
        said = model.generate(inputs, Decoding(method=method, max_tokens=7))
        nll, mask = model.ids_nll(inputs, [one.token_ids for one in said])
        for row, one in enumerate(said):
            assert one.logprobs == pytest.approx((-nll[row][mask[row]]).tolist(), abs=1e-3)


def test_draws_follow_key_and_sample_and_not_the_batch():
    model = encoder_decoder("umt5")
    inputs = inputs_of(model)
    decoding = Decoding(method="nucleus", samples=3, max_tokens=8, seed=5, top_p=0.95)
    said = model.generate(inputs, decoding, keys=["a", "b", "c", "d"])
    assert len(said) == 12
    assert len({one.text for one in said}) > 8
    for row, key in enumerate("abcd"):
        alone = model.generate([inputs[row]], decoding, keys=[key])
        assert [one.token_ids for one in alone] == [one.token_ids for one in said[3 * row : 3 * row + 3]]
    with pytest.raises(ShapeError, match="as many keys"):
        model.generate(inputs, decoding, keys=["a"])


def test_texts_that_have_ended_leave_the_batch_with_their_encoder_states(monkeypatch):
    model = likelier_end(encoder_decoder("umt5", seed=3), 6.0)
    inputs = [[soft_prompt(model, 1 + seed % 4, seed=seed)] for seed in range(16)]
    sizes, advance = [], DecoderStream.advance

    def counted(self, ids):
        assert len(ids) == len(self._states) == len(self._inputs)
        sizes.append(len(ids))
        advance(self, ids)

    monkeypatch.setattr(DecoderStream, "advance", counted)
    said = model.generate(inputs, Decoding(max_tokens=20))
    lengths = [len(one.token_ids) for one in said]
    assert len(set(lengths)) > 2
    for step, size in enumerate(sizes):
        going = sum(length > step + 1 for length in lengths)
        assert going <= size < 2 * going
    assert [one.token_ids for one in said] == [library_tokens(model, row, max_new_tokens=20) for row in inputs]


def test_the_encoder_reads_each_input_once_however_long_the_text():
    model = encoder_decoder()
    reads = []
    model.module.get_encoder().register_forward_hook(lambda *_: reads.append(1))
    model.generate(inputs_of(model), Decoding(max_tokens=9, method="beam", beams=3))
    assert len(reads) == 1


def test_hidden_states_are_the_encoders():
    model = encoder_decoder()
    texts = ["A picture of", "two black cats beside a blue ball"]
    states, mask = model.hidden_states([[text] for text in texts], [0, 1, -1])
    for row, text in enumerate(texts):
        read = tokenizer()(text, return_tensors="pt")
        wanted = model.module.get_encoder()(**read, output_hidden_states=True)
        length = read["input_ids"].shape[1]
        assert mask[row].tolist() == [True] * length + [False] * (mask.shape[1] - length)
        for got, layer in zip(states, (0, 1, -1), strict=True):
            torch.testing.assert_close(got[row, :length], wanted.hidden_states[layer][0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(states[2][row, :length], wanted.last_hidden_state[0], atol=1e-4, rtol=1e-4)
    with pytest.raises(BadInputError, match=r"no layer 3: the encoder's go from 0 .* to 2"):
        model.hidden_states([["A"]], [3])


def test_word_vectors_are_what_the_encoder_is_fed():
    model = encoder_decoder()
    ids = torch.tensor([[7, 19, 150, END]])
    by_ids = model.module.get_encoder()(input_ids=ids).last_hidden_state
    by_vectors = model.module.get_encoder()(inputs_embeds=model.word_vectors[ids]).last_hidden_state
    torch.testing.assert_close(by_ids, by_vectors)
    assert model.word_vectors.shape == (VOCABULARY, model.d_model)
    assert len(model.vocabulary) == VOCABULARY
    assert model.vocabulary[PAD] == model.vocabulary[END] == model.vocabulary[-1] == ""
    assert model.text([*model.tokens.ids("a red dog"), END, PAD]) == "a red dog"


def test_the_logit_lens_is_refused_in_a_sentence():
    model = encoder_decoder()
    with pytest.raises(BadInputError, match=r"tiny-t5 is an encoder-decoder.*decoder-only"):
        model.logit_lens(soft_prompt(model, 3)[None], [0])


def test_loading_chooses_by_the_configuration(tmp_path):
    made = encoder_decoder("mt5")
    made.module.save_pretrained(tmp_path / "mt5")
    tokenizer().save_pretrained(tmp_path / "mt5")
    loaded = load_language_model("mt5", tmp_path)
    assert isinstance(loaded, EncoderDecoderLanguageModel)
    assert loaded.id.startswith("mt5@")
    inputs = inputs_of(made)
    for a, b in zip(made.token_nll(inputs, TEXTS), loaded.token_nll(inputs, TEXTS), strict=True):
        assert torch.equal(a, b)
    causal = language_model()
    causal.module.save_pretrained(tmp_path / "gptj")
    causal.tokens._tokenizer.save_pretrained(tmp_path / "gptj")
    assert type(load_language_model("gptj", tmp_path)) is CausalLanguageModel
    module("mt5", num_layers=3, num_decoder_layers=3).config.save_pretrained(tmp_path / "mt5")
    with pytest.raises(BadInputError, match="lack decoder"):
        load_language_model("mt5", tmp_path)


def test_a_decoder_without_a_start_is_refused():
    with pytest.raises(BadInputError, match=r"x says of no token .*decoder_start_token_id"):
        EncoderDecoderLanguageModel(module(decoder_start_token_id=None, bos_token_id=None), tokenizer(), id="x")


def test_wrong_shapes_are_refused():
    model = encoder_decoder()
    with pytest.raises(ShapeError, match="as many texts"):
        model.token_nll([["A"]], ["a", "b"])
    with pytest.raises(ShapeError, match=r"must be \[k, 32\]"):
        model.token_nll([[torch.zeros(2, 31)]], ["a"])


def test_its_cost_is_known_without_its_weights(tmp_path):
    made = module("mt5", num_layers=2, num_decoder_layers=3)
    made.save_pretrained(tmp_path / "lm")
    tokenizer().save_pretrained(tmp_path / "lm")
    cost = _language_model_cost("lm", tmp_path)
    n = sum(parameter.numel() for parameter in made.parameters())
    assert (cost.parameters, cost.d_model, cost.layers) == (n, 32, 5)


@pytest.mark.parametrize("family", ["t5", "mt5"])  # t5's word vectors are its output head too
def test_a_fit_tunes_it_with_the_projection_and_leaves_it_as_it_was(tmp_path, family):
    model = encoder_decoder(family, initializer_factor=1.0)
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    tuned = RECIPE.model_copy(update={"language_model": "tuned", "language_model_lr": 1e-2, "precision": "float32"})
    made = run(tmp_path / "tuned", tuned, model)
    frozen = run(tmp_path / "frozen", RECIPE, model)
    assert made.history["loss"].iloc[-1] < 0.7 * made.history["loss"].iloc[0]
    assert frozen.history["loss"].iloc[-1] < frozen.history["loss"].iloc[0]
    assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())
    assert made.n_trained - frozen.n_trained == sum(p.numel() for p in model.module.parameters())
    soft = made.projection()(torch.from_numpy(features().values[:4]).float())
    inputs, said = [[prompt, "A picture of"] for prompt in soft], ["a big otter"] * 4
    plain = model.token_nll(inputs, said)[0].detach()
    with as_fitted(model, made) as spoken:
        learnt = spoken.token_nll(inputs, said)[0].detach()
    assert learnt.mean() < plain.mean() - 0.5
    assert torch.equal(model.token_nll(inputs, said)[0].detach(), plain)
