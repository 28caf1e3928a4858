from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from tiny_language_models import (
    FAMILIES,
    VOCABULARY,
    language_model,
    module,
    prefixing_tokenizer,
    soft_prompt,
    tokenizer,
)

from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, MissingResourceError, ShapeError
from concepttransfer.language_models import identity, language_model_identity, load_language_model
from concepttransfer.language_models.causal import CausalLanguageModel
from concepttransfer.language_models.tokens import Tokens


def library_loss(model, segments, ids):
    """What the library itself makes of one input followed by label ids."""
    embedding = model.module.get_input_embeddings()
    parts = [s if isinstance(s, torch.Tensor) else embedding(torch.tensor(model.tokens.ids(s))) for s in segments]
    start = embedding(torch.tensor(model.tokens.start, dtype=torch.long))
    before = torch.cat([start, *parts])
    labels = torch.tensor([[-100] * len(before) + ids])
    vectors = torch.cat([before, embedding(torch.tensor(ids))])[None]
    return model.module(inputs_embeds=vectors, labels=labels).loss


@pytest.mark.parametrize("family", FAMILIES)
def test_token_mean_is_the_librarys_own_loss(family):
    model = language_model(family)
    inputs = [
        [soft_prompt(model, 5), "A picture of"],
        ["Q: what is", soft_prompt(model, 2, seed=1), " A:"],
        [soft_prompt(model, 3, seed=2)],
    ]
    texts = ["a red dog on the grass", "zebra", "two black cats"]
    nll, mask = model.token_nll(inputs, texts)
    assert nll.dtype == torch.float32
    for row, segments in enumerate(inputs):
        joined = (" " if isinstance(segments[-1], str) else "") + texts[row]
        loss = library_loss(model, segments, [*model.tokens.ids(joined), 0])
        assert int(mask[row].sum()) == len(model.tokens.ids(joined)) + 1
        assert nll[row][mask[row]].mean().item() == pytest.approx(loss.item(), abs=1e-5)
    assert not nll[~mask].any()


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_alone_are_scored_as_the_library_scores_token_ids(family):
    model = language_model(family)
    ids = [*model.tokens.ids("A picture of"), *model.tokens.ids(" a dog"), 0]
    labels = torch.tensor([ids])
    labels[0, : len(model.tokens.ids("A picture of"))] = -100
    nll, mask = model.token_nll([["A picture of"]], ["a dog"])
    wanted = model.module(input_ids=torch.tensor([ids]), labels=labels).loss
    assert nll[mask].mean().item() == pytest.approx(wanted.item(), abs=1e-5)


def test_logits_are_computed_only_where_there_is_a_label():
    model = language_model("gemma2")
    widths = []
    head = model.module.get_output_embeddings()
    head.register_forward_hook(lambda _module, _given, logits: widths.append(tuple(logits.shape)))
    _, mask = model.token_nll([[soft_prompt(model, 30)], [soft_prompt(model, 9)]], ["a dog", "the sheep runs"])
    assert widths == [(1, int(mask.sum()), VOCABULARY)]


def test_a_row_does_not_depend_on_the_batch_it_is_in():
    model = language_model("mistral")
    inputs = [[soft_prompt(model, k, seed=k), "A picture of"] for k in (9, 1, 4)]
    texts = ["a dog", "two black cats beside a blue ball", "the sheep"]
    together, mask = model.token_nll(inputs, texts)
    for row in range(3):
        alone, _ = model.token_nll(inputs[row : row + 1], texts[row : row + 1])
        torch.testing.assert_close(together[row][mask[row]], alone[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["gptj", "opt", "gemma3_text"])
@pytest.mark.parametrize("recompute", [False, True])
def test_gradient_reaches_the_soft_prompts_and_nothing_else(family, recompute):
    model = language_model(family, **({"dropout": 0.5} if family == "opt" else {}))
    prompt = soft_prompt(model, 3).requires_grad_()
    # The same gradient through the library's own loss.
    loss = library_loss(model, [prompt, "A picture of"], [*model.tokens.ids(" a dog"), 0])
    (wanted,) = torch.autograd.grad(loss, prompt)
    model.gradient_checkpointing = recompute
    nll, mask = model.token_nll([[prompt, "A picture of"]], ["a dog"])
    (nll[mask].mean()).backward()
    torch.testing.assert_close(prompt.grad, wanted, atol=1e-6, rtol=1e-4)
    assert all(parameter.grad is None for parameter in model.module.parameters())
    assert not any(part.training for part in model.module.modules())


def test_recomputing_layers_saves_what_they_keep_for_the_backward_pass():
    """All but the last, whose backward pass comes at once."""
    model = language_model("llama", num_hidden_layers=6)

    def kept(recompute):
        model.gradient_checkpointing = recompute
        sizes = []
        hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t)
        with hooks:
            model.token_nll([[soft_prompt(model, 20).requires_grad_()]], ["a dog"])
        return sum(sizes)

    assert kept(True) < 0.5 * kept(False)


