"""Class names in templates name pictures as published; unrelated ones score chance; calibration is Guo's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import concepttransfer as ct
from concepttransfer.analyses._zero_shot import claims
from concepttransfer.analyses._zero_shot.arrays import wilson
from concepttransfer.analyses._zero_shot.calibration import N_BINS, calibration, expected_calibration_error
from concepttransfer.analyses.compare import compare
from concepttransfer.analyses.zero_shot import ZeroShot, zero_shot
from concepttransfer.concepts import Concept, ConceptSet
from concepttransfer.concepts.class_texts import ClassTexts, class_sentences
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, ShapeError, UnknownNameError
from concepttransfer.features import Features
from concepttransfer.language import prompt_templates
from concepttransfer.language.prompt_templates import Templates, templates, written
from concepttransfer.result import Result

NAMES = tuple(f"class {n}" for n in range(8))


def features(values, ids, space="clip"):
    return Features(
        None, f"key of {len(ids)} {np.sum(values):.6f}", np.asarray(values)[:, None], tuple(ids), "m", "e", space
    )


def animals(n=8, per_class=10, words=None):
    concepts = tuple(Concept(f"class {k}", "dog.n.01", (words[k] if words else f"word {k}",)) for k in range(n))
    return ConceptSet("made", concepts, {f"row {k}-{i}": f"class {k}" for k in range(n) for i in range(per_class)})


def texts_of(pictures, rows, texts, n_templates, encoder="clip", **more):
    names = tuple(f"class {k}" for k in range(len(texts) // n_templates))
    ids = [f"{name}#{number}" for name in names for number in range(n_templates)]
    sentences = tuple(f"template {number} of {{}}" for number in range(n_templates))
    return ClassTexts(
        encoder,
        "made",
        "tests",
        features(pictures, rows),
        features(texts, ids),
        names=names,
        templates=sentences,
        **more,
    )


def made(seed=0, n=8, per_class=10, n_templates=3, noise=1.0, dim=16, **more):
    """Pictures around a direction of their class, and texts around it too."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n, dim))
    rows = [f"row {k}-{i}" for k in range(n) for i in range(per_class)]
    pictures = np.repeat(centres, per_class, axis=0) + noise * rng.normal(size=(n * per_class, dim))
    texts = np.repeat(centres, n_templates, axis=0) + noise * rng.normal(size=(n * n_templates, dim))
    return texts_of(pictures, rows, texts, n_templates, **more), animals(n, per_class)


# Templates


def test_the_lists_are_the_published_ones():
    """open_clip carries OpenAI's lists as functions."""
    from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES

    assert templates("imagenet-80").of("newt") == tuple(f("newt") for f in OPENAI_IMAGENET_TEMPLATES)
    assert templates("imagenet-7").of("newt") == tuple(f("newt") for f in SIMPLE_IMAGENET_TEMPLATES)
    assert templates("photo").of("newt") == ("a photo of a newt.",)
    assert [len(templates(name)) for name in ("imagenet-80", "imagenet-7", "photo", "name")] == [80, 7, 1, 1]


def test_a_template_has_one_place_for_the_name_with_its_article_or_without(tmp_path):
    assert written("{a} in a cave", "otter") == "an otter in a cave"
    assert written("a photo of {a}", "zebra") == "a photo of a zebra"
    assert written("a photo of the {}.", "{}") == "a photo of the {}."
    file = tmp_path / "mine.txt"
    file.write_text("# of birds\n\na photo of a {}, a type of bird.\n  {a} that flies\n")
    assert templates(str(file)) == Templates("mine.txt", ("a photo of a {}, a type of bird.", "{a} that flies"))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("a photo of a dog.\n", BadInputError, "Template 1 .* no place for the name"),
        ("a {}\na {} and a {}\n", BadInputError, "Template 2 .* 2 places"),
        ("a {}\na {}\n", BadInputError, "twice"),
        ("# nothing\n", EmptyDataError, "holds no templates"),
        (b"\xff\xfe{}", BadInputError, "not text"),
    ],
)
def test_bad_lists_are_refused(tmp_path, content, error, words):
    file = tmp_path / "mine.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=words):
        templates(str(file))


def test_an_unknown_list_is_answered_with_those_there_are():
    with pytest.raises(UnknownNameError, match="Did you mean `imagenet-80`"):
        templates("imagenet80")
    assert prompt_templates.templates_for("microworld:clip") == "microworld"
    assert prompt_templates.templates_for("open_clip:ViT-B-32/openai") == "imagenet-80"


