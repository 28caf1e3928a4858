"""The page holds every result, needs nothing else, runs nothing that came from data, and says what it left out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from small_result import CAPTIONS, EVIL, SmallResult, install, make

from concepttransfer.errors import BadInputError
from concepttransfer.report import build
from concepttransfer.report.svg import MOST_MARKS, inline_svg, rasterize
from concepttransfer.report.tables import MOST_PRINTED, downloads, table
from concepttransfer.report.text import latex, number, paragraphs, printable, probability

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """The elements of a page: (tag, attributes), text by tag, and whether tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    install(monkeypatch)


@pytest.fixture
def runs(tmp_path):
    make("limber").save(tmp_path / "runs" / "a")
    make("microworld").save(tmp_path / "runs" / "deep" / "er" / EVIL.replace("/", ""))
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The page of two results, made once; tests only read it."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        make("limber").save(folder / "runs" / "a")
        make("microworld").save(folder / "runs" / "deep" / "er" / EVIL.replace("/", ""))
        build([folder / "runs", folder / "runs" / "a", folder / "runs"], folder / "out")
    return folder / "out"


def curve(folder: Path, encoder: str, seed: int) -> None:
    folder.mkdir(exist_ok=True)
    rows = [(encoder, seed, step, 3 / (1 + step), 1.0 if step % 5 == 0 else None, 1e-3) for step in range(20)]
    frame = pd.DataFrame(rows, columns=["encoder", "seed", "step", "loss", "validation_loss", "lr"])
    frame.to_csv(folder / f"{len(encoder)}-{seed}.csv", index=False)


def test_a_page_shows_every_result_once(built):
    text = (built / "index.html").read_text()
    page = Page(text)
    headings = [s["id"] for s in page.all("section")]
    assert [headings[0], headings[1], *headings[3:]] == ["answers", "a", "methods", "reading", "provenance"]
    assert headings[2].startswith("deep-er-")
    assert not page.open
    assert sum("Named " in data and "(.40 to .60" in data for tag, data in page.texts) == 2 * 2
    assert len(page.all("svg")) == 4
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in page.all("a") if a["href"].startswith("#")]
    assert set(targets) <= set(ids)


def test_nothing_from_data_becomes_markup(built):
    page = Page((built / "index.html").read_text())
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    shown = "".join(data for _, data in page.texts)
    assert EVIL in shown
    assert "Scores <b>by</b> picture." in shown
    assert "Is <i>anything</i> small?" in shown
    drawn = [data for tag, data in page.texts if tag == "text"]
    assert any(EVIL in data and "$5 and $6" in data for data in drawn)
    assert any("<b>.png" in data for data in drawn)


def test_the_page_reaches_for_nothing(built):
    text = (built / "index.html").read_text()
    page = Page(text)
    assert not page.all("link")
    references = [a[k] for _, a in page.elements for k in ("src", "href", "xlink:href", "action", "data") if a.get(k)]
    assert references
    assert all(r.startswith(("#", "data:image/png;base64,", "tables/", "figures/")) for r in references)
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    addresses = set(re.findall(r"https?://[\w./]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv"))
    assert "default-src 'none'" in policy


def test_the_script_is_the_one_that_the_page_allows(built):
    import base64
    import hashlib

    text = (built / "index.html").read_text()
    script = re.search(r"<script>(.*?)</script>", text, re.S).group(1)
    assert f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}" in text


def test_tables_sort(built):
    page = Page((built / "index.html").read_text())
    headings = [a for a in page.all("th") if a.get("scope") == "col"]
    assert len(headings) == len(page.all("button"))
    assert all(a["type"] == "button" for a in page.all("button"))
    values = [a["data-sort"] for a in page.all("td") if "data-sort" in a]
    assert {"0.0001", "0.3333333333333333", "inf", ""} <= set(values)
    assert len(page.all("caption")) == len(page.all("table"))


