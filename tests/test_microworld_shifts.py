"""The microworld's shifted pictures look otherwise, show the same scenes, and leave the plain ones as they were."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from concepttransfer.data import read_data
from concepttransfer.errors import BadInputError, UnknownNameError
from concepttransfer.microworld.contact import contact_sheet, shifts_sheet
from concepttransfer.microworld.data import key_of, microworld_manifest, scene_of, shift_of
from concepttransfer.microworld.grammar import PLACES, captions
from concepttransfer.microworld.render import render
from concepttransfer.microworld.scene import ANIMALS, HABITATS, sample_scene
from concepttransfer.microworld.shifted import SHIFTS, render_shifted
from concepttransfer.microworld.shifted.cluttered import LARGEST_HIDDEN
from concepttransfer.microworld.shifted.light import in_plain_light
from concepttransfer.microworld.shifted.places import UNSEEN_PLACES, place_of, placeless_captions

PLAIN_PICTURES = "f446b65bdc8f216f"
PLAIN_MANIFEST = "b415ba998295da19"
SCENES = [sample_scene(ANIMALS[i], 4_000_000 + i) for i in range(50)]


def grey(picture):
    return picture.astype(float) @ [0.299, 0.587, 0.114]


# What stays


def test_plain_pictures_and_manifests_are_what_they_were_before_there_were_shifts():
    """Shipped weights rest on them: the hashes were taken before shifts were written."""
    drawn = hashlib.sha256(b"".join(render(scene)[0].tobytes() for scene in SCENES)).hexdigest()
    assert drawn.startswith(PLAIN_PICTURES)
    assert microworld_manifest("dev").id.startswith(PLAIN_MANIFEST)
    assert microworld_manifest("dev").rows[0].picture == key_of(scene_of(microworld_manifest("dev").rows[0].picture))


@pytest.mark.parametrize("shift", SHIFTS)
def test_the_same_scene_gives_the_same_picture_in_another_process(shift):
    scene = SCENES[7]
    ours = hashlib.sha256(render_shifted(scene, shift)[0].tobytes()).hexdigest()
    program = (
        "import hashlib\n"
        "from concepttransfer.microworld.scene import sample_scene\n"
        "from concepttransfer.microworld.shifted import render_shifted\n"
        f"scene = sample_scene({scene.animal!r}, {scene.seed})\n"
        f"print(hashlib.sha256(render_shifted(scene, {shift!r})[0].tobytes()).hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ours
    other = replace(scene, seed=scene.seed + 50)
    assert not np.array_equal(render_shifted(other, shift)[0], render_shifted(scene, shift)[0])


@pytest.mark.parametrize("shift", SHIFTS)
def test_what_is_true_of_a_scene_stays_true(shift):
    plain, shifted = microworld_manifest("dev"), microworld_manifest("dev", shift)
    assert shifted.name == f"microworld-dev-{shift}"
    assert shifted.ids == plain.ids
    assert shifted.id != plain.id
    lost = {"habitat", "typical_habitat"} if shift == "unseen-habitat" else set()
    for one, other in zip(plain.rows, shifted.rows, strict=True):
        assert scene_of(other.picture) == scene_of(one.picture)
        assert (shift_of(one.picture), shift_of(other.picture)) == (None, shift)
        assert {k: v for k, v in other.labels.items() if k not in lost} == {
            k: v for k, v in one.labels.items() if k not in lost
        }
        assert all(other.labels[name] is None for name in lost)
        assert lost or other.texts == one.texts


def test_the_animal_stands_where_it_stood():
    """Unseen habitats, night and sketch move nothing; clutter hides no more than it may."""
    for scene in SCENES:
        where = render(scene)[1]
        for shift in ("night", "sketch", "unseen-habitat"):
            moved = render_shifted(scene, shift)[1]
            assert np.array_equal(moved, where), (scene.animal, shift)
        left = render_shifted(scene, "cluttered")[1]
        assert not (left & ~where).any()
        assert left.sum() >= (1 - LARGEST_HIDDEN - 0.03) * where.sum(), scene.animal


def test_captions_of_an_unseen_habitat_say_no_place_and_nothing_new():
    for scene in SCENES:
        said = placeless_captions(scene)
        assert 1 <= len(said) == len(set(said)) <= 5
        assert not any(place in text for place in PLACES.values() for text in said)
        assert all(scene.animal in text for text in said)
    scene = SCENES[3]
    stripped = [text.replace(f" {PLACES[scene.habitat]}", "") for text in captions(scene)]
    assert placeless_captions(scene)[0] == stripped[0]


# What changes


def test_night_is_dark_and_bluish():
    by_day = np.stack([render(scene)[0] for scene in SCENES])
    nights = np.stack([render_shifted(scene, "night")[0] for scene in SCENES])
    assert grey(nights).mean() < 0.55 * grey(by_day).mean()
    red, _, blue = nights.mean(axis=(0, 1, 2))
    assert blue > 1.5 * red


def test_a_sketch_has_no_colour_and_dark_lines_where_the_animals_outline_is():
    """Beside the grey that a place has in colour, outlines of animals are darker than all the rest."""
    outlines, rest = [], []
    for scene in SCENES:
        picture, mask = render_shifted(scene, "sketch")
        assert np.array_equal(picture[..., 0], picture[..., 1])
        assert np.array_equal(picture[..., 0], picture[..., 2])
        inner = mask.copy()
        for axis in (0, 1):
            inner &= np.roll(mask, 1, axis) & np.roll(mask, -1, axis)
        tone = picture[..., 0] / (64 + grey(render(in_plain_light(scene))[0]))
        outlines.append(tone[mask & ~inner].mean())
        rest.append(tone[~mask].mean())
        assert outlines[-1] < rest[-1], scene.animal
    assert np.mean(outlines) < 0.75 * np.mean(rest)


def test_clutter_is_everywhere_but_shows_most_of_the_object():
    changed = []
    for scene in SCENES:
        plain, cluttered = render(scene)[0], render_shifted(scene, "cluttered")[0]
        changed.append((plain != cluttered).any(axis=-1).mean())
    assert min(changed) > 0.15
    assert max(changed) < 0.75


def test_the_unseen_habitat_replaces_the_background_and_leaves_the_animal():
    background, animal = [], []
    for scene in SCENES:
        calm = in_plain_light(scene)
        plain, mask = render(calm)
        elsewhere, _ = render_shifted(calm, "unseen-habitat")
        inner = mask & np.roll(mask, 2, 0) & np.roll(mask, -2, 0) & np.roll(mask, 2, 1) & np.roll(mask, -2, 1)
        off = np.abs(plain.astype(float) - elsewhere).mean(axis=-1)
        background.append(off[~mask].mean())
        animal.append(off[inner].mean())
    assert np.mean(background) > 50
    assert np.mean(animal) < 1


def test_every_unseen_place_is_farther_from_all_habitats_than_pictures_are_from_each_other():
    """By the colours of the background in plain light: of 400 training pictures the nearest one is farther."""

    def colours(picture, mask):
        return np.histogramdd(picture[~mask] // 32, bins=[range(9)] * 3)[0].ravel() / (~mask).sum()

    def nearest(one):
        return np.abs(seen - one).sum(axis=1).min()

    training = [in_plain_light(sample_scene(ANIMALS[i % 50], 1_000_000 + i)) for i in range(400)]
    seen = np.stack([colours(*render(scene)) for scene in training])
    calm = [in_plain_light(scene) for scene in SCENES]
    plain = np.mean([nearest(colours(*render(scene))) for scene in calm])
    for place in UNSEEN_PLACES:
        moved = [nearest(colours(*render_shifted(s, "unseen-habitat"))) for s in calm if place_of(s) == place]
        assert len(moved) > 8
        assert np.mean(moved) > 1.5 * plain, place
    assert not set(UNSEEN_PLACES) & set(HABITATS)


# Reading and looking


def test_a_study_reads_them_by_name():
    manifest = read_data({"reader": "microworld", "split": "dev", "shift": "night", "limit": 3}, root=None)
    assert len(manifest) == 3
    first = manifest.rows[0]
    drawn = render_shifted(scene_of(first.picture), "night")[0]
    assert np.array_equal(np.asarray(manifest.read(0)), drawn)


def test_the_packages_study_has_every_shift_of_test():
    import concepttransfer as ct

    study = ct.load_study("microworld", quiet=True)
    for shift in SHIFTS:
        assert study.manifest(f"test-{shift}").id == microworld_manifest("test", shift).id


def test_unknown_shifts_are_told():
    with pytest.raises(UnknownNameError, match=r"No shift `nigth` in the microworld\. Did you mean `night`"):
        microworld_manifest("dev", "nigth")
    with pytest.raises(UnknownNameError, match="Did you mean `sketch`"):
        render_shifted(SCENES[0], "sketches")
    broken = microworld_manifest("dev").pictures
    with pytest.raises(UnknownNameError, match="No shift `fog`"):
        broken.read("zebra:5@1+fog@2")
    for key in ("zebra:5@0+night@2", "zebra:5@1+night@1", "zebra:5@1+night"):
        with pytest.raises(BadInputError, match="another version"):
            broken.read(key)


def test_sheets_show_shifts():
    scene = SCENES[0]
    sheet = np.asarray(contact_sheet([scene], columns=1, shift="sketch"))
    assert np.array_equal(sheet[14:, :96], render_shifted(scene, "sketch")[0])
    rows = 1 + len(SHIFTS)
    assert shifts_sheet("dev", columns=4).size == (4 * 98, rows * 110)