def test_two_classes_of_one_name_and_a_class_without_are_refused():
    two = animals(words=["crane", "Crane", *"abcdef"])
    with pytest.raises(BadInputError, match=r"`class 0` and `class 1` .* both called `crane`"):
        class_sentences(two, templates("photo"))
    nameless = ConceptSet("made", (Concept("x", "dog.n.01", (" ", "dog")),), {"row": "x"})
    with pytest.raises(BadInputError, match=r"`x` .* has no name"):
        class_sentences(nameless, templates("photo"))
    assert class_sentences(animals(2), templates("photo"))["class 1"] == ("a photo of a word 1.",)


# The classifier


def test_the_ensemble_is_clips():
    """As in the released notebook: normalise each, mean over templates, normalise; then 100 times the cosine."""
    import torch

    classes, concepts = made(noise=2.0)
    rows = list(classes.pictures.row_ids)
    text = torch.tensor(classes.texts.values[:, 0]).reshape(8, 3, -1)
    text = torch.nn.functional.normalize(text, dim=-1).mean(1)
    weights = torch.nn.functional.normalize(text, dim=-1).T
    picture = torch.nn.functional.normalize(torch.tensor(classes.pictures.values[:, 0]), dim=-1)
    logits = 100.0 * picture @ weights
    truth = torch.arange(8).repeat_interleave(10)
    result = zero_shot([classes], concepts, n_resamples=50)
    top = logits.topk(5).indices.numpy()
    assert result.table["first"].tolist() == [NAMES[k] for k in top[:, 0]]
    assert result.table["fifth"].tolist() == [NAMES[k] for k in top[:, 4]]
    shares = logits.softmax(-1)[torch.arange(80), truth].numpy()
    assert result.table["probability"].to_numpy() == pytest.approx(shares, abs=1e-9)
    right = (logits.argmax(1) == truth).float()
    assert result.claim("clip", claims.TOP1)["value"] == pytest.approx(float(right.mean()))
    assert result.claim("clip", claims.TOP5)["value"] == pytest.approx((top == truth.numpy()[:, None]).any(1).mean())
    assert 0.2 < right.mean() < 0.95
    assert list(result.table["row_id"]) == rows


def test_lengths_order_and_rotation_change_nothing():
    classes, concepts = made()
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    wanted = zero_shot([classes], concepts, n_resamples=50)
    pictures, texts = (np.asarray(f.values[:, 0]) @ turn for f in (classes.pictures, classes.texts))
    pictures, texts = pictures * rng.uniform(1, 9, (80, 1)), texts * rng.uniform(1, 9, (24, 1))
    found = zero_shot([texts_of(pictures, classes.pictures.row_ids, texts, 3)], concepts, n_resamples=50)
    columns = ["first", "second", "fifth", "right"]
    pd.testing.assert_frame_equal(found.table[columns], wanted.table[columns])
    assert found.table["probability"].to_numpy() == pytest.approx(wanted.table["probability"].to_numpy(), rel=1e-6)


def test_the_mean_per_class_is_scikit_learns_balanced_accuracy():
    from sklearn.metrics import balanced_accuracy_score

    classes, concepts = made(noise=1.6)
    uneven = concepts.limit([row for row in concepts.truth if row.endswith(("0", "1")) or row[4] in "0123"])
    result = zero_shot([classes], uneven, n_resamples=50)
    wanted = balanced_accuracy_score(result.table["class"], result.table["first"])
    claim = result.claim("clip", claims.PER_CLASS)
    assert claim["value"] == pytest.approx(wanted)
    assert claim["value"] != pytest.approx(result.claim("clip", claims.TOP1)["value"])
    by_class = result.classes().set_index("class")
    each = result.table.groupby("class")["right"].mean()
    assert by_class["right"].to_dict() == pytest.approx(each.to_dict())
    assert result.provenance["pictures_not_named"] == 32


def test_one_template_alone_is_measured_beside_the_ensemble():
    classes, concepts = made(noise=2.0)
    result = zero_shot([classes], concepts, n_resamples=200)
    alone = []
    for number in range(3):
        mine = classes.texts.values[number::3, 0]
        one = texts_of(classes.pictures.values[:, 0], classes.pictures.row_ids, mine, 1)
        alone.append(zero_shot([one], concepts, n_resamples=50).claim("clip", claims.TOP1)["value"])
    assert result.by_template()["top-1"].tolist() == pytest.approx(alone)
    assert result.claim("clip", claims.SINGLE)["value"] == pytest.approx(np.mean(alone))
    gain = result.claim("clip", claims.TOP1, against=claims.ENSEMBLE)
    assert gain["value"] == pytest.approx(result.claim("clip", claims.TOP1)["value"] - np.mean(alone))
    assert gain["low"] < gain["value"] < gain["high"]


