"""Soft prompts are read as brute force reads them; prompts that are words read back those words; chance is held."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_language_models import FAMILIES, language_model, soft_prompt

from concepttransfer.analyses._prompt_lens import estimates as est
from concepttransfer.analyses._prompt_lens.table import shown
from concepttransfer.analyses._prompt_lens.words import Sought, is_true
from concepttransfer.analyses._runoff.quantities import claims
from concepttransfer.analyses._runoff.words import FUNCTION
from concepttransfer.analyses.prompt_lens import PromptLens, prompt_lens
from concepttransfer.captioning import caption
from concepttransfer.concepts import ConceptSet
from concepttransfer.concepts.concept_set import Concept
from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, MissingResourceError
from concepttransfer.features import Features
from concepttransfer.language_models.lens import unembed
from concepttransfer.manifest import Manifest, Row
from concepttransfer.projections import Linear
from concepttransfer.result import Result
from concepttransfer.scoring.prompt_reading import read_prompts
from concepttransfer.scoring.prompt_readings import CUT, NO_PROMPT, WHOLE, Lens, PromptReadings, read_positions
from concepttransfer.scoring.token_scores import TokenScores
from concepttransfer.scoring.token_scores import table as token_table
from concepttransfer.transfer import Transfer

PROMPT = "A picture of"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layers_lens_is_the_models_own_logits(family):
    model = language_model(family)
    prompts = torch.stack([soft_prompt(model, 5, seed) for seed in range(3)])
    found = list(model.logit_lens(prompts, [0, 4]))
    words = model.module.get_input_embeddings()
    start = words(torch.tensor(model.tokens.start, dtype=torch.long).reshape(-1))
    vectors = torch.cat([start.expand(3, *start.shape), prompts], 1)
    with torch.no_grad():
        own = model.module(inputs_embeds=vectors).logits[:, [len(start), len(start) + 4]]
    assert len(found) == model.module.config.num_hidden_layers + 1
    assert torch.allclose(found[-1], own.float(), atol=1e-5)
    assert all(one.shape == own.shape for one in found)
    assert (found[0] - own).abs().max() > 0.1


@pytest.mark.parametrize(
    ("family", "norm", "head"),
    [
        ("gptj", lambda m: m.transformer.ln_f, lambda m, x: m.lm_head(x)),
        ("gpt2", lambda m: m.transformer.ln_f, lambda m, x: m.lm_head(x)),
        ("llama", lambda m: m.model.norm, lambda m, x: m.lm_head(x)),
        ("gpt_neox", lambda m: m.gpt_neox.final_layer_norm, lambda m, x: m.get_output_embeddings()(x)),
        ("opt", lambda m: m.model.decoder.final_layer_norm, lambda m, x: m.lm_head(m.model.decoder.project_out(x))),
        ("gemma2", lambda m: m.model.norm, lambda m, x: torch.tanh(m.lm_head(x) / 2.0) * 2.0),
        ("granite", lambda m: m.model.norm, lambda m, x: m.lm_head(x) / 2.0),
    ],
)
def test_earlier_layers_are_read_by_final_norm_and_head(family, norm, head):
    model = language_model(family)
    prompts = torch.stack([soft_prompt(model, 4, seed) for seed in range(2)])
    found = list(model.logit_lens(prompts, [1, 3]))
    for layer in range(len(found) - 1):
        states, _ = model.hidden_states([[one] for one in prompts], [layer])
        with torch.no_grad():
            wanted = head(model.module, norm(model.module)(states[0][:, -4:][:, [1, 3]]))
        assert torch.allclose(found[layer], wanted, atol=1e-4), layer


def test_layers_that_cannot_be_told_are_told():
    model = language_model("gpt2")
    broken = SimpleNamespace(config=model.module.config, modules=lambda: iter(()))
    with pytest.raises(BadInputError, match="do not stand in one list"):
        unembed(broken, torch.zeros(1, 32), 32)


@pytest.fixture(scope="module")
def model():
    return language_model("gptj")


def fitted(model, folder, values, projection):
    """Features in memory, and the Transfer of a projection that was never fitted."""
    n, tokens, _ = values.shape
    rows = Features(None, "features", values, tuple(f"p{i}" for i in range(n)), "rows", "beit", "beit:map")
    named = {"key": "fit", "encoder": "beit", "seed": 0, "space": "beit:map", "encoder_identity": "beit"}
    made = Transfer.write(folder / "t", projection, language_model_id=model.id, tokens=tokens, **named)
    return rows, made


def read(model, folder, values, projection, *, lens=None, prompt=PROMPT, **changes):
    rows, transfer = fitted(model, folder, values, projection)
    named = {"encoder": "beit", "seed": 0, "manifest_id": "rows", "on": "animals", "study": "tiny"}
    how = {"prompt": prompt, "decoding": Decoding(max_tokens=6), "key": "k", "quiet": True}
    said = caption(rows, transfer, model, folder / "captions", **named, **how)
    given = {"lens": lens or Lens(), "key": "k", "quiet": True} | changes
    return rows, transfer, said, read_prompts(said, rows, transfer, model, folder / "readings", **given)


def identity(width):
    projection = Linear(width, width)
    with torch.no_grad():
        projection.weight.copy_(torch.eye(width))
    return projection


def random_map(model, dim=8, seed=0):
    projection = Linear(dim, model.d_model)
    projection.start(float(model.word_vectors.std()), 1.0, seed)
    return projection


@pytest.fixture(scope="module")
def some(model, tmp_path_factory):
    values = np.random.default_rng(0).normal(size=(11, 6, 8)).astype(np.float32)
    return read(model, tmp_path_factory.mktemp("some"), values, random_map(model), lens=Lens(positions=4, top=3))


def test_nearest_words_norms_and_cosines_are_those_of_brute_force(some, model):
    rows, transfer, _, made = some
    prompts = transfer.projection()(torch.from_numpy(np.asarray(rows.values)))
    words = model.module.get_input_embeddings().weight.detach()
    texts = [model.text([i]) for i in range(len(words))]
    assert made.positions == (0, 2, 3, 5)
    assert (made.n_positions, made.n_layers) == (6, 2)
    for row in range(len(rows)):
        for column, at in enumerate(made.positions):
            vector = prompts[row, at]
            cosines = {
                number: float(torch.nn.functional.cosine_similarity(vector, word, dim=0))
                for number, word in enumerate(words)
                if texts[number]
            }
            best = sorted(cosines, key=cosines.__getitem__, reverse=True)[:3]
            assert made.arrays["nearest"][row, column].tolist() == best
            assert made.arrays["nearest_cosine"][row, column] == pytest.approx([cosines[n] for n in best], abs=1e-5)
            assert made.nearest[row][column] == [texts[number] for number in best]
            assert made.arrays["norms"][row, column] == pytest.approx(float(vector.norm()), rel=1e-5)
            mean = torch.stack([word for n, word in enumerate(words) if texts[n]]).mean(0)
            wanted = float(torch.nn.functional.cosine_similarity(vector, mean, dim=0))
            assert made.arrays["mean_cosine"][row, column] == pytest.approx(wanted, abs=1e-5)
    lengths = torch.stack([word.norm() for n, word in enumerate(words) if texts[n]])
    assert made.arrays["word_norm"][0] == pytest.approx(float(lengths.mean()), rel=1e-5)
    assert made.arrays["word_norm"][51] == pytest.approx(float(np.median(lengths.numpy())), rel=1e-5)
    unit = torch.nn.functional.normalize(words, dim=1)[[n for n, text in enumerate(texts) if text]]
    others = (unit @ unit.T).fill_diagonal_(-2).amax(1)
    assert made.arrays["word_cosine"][0] == pytest.approx(float(others.mean()), abs=1e-5)


def test_the_lens_keeps_the_likeliest_words(some, model):
    rows, transfer, _, made = some
    prompts = transfer.projection()(torch.from_numpy(np.asarray(rows.values)))
    kept = [bool(model.text([i])) for i in range(len(model.word_vectors))]
    for layer, logits in enumerate(model.logit_lens(prompts, made.positions)):
        likely = logits.log_softmax(-1).numpy()
        for row in range(len(rows)):
            for column in range(len(made.positions)):
                mine = np.where(kept, likely[row, column], -np.inf)
                best = made.arrays["lens"][row, layer, column]
                assert made.arrays["lens_logprob"][row, layer, column] == pytest.approx(
                    np.sort(mine)[::-1][:3], abs=1e-4
                )
                assert mine[best] == pytest.approx(np.sort(mine)[::-1][:3], abs=1e-4)


def test_random_directions_are_as_near_as_random_directions(model, some):
    *_, made = some
    rng = torch.Generator().manual_seed(5)
    drawn = torch.nn.functional.normalize(torch.randn(4000, model.d_model, generator=rng), dim=1)
    kept = [n for n in range(len(model.word_vectors)) if model.text([n])]
    near = (drawn @ torch.nn.functional.normalize(model.word_vectors[kept], dim=1).T).amax(1)
    found = made.arrays["random_cosine"]
    assert found.shape == (11, 4)
    assert abs(found.mean() - float(near.mean())) < 4 * float(near.std()) / np.sqrt(found.size)


def test_cut_captions_are_as_likely_as_plain_forward_passes_say(some, model):
    rows, transfer, said, made = some
    prompts = transfer.projection()(torch.from_numpy(np.asarray(rows.values)))
    assert made.cuts.conditions == (WHOLE, *(CUT.format(at) for at in made.positions), NO_PROMPT)
    totals = made.cuts.totals()
    words = model.module.get_input_embeddings()
    text = words(torch.tensor(model.tokens.ids(PROMPT)))
    for row, (ids, logprobs) in enumerate(said.tokens()):
        cut = [
            prompts[row],
            *(prompts[row][[n for n in range(6) if n != at]] for at in made.positions),
            prompts[row][:0],
        ]
        for condition, soft in enumerate(cut):
            vectors = torch.cat([soft, text, words(torch.tensor(ids))])
            with torch.no_grad():
                likely = model.module(inputs_embeds=vectors[None]).logits[0].log_softmax(-1)
            at = torch.arange(len(ids)) + len(vectors) - len(ids) - 1
            assert totals[row, condition] == pytest.approx(float(likely[at, ids].sum()), abs=2e-3)
        assert totals[row, 0] == pytest.approx(sum(logprobs), abs=2e-3)


def words_of_the_model(model):
    """Some words that are one token each, none the beginning of another."""
    words = {text.strip().lower(): n for n, text in enumerate(model.vocabulary) if text.strip().isalpha()}
    words = {word: n for word, n in words.items() if len(word) >= 3 and word not in FUNCTION}
    single = [(word, n) for word, n in words.items() if not any(o != word and o.startswith(word) for o in words)][:4]
    assert len(single) == 4
    return single


def test_a_projection_that_copies_word_vectors_reads_back_these_words(model, tmp_path):
    single = words_of_the_model(model)
    rng = np.random.default_rng(0)
    which = rng.integers(len(single), size=(40, 3))
    values = (7.5 * model.word_vectors.numpy()[np.array([n for _, n in single])[which]]).astype(np.float32)
    *_, made = read(model, tmp_path, values, identity(model.d_model), lens=Lens(top=2))
    for row, places in enumerate(made.nearest):
        assert [place[0].strip().lower() for place in places] == [single[n][0] for n in which[row]]
    assert made.arrays["nearest_cosine"][..., 0] == pytest.approx(np.ones((40, 3)), abs=1e-5)
    truth = {row: single[which[n, 1]][0] for n, row in enumerate(made.row_ids)}
    known = [name for name, _ in single]
    classes = ConceptSet("words", tuple(Concept(name, f"{name}.n.01", (name,)) for name in known), truth)
    texts = {row: [f"a {truth[row]}"] for row in made.row_ids}
    result = prompt_lens([made], manifest(texts), classes, top=1, n_resamples=200)
    claim = result.claim("beit", est.CLASS)
    assert claim["value"] == 1
    assert claim["chance"] < 0.95
    assert claim["p"] < 0.05
    assert result.claim("beit", est.NEAR, group=est.VECTORS)["value"] == pytest.approx(1, abs=1e-4)
    assert result.claim("beit", est.LENGTH, group=est.VECTORS)["value"] > 5
    assert result.claim("beit", est.TRUE)["value"] == pytest.approx(np.mean([1 / len(set(w)) for w in which]), abs=0.15)
    for name in result.figures:
        result.plot(name)


def manifest(texts):
    return Manifest("pictures", tuple(Row(row, texts=tuple(every)) for row, every in texts.items()))


def drawn_readings(rows, words, seed, *, encoder="beit", n_layers=2, cuts=0.0):
    """Readings whose words are given, `[n_rows][positions]`, the same at all layers; vectors and cuts are noise."""
    rng = np.random.default_rng([seed, 5])
    vocabulary = {n: f" {word}" for n, word in enumerate(sorted({w for some in words for w in some}))}
    at = {text.strip(): n for n, text in vocabulary.items()}
    ids = np.array([[[at[word]] for word in some] for some in words], dtype=np.int32)
    n, m = ids.shape[:2]
    near = rng.uniform(0.2, 0.4, (n, m, 1)).astype(np.float32)
    arrays = {
        "norms": rng.uniform(1, 3, (n, m)).astype(np.float32),
        "nearest": ids,
        "nearest_cosine": near,
        "random_cosine": rng.uniform(0.2, 0.4, (n, m)).astype(np.float32),
        "mean_cosine": rng.normal(0, 0.1, (n, m)).astype(np.float32),
        "lens": np.repeat(ids[:, None], n_layers + 1, 1),
        "lens_logprob": np.zeros((n, n_layers + 1, m, 1), np.float32),
        "word_norm": np.r_[1.0, np.linspace(0.5, 2, 101)],
        "word_cosine": np.r_[0.4, np.linspace(0.1, 0.8, 101)],
        "word_mean_cosine": np.r_[0.1, np.linspace(-0.2, 0.4, 101)],
    }
    conditions = [WHOLE, *(CUT.format(p) for p in range(m)), NO_PROMPT]
    loss = rng.normal(cuts, 1, (n, m + 1)) + rng.normal(0, 0.5, (n, 1))
    table = token_table([(row, 0, 5, "a", 0, -1.0, *(-1.0 - loss[k])) for k, row in enumerate(rows)], conditions)
    named = {"encoder": encoder, "seed": seed, "manifest_id": "m", "on": "animals", "study": "other"}
    meta = {"conditions": conditions}
    scored = TokenScores(None, f"c{encoder}{seed}", table, dict.fromkeys(rows, "a"), {}, meta=meta, **named)
    known = {"n_words": 100, "lens": {}}
    places = tuple(range(m))
    return PromptReadings(
        None, f"r{encoder}{seed}", tuple(rows), places, m, vocabulary, arrays, scored, meta=known, **named
    )


THINGS = ("dog", "horse", "whale", "zebra", "mouse", "seal")


def pictures(n, seed, right=0.0):
    """Classes, and readings of two words, each of which names the class with some probability."""
    rng = np.random.default_rng(seed)
    rate = rng.dirichlet(2 * np.ones(len(THINGS)))
    rows = [f"p{i}" for i in range(n)]
    truth = {row: THINGS[rng.choice(len(THINGS), p=rate)] for row in rows}
    words = [
        [truth[row] if rng.random() < right else THINGS[rng.choice(len(THINGS), p=rate)] for _ in range(2)]
        for row in rows
    ]
    classes = ConceptSet("things", tuple(Concept(t, f"{t}.n.01", (t,)) for t in THINGS), truth)
    return rows, words, classes


def test_shares_are_those_of_plain_loops():
    rows, words, classes = pictures(50, 1, 0.4)
    texts = {row: [f"a {classes.truth[row]} in the snow"] for row in rows}
    result = prompt_lens([drawn_readings(rows, words, 0)], manifest(texts), classes, n_resamples=100)
    hit = [classes.truth[row] in some for row, some in zip(rows, words, strict=True)]
    dealt = [classes.truth[row] in some for row in rows for some in words]
    for group in (est.NEAREST, est.layer(0), est.layer(2)):
        claim = result.claim("beit", est.CLASS, group=group)
        assert (claim["value"], claim["chance"]) == (pytest.approx(np.mean(hit)), pytest.approx(np.mean(dealt)))
        assert claim["low"] <= claim["value"] <= claim["high"]
    true = [word == classes.truth[row] for row, some in zip(rows, words, strict=True) for word in set(some)]
    by_chance = [word == classes.truth[row] for row in rows for some in words for word in set(some)]
    claim = result.claim("beit", est.TRUE)
    assert (claim["value"], claim["chance"]) == (pytest.approx(np.mean(true)), pytest.approx(np.mean(by_chance)))


def test_unrelated_readings_random_vectors_and_idle_positions_hold_chance():
    held = dict.fromkeys((est.CLASS, est.TRUE, est.NEAR, est.MEAN, est.LOST, est.LOST_ALL), 0)
    p = []
    for seed in range(100):
        rows, words, classes = pictures(60, seed)
        texts = [[f"a {classes.truth[row]}"] for row in rows]
        systems = {"beit": [drawn_readings(rows, words, seed)]}
        every = list(est.quantities(systems, Sought(rows, texts, classes), 5))
        mine = [one for one in every if one.group in (est.NEAREST, est.VECTORS, est.CUTS) and one.measure != est.LENGTH]
        made = claims(mine, [], n_resamples=200, seed=seed)
        for measure in held:
            about = [c.estimate for c in made if c.measure == measure]
            level = about[-1]  # what is above chance stands behind the level, where there is one
            held[measure] += level.low <= 0 <= level.high
            p.append(level.p)
    assert min(held.values()) >= 89, held
    assert np.mean(np.array(p) < 0.05) < 0.08


def test_a_known_loss_and_a_known_share_are_held():
    lost, named = 0, 0
    for seed in range(100):
        rows, words, classes = pictures(60, seed, 0.5)
        systems = {"beit": [drawn_readings(rows, words, seed, cuts=0.8)]}
        every = list(est.quantities(systems, Sought(rows, [[]] * 60, classes), 5))
        mine = [one for one in every if one.measure in (est.LOST, est.CLASS) and one.group in (est.NEAREST, est.CUTS)]
        made = claims(mine, [], n_resamples=200, seed=seed)
        loss = next(c.estimate for c in made if c.measure == est.LOST)
        lost += loss.low <= 0.8 <= loss.high
        rng = np.random.default_rng(seed)
        rate = rng.dirichlet(2 * np.ones(len(THINGS)))
        miss = float((rate * (0.5 * (1 - rate)) ** 2).sum())
        level = next(c.estimate for c in made if c.measure == est.CLASS and c.against is None)
        named += level.low <= 1 - miss <= level.high
    assert lost >= 89
    assert named >= 89


def test_an_encoder_stands_beside_its_control_and_seeds_count():
    rows, words, classes = pictures(40, 3, 0.6)
    _, chance, _ = pictures(40, 4)
    given = [drawn_readings(rows, words, s) for s in (0, 1)] + [drawn_readings(rows, chance, 0, encoder="beit-random")]
    result = prompt_lens(given, manifest({row: [] for row in rows}), classes, n_resamples=100)
    own, control = (result.claim(name, est.CLASS)["value"] for name in ("beit", "beit-random"))
    assert result.claim("beit", est.CLASS, against="beit-random")["value"] == pytest.approx(own - control)
    assert result.claim("beit", est.CLASS)["n_seeds"] == 2
    assert len(result.table) == 3 * 40 * 2
    assert result.claim(est.WORDS, est.NEAR, group=est.VECTORS)["value"] == pytest.approx(0.4)
    turned = prompt_lens(given[::-1], manifest({row: [] for row in rows}), classes, n_resamples=100)
    assert turned.claim("beit", est.CLASS)["value"] == pytest.approx(own)


def test_words_are_compared_whatever_their_capitals_and_by_their_beginnings():
    assert is_true(" Dog", {"dog"})
    assert is_true("ele", {"elephant"})
    assert not is_true("el", {"elephant"})
    assert not is_true("elephants", {"elephant"})
    bears = ConceptSet(
        "bears",
        (
            Concept("grizzly bear", "grizzly.n.01", ("grizzly bear",)),
            Concept("polar bear", "ice_bear.n.01", ("polar bear",)),
        ),
        {"p0": "polar bear", "p1": "grizzly bear"},
    )
    sought = Sought(["p0", "p1", "p2"], [[], [], []], bears)
    found = sought.classes_read([[[" polar"], [" bear"]], [["bear"]], [["polar"]]])
    assert found.toarray().tolist() == [[0, 1], [0, 0], [0, 0]]
    assert [shown(token) for token in (" dog", "\n", "  ", ",", "シマ")] == ["dog", "\\n", "␣␣", "“,”", "シマ"]


def test_positions_are_spread_over_the_prompt():
    assert read_positions(9, 32) == tuple(range(9))
    found = read_positions(196, 32)
    assert (len(found), found[0], found[-1]) == (32, 0, 195)
    assert max(np.diff(found)) - min(np.diff(found)) <= 1


def test_one_position_can_be_cut_only_before_a_text(model, tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 1, 8)).astype(np.float32)
    *_, bare = read(model, tmp_path / "bare", values, random_map(model), prompt="")
    assert bare.cuts is None
    result = prompt_lens([bare], manifest({row: [] for row in bare.row_ids}), None, n_resamples=50)
    assert result.table["lost"].isna().all()
    assert "not known what a reading should say" in result.summary()
    for name in result.figures:
        result.plot(name)
    *_, texted = read(model, tmp_path / "texted", values, random_map(model))
    assert texted.cuts.conditions == (WHOLE, CUT.format(0), NO_PROMPT)
    totals = texted.cuts.totals()
    assert totals[:, 1] == pytest.approx(totals[:, 2], abs=1e-4)


def test_readings_are_found_again_and_damage_is_told(some, model):
    rows, transfer, said, made = some
    again = read_prompts(said, rows, transfer, None or model, made.folder, lens=Lens(), key="k", quiet=True)
    assert all(np.array_equal(again.arrays[name], made.arrays[name]) for name in made.arrays)
    assert again.row_ids == made.row_ids
    path = made.folder / "readings.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(BadInputError, match="damaged"):
        PromptReadings.load(made.folder)
    path.write_bytes(whole)
    with pytest.raises(MissingResourceError, match="no readings"):
        PromptReadings.load(made.folder / "nothing")


def test_what_cannot_be_read_is_told():
    rows, words, classes = pictures(5, 0)
    one = drawn_readings(rows, words, 0)
    texts = manifest({row: [] for row in rows})
    with pytest.raises(EmptyDataError, match="no soft prompts"):
        prompt_lens([], texts)
    with pytest.raises(BadInputError, match="--top 1 or more"):
        prompt_lens([one], texts, top=0)
    with pytest.raises(MismatchError, match="different pictures"):
        prompt_lens([one, replace(one, row_ids=("a", "b", "c", "d", "e"))], texts)
    one.arrays["norms"][2, 0] = np.nan
    with pytest.raises(BadInputError, match=r"hold values that are no numbers \(`norms`\)"):
        prompt_lens([one], texts, classes)


def test_one_picture_has_values_and_no_p():
    rows, words, classes = pictures(1, 0, 1.0)
    result = prompt_lens([drawn_readings(rows, words, 0)], manifest({rows[0]: []}), classes, n_resamples=50)
    claim = result.claim("beit", est.CLASS)
    assert (claim["value"], claim["chance"]) == (1, 1)
    assert np.isnan(claim["p"])
    for name in result.figures:
        result.plot(name)


def test_a_saved_result_is_the_same(tmp_path):
    rows, words, classes = pictures(12, 0, 0.5)
    result = prompt_lens([drawn_readings(rows, words, 0)], manifest({row: [] for row in rows}), classes, n_resamples=50)
    result.save(tmp_path / "r")
    read_again = Result.load(tmp_path / "r")
    assert isinstance(read_again, PromptLens)
    assert read_again == result
    assert read_again.wanted_pictures() == result.wanted_pictures()
    assert set(result.wanted_pictures()) == set(result.provenance["examples"])
    assert len(result.wanted_pictures()) == 6


def test_a_vocabulary_without_the_names_is_told():
    rows, words, classes = pictures(12, 0)
    pieces = [["d", "og"] for _ in words]
    result = prompt_lens([drawn_readings(rows, pieces, 0)], manifest({r: [] for r in rows}), classes, n_resamples=50)
    assert result.claim("beit", est.CLASS)["value"] == 0
    assert "No class was read anywhere" in result.summary()