def test_frozen_means_no_gradient_and_eval_mode():
    made = module("gpt2").train()
    model = CausalLanguageModel(made, tokenizer(), id="x")
    assert not made.training
    assert not any(parameter.requires_grad for parameter in model.module.parameters())


def test_the_end_token_is_learnt_even_where_it_is_the_pad_token_and_has_id_0():
    model = language_model()
    nll, mask = model.token_nll([["A"], ["A"]], ["", "dog"])
    assert mask.tolist() == [[True] + [False] * (mask.shape[1] - 1), [True] * mask.shape[1]]
    assert nll[0, 0] == pytest.approx(library_loss(model, ["A"], [0]).item(), abs=1e-5)
    assert model.count_tokens(["", "dog"]) == [1, 1 + len(model.tokens.ids("dog"))]


def test_id_0_is_learnt_like_any_other_token():
    """ClipCap's loss ignored id 0, so that "!" could not be learnt."""
    made = tokenizer(end=False)
    model = CausalLanguageModel(module("gpt2", eos_token_id=None), made, id="x")
    nll, mask = model.token_nll([["A"]], ["<end>"])
    assert model.tokens.ids("<end>") == (0,)
    assert mask.all()
    assert (nll[mask] > 0).all()


def test_without_any_end_token_none_is_learnt_and_texts_run_to_their_limit():
    model = CausalLanguageModel(module("gpt2", eos_token_id=None), tokenizer(end=False), id="x")
    _, mask = model.token_nll([["A"]], ["dog"])
    assert mask.sum() == len(model.tokens.ids(" dog")) == model.count_tokens([" dog"])[0]
    (said,) = model.generate([["A picture"]], Decoding(max_tokens=12))
    assert len(said.token_ids) == 12


def test_the_configurations_end_token_serves_where_the_tokenizer_has_none():
    model = CausalLanguageModel(module("gpt2", eos_token_id=[0, 5]), tokenizer(end=False), id="x")
    assert model.tokens.end == 0
    beyond = CausalLanguageModel(module("gpt2", eos_token_id=50256), tokenizer(end=False), id="x")
    assert beyond.tokens.end is None


def test_a_cut_text_learns_no_end():
    model = language_model()
    full, _ = model.token_nll([["A"]], ["two black cats beside a ball"])
    cut, mask = model.token_nll([["A"]], ["two black cats beside a ball"], max_tokens=3)
    assert mask.shape == (1, 3)
    torch.testing.assert_close(cut, full[:, :3], atol=1e-5, rtol=1e-5)


def test_nothing_to_learn_is_an_empty_mask():
    model = CausalLanguageModel(module("gpt2", eos_token_id=None), tokenizer(end=False), id="x")
    nll, mask = model.token_nll([["A"], ["B"]], ["", ""])
    assert nll.shape == mask.shape == (2, 0)


def test_neighbouring_texts_are_one_text():
    model = language_model()
    one, _ = model.token_nll([["A picture of"]], ["dog"])
    split, _ = model.token_nll([["A pic", "ture", " of", ""]], ["dog"])
    assert torch.equal(one, split)


