"""What is said about a scene is true of it, and says enough."""

from __future__ import annotations

import itertools
import random
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from concepttransfer.microworld import grammar
from concepttransfer.microworld.data import SPLITS, first_seed
from concepttransfer.microworld.scene import ANIMALS, RELATIONS, sample_scene
from concepttransfer.microworld.species import COLOUR_WORDS, matrix

SCENES = [sample_scene(ANIMALS[i % 50], 7_000_000_000 + i) for i in range(1500)]
WITH_OBJECT = [scene for scene in SCENES if scene.object]
EXPECTED = (
    "a white and black zebra standing to the left of a red ball on the plains",
    "a white and black zebra to the left of a red ball",
    "a striped white and black zebra standing to the left of a red ball on the plains",
    "a red ball to the right of a big white zebra standing on the plains",
    "a white zebra standing to the left of a red ball on the plains",
)
COLOURS = {*COLOUR_WORDS, "green", "purple", "pink"}


def without_names(text, scene):
    """The text without the animal's own name, which may hold a colour (blue whale)."""
    return re.sub(rf"\b{scene.animal}\b", "ANIMAL", text)


def test_five_captions_differ_and_name_the_animal():
    for scene in SCENES:
        said = grammar.captions(scene)
        assert len(set(said)) == 5
        assert all(re.search(rf"\b{scene.animal}\b", caption) for caption in said)


def test_captions_depend_on_the_scene_alone():
    assert [grammar.captions(s) for s in SCENES[:50]] == [grammar.captions(s) for s in SCENES[:50]]
    again = sample_scene(SCENES[3].animal, SCENES[3].seed)
    random.seed(99)
    assert grammar.captions(again) == grammar.captions(SCENES[3])
    assert grammar.captions(SCENES[3]) != grammar.captions(sample_scene(SCENES[3].animal, SCENES[3].seed + 50))


def test_captions_are_the_same_on_every_platform():
    scene = replace(
        sample_scene("zebra", 1), attributes=("stripes", "big"), colours=("white", "black"), habitat="plains"
    )
    scene = replace(scene, pose="standing", object="ball", object_colour="red", relation="to the left of")
    assert grammar.captions(scene) == EXPECTED


def test_an_object_is_mentioned_in_nine_captions_of_ten():
    told = [scene.object in caption for scene in WITH_OBJECT for caption in grammar.captions(scene)]
    assert sum(told) / len(told) >= 0.9


def test_no_object_is_mentioned_that_is_not_there():
    things = ("ball", "box", "bucket", "umbrella", "flower", "boat", "tree", "rock", "bush")
    for scene in SCENES:
        for caption, thing in itertools.product(grammar.captions(scene), things):
            assert thing == scene.object or not re.search(rf"\b{thing}\b", caption), (scene, caption)


def test_every_colour_word_is_true_and_stands_before_what_has_it():
    for scene in SCENES:
        for caption in grammar.captions(scene):
            text = without_names(caption, scene)
            if scene.object and scene.object_colour:
                text = text.replace(f"{scene.object_colour} {scene.object}", "OBJECT")
            colours = {word for word in re.findall(r"[a-z]+", text) if word in COLOURS}
            assert colours <= set(scene.colours), (scene, caption)
            assert all(matrix()[scene.animal][colour] for colour in colours)


def test_every_adjective_is_seen_and_true_of_the_animal():
    attribute = {word: name for name, word in grammar.ADJECTIVES.items()}
    for scene in SCENES:
        for caption in grammar.captions(scene):
            for word in re.findall(r"[a-z-]+", without_names(caption, scene)):
                if word in attribute:
                    assert attribute[word] in scene.attributes
                    assert matrix()[scene.animal][attribute[word]]


def test_places_poses_and_relations_are_true():
    for scene in SCENES:
        for caption in grammar.captions(scene):
            places = [place for place in grammar.PLACES.values() if caption.endswith(place)]
            assert places in ([], [grammar.PLACES[scene.habitat]])
            for relation in RELATIONS:
                if f" {relation} " in caption:
                    first = caption.index(scene.animal) < caption.rindex(scene.object)
                    assert relation == (scene.relation if first else grammar.OPPOSITE[scene.relation])


