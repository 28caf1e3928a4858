"""Data sets are mixed by their shares, whatever their sizes, and no row is lost or mistaken for another."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
import tiny_fit
from PIL import Image

import concepttransfer as ct
from concepttransfer.errors import BadInputError, ConceptTransferError, EmptyDataError, UnknownNameError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.training.batch_plan import WINDOW, hold_out
from concepttransfer.training.fit import fit
from concepttransfer.training.mixing import MixedPlan, count_by_data_set, mixed, quotas
from concepttransfer.training.sources import StoredFeatures

SHARES = {"large": 1, "small": 2, "middle": 1}
SIZES = {"large": 600, "small": 40, "middle": 160}


@dataclass(frozen=True)
class Grey:
    """Every picture has the grey of its key's number plus the data set's."""

    base: int

    def read(self, key):
        if key == "3.png":
            raise OSError("truncated")
        return Image.new("RGB", (2, 2), (self.base + int(key.removesuffix(".png")),) * 3)


def part(name, n, base):
    rows = tuple(Row(str(i), f"{i}.png", (f"{name} {i}", "another text"), {"class": i % 2}) for i in range(n))
    return Manifest(name, rows, Grey(base), {"licence": "CC0", "title": f"The {name} one"})


def parts():
    return {name: part(name, n, 50 * number) for number, (name, n) in enumerate(SIZES.items())}


def plan(seed=0, shares=SHARES, rows=None):
    whole = mixed("all", parts(), shares)
    rows = np.arange(len(whole)) if rows is None else rows
    lengths = [[len(text) for text in texts] for texts in whole.texts]
    return whole, MixedPlan(lengths, rows, 10, seed, whole.ids, shares)


def drawn(planned, steps):
    return np.concatenate([planned.batch(step).rows for step in range(steps)])


def test_rows_are_those_of_all_data_sets_each_once_and_find_their_pictures():
    whole = pickle.loads(pickle.dumps(mixed("all", parts(), SHARES)))
    assert len(whole) == len(set(whole.ids)) == sum(SIZES.values())
    at = list(whole.ids).index("small/7")
    assert whole.texts[at] == ("small 7", "another text")
    assert whole.labels("class")[at] == 1
    assert whole.read(at).getpixel((0, 0)) == (57, 57, 57)
    assert whole.source == {"licence": "CC0", "title": "The large one; The small one; The middle one"}


def test_the_id_follows_from_rows_and_names():
    assert mixed("a", parts(), SHARES).id == mixed("b", parts(), SHARES).id
    renamed = {name.upper(): one for name, one in parts().items()}
    assert mixed("a", renamed, {name.upper(): n for name, n in SHARES.items()}).id != mixed("a", parts(), SHARES).id


def test_unreadable_pictures_are_counted_by_data_set():
    whole = mixed("all", parts(), SHARES)
    unreadable = []
    for number, row_id in enumerate(whole.ids):
        try:
            whole.read(number)
        except BadInputError:
            unreadable.append(row_id)
    assert count_by_data_set(unreadable) == {"large": 1, "small": 1, "middle": 1}


@pytest.mark.parametrize("steps", [40, 400])
def test_shares_are_met_within_the_error_of_chance(steps):
    whole, planned = plan()
    found = Counter(whole.ids[row].partition("/")[0] for row in drawn(planned, steps))
    total = steps * 10
    for name, share in SHARES.items():
        expected = share / 4
        assert abs(found[name] / total - expected) < 4 * (expected * (1 - expected) / total) ** 0.5


def test_an_epoch_meets_them_to_the_row_and_says_so():
    whole, planned = plan()
    found = Counter(whole.ids[row].partition("/")[0] for row in drawn(planned, len(whole) // 10))
    assert found == {"large": 200, "small": 400, "middle": 200}
    small = {"rows": 40, "share": 0.5, "per_epoch": 400, "passes": 10.0, "unreadable": 2}
    assert planned.about(["small/3", "large/1", "small/9"])["small"] == small
    assert planned.about()["large"]["passes"] == pytest.approx(1 / 3)


def test_no_row_comes_again_before_all_of_its_data_set_came():
    whole, planned = plan()
    epochs = np.split(drawn(planned, 3 * len(whole) // 10), 3)
    seen = Counter(np.concatenate(epochs).tolist())
    assert {seen[row] for row in range(600)} == {1}  # a third of them an epoch
    assert {seen[row] for row in range(600, 640)} == {30}
    assert {seen[row] for row in range(640, 800)} == {3, 4}


def test_order_and_choices_follow_from_the_seed_and_each_batch_from_nothing_before_it():
    (_, first), (_, again), (_, other) = plan(1), plan(1), plan(2)
    assert not np.array_equal(drawn(first, 20), drawn(other, 20))
    for step in (3 * WINDOW, 5, 130):
        one, two = again.batch(step), first.batch(step)
        assert one.rows.tolist() == two.rows.tolist()
        assert one.choices.tolist() == two.choices.tolist()
    assert {choice for step in range(20) for choice in first.batch(step).choices} == {0, 1}


def test_held_out_rows_of_every_data_set_never_come():
    whole = mixed("all", parts(), SHARES)
    rows, held_out = hold_out(whole.texts, 0.2)
    _, planned = plan(rows=rows)
    assert set(count_by_data_set(whole.ids[row] for row in held_out)) == set(SIZES)
    assert not set(drawn(planned, 300).tolist()) & set(held_out.tolist())


def test_a_fit_learns_from_all_and_says_how_much_of_each(tmp_path):
    every, lists = {name: part(name, n, 0) for name, n in SIZES.items()}, tiny_fit.texts(sum(SIZES.values()))
    whole = mixed("all", every, SHARES)
    stored = tiny_fit.features(len(whole))
    source = StoredFeatures(replace(stored, row_ids=tuple(whole.ids)))
    recipe = tiny_fit.RECIPE.model_copy(update={"data": SHARES, "steps": 4})
    named = {"key": "k", "encoder_name": "mixed", "seed": 0, "quiet": True}
    made = fit(source, lists, tiny_fit.language_model(), recipe, tmp_path / "t", **named)
    about = made.meta["data_sets"]
    assert {name: one["share"] for name, one in about.items()} == pytest.approx(
        {"large": 0.25, "small": 0.5, "middle": 0.25}, abs=0.002
    )
    assert sum(one["rows"] for one in about.values()) == made.meta["rows"]
    alone = fit(source, lists, tiny_fit.language_model(), tiny_fit.RECIPE, tmp_path / "alone", **named)
    assert "data_sets" not in alone.meta
    assert alone.id != made.id


def test_quotas_add_up_and_keep_proportions():
    assert quotas({"a": 1, "b": 1, "c": 1}, 100) == {"a": 34, "b": 33, "c": 33}
    assert quotas({"a": 0.2, "b": 0.7, "c": 0.1}, 10) == {"a": 2, "b": 7, "c": 1}


@pytest.mark.parametrize(
    ("shares", "error", "said"),
    [
        ({"large": 1, "small": 0, "middle": 1}, BadInputError, "`small` has a share of 0"),
        ({"large": 1, "small": -1, "middle": 1}, BadInputError, "`small` has a share of -1"),
        ({"large": 1, "small": float("nan"), "middle": 1}, BadInputError, "share of nan"),
        ({"large": 1, "middle": 1}, BadInputError, "`small` has a share of 0"),
        ({**SHARES, "smal": 1}, UnknownNameError, "Did you mean `small`"),
    ],
)
def test_shares_that_make_no_sense_are_told(shares, error, said):
    with pytest.raises(error, match=said):
        mixed("all", parts(), shares)


def test_data_sets_of_which_nothing_would_be_learnt_are_told():
    with pytest.raises(BadInputError, match="nothing of `small` would be learnt"):
        plan(shares={"large": 1e6, "small": 1e-3, "middle": 1e5})
    with pytest.raises(EmptyDataError, match="`middle` has no row"):
        plan(rows=np.arange(640))
    with pytest.raises(BadInputError, match="without `/`"):
        mixed("all", {"a/b": part("a", 4, 0)}, {"a/b": 1})


def test_texts_without_pictures_can_be_mixed_and_their_pictures_are_not_found():
    alone = Manifest("texts", (Row("0", None, ("a text",)),))
    whole = mixed("all", {"texts": alone, "small": part("small", 2, 50)}, {"texts": 1, "small": 1})
    assert whole.read(1).getpixel((0, 0)) == (50, 50, 50)
    with pytest.raises(BadInputError, match="no picture"):
        whole.read(0)
    assert mixed("all", {"texts": alone}, {"texts": 1}).pictures is None


def written(folder, data):
    path = folder / "mix.yaml"
    path.write_text(f"name: mix\nlike: microworld\ntrain: {{data: {data}}}\n", encoding="utf-8")
    return path


def test_a_study_names_its_data_sets_with_shares(tmp_path):
    study = ct.load_study(written(tmp_path, "{dev: 3, test: 1}"))
    manifest = study.training_of("clip").manifest
    assert count_by_data_set(manifest.ids) == {"dev": 500, "test": 2000}
    own = study.select("dev")[0].manifest
    assert manifest.texts[7] == own.texts[7]
    assert manifest.read(7).tobytes() == own.read(7).tobytes()


@pytest.mark.parametrize(
    ("data", "said"), [("{dev: 1, tests: 1}", "Did you mean `test`"), ("{dev: 1, test: 0}", "of 0")]
)
def test_a_study_with_a_wrong_name_or_share_is_told(tmp_path, data, said):
    with pytest.raises(ConceptTransferError, match=said):
        _ = ct.load_study(written(tmp_path, data)).training_of("clip").manifest
