"""The benchmarks run, compare equal work, and say what they found; no test looks at a time."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys

import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # they are no part of the package

from benchmarks import catalogue, growth, machine, measure, tables, wu_palmer
from benchmarks.record import KEYS, Goal, Measurement, at_least, at_most

ABOUT = ("2 cores (x86_64), 25 GB, no GPU", {"python": "3.11"}, "2026-01-02T03:04:05+00:00")


@pytest.fixture
def in_this_process(monkeypatch):
    """Fresh processes cost seconds each, and none is needed to see that the work is done."""
    for module in (measure, wu_palmer, growth):
        monkeypatch.setattr(module, "in_child", lambda function, *arguments: function(*arguments))


@pytest.fixture(params=[name for name in catalogue.NAMES if name not in ("fitting", "token_losses")])
def name(request):
    needs_photographs = request.param == "encoding"
    if needs_photographs:
        request.getfixturevalue("real")
    return request.param


def test_each_measures_both_sides_of_the_same_work(name, in_this_process):
    check(catalogue.measured(name, "TINY"))


def test_token_losses_measure_memory_that_a_fresh_process_takes():
    """In this one, what torch let go of before would be taken again."""
    found = catalogue.measured("token_losses", "TINY")
    check(found)
    logits = 4 * 45 * 20_000 * 4 / 1e6
    assert found[1].baseline > logits > found[1].ours


@pytest.mark.slow
def test_fitting_measures_both_sides_of_the_same_work(real, in_this_process):
    check(catalogue.measured("fitting", "TINY"))


def check(found):
    assert not isinstance(found, str), found
    assert len({measurement.name for measurement in found}) == len(found) >= 2
    assert any(measurement.goal for measurement in found)
    for measurement in found:
        entry = measurement.entry(*ABOUT)
        assert tuple(entry) == KEYS
        assert entry == json.loads(json.dumps(entry, allow_nan=False))
        assert measurement.ours > 0
        assert measurement.baseline > 0


@pytest.mark.parametrize("name", ["token_losses", "captioning"])
def test_a_side_that_does_less_is_found_out(name, tmp_path, in_this_process):
    """What makes two outcomes equal is looked at, not assumed."""
    module = importlib.import_module(f"benchmarks.{name}")
    sides = module.prepare(module.TINY, tmp_path)
    ours = sides.ours()
    assert sides.same(ours, sides.baseline())
    less = (ours[0] * 1.01, ours[1]) if name == "token_losses" else ours[:-1]
    assert not sides.same(less, sides.baseline())
    with pytest.raises(measure.NotTheSame):
        measure.seconds(dataclasses.replace(sides, ours=lambda: less), pairs=1)


def test_the_pair_with_the_median_ratio_counts(monkeypatch):
    clock = iter(np.cumsum([0, 2, 0, 1, 0, 9, 0, 3, 0, 8, 0, 2]).tolist())  # 2 to 1, 9 to 3, 8 to 2
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    sides = measure.Sides(lambda: 0, lambda: 0, lambda a, b: True)
    assert measure.seconds(sides, pairs=3) == measure.Seconds(9, 3)


def test_memory_of_this_process_and_of_those_below_it():
    with measure.peak_memory() as peak:
        before = peak()
        block = np.ones(40_000_000, np.uint8)
        del block
        measure.in_child(fill, 60_000_000)
    assert peak() - before > 55


def fill(n: int) -> None:
    """Hold so many bytes until they were seen."""
    import time

    block = np.ones(n, np.uint8)
    time.sleep(0.1)
    del block


@pytest.mark.parametrize(
    ("goal", "ours", "baseline", "met"),
    [
        (at_least(2), 6, 3, True),
        (at_least(2), 5, 3, False),
        (at_most(0.5), 1, 2, True),
        (at_most(0.5), 1.1, 2, False),
        (Goal("ours", ">=", 150), 151, 1000, True),
        (Goal("difference", "<=", 300), 900, 599, False),
        (None, 1, 2, None),
    ],
)
def test_goals(goal, ours, baseline, met):
    entry = Measurement("this", "s", ours, baseline, goal).entry(*ABOUT)
    assert entry["met"] is met
    assert entry["ratio"] == round(ours / baseline, 4)


def test_results_are_kept_by_day_and_machine_and_replaced_by_name(tmp_path):
    first, second, again = (
        Measurement(n, "s", x, 2.0, at_most(1)).entry(*ABOUT) for n, x in [("a|b", 1), ("c", 1), ("c", 3)]
    )
    path = tables.save([first, second], tmp_path)
    assert path.name == "2026-01-02-2-cores-x86-64-25-gb-no-gpu.json"
    assert tables.save([again], tmp_path) == path
    assert json.loads(path.read_text()) == [first, again]
    page = (tmp_path / "README.md").read_text()
    assert "| a\\|b | s | 1 | 2 | 0.5 | ours / baseline <= 1 | yes |" in page
    assert "| c | s | 3 | 2 | 1.5 | ours / baseline <= 1 | NO |" in page
    assert tables.text([first]).splitlines()[1].split()[:3] == ["a|b", "s", "1"]


def test_the_page_in_the_repository_is_made_from_its_files():
    found = list(tables.RESULTS.glob("*.json"))
    for path in found:
        for entry in json.loads(path.read_text()):
            assert tuple(entry) == KEYS
            assert tables.file_name(entry) == path.name
    if found:
        assert (tables.RESULTS / "README.md").read_text() == tables.page()


def test_a_machine_is_told_in_words():
    import platform

    assert platform.node() not in machine.machine()
    assert " cores " in machine.machine()
    assert {"python", "torch", "transformers", "revision"} <= set(machine.versions())
