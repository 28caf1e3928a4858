"""A study's file is read whole, or every mistake in it is told."""

from __future__ import annotations

import pytest

import concepttransfer as ct
from concepttransfer.errors import BadInputError, MissingResourceError, StudyError, UnknownNameError
from concepttransfer.study.file import packaged_studies, read_study
from concepttransfer.training.recipe import LATER

GOOD = """\
name: mine
language_model: hf:gpt2
encoders:
  a: {model: "timm:x", features: pooled, prompt_tokens: 2}
  a-random: {like: a, init: random}
  b: {like: a, model: "timm:y"}
data:
  pictures: {reader: image_folder, pictures: here}
train: {data: pictures}
evaluate: {animals: pictures}
"""


def written(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


def test_like_takes_over_what_is_not_said(tmp_path):
    spec, families = read_study(written(tmp_path, GOOD))
    assert spec.encoders["a-random"].model == "timm:x"
    assert spec.encoders["a-random"].prompt_tokens == 2
    assert spec.encoders["b"].model == "timm:y"
    assert families == {"a": "a", "a-random": "a", "b": "a"}


def test_the_random_control_stands_beside_every_relative(tmp_path):
    study = ct.load_study(written(tmp_path, GOOD))
    assert study.twin("a") == study.twin("b") == "a-random"
    assert study.twin("a-random") is None
    assert study.with_twins(["b"]) == ["b", "a-random"]
    assert study.with_twins(["all"]) == ["a", "a-random", "b"]


def test_every_mistake_is_told_with_its_line_and_the_nearest_name(tmp_path):
    text = GOOD.replace("language_model", "languag_model").replace("init: random", "init: rndom")
    text = text.replace("evaluate: {animals: pictures}", "evaluate: {animals: picture}").replace(
        "like: a, model", "like: aa, model"
    )
    with pytest.raises(StudyError) as caught:
        read_study(written(tmp_path, text))
    message = str(caught.value)
    assert "line 2: languag_model: no such key. Did you mean `language_model`?" in message
    assert "line 5: encoders.a-random.init" in message
    assert "line 6: like `aa`: there is none. Did you mean `a`?" in message
    assert "line 10: evaluate.animals: no data set `picture` in `data:`. Did you mean `pictures`?" in message


def test_a_circle_of_likes_is_a_mistake_and_not_a_hang(tmp_path):
    text = GOOD.replace('  a: {model: "timm:x", features: pooled, prompt_tokens: 2}', "  a: {like: b}")
    with pytest.raises(StudyError, match="circle"):
        read_study(written(tmp_path, text))


def test_a_study_like_another_takes_over_what_it_does_not_say(tmp_path):
    text = """\
like: limber
name: small
language_model: hf:gpt2
encoders:
  nfrn50: {model: "timm:nf_resnet26", prompt_tokens: 3}
  beit-ft: null
train: {steps: 7}
"""
    small, families = read_study(written(tmp_path, text))
    paper, _ = read_study(packaged_studies()["limber"])
    assert (small.name, small.language_model, small.train.steps) == ("small", "hf:gpt2", 7)
    assert small.train.lr == paper.train.lr
    assert small.evaluate == paper.evaluate
    assert "beit-ft" not in small.encoders
    assert small.encoders["nfrn50"].features == paper.encoders["nfrn50"].features
    assert small.encoders["nfrn50-random"].model == "timm:nf_resnet26"
    assert families["nfrn50-tuned"] == "nfrn50"


@pytest.mark.parametrize(
    ("like", "said"),
    [("limbr", "Did you mean `limber`"), ("study.yaml", "circle"), ("gone.yaml", "no file gone.yaml")],
)
def test_a_study_like_nothing_is_a_mistake_with_its_line(tmp_path, like, said):
    with pytest.raises(StudyError, match="line 1: like") as caught:
        read_study(written(tmp_path, f"like: {like}\nname: a\n" + GOOD.replace("name: mine\n", "")))
    assert said in str(caught.value)


def test_a_study_like_another_needs_a_name(tmp_path):
    with pytest.raises(StudyError, match="name of its own"):
        read_study(written(tmp_path, "like: microworld\n"))


def test_a_judge_is_a_model_or_a_whole_encoder(tmp_path):
    judges = 'judges: {clipscore: "open_clip:ViT-B-32/openai", other: {model: "timm:x", features: pooled}}\n'
    spec, _ = read_study(written(tmp_path, GOOD + judges))
    assert (spec.judges["clipscore"].model, spec.judges["clipscore"].features) == (
        "open_clip:ViT-B-32/openai",
        "projected",
    )
    assert spec.judges["other"].features == "pooled"


def test_questions_need_a_place_in_their_prompt_and_examples_that_are_there(tmp_path):
    with pytest.raises(StudyError, match=r"line 12: answering\.prompt"):
        read_study(written(tmp_path, GOOD + 'answering:\n  prompt: "Q: A:"\n'))
    with pytest.raises(StudyError, match=r"line 11: answering\.examples: no data set `picture`"):
        read_study(written(tmp_path, GOOD + "answering: {examples: picture}\n"))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "name: [", "just words"])