def test_unrelated_texts_score_chance():
    """Intervals of what is above chance hold 0, p is spread over 0 to 1."""
    held, p = dict.fromkeys((claims.TOP1, claims.TOP5, claims.PER_CLASS), 0), []
    n_runs = 100
    for seed in range(n_runs):
        classes, concepts = made(seed, n=12, per_class=8, n_templates=1)
        rng = np.random.default_rng([9, seed])
        one = texts_of(classes.pictures.values[:, 0], classes.pictures.row_ids, rng.normal(size=(12, 16)), 1)
        result = zero_shot([one], concepts, n_resamples=200, seed=seed)
        for measure in held:
            claim = result.claim("clip", measure, against="chance")
            held[measure] += claim["low"] <= 1e-12 and claim["high"] >= -1e-12
        p.append(result.claim("clip", claims.TOP1)["p"])
    assert min(held.values()) >= 89, held
    assert np.mean(np.array(p) <= 0.05) <= 0.12
    assert 0.3 < np.mean(p) < 0.75


# Calibration


def test_the_calibration_error_is_guos():
    """Against the definition, bin by bin; and 0 for a classifier that is always sure and always right."""
    rng = np.random.default_rng(0)
    confidence, right = rng.random(500), rng.random(500) < 0.6
    wanted = 0.0
    for b in range(N_BINS):
        rows = (confidence >= b / N_BINS) & (confidence < (b + 1) / N_BINS)
        if rows.any():
            wanted += rows.mean() * abs(right[rows].mean() - confidence[rows].mean())
    assert expected_calibration_error(confidence, right) == pytest.approx(wanted)
    assert expected_calibration_error(np.ones(9), np.ones(9, dtype=bool)) == 0
    found = calibration(confidence, right, np.arange(500) % 10, rng, 50)
    assert found.error == pytest.approx(wanted)
    assert found.bins[:, 0].sum() == 500


def test_a_calibrated_classifier_scores_the_floor_and_an_unsure_one_more():
    held, errors = 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        confidence = rng.uniform(0.1, 1, 300)
        right = rng.random(300) < confidence
        found = calibration(confidence, right, np.arange(300) % 15, rng, 200)
        surplus = found.error - found.floor
        errors.append(surplus)
        half = 2.1 * found.whole.std()
        held += surplus - half <= 0 <= surplus + half
    assert held >= 89
    assert abs(np.mean(errors)) < 0.005
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, 2000)
    off = calibration(confidence, rng.random(2000) < confidence**2, np.arange(2000) % 15, rng, 50)
    assert off.error - off.floor > 0.1


def test_the_interval_of_a_share_is_wilsons():
    from scipy.stats import binomtest

    for k, n in ((0, 5), (3, 10), (50, 50)):
        low, high = wilson(np.array([float(k)]), np.array([float(n)]))
        wanted = binomtest(k, n).proportion_ci(method="wilson")
        assert (low[0], high[0]) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


# Several encoders, bad input, the study


def test_encoders_are_compared_and_results_load(tmp_path):
    first, concepts = made(noise=1.0)
    other = made(noise=1.0)[0]
    random = texts_of(
        other.pictures.values[:, 0], other.pictures.row_ids, np.random.default_rng(1).normal(size=(24, 16)), 3
    )
    random = replace(random, encoder="clip-random")
    result = zero_shot([first, random], concepts, n_resamples=200)
    difference = result.claim("clip", claims.TOP1, against="clip-random")
    levels = [result.claim(one, claims.TOP1)["value"] for one in ("clip", "clip-random")]
    assert difference["value"] == pytest.approx(levels[0] - levels[1])
    assert difference["low"] > 0
    assert difference["q"] < 0.05
    compared = compare([result], n_resamples=200)
    assert compared.difference("clip", claims.TOP1, "clip-random")[0]["value"] == pytest.approx(difference["value"])
    assert Result.load(result.save(tmp_path / "r")) == result
    assert "random control, clip-random" in result.answer()
    for name in ZeroShot.figures:
        assert result.plot(name).axes
    assert set(result.exports()) == {"classes", "templates"}


