"""A result comes back from disk equal in every value, and says what is wrong with one that does not."""

from __future__ import annotations

import dataclasses
import json
import shutil

import matplotlib
import numpy as np
import pandas as pd
import pytest
from small_result import EVIL, SmallResult, install, make, png

from concepttransfer.errors import BadInputError, UnknownNameError
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.tables import conform, read_table, write_table


@pytest.fixture
def installed(monkeypatch):
    install(monkeypatch)


def test_what_is_loaded_equals_what_was_saved(tmp_path):
    saved = make()
    loaded = SmallResult.load(saved.save(tmp_path / "result"))
    assert loaded == saved
    assert loaded.table.equals(saved.table)
    assert (loaded.table.dtypes == saved.table.dtypes).all()
    assert loaded.table["caption"].tolist()[:2] == ["NA", ""]
    assert pd.isna(loaded.table["caption"][2])
    assert np.signbit(loaded.table["score"][3])
    assert loaded.arrays["scalar"].shape == ()
    assert loaded.summary() == saved.summary()


def test_equality_sees_every_part():
    result = make()
    table, estimates = result.to_frame(), result.estimates.copy()
    table.loc[0, "caption"] = pd.NA
    estimates.loc[0, "value"] += 1e-15
    others = [
        dataclasses.replace(result, table=table),
        dataclasses.replace(result, estimates=estimates),
        dataclasses.replace(result, arrays={**result.arrays, "x": result.arrays["x"].astype("float32")}),
        result.with_pictures({}),
        result.with_provenance(seeds=[0]),
    ]
    assert result == make()
    assert not any(other == result for other in others)


def test_an_empty_result_comes_back(tmp_path):
    empty = dataclasses.replace(make(), table=make().table[:0], estimates=make().estimates[:0], arrays={}, pictures={})
    assert SmallResult.load(empty.save(tmp_path / "result")) == empty


def test_any_kind_is_loaded_by_name(tmp_path, installed):
    loaded = Result.load(make().save(tmp_path / "result"))
    assert type(loaded) is SmallResult
    assert loaded == make()


def test_saving_again_replaces_and_saving_elsewhere_destroys_nothing(tmp_path, monkeypatch):
    folder = make().save(tmp_path / "result")
    (folder / "notes.txt").write_text("mine")
    (folder / "more").mkdir()
    (folder / "more" / "notes.txt").write_text("mine too")
    make().with_pictures({}).save(folder)
    assert not (folder / "pictures").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "more" / "notes.txt").read_text() == "mine too"
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInputError, match="no result"):
        make().save(mine)
    assert (mine / "thesis.tex").read_text() == "years of work"
    monkeypatch.chdir(mine)
    with pytest.raises(BadInputError, match="folder of its own"):
        make().save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "result"]


def test_a_result_of_another_kind_is_refused(tmp_path):
    folder = make().save(tmp_path / "result")
    about = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**about, "kind": "other"}))
    with pytest.raises(BadInputError, match="holds a `other` result, not a `small-test` one"):
        SmallResult.load(folder)
    with pytest.raises(UnknownNameError, match="No analysis `other`"):
        Result.load(folder)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("result.json", b"{"),
        ("result.json", b"[]"),
        ("table.csv", b'"row_id","caption"\n"x'),
        ("table.csv", None),
        ("estimates.csv", b"study\n"),
        ("arrays.safetensors", b"not an array"),
        ("pictures/0000.png", None),
    ],
)
def test_a_damaged_result_is_an_error_that_names_the_file(tmp_path, file, content):
    folder = make().save(tmp_path / "result")
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(BadInputError, match=file.rpartition("/")[2].replace("result.json", "result")):
        SmallResult.load(folder)


def test_no_result_at_all(tmp_path):
    with pytest.raises(BadInputError, match="holds no result"):
        SmallResult.load(tmp_path)


def test_pictures_are_found_by_their_row_whatever_its_name(tmp_path):
    pictures = {"../../escape.png": png(), "con:\x01": png(), "é" * 400: b"\xff\xd8\xff and more"}
    result = make().with_pictures(pictures)
    folder = result.save(tmp_path / "result")
    assert SmallResult.load(folder).pictures == pictures
    assert sorted(p.name for p in (folder / "pictures").iterdir()) == ["0000.png", "0001.png", "0002.jpg", "index.csv"]
    with pytest.raises(ValueError, match="neither PNG nor JPEG"):
        make().with_pictures({"a": b"<svg>"})