def test_what_is_no_study_is_said_to_be_none(tmp_path, text):
    with pytest.raises(StudyError, match="is no study"):
        read_study(written(tmp_path, text))


def test_what_is_no_yaml_is_said_in_one_line_with_its_line(tmp_path):
    with pytest.raises(StudyError, match=r"is no study: line 3: [^\n]+$"):
        read_study(written(tmp_path, "name: x\nencoders: [a,\n"))
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfename")
    with pytest.raises(StudyError, match="is no study: it is not text in UTF-8"):
        read_study(tmp_path / "bytes.yaml")


@pytest.mark.parametrize("name", packaged_studies())
def test_the_studies_that_come_with_the_package_are_right(name):
    spec, _ = read_study(packaged_studies()[name])
    assert spec.name == name
    assert spec.title


def test_wrong_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean `microworld`"):
        ct.load_study("micro-world")
    study = ct.load_study("microworld")
    with pytest.raises(UnknownNameError, match=r"No encoder `biet` in study `microworld`\. Did you mean `beit`"):
        study.encoder_spec("biet")
    with pytest.raises(UnknownNameError, match="Did you mean `animals`"):
        study.select("animal")
    with pytest.raises(UnknownNameError, match="Did you mean `awa-errors`"):
        study.analyze("awa-error", encoders=["beit"])
    with pytest.raises(UnknownNameError, match="Did you mean `n_resamples`"):
        study.analyze("awa-errors", encoders=["beit"], n_resample=3)


def test_a_root_that_is_not_set_says_so(monkeypatch):
    monkeypatch.delenv("CONCEPTTRANSFER_REAL", raising=False)
    with pytest.raises(MissingResourceError, match="CONCEPTTRANSFER_REAL"):
        ct.load_study("photographs")


def test_settings_are_checked():
    with pytest.raises(BadInputError, match="No device `gpu`"):
        ct.load_study("microworld", device="gpu")


def test_a_limit_is_no_matter_of_order_and_fewer_are_part_of_more():
    whole, part = ct.load_study().manifest("dev"), ct.load_study(limit=50).manifest("dev")
    assert len(part) == 50
    assert set(part.ids) < set(whole.ids)
    assert len({row.labels["class"] for row in part.rows}) >= 25
    assert set(ct.load_study(limit=20).manifest("dev").ids) < set(part.ids)


def test_a_packaged_study_looks_for_its_data_where_one_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = ct.load_study("limber")
    assert study.root == tmp_path
    assert study.twin("beit-ft") == "beit-random"
    with pytest.raises(ct.ConceptTransferError, match=r"data.awa2"):
        study.manifest("animals")


OWN_RECIPES = GOOD.replace(
    'b: {like: a, model: "timm:y"}',
    "b: {like: a, recipe: {projection: {kind: mlp}, lr: 0.1}}\n"
    "  c: {like: b, recipe: {lr: 0.2}}\n"
    "  d: {like: b, blind: true}",
)


def test_an_entry_has_what_its_fit_has_otherwise_and_hands_it_on(tmp_path):
    study = ct.load_study(written(tmp_path, OWN_RECIPES))
    assert study.recipe("a") == study.spec.train
    assert (study.recipe("b").projection.kind, study.recipe("b").lr) == ("mlp", 0.1)
    assert (study.recipe("c").projection.kind, study.recipe("c").lr) == ("mlp", 0.2)
    assert study.recipe("c").steps == study.spec.train.steps


def test_a_blind_entry_has_no_random_control(tmp_path):
    study = ct.load_study(written(tmp_path, OWN_RECIPES))
    assert study.twin("b") == "a-random"
    assert study.twin("d") is None


def test_mistakes_in_an_entrys_recipe_have_their_line(tmp_path):
    text = OWN_RECIPES.replace("lr: 0.1", "lrr: 0.1").replace("lr: 0.2", "data: picture")
    with pytest.raises(StudyError) as caught:
        read_study(written(tmp_path, text))
    message = str(caught.value)
    assert "line 6: encoders.b.recipe.lrr: no such key. Did you mean `lr`?" in message
    assert "line 7: encoders.c.recipe.data: no data set `picture` in `data:`. Did you mean `pictures`?" in message


def test_what_an_older_recipe_did_not_know_changes_no_key():
    """The shipped fits' keys hold this digest."""
    recipe = ct.load_study("microworld").spec.train
    assert set(recipe.identity()).isdisjoint(LATER)
    tuned = recipe.model_copy(update={"language_model": "tuned"})
    assert set(tuned.identity()) - set(recipe.identity()) == {"language_model"}
