"""The microworld's pictures show what their scenes say, and what their scenes say agrees with AwA2."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from concepttransfer.errors import BadInputError, UnknownNameError
from concepttransfer.microworld import data, render
from concepttransfer.microworld.contact import contact_sheet
from concepttransfer.microworld.scene import (
    ANIMALS,
    COLOURLESS_OBJECTS,
    COLOURS_OF_OBJECTS,
    HABITATS,
    OBJECTS,
    POSES,
    RELATIONS,
    habitats_of,
    sample_scene,
)
from concepttransfer.microworld.species import SPECIES, matrix, visible_attributes, visible_colours

NEUTRAL = {"cast_red": 1.0, "cast_green": 1.0, "cast_blue": 1.0, "brightness": 1.0, "noise": 0.0, "clutter": 2.0}
FULL_SIZE = 1.12
EACH_DRAWN = ("stripes", "spots", "patches", "horns", "flippers", "hands", "hooves", "longneck")
ON_PIXELS = ("black", "white", "blue", "brown", "gray", "orange", "stripes", "spots")


def having(attribute):
    return {animal for animal in ANIMALS if matrix()[animal][attribute]}


def drawing(attribute):
    return {animal for animal in ANIMALS if attribute in SPECIES[animal].drawn}


def neutral(scene, **changes):
    """The same scene in plain light."""
    return replace(scene, nuisance={**scene.nuisance, **NEUTRAL, **changes})


def some_scenes(n, start=0):
    return [sample_scene(ANIMALS[i % 50], start + i) for i in range(n)]


# Scenes


def test_a_scene_is_the_same_on_every_platform():
    scene = sample_scene("zebra", 3)
    assert (scene.habitat, scene.pose, scene.object, scene.object_colour, scene.relation) == (
        "forest", "standing", "ball", "purple", "to the left of",
    )  # fmt: skip
    assert scene.nuisance["scale"] == pytest.approx(0.955099840913612, abs=1e-15)
    assert scene == sample_scene("zebra", 3) != sample_scene("zebra", 4)


def test_scenes_use_the_documented_words_only():
    for scene in some_scenes(3000):
        assert scene.habitat in HABITATS
        assert scene.pose in POSES
        assert scene.object is None or scene.object in OBJECTS
        assert (scene.object is None) == (scene.relation is None)
        assert scene.relation is None or scene.relation in RELATIONS
        coloured = scene.object is not None and scene.object not in COLOURLESS_OBJECTS
        assert (scene.object_colour in COLOURS_OF_OBJECTS) if coloured else scene.object_colour is None


def test_about_a_third_of_the_scenes_are_in_a_wrong_habitat_and_the_label_says_so():
    scenes = some_scenes(3000)
    for scene in scenes:
        assert bool(scene.nuisance["typical_habitat"]) == (scene.habitat in habitats_of(scene.animal))
    elsewhere = np.mean([not s.nuisance["typical_habitat"] for s in scenes if SPECIES[s.animal].plan != "cetacean"])
    assert 0.31 < elsewhere < 0.39
    assert 0.33 < np.mean([scene.object is not None for scene in scenes]) < 0.45


def test_an_unknown_animal_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="giraffe"):
        sample_scene("girafe", 1)


# What is drawn agrees with AwA2, by the table


@pytest.mark.parametrize("attribute", EACH_DRAWN)
def test_exactly_the_animals_that_have_it_are_drawn_with_it(attribute):
    assert drawing(attribute) == having(attribute)


def test_tusks_are_drawn_on_all_that_have_them_but_the_rhinoceros():
    assert drawing("tusks") == having("tusks") - {"rhinoceros"}


def test_scenes_claim_only_what_is_drawn_and_true():
    for animal in ANIMALS:
        for attribute in visible_attributes(animal):
            assert attribute in SPECIES[animal].drawn
            assert matrix()[animal][attribute]
        assert all(matrix()[animal][colour] for colour in visible_colours(animal))


def test_the_coat_has_a_colour_that_awa2_names_for_the_animal():
    without = [animal for animal in ANIMALS if visible_colours(animal)[:1] != SPECIES[animal].colour_words[:1]]
    assert without == ["antelope"]
    assert not any(matrix()["antelope"][colour] for colour in ("black", "white", "brown", "gray", "orange"))


# What is drawn agrees with AwA2, by the pixels inside the mask


def inner(mask, steps=2):
    """The mask without its rim, so that the background's edges do not count."""
    kept = mask.copy()
    for _ in range(steps):
        kept[1:-1, 1:-1] &= kept[:-2, 1:-1] & kept[2:, 1:-1] & kept[1:-1, :-2] & kept[1:-1, 2:]
    return kept


