"""What the package says of the paper's data, and whether a folder is as it says."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml
from published_layouts import LAYOUTS
from pydantic import ValidationError

from concepttransfer.data import READERS, _arguments, _reader, read_data
from concepttransfer.data.descriptions import DataFile, DataManifest, LayoutEntry, available, describe, read_description
from concepttransfer.data.layout import SAMPLE, check_layout
from concepttransfer.errors import BadInputError, MissingResourceError, UnknownNameError

LEAST = {"title": "t", "licence": "l", "data": {"reader": "image_folder", "pictures": "d"}, "layout": []}
LEAST["layout"] = [{"glob": "**/*.jpg", "what": "pictures"}]


def smaller(name, n=20):
    """The manifest of a data set of the package with the counts that its made layout of `n` pictures has."""
    described = describe(name)
    lists = {"images": n, "questions": 3 * n}
    annotations = {"coco": 5 * n, "nocaps": 10 * n, "vqa2": 3 * n}
    entries = [
        entry.model_copy(
            update={
                "count": n if entry.count else None,
                "holds": {key: lists.get(key, annotations.get(name)) for key in entry.holds},
            }
        )
        for entry in described.layout
    ]
    return described.model_copy(update={"layout": entries})


# what the manifests say


def test_the_papers_data_are_all_described():
    assert set(available()) >= {"awa2", "cc3m", "coco", "nocaps", "vqa2"}
    with pytest.raises(UnknownNameError, match="Did you mean `nocaps`"):
        describe("no-caps")


@pytest.mark.parametrize("name", ["awa2", "cc3m", "coco", "nocaps", "vqa2"])
def test_a_manifest_says_where_the_data_come_from_and_how_they_are_read(name, tmp_path):
    described = describe(name)
    assert described.name == name
    assert all((described.title, described.url.startswith("https://"), described.licence, described.citation))
    assert described.counts
    assert described.splits
    assert described.folder == f"data/{name}"
    reader = _reader(described.data["reader"])
    assert set(_arguments(reader, described.data, tmp_path)) <= set(inspect.signature(reader).parameters)
    fetched = {file.name for file in described.files if not file.optional}
    assert {entry.comes_in for entry in described.layout if not entry.optional} <= fetched | {None}
    assert fetched <= {entry.comes_in for entry in described.layout}, "what is fetched is wanted"


def test_readers_take_their_licence_from_the_manifest():
    assert {"awa2", "coco", "nocaps", "vqa2"} <= set(READERS)
    assert set(describe("coco").source) == {"title", "url", "licence", "citation"}
    assert "CC BY 4.0" in describe("vqa2").source["licence"]


def test_counts_agree_with_each_other():
    vqa2 = describe("vqa2").counts
    assert vqa2["answers"] == 10 * vqa2["questions"]
    nocaps = describe("nocaps")
    assert nocaps.counts["captions"] == 10 * nocaps.counts["pictures"]
    domains = [int(text.split()[0].replace(",", "")) for text in nocaps.splits.values()]
    assert sum(domains) == nocaps.counts["pictures"]
    coco = {
        name: int(text.rsplit(" pictures", 1)[0].split()[-1].replace(",", ""))
        for name, text in describe("coco").splits.items()
    }
    assert coco["test"] + coco["val"] + coco["restval"] == coco["val2014"]
    assert coco["train2014"] + coco["val2014"] == coco["train2017"] + coco["val2017"] == 123287


# what a manifest may not be


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"titel": "x"}, "titel: no such key. Did you mean `title`"),
        ({"licence": None}, "licence: input should be a valid string"),
        ({"layout": []}, "layout: list should have at least 1 item"),
        ({"layout": [{"what": "x"}]}, "either `path` or `glob`"),
        ({"layout": [{"path": "a", "glob": "*", "what": "x"}]}, "either `path` or `glob`"),
        ({"layout": [{"path": "../a", "what": "x"}]}, "`../a` is no path below"),
        ({"layout": [{"glob": "/etc/*", "what": "x"}]}, "`/etc/.` is no path below"),
        ({"layout": [{"path": "a", "what": "x", "comes_in": "b.zip"}]}, "comes in `b.zip`, which is not among"),
        ({"data": {"folder": "x"}}, "names a `reader`, and a `folder`"),
        ({"data": {"reader": "coco"}}, "names a `reader`, and a `folder`"),
        ({"files": [{"url": "https://x/a.zip", "name": "../a.zip"}]}, r"`\.\./a.zip` is no path below"),
        ({"files": [{"url": "https://x/a.zip", "name": "a.zip", "unpack": "/"}]}, "`/` is no path below"),
        ({"files": [{"url": "ftp://x/a.zip", "name": "a.zip"}]}, "files.0.url: string should match"),
        (
            {"files": [{"url": "https://x/a.zip", "name": "a.zip", "sha256": "abc"}]},
            "files.0.sha256: string should match",
        ),
        ({"files": [{"url": "https://x/a.zip", "name": "a.zip", "bytes": 0}]}, "greater than 0"),
    ],
)
def test_a_manifest_of_ones_own_that_is_wrong(tmp_path, changed, message):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**LEAST, **changed}))
    with pytest.raises(BadInputError, match=message):
        read_description(tmp_path / "mine.yaml")


def test_a_manifest_of_ones_own(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(LEAST))
    mine = read_description(tmp_path / "mine.yaml")
    assert (mine.name, mine.folder, mine.files) == ("mine", "d", [])
    assert DataManifest.model_validate(mine.model_dump()) == mine
    with pytest.raises(MissingResourceError, match="concepttransfer data add"):
        read_description(tmp_path / "yours.yaml")
    for text in ("- a\n- b\n", "title: [\n"):
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(BadInputError, match="is no data manifest"):
            read_description(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfetitle")
    with pytest.raises(BadInputError, match="is no data manifest: it is not text in UTF-8"):
        read_description(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("title: t\nlicense: l\n")
    with pytest.raises(
        BadInputError, match=r"4 mistakes:\n(.*\n)*  line 2: license: no such key. Did you mean `licence`"
    ):
        read_description(tmp_path / "mine.yaml")


def test_each_mistake_of_a_manifest_has_its_line_and_the_nearest_name(tmp_path):
    lines = [
        "title: t",
        "licence: l",
        "data: {reader: coco, folder: x}",
        "layout:",
        "- {path: a, whot: b}",
        "tabels: {}",
    ]
    (tmp_path / "mine.yaml").write_text("\n".join(lines))
    with pytest.raises(BadInputError) as told:
        read_description(tmp_path / "mine.yaml")
    assert str(told.value).splitlines()[1:] == [
        "  line 5: layout.0.what: is missing.",
        "  line 5: layout.0.whot: no such key. Did you mean `what`?",
        "  line 6: tabels: no such key. Did you mean `tables`?",
    ]


def test_nothing_of_a_manifest_can_be_changed():
    with pytest.raises(ValidationError):
        describe("coco").title = "other"


# whether a folder is as its manifest says


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_in_its_published_layout_is_in_order(tmp_path, name):
    findings = check_layout(LAYOUTS[name](tmp_path / "data", 20), smaller(name))
    assert all(finding.ok and not finding.advice for finding in findings), findings
    assert name == "cc3m" or any(finding.found == "all open" for finding in findings)


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_is_there(tmp_path, name):
    described = describe(name)
    findings = check_layout(tmp_path / "data" / name, described)
    wanted = [entry for entry in described.layout if not entry.optional]
    missing = [finding for finding in findings if not finding.ok]
    assert len(missing) == len(wanted)
    assert len(findings) == len(described.layout)
    urls = {file.name: file.url for file in described.files}
    for finding, entry in zip(missing, wanted, strict=True):
        assert finding.wanted.startswith(entry.pattern)
        assert finding.found == f"no {tmp_path / 'data' / name}"
        assert str(tmp_path / "data" / name) in finding.advice
        assert urls.get(entry.comes_in, described.url) in finding.advice
        if entry.comes_in:
            assert f"concepttransfer data fetch {name}" in finding.advice


def test_a_few_pictures_too_few(tmp_path):
    folder = LAYOUTS["coco"](tmp_path, 20)
    (folder / "val2017" / "000000000139.jpg").unlink()
    (fault,) = (finding for finding in check_layout(folder, smaller("coco")) if not finding.ok)
    assert fault.found == "19 of 20 files"
    assert fault.advice.startswith("Unpack http://images.cocodataset.org/zips/val2017.zip into ")


def test_pictures_may_stay_packed_where_the_reader_takes_a_zip(tmp_path):
    folder = LAYOUTS["coco"](tmp_path / "coco", 20)
    with zipfile.ZipFile(folder / "val2017.zip", "w") as archive:
        for path in (folder / "val2017").iterdir():
            archive.write(path, f"val2017/{path.name}")
    shutil.rmtree(folder / "val2017")
    assert all(finding.ok for finding in check_layout(folder, smaller("coco")))
    packed = tmp_path / "AwA2-data.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in LAYOUTS["awa2"](tmp_path / "awa2", 20).rglob("*.jpg"):
            archive.write(path, path.relative_to(tmp_path / "awa2"))
    assert all(finding.ok for finding in check_layout(packed, smaller("awa2")))


def test_a_damaged_zip_holds_nothing(tmp_path):
    folder = LAYOUTS["coco"](tmp_path / "coco", 20)
    with zipfile.ZipFile(folder / "val2017.zip", "w") as archive:
        for path in (folder / "val2017").iterdir():
            archive.write(path, f"val2017/{path.name}")
    shutil.rmtree(folder / "val2017")
    content = (folder / "val2017.zip").read_bytes()
    for damaged in (content[:-500], content.replace(b"PK\x01\x02", b"xxxx")):  # cut short; its directory overwritten
        (folder / "val2017.zip").write_bytes(damaged)
        (fault,) = (finding for finding in check_layout(folder, smaller("coco")) if not finding.ok)
        assert fault.found == "nothing"
        with pytest.raises(BadInputError, match=r"val2017\.zip is (a damaged zip|neither)"):
            read_data({"reader": "coco", "folder": str(folder)}, tmp_path)


def test_what_cannot_be_read_is_found_without_hashing(tmp_path, monkeypatch):
    monkeypatch.setattr("hashlib.file_digest", None)
    folder = LAYOUTS["nocaps"](tmp_path, 20)
    for path in sorted((folder / "images").iterdir())[:3]:
        path.write_bytes(path.read_bytes()[:200])
    captions = folder / "nocaps_val_4500_captions.json"
    captions.write_bytes(captions.read_bytes()[:-10])
    table, pictures = (finding for finding in check_layout(folder, smaller("nocaps")) if not finding.ok)
    assert "cannot be read" in table.found
    assert "nocaps_val_4500_captions.json" in table.advice
    assert pictures.found.startswith("3 cannot be read, such as images/0013ea")
    assert str(folder) in pictures.advice


def test_a_table_with_too_few_entries(tmp_path):
    folder = LAYOUTS["vqa2"](tmp_path, 20)
    path = folder / "v2_mscoco_val2014_annotations.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({"annotations": values["annotations"][:7]}))
    (fault,) = (finding for finding in check_layout(folder, smaller("vqa2")) if not finding.ok)
    assert (fault.wanted, fault.found) == ("in it: 60 annotations", "7 annotations")
    path.write_text(json.dumps({"questions": []}))
    (fault,) = (finding for finding in check_layout(folder, smaller("vqa2")) if not finding.ok)
    assert "no list `annotations`" in fault.found


def test_optional_data_may_be_missing_but_not_in_part(tmp_path):
    folder = LAYOUTS["vqa2"](tmp_path, 20)
    shutil.rmtree(folder / "train2014")
    findings = {finding.wanted.split(":")[0]: finding for finding in check_layout(folder, smaller("vqa2"))}
    assert findings["**/train2014/*.jpg"].ok
    assert "optional" in findings["**/train2014/*.jpg"].found
    (folder / "train2014").mkdir()
    shutil.copy(next((folder / "val2014").iterdir()), folder / "train2014" / "1.jpg")
    assert [finding.found for finding in check_layout(folder, smaller("vqa2")) if not finding.ok] == ["1 of 20 files"]


def test_a_sample_of_the_pictures_is_opened_the_same_each_time(tmp_path, monkeypatch):
    folder, opened = LAYOUTS["awa2"](tmp_path, 3 * SAMPLE), []
    read = "concepttransfer.manifest.FolderPictures.read"
    monkeypatch.setattr(read, lambda source, key: opened.append(key))
    for _ in range(2):
        check_layout(folder, describe("awa2"))
    assert len(set(opened)) == SAMPLE
    assert opened[:SAMPLE] == opened[SAMPLE:]


@pytest.mark.parametrize(
    ("pattern", "there", "elsewhere"),
    [
        ("val2017/*.jpg", ["val2017/a.jpg"], ["val2017/b/a.jpg", "a.jpg", "val2017/a.png", "xval2017/a.jpg"]),
        ("**/J/*/*.jpg", ["J/a/b.jpg", "x/y/J/a/b.jpg"], ["J/b.jpg", "J/a/c/b.jpg", "xJ/a/b.jpg"]),
        ("a+b/(c)?.txt", ["a+b/(c)d.txt"], ["aab/cd.txt", "a+b/(c).txt", "a+b/(c)de.txt"]),
        ("**/*.tar", ["a.tar", "b/c/a.tar"], ["a.tar.gz", "atar"]),
    ],
)
def test_patterns(tmp_path, pattern, there, elsewhere):
    for name in there + elsewhere:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    entry = LayoutEntry(glob=pattern, what="files", count=len(there))
    (finding,) = check_layout(tmp_path, DataManifest.model_validate({**LEAST, "layout": [entry]}))[:1]
    assert finding.found == f"{len(there):,} file{'s' * (len(there) != 1)}"


def test_manifests_and_readers_load_no_heavy_library():
    code = (
        "import sys; from concepttransfer.data import layout, coco, nocaps, vqa2; layout.check_layout;"
        "print(sorted({'torch', 'transformers', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_of_a_manifest_may_lack_what_is_not_published():
    file = DataFile(url="https://example.org/a.json", name="a.json")
    assert (file.bytes, file.sha256, file.md5, file.unpack, file.optional) == (None, None, None, None, False)