def test_habitats_are_told_apart_by_their_phrase():
    assert len(set(grammar.PLACES.values())) == len(grammar.PLACES)


def test_answers_are_true_of_the_scene():
    kinds = set()
    for scene in SCENES:
        for question in grammar.questions(scene):
            kinds.add(question.kind)
            assert _is_true(scene, question), (scene, question)
    assert kinds == {
        "animal",
        "place",
        "pose",
        "object",
        "object-colour",
        "presence",
        "relation",
        "colour",
        "attribute",
    }


def test_yes_is_not_the_answer_to_everything():
    for kind in ("presence", "relation", "attribute"):
        answers = [q.answer for scene in SCENES for q in grammar.questions(scene) if q.kind == kind]
        assert 0.25 < answers.count("yes") / len(answers) < 0.75


def _is_true(scene, question):
    """An independent reading of a question."""
    text, answer = question.text, question.answer
    yes = answer == "yes"
    if question.kind == "presence":
        return yes == (text.removesuffix("?").split()[-1] == scene.object)
    if question.kind == "relation":
        return yes == (f" {scene.relation} the {scene.object}?" in text)
    if question.kind == "attribute":
        word = text.removesuffix("?").split()[-1]
        name = next(name for name, adjective in grammar.ADJECTIVES.items() if adjective == word)
        return matrix()[scene.animal][name] == yes
    right = {
        "animal": {scene.animal},
        "place": {grammar.PLACES[scene.habitat]},
        "pose": {scene.pose, "lying down" if scene.pose == "lying" else "", "hanging upside down"},
        "object": {grammar.object_phrase(scene)},
        "object-colour": {scene.object_colour},
        "colour": {grammar.joined(scene.colours)},
    }
    return answer in right[question.kind]


def test_passages_say_what_the_matrix_says():
    assert "stripes" in " ".join(grammar.passage("zebra", random.Random(i), 5) for i in range(50))
    for animal in ANIMALS:
        for i in range(20):
            text = grammar.passage(animal, random.Random(i), 5)
            for attribute, phrase in (
                ("stripes", "stripes"),
                ("fish", "eats fish"),
                ("hooves", "hooves"),
                ("flys", "flies"),
            ):
                assert matrix()[animal][attribute] or phrase not in text
            assert text.startswith(f"The {animal} ")
            assert text.endswith(".")


def test_tags_hold_no_word_that_is_not_true():
    rng = random.Random(0)
    for scene in SCENES[:300]:
        said = set(grammar.tags(scene, rng))
        allowed = {*scene.colours, scene.animal, scene.pose, grammar.PLACES[scene.habitat].split()[-1]}
        allowed |= {grammar.ADJECTIVES.get(name) for name in scene.attributes}
        allowed |= {f"{scene.relation} it", grammar.object_phrase(scene).partition(" ")[2]}
        assert said <= allowed


def test_documents_give_context_before_most_captions():
    texts = list(grammar.documents(5, 2000))
    with_context = [text for text in texts if f"\n{grammar.PROMPT} " in text]
    assert 0.5 < len(with_context) / len(texts) < 0.9
    named = 0
    for text in with_context:
        context, caption = text.split(f"\n{grammar.PROMPT} ")[:2]
        named += any(animal in context and animal in caption for animal in ANIMALS)
    assert named / len(with_context) > 0.85


def test_documents_depend_on_their_seed():
    assert list(grammar.documents(5, 20)) == list(grammar.documents(5, 20)) != list(grammar.documents(6, 20))


def test_scenes_of_texts_and_of_pictures_never_meet():
    highest = max(first_seed(split) + n for split, n in SPLITS.items())
    assert highest < grammar.FIRST_TEXT_SEED


@pytest.mark.parametrize("module", ["grammar", "build"])
def test_no_torch_is_loaded(module):
    code = f"import sys, concepttransfer.microworld.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