@pytest.mark.parametrize("text", ["dog.", " dog.", "  dog."])
def test_exactly_one_space_joins_a_text_to_the_text_before_it(text):
    tokens = Tokens(tokenizer(), module("gpt2").config)
    assert tokens.continuations([text], ["A picture of a"]) == [tokens.ids(" dog.")]
    assert tokens.continuations([text], ["A picture of a "]) == [tokens.ids(text)]
    assert tokens.continuations([text], [None]) == [tokens.ids(text)]
    assert tokens.continuations(["", "  "], ["A", "A"]) == [(), ()]


def test_tokenizers_that_prefix_a_space_get_no_second_one():
    tokens = Tokens(prefixing_tokenizer(), module("llama").config)
    whole, spaced = tokens.ids("A red dog"), tokens.ids("dog")
    assert whole[-len(spaced) :] == spaced
    assert tokens.continuations(["dog", " dog"], ["A red", "A red"]) == [spaced, spaced]
    assert tokens.continuations(["dog"], [None]) == [spaced]
    (glued,) = tokens.continuations(["dog"], ["A red\n"])
    assert glued != spaced
    assert tokens.text([*tokens.ids("A red"), *glued]) == " A reddog"


def test_the_begin_token_stands_once_before_everything():
    made = CausalLanguageModel(module("llama"), tokenizer(bos=True), id="x")
    assert made.tokens.start == (1,)
    segments = ["A", soft_prompt(made, 2), "B", soft_prompt(made, 1), "C"]
    _, mask = made.hidden_states([segments], [0])
    plain = sum(len(made.tokens.ids(text)) for text in "ABC")
    assert int(mask.sum()) == 1 + 3 + plain
    nll, mask = made.token_nll([segments], ["dog"])
    wanted = library_loss(made, segments, [*made.tokens.ids(" dog"), 0])
    assert nll[mask].mean().item() == pytest.approx(wanted.item(), abs=1e-5)


def test_the_begin_token_is_an_option_that_shows_in_the_id():
    without, forced = language_model("llama"), language_model("llama", bos=True)
    assert (without.tokens.start, forced.tokens.start) == ((), (1,))
    assert (without.id, forced.id) == ("tiny-llama", "tiny-llama+bos")
    assert CausalLanguageModel(module("llama"), tokenizer(bos=True), id="x", bos=False).tokens.start == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_word_vectors_are_what_the_library_feeds_into_the_model(family):
    model = language_model(family)
    ids = torch.tensor([[7, 0, 19, 250]])
    with torch.no_grad():
        wanted = model.module(input_ids=ids).logits
        ours = model.module(inputs_embeds=model.word_vectors[ids]).logits
    assert model.word_vectors.shape == (VOCABULARY, model.d_model)
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("family", "layers"), [("gptj", [0, 1, -1]), ("opt", [0, 1]), ("gemma2", [0, 2, -2])])
def test_hidden_states_are_the_librarys(family, layers):
    model = language_model(family)
    states, mask = model.hidden_states([["A picture of"], ["two black cats beside a blue ball"]], layers)
    for row, text in enumerate(["A picture of", "two black cats beside a blue ball"]):
        ids = torch.tensor([model.tokens.ids(text)])
        with torch.no_grad():
            wanted = model.module(input_ids=ids, output_hidden_states=True).hidden_states
        for at, layer in enumerate(layers):
            torch.testing.assert_close(states[at, row][mask[row]], wanted[layer][0], atol=1e-5, rtol=1e-5)
    with pytest.raises(BadInputError, match="layers go from 0"):
        model.hidden_states([["A"]], [7])


def test_layers_of_different_width_are_not_stacked():
    with pytest.raises(ShapeError, match=r"\[24, 32\] wide"):
        language_model("opt").hidden_states([["A"]], [0, -1])