def test_tables_lie_beside_the_page(built):
    out = built
    page = Page((out / "index.html").read_text())
    links = [a["href"] for a in page.all("a") if "download" in a]
    assert len(links) == 2 * (3 * 3 + 2 * 2)
    assert all((out / link).is_file() for link in links)
    rows = json.loads((out / "tables" / "a" / "table.json").read_text())
    assert [row["caption"] for row in rows] == CAPTIONS
    assert rows[0]["votes"] == 2**60
    assert rows[1]["score"] is None
    assert rows[4]["score"] == 1 / 3
    assert len((out / "tables" / "a" / "table.tex").read_text().split("\\\\\n")) == len(CAPTIONS) + 2


def test_a_long_table_is_not_written_as_latex(tmp_path):
    frame = pd.DataFrame({"encoder": ["a"] * (MOST_PRINTED + 1), "value": 0.5})
    short, long = (downloads(one, tmp_path, "t", page=tmp_path) for one in (frame[:-1], frame))
    assert [one.format for one in short] == ["csv", "json", "LaTeX"]
    assert [one.format for one in long] == ["csv", "json"]
    assert not (tmp_path / "t.tex").exists(), "the older one is not left beside it"
    assert json.loads((tmp_path / "t.json").read_text()) == frame.to_dict("records")


def test_latex_says_exactly_the_text():
    assert latex("a&b%c_d#e$f{g}h~i^j\\k") == (
        r"a\&b\%c\_d\#e\$f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k"
    )
    assert latex("two\nlines\x00") == "two lines"
    assert latex("[0.1]") == "{[}0.1{]}"


def test_latex_has_booktabs_and_as_many_cells_as_columns(tmp_path):
    frame = make().table
    files = downloads(frame, tmp_path / "t", "all", page=tmp_path)
    assert [f.href for f in files] == ["t/all.csv", "t/all.json", "t/all.tex"]
    lines = (tmp_path / "t/all.tex").read_text().splitlines()
    assert [line for line in lines if line.endswith("rule")] == ["\\toprule", "\\midrule", "\\bottomrule"]
    body = [line for line in lines if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(frame.columns) - 1}


@pytest.mark.parametrize(("n", "vectors"), [(MOST_MARKS, MOST_MARKS), (MOST_MARKS + 1, 0)])
def test_more_than_two_thousand_marks_become_pixels(n, vectors):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.scatter(range(n), range(n))
    svg = inline_svg(figure, key="k", title="t", description="d")
    assert svg.count("<use ") >= vectors
    assert ("<image" in svg) == (vectors == 0)
    if not vectors:
        assert svg.count("<use ") < 100
        assert ">0<" in svg


def test_light_marks_beside_heavy_ones_stay_vectors():
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots(2, 2)
    axes[0, 0].plot(range(3000), "o")
    axes[0, 1].pcolormesh([[1, 2], [3, 4]])
    axes[1, 0].bar(range(10), range(10))
    axes[1, 1].plot(range(3000))
    assert rasterize(figure) == 4 + 10 + 1
    assert axes[0, 0].lines[0].get_rasterized()
    assert not axes[0, 1].collections[0].get_rasterized()
    crowd = Figure()
    crowd.subplots().bar(range(3000), 1)
    assert rasterize(crowd) == 0


def test_a_figure_stands_alone_in_the_page():
    from matplotlib.figure import Figure

    def drawn(key):
        figure = Figure()
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], "o", url="javascript:alert(1)")
        axes.set_title("\x00\x0b bell \x07")
        return inline_svg(figure, key=key, title="A <title>", description="of & so")

    assert drawn("one") == drawn("one")
    root = ElementTree.fromstring(drawn("one"))
    ids = {e.get("id") for e in root.iter() if e.get("id")}
    assert all(i.startswith("one-") for i in ids)
    text = drawn("one")
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= ids
    assert "javascript" not in text
    assert "<style" not in text
    assert root.get("role") == "img"
    assert root[0].text == "A <title>"
    assert root.get("aria-labelledby") == "one-title one-desc"