def contrast(picture, mask):
    """Mean difference of neighbouring pixels inside the mask, along rows and along columns."""
    light, inside = picture.astype(float).mean(2), inner(mask)
    along, down = inside[:, 1:] & inside[:, :-1], inside[1:] & inside[:-1]
    rows = np.abs(np.diff(light, axis=1))[along]
    columns = np.abs(np.diff(light, axis=0))[down]
    return (rows.mean() if rows.size else 0.0), (columns.mean() if columns.size else 0.0)


def pixel_statistics(picture, mask):
    """Shares of the mask's pixels that have a colour; for stripes directed contrast, for spots contrast."""
    pixels = picture[mask].astype(float)
    red, green, blue = pixels.T
    high, low = pixels.max(1), pixels.min(1)
    chroma = high - low
    saturation = chroma / np.maximum(high, 1)
    hue = np.where((high == red) & (chroma > 0), 60 * (green - blue) / np.maximum(chroma, 1), 999)
    along, down = contrast(picture, mask)
    return {
        "black": np.mean(high < 65),
        "white": np.mean((low > 165) & (chroma < 70)),
        "gray": np.mean((chroma < 38) & (high > 75) & (high < 195)),
        "brown": np.mean((hue > 8) & (hue < 50) & (saturation > 0.22) & (high > 50) & (high < 215)),
        "orange": np.mean((hue > 12) & (hue < 42) & (saturation > 0.62) & (high > 150)),
        "blue": np.mean((blue > red + 12) & (blue > green + 8)),
        "stripes": abs(along - down),
        "spots": along + down,
    }


def measure(animals=ANIMALS, n=6):
    """The mean statistics of each animal over `n` scenes in plain light and at full size."""
    table = {}
    for animal in animals:
        drawn = [render.render(neutral(sample_scene(animal, 9000 + i), scale=FULL_SIZE)) for i in range(n)]
        values = [pixel_statistics(picture, mask) for picture, mask in drawn]
        table[animal] = {name: float(np.mean([value[name] for value in values])) for name in values[0]}
    return table


def auc(values, has):
    """The chance that a class that has it lies above one that does not; ties count half."""
    difference = values[has][:, None] - values[~has][None]
    return float(np.mean(difference > 0) + 0.5 * np.mean(difference == 0))


def auc_interval(table, attribute, n_resamples=1000):
    """The 95 % interval of the AUC, classes resampled."""
    values = np.array([table[animal][attribute] for animal in ANIMALS])
    has = np.array([matrix()[animal][attribute] for animal in ANIMALS])
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, len(ANIMALS), len(ANIMALS)) for _ in range(n_resamples))
    return np.percentile([auc(values[i], has[i]) for i in draws if 0 < has[i].sum() < len(i)], [2.5, 97.5])


def shows(table, animal, attribute):
    """Does it show more of it than half of the animals that have none?"""
    others = [table[other][attribute] for other in ANIMALS if not matrix()[other][attribute]]
    return table[animal][attribute] > np.median(others)


def disagreements(table):
    """Animals that do not show their first colour, stripes or spots, or are more striped than all that have stripes."""
    most = max(table[animal]["stripes"] for animal in having("stripes"))
    found = {animal for animal in ANIMALS if table[animal]["stripes"] > most}
    for animal in ANIMALS:
        claims = {*visible_colours(animal)[:1], *visible_attributes(animal)} & set(ON_PIXELS)
        if not all(shows(table, animal, claim) for claim in claims):
            found.add(animal)
    return found


@pytest.fixture(scope="module")
def measured():
    return measure()


def swapped(table, first, second):
    return {**table, first: table[second], second: table[first]}


@pytest.mark.parametrize("attribute", ON_PIXELS)
def test_pixels_tell_the_animals_that_have_it_from_those_that_do_not(measured, attribute):
    low, _ = auc_interval(measured, attribute)
    assert low > 0.5


def test_every_animal_shows_its_first_colour_its_stripes_and_its_spots(measured):
    assert disagreements(measured) == set()


def test_drawing_zebras_as_elephants_is_noticed(measured, monkeypatch):
    wrong = {**SPECIES, "zebra": SPECIES["elephant"], "elephant": SPECIES["zebra"]}
    monkeypatch.setattr(render, "SPECIES", MappingProxyType(wrong))
    table = {**measured, **measure(("zebra", "elephant"))}
    assert disagreements(table) == {"zebra", "elephant"}
    assert auc_interval(table, "stripes")[0] < 0.5