def test_mistakes_are_named():
    model = language_model()
    with pytest.raises(ShapeError, match=r"\[k, 32\]; this one is \[2, 31\]"):
        model.token_nll([[torch.zeros(2, 31)]], ["a"])
    with pytest.raises(ShapeError, match="2 inputs need as many texts"):
        model.token_nll([["A"], ["B"]], ["a"])
    with pytest.raises(BadInputError, match="holds nothing"):
        model.generate([[""]], Decoding())
    with pytest.raises(BadInputError, match=r"64 tokens; the longest input has 60 and 30 to be generated"):
        model.generate([[soft_prompt(model, 60)]], Decoding())
    assert model.generate([], Decoding()) == []


def test_bfloat16_weights_take_float32_prompts():
    made = module("gptj").bfloat16()
    model = CausalLanguageModel(made, tokenizer(), id="x")
    prompt = torch.randn(3, 32, requires_grad=True)
    nll, mask = model.token_nll([[prompt]], ["a dog"])
    nll[mask].sum().backward()
    assert nll.dtype == prompt.grad.dtype == torch.float32
    assert prompt.grad.abs().sum() > 0


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "models" / "tiny"
    module("gptj").save_pretrained(made)
    tokenizer().save_pretrained(made)
    return made


def test_a_folder_is_loaded_by_any_of_its_names_and_known_by_its_content(folder, tmp_path, monkeypatch):
    model = load_language_model("hf:models/tiny", tmp_path)
    assert model.dtype == torch.float32
    assert model.id == language_model_identity("models/tiny", tmp_path) == language_model_identity(f"{folder}", "/")
    assert model.id.startswith("tiny@")
    nll, _ = model.token_nll([["A"]], ["dog"])
    wanted, _ = language_model().token_nll([["A"]], ["dog"])
    torch.testing.assert_close(nll, wanted)
    half = load_language_model(str(folder), dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    assert half.id == model.id


def test_any_change_of_weights_configuration_or_tokenizer_is_another_identity(folder):
    known = {language_model_identity(str(folder))}
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        path = folder / name
        path.write_bytes(path.read_bytes() + b" ")
        known.add(language_model_identity(str(folder)))
    (folder / "README.md").write_text("of no effect")
    known.add(language_model_identity(str(folder)))
    assert len(known) == 4


def test_large_weights_are_hashed_once(folder, monkeypatch):
    before = language_model_identity(str(folder))
    monkeypatch.setattr(identity, "_LARGE", 1)
    assert language_model_identity(str(folder)) == before
    monkeypatch.setattr(identity, "file_digest", None)
    assert language_model_identity(str(folder)) == before


def test_the_identity_loads_no_torch(folder):
    code = (
        "import sys; from concepttransfer.language_models import language_model_identity as f; "
        f"f({str(folder)!r}); f('hf:nobody/nothing'); print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_is_missing_is_said(folder, tmp_path):
    with pytest.raises(MissingResourceError, match=r"there is no folder .*Put config\.json, model\.safetensors"):
        load_language_model("models/none", tmp_path)
    with pytest.raises(MissingResourceError, match="could not be fetched"):
        load_language_model("hf:nobody/nothing", tmp_path)
    with pytest.raises(BadInputError, match="names no language model"):
        load_language_model("timm:resnet50", tmp_path)
    with pytest.raises(BadInputError, match="No dtype `int4`"):
        load_language_model(str(folder), dtype="int4")
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingResourceError, match=r"lacks weights \(model\.safetensors\)"):
        load_language_model(str(folder))


def test_the_microworlds_model_lies_in_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "__file__", str(tmp_path / "language_models" / "identity.py"))
    with pytest.raises(MissingResourceError, match="concepttransfer microworld build"):
        identity.locate(identity.MICROWORLD)
    made = tmp_path / "microworld" / "weights" / "language_model"
    module("gptj").save_pretrained(made)
    tokenizer().save_pretrained(made)
    assert load_language_model(identity.MICROWORLD).id.startswith("microworld@")


def test_weights_of_another_configuration_are_refused(folder, tmp_path):
    module("gptj", n_layer=3).config.save_pretrained(folder)
    with pytest.raises(BadInputError, match=r"lack transformer\.h\.2"):
        load_language_model(str(folder))


def test_auto_is_float32_without_a_gpu(folder):
    assert load_language_model(str(folder), dtype="auto").dtype == torch.float32