def test_a_broken_result_is_listed_and_harms_no_other(runs, tmp_path, monkeypatch):
    for name, content in {"half<b>": "{", "gone": '{"kind": "gone-kind", "provenance": {}}', ".hidden": "{"}.items():
        (runs / name).mkdir()
        (runs / name / "result.json").write_text(content)
    monkeypatch.setattr(SmallResult, "plot_bars", lambda self: 1 / 0)
    text = build([runs], tmp_path / "out").read_text()
    page = Page(text)
    shown = "".join(data for _, data in page.texts)
    assert "half<b>" in shown
    assert "No analysis " in shown
    assert "gone-kind" in shown
    assert ".hidden" not in shown
    assert shown.count("could not be drawn: ZeroDivisionError") == 2
    assert len(page.all("section")) == 2 + 5
    assert "broken" in [s["id"] for s in page.all("section")]
    assert str(tmp_path) not in text


def test_a_result_that_cannot_speak_is_listed(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(
        SmallResult, "summary", lambda self: {}["x"] if self.provenance["study"] == "limber" else "fine"
    )
    page = Page(build([runs], tmp_path / "out").read_text())
    assert "broken" in [s["id"] for s in page.all("section")]
    monkeypatch.setattr(SmallResult, "summary", lambda self: {}["x"])
    with pytest.raises(BadInputError, match=r"(?s)None of 2 result.*KeyError"):
        build([runs], tmp_path / "out")


def test_without_results_it_says_what_to_do(tmp_path):
    with pytest.raises(BadInputError, match="Make one with: concepttransfer awa-errors"):
        build([tmp_path], tmp_path / "out")
    with pytest.raises(BadInputError, match="There is no folder"):
        build([tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(BadInputError, match="No results in no folder"):
        build([], tmp_path / "out")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "result.json").write_text("{")
    with pytest.raises(BadInputError, match="bad: "):
        build([tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_microworld_is_never_silent(tmp_path):
    make("limber").save(tmp_path / "real")
    assert "icroworld" not in build([tmp_path / "real"], tmp_path / "a").read_text()
    make("microworld").save(tmp_path / "world")
    shown = build([tmp_path / "world"], tmp_path / "b").read_text()
    assert "All that this page shows" in shown
    assert shown.count('<span class="tag">microworld</span>') == 2 + 2
    make("mine", microworld=True).save(tmp_path / "mine")
    both = build([tmp_path / "real", tmp_path / "mine"], tmp_path / "c").read_text()
    assert "(1 of 2 results)" in both


def test_loss_curves_are_drawn_once_for_each_study(runs, tmp_path):
    make("limber").save(runs / "b")
    for folder in (runs / "a", runs / "b"):
        for seed in (0, 1):
            curve(folder / "fits", "NA", seed)
            curve(folder / "fits", EVIL, seed)
    (runs / "a" / "fits" / "broken.csv").write_text("step\n1\n")
    out = tmp_path / "out"
    page = Page(build([runs], out).read_text())
    assert [s["id"] for s in page.all("section")][-5] == "fits-limber"
    ends = pd.read_csv(out / "tables" / "fits-limber" / "fits.csv", keep_default_na=False)
    assert ends[["encoder", "seed"]].values.tolist() == [[EVIL, 0], [EVIL, 1], ["NA", 0], ["NA", 1]]
    assert ends["validation loss"].tolist() == [1.0] * 4
    assert any("It has no column" in data for _, data in page.texts)
    assert any("a/fits/broken.csv" in data for _, data in page.texts)


def test_a_second_report_takes_the_place_of_the_first_and_nothing_else(runs, tmp_path):
    out = tmp_path / "out"
    build([runs], out)
    (out / "mine.txt").write_text("mine")
    first = (out / "index.html").read_text()
    build([runs], out)
    assert (out / "mine.txt").read_text() == "mine"
    assert len((out / "index.html").read_text()) == len(first)


def test_columns_that_say_one_thing_are_said_once():
    frame = pd.DataFrame({"study": ["s", "s"], "x": ["a", "b"], "none": [None, None], "p": [0.00001, 0.5]})
    laid = table(frame, "c", most=1)
    assert laid.same == {"study": "s"}
    assert [c.name for c in laid.columns] == ["x", "p"]
    assert (len(laid.rows), laid.total) == (1, 2)
    assert laid.rows[0][1].text == "<0.001"


def test_numbers_have_the_length_that_is_read():
    column = table(pd.DataFrame({"v": [0.12345, -0.5, None]}), "c", most=9).rows
    assert [row[0].text for row in column] == ["0.123", "−0.500", "–"]
    assert [row[0].text for row in table(pd.DataFrame({"v": [1234.5, 2.0]}), "c", most=9).rows] == ["1234.5", "2.0"]
    assert [row[0].text for row in table(pd.DataFrame({"v": [True, False]}), "c", most=9).rows] == ["yes", "no"]
    assert (number(0.00012345, None), number(float("-inf"), 2)) == ("0.000123", "−∞")
    assert probability(0.04) == "0.040"


def test_docstrings_keep_what_was_laid_out_by_hand():
    assert paragraphs("One\n    two.\n\n    Args:\n        x: y") == [(False, "One two."), (True, "Args:\n    x: y")]
    assert paragraphs(None) == []
    assert printable("a\x00b\ud800c\td") == "a\ufffdb\ufffdc\td"


def test_the_report_loads_no_model_library(runs, tmp_path):
    info = tmp_path / "plug" / "small-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: small\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[concepttransfer.analyses]\nsmall-test = small_result:small_test\n")
    code = (
        "import sys; from pathlib import Path; from concepttransfer.report import build\n"
        f"build([Path({str(runs)!r})], Path({str(tmp_path / 'out')!r}))\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'umap', 'spacy', 'scipy', 'matplotlib.pyplot'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    paths = [str(info.parent), str(Path(__file__).parent), str(Path(__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "index.html").is_file()


def test_figures_lie_beside_the_page_at_print_size(built):
    from PIL import Image

    out = built
    assert sorted(path.name for path in (out / "figures" / "a").iterdir()) == [
        "bars.pdf",
        "bars.png",
        "sheet-of-pictures.pdf",
        "sheet-of-pictures.png",
    ]
    with Image.open(out / "figures" / "a" / "bars.png") as picture:
        assert tuple(round(dots) for dots in picture.info["dpi"]) == (300, 300)
        assert 1000 < picture.width <= 7.2 * 300 + 1
    assert (out / "figures" / "a" / "bars.pdf").read_bytes().startswith(b"%PDF")


def test_a_wide_figure_is_printed_at_the_width_of_a_page(tmp_path):
    from matplotlib.figure import Figure
    from PIL import Image

    from concepttransfer.report.drawings import drawn

    made = drawn(
        lambda: Figure(figsize=(20, 2)), "w", caption="c", title="t", key="k", folder=tmp_path / "f", page=tmp_path
    )
    assert [file.href for file in made.files] == ["f/w.png", "f/w.pdf"]
    with Image.open(tmp_path / "f" / "w.png") as picture:
        assert abs(picture.width - 7.2 * 300) <= 2


def test_what_was_asked_stands_at_the_head(tmp_path):
    models = {"beit": "hf:beit", "beit-random": f"hf:beit, random weights {EVIL}", "clip": "open_clip:RN50"}
    about = {"title": "A <b>study</b>", "models": models, "palette": ["clip", "beit", "beit-random"], "on": "awa2"}
    make("limber", rows=1234, language_model="hf:gpt", prompt="A picture of", **about).save(tmp_path / "r")
    page = Page(build([tmp_path / "r"], tmp_path / "out").read_text())
    assert next(s["id"] for s in page.all("section")) == "asked"
    shown = "".join(data for _, data in page.texts)
    for text in ("A <b>study</b>", "awa2 (1,234 rows)", "hf:gpt", "“A picture of”", EVIL):
        assert text in shown
    markers = [a for a in page.all("svg") if a.get("class") == "marker"]
    from concepttransfer.result.figures import PALETTE

    assert [(a["fill"], a["stroke"]) for a in markers] == [
        (PALETTE[0], PALETTE[0]),
        (PALETTE[1], PALETTE[1]),
        ("white", PALETTE[1]),
    ]


def test_provenance_says_once_what_holds_for_all(tmp_path):
    for n in range(2):
        made = make("limber", libraries={"numpy": "2.0"}, inputs=["ab" * 32], n=n)
        made.save(tmp_path / "runs" / str(n))
    page = build([tmp_path / "runs"], tmp_path / "out").read_text()
    provenance = page[page.index('id="provenance"') :]
    assert provenance.count("numpy 2.0") == 1
    assert provenance.count("abababababab…") == 1
    assert re.findall(r"<dt>n</dt><dd>(\d)</dd>", provenance) == ["0", "1"]


def test_a_live_view_runs_only_its_own_scripts(tmp_path, monkeypatch):
    from concepttransfer.result.live import Live

    live = Live("Point at it, n = 3.", '<div id="live"></div>', ("document.title = 'a\x07';\r\n",))
    monkeypatch.setattr(SmallResult, "live", lambda self: live)
    make("limber").save(tmp_path / "r" / "1")
    make("limber").save(tmp_path / "r" / "2")
    text = build([tmp_path / "r"], tmp_path / "out").read_text()
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    assert len(scripts) == 2
    import base64
    import hashlib

    for script in scripts:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in text
    assert "unsafe-eval" not in text
    monkeypatch.setattr(SmallResult, "live", lambda self: Live("c", "", ("x = '</script>'",)))
    with pytest.raises(BadInputError, match="would end it early"):
        build([tmp_path / "r"], tmp_path / "out")


def test_one_study_is_asked_for_by_name(tmp_path):
    make("limber").save(tmp_path / "runs" / "1")
    make("other").save(tmp_path / "runs" / "2")
    page = Page(build([tmp_path / "runs"], tmp_path / "out", study="other").read_text())
    assert [s["id"] for s in page.all("section")][1] == "2"
    again = "Make all of a study's: concepttransfer report --study none --all"
    for folder in (tmp_path / "runs", tmp_path / "nowhere"):
        with pytest.raises(BadInputError, match=again):
            build([folder], tmp_path / "out", study="none")


def test_numbers_that_were_rounded_get_no_zeros():
    frame = pd.DataFrame({"v": [2.1, 9.5], "w": [45.0, 9.0], "x": [0.25, 0.5]})
    rows = table(frame, "c", most=9).rows
    assert [[cell.text for cell in row] for row in rows] == [["2.1", "45.0", "0.25"], ["9.5", "9.0", "0.50"]]


def test_a_notebook_shows_a_result_and_runs_nothing():
    html = make("limber")._repr_html_()
    assert EVIL not in html
    assert "&lt;script&gt;" in html
    assert "n = 8" in html
    assert "(.40 to .60" in html
    assert len(html) < 20_000
    page = Page(html)
    assert not page.open
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.elements)


def test_several_processes_draw_the_same_as_one(tmp_path, monkeypatch):
    from concepttransfer.report import several

    for n in range(several.MANY):
        make("limber", n=n).save(tmp_path / "runs" / str(n))
    monkeypatch.setattr(SmallResult, "summary", lambda self: {}["x"] if self.provenance["n"] == 1 else "fine")
    drew = []
    monkeypatch.setattr(several, "usable_cores", lambda: drew.append("asked") or 2)
    shared = build([tmp_path / "runs"], tmp_path / "several").read_text()
    monkeypatch.setattr(several, "MANY", 99)
    alone = build([tmp_path / "runs"], tmp_path / "one").read_text()
    assert drew
    dated = re.compile(r"gathered on [^.]*\.")
    assert dated.sub("", shared) == dated.sub("", alone)
    assert "KeyError" in shared[shared.index('id="broken"') :]