def test_an_unknown_figure_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean `bars`"):
        make().plot("bar")


def test_figures_draw_text_as_it_is_and_leave_matplotlib_alone():
    before = dict(matplotlib.rcParams)
    figure = make().plot("bars")
    assert EVIL in figure.axes[0].get_title(loc="left")
    assert not figure.axes[0].title.get_parse_math()
    assert dict(matplotlib.rcParams) == before
    assert make().plot() is not None


def test_logarithmic_axes_have_plain_numbers():
    from matplotlib.figure import Figure

    from concepttransfer.result.figures import finish, style

    with style():
        figure = Figure()
        figure.subplots().loglog([1, 1000], [1, 1000])
        finish(figure).draw_without_rendering()
    assert "1000" in [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_a_declaration_without_its_figure_or_with_a_field_is_an_error():
    with pytest.raises(TypeError, match="no method `plot_gone`"):

        class NoFigure(SmallResult):
            figures = ("gone",)

    @dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
    class MoreFields(SmallResult):
        extra: int = 3

    with pytest.raises(TypeError, match="adds the field `extra`"):
        MoreFields(table=make().table, estimates=make().estimates)


def test_tables_hold_their_schema():
    frame = make().table
    with pytest.raises(ValueError, match=r"missing: \['caption'\]"):
        dataclasses.replace(make(), table=frame.drop(columns="caption"))
    with pytest.raises(ValueError, match="row 1 is missing, and bool has no missing values"):
        dataclasses.replace(make(), table=frame.astype({"right": "object"}).assign(right=[True, None] + [False] * 6))
    with pytest.raises(ValueError, match=r"estimates.*not all values are float64"):
        dataclasses.replace(make(), estimates=make().estimates.assign(value="much"))
    assert list(make().estimates.columns) == list(ESTIMATES)


def test_random_tables_survive(tmp_path):
    """Texts over every character that means something to a csv, and floats of every size."""
    rng = np.random.default_rng(0)
    letters = np.array([*'",\n\r\t \\;é\x00N', "NA", "nan", '""'])
    texts = ["".join(rng.choice(letters, rng.integers(0, 6))) if rng.random() > 0.2 else None for _ in range(2000)]
    floats = rng.integers(0, 2**63, 2000, dtype=np.uint64).view("float64")
    schema = {"a": "string", "b": "float64", "c": "float32", "d": "string"}
    small = rng.normal(size=2000).astype("float32")
    frame = conform(pd.DataFrame({"a": texts, "b": floats, "c": small, "d": texts[::-1]}), schema, what="t")
    write_table(tmp_path / "t.csv", frame)
    assert read_table(tmp_path / "t.csv", schema).equals(frame)


def test_the_csv_is_what_other_programs_read(tmp_path):
    write_table(tmp_path / "t.csv", make().table)
    read = pd.read_csv(tmp_path / "t.csv", keep_default_na=False, lineterminator="\n")
    assert read["row_id"].tolist() == make().table["row_id"].tolist()
    assert read["rank"].tolist() == list(range(8))


def test_provenance_is_plain_json(tmp_path):
    result = make(where=tmp_path / "private.pt", number=np.int64(3), several={"b", "a"}, numbers=np.arange(2))
    assert result.provenance["where"] == "private.pt"
    assert result.provenance["number"] == 3
    assert result.provenance["several"] == ["a", "b"]
    assert result.provenance["numbers"] == [0, 1]
    assert SmallResult.load(result.save(tmp_path / "result")) == result


def test_a_failed_save_leaves_the_old_result(tmp_path, monkeypatch):
    import concepttransfer.result.result as module

    folder = make().save(tmp_path / "result")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(module, "write_pictures", fail)
    with pytest.raises(OSError, match="disk full"):
        make().with_provenance(new=True).save(folder)
    assert SmallResult.load(folder) == make()
    assert [p.name for p in tmp_path.iterdir()] == ["result"]
    shutil.rmtree(folder)