def test_bad_input_is_answered():
    classes, concepts = made()
    with pytest.raises(EmptyDataError, match="nothing to name"):
        zero_shot([], concepts)
    with pytest.raises(EmptyDataError, match="None of the 80 pictures"):
        zero_shot([classes], concepts.limit([]))
    with pytest.raises(MismatchError, match="are not those of `made`"):
        zero_shot([classes], animals(7))
    with pytest.raises(MismatchError, match="other pictures"):
        zero_shot([classes, made(per_class=9)[0]], concepts)
    with pytest.raises(MismatchError, match="in the space"):
        replace(classes, texts=features(classes.texts.values[:, 0], classes.texts.row_ids, "other"))
    with pytest.raises(MismatchError, match="are 24 texts"):
        replace(classes, texts=features(classes.texts.values[:5, 0], classes.texts.row_ids[:5]))
    tokens = np.repeat(classes.pictures.values, 2, axis=1)
    wide = Features(None, "k", tokens, classes.pictures.row_ids, "m", "e", "clip")
    with pytest.raises(ShapeError, match="one token each"):
        replace(classes, pictures=wide)
    values = np.array(classes.pictures.values[:, 0])
    values[3, 2] = np.nan
    with pytest.raises(BadInputError, match="`row 0-3` by clip"):
        zero_shot([texts_of(values, classes.pictures.row_ids, classes.texts.values[:, 0], 3)], concepts)
    with pytest.raises(BadInputError, match="one class"):
        zero_shot([texts_of(values[:1], ["row 0-0"], values[:1], 1)], animals(1, 1))


@pytest.fixture(scope="module")
def study():
    return ct.load_study("microworld", limit=100, quiet=True)


def test_the_microworlds_clip_names_its_animals_whatever_its_entry_reads(study):
    """`clip` reads its last map; the same model's shared space is used, and its random control scores chance."""
    from concepttransfer.study.towers import class_texts

    result = study.analyze("zero-shot", encoders=["clip", "beit"], on="dev", n_resamples=200)
    assert result.encoders == ("clip", "clip-random")
    assert result.claim("clip", claims.TOP1)["value"] > 0.7
    assert result.claim("clip-random", claims.TOP1)["value"] < 0.15
    assert result.provenance["left_out"] == {"beit": "no text tower", "beit-random": "no text tower"}
    assert "Left out: beit: no text tower" in result.summary()
    assert result.provenance["scales"]["clip"] == pytest.approx(26.2477, abs=1e-3)
    again = class_texts(study, ["clip"], study.select("dev")[0])[0]
    assert again.scale == result.provenance["scales"]["clip"]
    own = study.analyze("zero-shot", encoders=["clip"], on="dev", n_resamples=50, templates="photo")
    assert own.provenance["sentences"]["clip"] == ["a photo of a {}."]
    assert own.key != result.key


def test_encoders_without_a_text_tower_are_told_who_has_one(study):
    with pytest.raises(BadInputError, match=r"`beit`: no text tower.*Name one that does: clip, clip-random"):
        study.analyze("zero-shot", encoders=["beit"], on="dev")


@pytest.fixture
def of_libraries(tmp_path):
    """A study of pictures in folders, with a tiny CLIP of transformers and a ResNet of timm."""
    import transformers
    from PIL import Image
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    text = sizes | {"vocab_size": 60, "max_position_embeddings": 8}
    text |= {"eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}
    vision = sizes | {"image_size": 32, "patch_size": 16}
    config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=12)
    transformers.CLIPModel(config).save_pretrained(tmp_path / "clip")
    size = {"height": 32, "width": 32}
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size).save_pretrained(tmp_path / "clip")
    words = {word: n for n, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", "a", "zebra", "walrus"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("<s>", 1), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    named = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(tmp_path / "clip")
    for place, name in enumerate(("zebra", "walrus", "zebra", "walrus")):
        (tmp_path / "pictures" / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * place, 90, 200)).save(tmp_path / "pictures" / name / f"{place}.png")
    (tmp_path / "study.yaml").write_text(
        "name: tiny\nlanguage_model: hf:none\n"
        "encoders:\n  clip: {model: 'hf:clip', features: patch_tokens}\n  again: {model: 'hf:clip', features: pooled}\n"
        "  resnet: {model: 'timm:resnet18', init: random, features: pooled}\n"
        "data: {few: {reader: image_folder, pictures: pictures}}\n"
        "train: {data: few, steps: 1, batch_size: 2}\nevaluate: {animals: few}\n"
    )
    return ct.load_study(tmp_path / "study.yaml", quiet=True)


def test_libraries_with_text_towers_are_known_and_long_texts_counted(of_libraries):
    """One CLIP under two names is one. Names of two words make more than 8 tokens: cut, counted and told."""
    result = of_libraries.analyze("zero-shot", encoders=["all"], templates="photo", n_resamples=20)
    assert result.encoders == ("clip",)
    assert result.provenance["left_out"] == {"again": "the same CLIP as `clip`", "resnet": "no text tower"}
    assert len(result.table) == 4
    assert result.provenance["texts_cut"] == sum(" " in name for name in result.provenance["classes"]) == 10
    assert "10 texts were longer than a text tower reads and were cut" in result.summary()
    assert result.provenance["scales"]["clip"] == pytest.approx(np.exp(2.6592), rel=1e-4)