def test_most_swaps_of_two_animals_of_different_colour_are_noticed(measured):
    pairs = [
        (a, b) for i, a in enumerate(ANIMALS) for b in ANIMALS[:i] if visible_colours(a)[:1] != visible_colours(b)[:1]
    ]
    noticed = np.mean([bool(disagreements(swapped(measured, a, b))) for a, b in pairs[::11]])
    assert noticed > 2 / 3


# Pictures


def fingerprint(scenes):
    seen = hashlib.sha256()
    for scene in scenes:
        picture, mask = render.render(scene)
        seen.update(picture.tobytes() + mask.tobytes())
    return seen.hexdigest()


def test_a_picture_is_the_same_in_another_process_in_another_order():
    scenes = some_scenes(20)
    code = (
        "import sys\n"
        "from concepttransfer.microworld.render import render\n"
        "from concepttransfer.microworld.scene import ANIMALS, sample_scene\n"
        "import hashlib\n"
        "seen = hashlib.sha256()\n"
        "drawn = [render(sample_scene(ANIMALS[i % 50], i)) for i in reversed(range(20))][::-1]\n"
        "for picture, mask in drawn: seen.update(picture.tobytes() + mask.tobytes())\n"
        "sys.stdout.write(seen.hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert other.stdout == fingerprint(scenes)


@pytest.mark.parametrize("size", [64, 96])
def test_shapes_and_types(size):
    picture, mask = render.render(sample_scene("otter", 5), size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert mask.shape == (size, size)
    assert mask.dtype == np.bool_


def test_the_mask_holds_the_animal_and_nothing_else():
    """Moving the coat's colours changes pixels of the animal only, and nearly all of the animal's."""
    for scene in some_scenes(100, start=40_000):
        pale, mask = render.render(neutral(scene, coat=0.0))
        other, same = render.render(neutral(scene, coat=120.0))
        changed = (pale != other).any(2)
        assert np.array_equal(mask, same)
        assert mask.sum() >= 60, scene
        # an edge is a mixture of two colours, so pixels just outside the mask change with it
        near = ~inner(~mask, 2)
        assert (changed & ~near).sum() < 0.01 * mask.sum(), scene
        assert (changed & mask).sum() > 0.6 * mask.sum(), scene


def object_pixels(scene):
    """The pixels that differ when the object has another colour, and the animal's mask."""
    first, mask = render.render(neutral(scene))
    colour = "blue" if scene.object_colour == "red" else "red"
    second, _ = render.render(neutral(replace(scene, object_colour=colour)))
    return (first != second).any(2), mask


def coloured_scenes(n):
    return [scene for scene in some_scenes(n, start=50_000) if scene.object_colour is not None]


def test_the_object_is_where_the_relation_says():
    for scene in coloured_scenes(500):
        thing, mask = object_pixels(scene)
        assert thing.sum() >= 60, scene
        at, columns = np.nonzero(thing)[1].mean(), np.nonzero(mask)[1]
        if scene.relation == "to the left of":
            assert columns.mean() < at - 3, scene
        elif scene.relation == "to the right of":
            assert columns.mean() > at + 3, scene
        else:
            assert columns.min() - 3 <= at <= columns.max() + 3, scene


def test_an_object_covers_the_animal_that_is_behind_it_and_no_other():
    for scene in coloured_scenes(1500):
        if scene.relation not in ("behind", "in front of"):
            continue
        thing, mask = object_pixels(scene)
        hidden = (inner(thing, 1) & mask).sum()
        assert hidden == 0 or scene.relation == "in front of", scene
        assert mask.sum() >= 60, scene


def test_nuisance_can_be_replaced():
    scene = neutral(sample_scene("horse", 8), clutter=0.0)
    plain, mask = render.render(scene)
    dark, same = render.render(replace(scene, nuisance={**scene.nuisance, "brightness": 0.5}))
    turned, _ = render.render(replace(scene, nuisance={**scene.nuisance, "mirrored": 1 - scene.nuisance["mirrored"]}))
    _, less = render.render(replace(scene, nuisance={**scene.nuisance, "scale": scene.nuisance["scale"] / 2}))
    assert np.abs(dark.astype(float) - plain * 0.5).max() <= 1
    assert np.array_equal(mask, same)
    assert not np.array_equal(plain, turned)
    assert 0.15 * mask.sum() < less.sum() < 0.35 * mask.sum()


# Splits


def test_splits_share_no_seed_and_hold_the_animals_in_equal_numbers():
    seeds = {split: {scene.seed for scene in data.scenes(split)} for split in data.SPLITS}
    assert {split: len(found) for split, found in seeds.items()} == dict(data.SPLITS)
    assert len(set().union(*seeds.values())) == sum(data.SPLITS.values())
    for split, n in data.SPLITS.items():
        assert set(Counter(scene.animal for scene in data.scenes(split)).values()) == {n // 50}


def test_a_manifest_holds_the_truth_and_five_captions_and_draws_its_pictures():
    manifest = data.microworld_manifest("dev")
    assert len(manifest) == 500
    for row, scene in zip(manifest.rows, data.scenes("dev"), strict=True):
        assert data.scene_of(row.picture) == scene
        assert row.labels["class"] == scene.animal
        assert row.labels["object"] == scene.object
        assert row.labels["typical_habitat"] == bool(scene.nuisance["typical_habitat"])
        assert len(row.texts) == 5
    assert manifest.rows[ANIMALS.index("zebra")].labels["synset"] == "zebra.n.01"
    assert np.array_equal(np.asarray(manifest.read(7)), render.render(data.scenes("dev")[7])[0])
    copy = pickle.loads(pickle.dumps(manifest))
    assert copy.id == manifest.id
    assert np.array_equal(np.asarray(copy.read(7)), np.asarray(manifest.read(7)))


def test_another_drawing_is_another_manifest(monkeypatch):
    before = data.microworld_manifest("dev")
    monkeypatch.setattr(render, "WORLD_VERSION", "of a test")
    assert data.microworld_manifest("dev").id != before.id
    with pytest.raises(BadInputError, match="another version"):
        data.scene_of(before.rows[0].picture)


@pytest.mark.parametrize("key", ["zebra", "unicorn:3@1", "zebra:x@1", ""])
def test_a_key_that_names_no_picture_is_refused(key):
    with pytest.raises(BadInputError, match="names no picture"):
        data.scene_of(key)


def test_an_unknown_split_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="test"):
        data.microworld_manifest("tests")


def test_a_contact_sheet_shows_every_scene():
    sheet = contact_sheet("dev", columns=10)
    assert sheet.size == (10 * 98, 5 * 110)
    assert contact_sheet(some_scenes(3), columns=2, size=64).size == (2 * 66, 2 * 78)


# The drawing itself: it may not change while WORLD_VERSION stays, because keys and shipped fits rest on it

SIGNATURES = Path(__file__).parent / "data" / "microworld_signatures.npy"


def signature(animal):
    """The animal in plain light on grey, as 12 x 12 mean colours: coarse enough for any version of Pillow."""
    scene = sample_scene(animal, 7)
    picture, mask = render.render(neutral(scene, scale=1.0, coat=0.0))
    return np.where(mask[..., None], picture, 128).reshape(12, 8, 12, 8, 3).mean((1, 3))


def nearest_animals():
    """For each animal the one whose committed signature is nearest to what is drawn now, and how far it is."""
    drawn = np.stack([signature(animal) for animal in ANIMALS])
    distance = np.abs(drawn[:, None] - np.load(SIGNATURES)[None].astype(float)).mean((2, 3, 4))
    return distance.argmin(1), distance.diagonal()


def test_each_animal_is_drawn_as_it_was():
    nearest, distance = nearest_animals()
    assert nearest.tolist() == list(range(50))
    assert distance.max() < 2, "the drawing changed: give WORLD_VERSION a new number and make the models again"


@pytest.mark.parametrize(("a", "b"), [("rat", "mouse"), ("horse", "ox"), ("zebra", "elephant"), ("collie", "fox")])
def test_any_two_animals_swapped_in_the_renderer_are_noticed(monkeypatch, a, b):
    swapped = dict(SPECIES) | {a: SPECIES[b], b: SPECIES[a]}
    for module in [m for name, m in sys.modules.items() if name.startswith("concepttransfer.microworld.")]:
        if getattr(module, "SPECIES", None) is SPECIES and "scene" not in module.__name__:
            monkeypatch.setattr(module, "SPECIES", swapped)
    nearest, _ = nearest_animals()
    assert nearest[ANIMALS.index(a)] != ANIMALS.index(a)


def test_a_picture_that_is_kept_is_the_picture_and_cannot_be_spoilt():
    from concepttransfer.microworld.data import PicturesOfScenes, forget_drawn, microworld_manifest

    key = microworld_manifest("dev").rows[0].picture
    forget_drawn()
    first = PicturesOfScenes().read(key)
    before = first.tobytes()
    first.paste((1, 2, 3), (0, 0, 96, 96))
    assert PicturesOfScenes().read(key).tobytes() == before
    forget_drawn()
    assert PicturesOfScenes().read(key).tobytes() == before
