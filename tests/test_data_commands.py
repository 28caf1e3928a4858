"""`concepttransfer data`: what it says, what it writes, and how it answers mistakes."""

from __future__ import annotations

import csv
import json
import shutil
import sys

import pytest
import yaml
from PIL import Image
from test_fetch import Shop, shop  # noqa: F401  a fixture
from typer.main import get_command

from concepttransfer.cli import app, main
from concepttransfer.concepts.sources import from_classes_csv
from concepttransfer.data.class_table import ClassRow, is_class_table, read_class_table, write_class_table
from concepttransfer.data.descriptions import available, describe, read_table
from concepttransfer.data.own_classes import propose
from concepttransfer.errors import BadInputError, EmptyDataError, MissingResourceError
from concepttransfer.language import wordnet
from concepttransfer.manifest import Manifest, Row
from concepttransfer.study import load_study


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    status = main(list(map(str, arguments)))
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def pictures(folder, *classes, n=2):
    for label in classes:
        (folder / label).mkdir(parents=True)
        for i in range(n):
            Image.new("RGB", (32, 32), (40 * i, 100, 10)).save(folder / label / f"{i}.png")
    return folder


def table(path):
    with path.open() as file:
        return {row["class"]: row for row in csv.DictReader(file)}


def change(path, label, **cells):
    rows = table(path)
    rows[label] |= cells
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[label]))
        writer.writeheader()
        writer.writerows(rows.values())


# what there is


def test_every_command_teaches_with_an_example(capsys):
    group = get_command(app).get_command(None, "data")
    for name, command in group.commands.items():
        assert "Example: concepttransfer data" in command.help, name
        assert all(option.help for option in command.params if option.name != "help"), name
    assert run(capsys, "data", "add", "--help")[0] == 0


def test_list_names_every_data_set_its_use_and_its_place(capsys, here):
    pictures(here / "data/awa2/JPEGImages", "zebra")
    status, out, _ = run(capsys, "data", "list", "--json")
    listed = {row["data set"]: row for row in json.loads(out)}
    assert status == 0
    assert set(listed) == set(available())
    assert listed["cc3m"]["what for"] == "limber: fit, magma: fit"
    assert listed["awa2"]["what for"] == "limber: animals, magma: animals"
    assert listed["coco"]["there"] == "no"
    assert listed["awa2"]["there"] == "lacks 1 thing"


@pytest.mark.parametrize("name", available())
def test_show_says_all_that_the_manifest_says(capsys, name):
    about = describe(name)
    status, out, _ = run(capsys, "data", "show", name)
    flat = " ".join(out.split())
    assert status == 0
    for told in (about.title, about.url, *(file.url for file in about.files), *(e.pattern for e in about.layout)):
        assert told in flat
    for long in (about.licence, about.citation, about.notes):
        assert " ".join(long.split()) in flat
    entry = out.split("In a study, under `data:`\n")[1]
    assert yaml.safe_load(entry) == {name: about.data}


def test_verify_says_what_to_put_where_and_fails(capsys, here):
    status, out, _ = run(capsys, "data", "verify", "awa2", "--folder", here / "AwA2")
    assert status == 1
    assert "MISSING" in out
    assert f"-> Unpack https://cvml.ista.ac.at/AwA2/AwA2-data.zip into {here / 'AwA2'}" in out
    pictures(here / "pets", "dog", "cat")
    assert run(capsys, "data", "add", here / "pets")[0] == 0
    status, out, _ = run(capsys, "data", "verify", "pets.yaml")
    assert (status, "4 files" in out, "all open" in out) == (0, True, True)
    (here / "pets/dog/0.png").unlink()
    status, out, _ = run(capsys, "data", "verify", "pets.yaml", "--json")
    assert (status, json.loads(out)[0]["found"]) == (1, "3 of 4 files")


# fetching (tests/test_fetch.py has the rest)


@pytest.fixture
def small(shop: Shop, here):  # noqa: F811
    """A manifest of one file that is not packed."""
    about = {
        "title": "Small",
        "licence": "free",
        "data": {"reader": "image_folder", "pictures": "small"},
        "files": [{"url": shop.url("a.bin"), "name": "a.bin"}],
        "layout": [{"path": "a.bin", "what": "bytes", "comes_in": "a.bin"}],
    }
    (here / "small.yaml").write_text(yaml.safe_dump(about))
    return shop


def test_fetch_fetches_checks_and_says_so(capsys, small, here, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    status, out, _ = run(capsys, "data", "fetch", "small.yaml", "--quiet")
    assert status == 0
    assert "a.bin: fetched (checked: nothing: no checksum or size is published)" in out
    assert (here / "small/a.bin").read_bytes() == small.files["a.bin"]
    status, out, _ = run(capsys, "data", "fetch", "small.yaml", "--quiet")
    assert "there already" in out
    assert len(small.asked) == 1


def test_the_bar_counts_bytes(capsys, small, monkeypatch):
    from tqdm import tqdm

    bars, original = [], tqdm.__init__
    monkeypatch.setattr(tqdm, "__init__", lambda self, *a, **more: bars.append(more) or original(self, *a, **more))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert run(capsys, "data", "fetch", "small.yaml")[0] == 0
    assert [(bar["desc"], bar["unit"], bar["unit_scale"], bar["total"]) for bar in bars] == [
        ("fetch a.bin", "B", True, 3 << 20)
    ]


@pytest.mark.parametrize("how", ["option", "variable"])
def test_offline_no_server_is_asked(capsys, small, how, monkeypatch):
    if how == "option":
        monkeypatch.delenv("HF_HUB_OFFLINE")
    status, _, err = run(capsys, "data", "fetch", "small.yaml", *(["--offline"] if how == "option" else []))
    assert status == 1
    assert f"{small.url('a.bin')}\n    -> small/a.bin" in err
    assert small.asked == []


def test_what_cannot_be_fetched_says_how_to_get_it(capsys):
    status, _, err = run(capsys, "data", "fetch", "cc3m")
    assert status == 1
    assert "img2dataset" in err


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["show", "aw2"], "No data set `aw2` in data_manifests. Did you mean `awa2`?"),
        (["fetch", "cocoo"], "Did you mean `coco`?"),
        (["verify", "mine.yaml"], "There is no data manifest mine.yaml. Make one with: concepttransfer data add"),
        (["add", "nowhere"], "There is no nowhere"),
        (["add", "empty"], "holds no pictures"),
        (["add", "flat"], "2 of 2 pictures in flat lie in no folder of a class, such as 0.png"),
        (["add", "pets", "--name", "../pets"], "`../pets` is no name for data"),
        (["add", "pets", "--split", "tset"], "No split `tset`"),
        (["add", "pets", "--names", "bad.csv"], "bad.csv has no column `words`"),
        (["fetch", "coco", "--offline", "--folder", "flat/0.png"], "Nothing is fetched while offline"),
    ],
)
def test_a_mistake_is_one_sentence(capsys, here, words, answer):
    pictures(here / "pets", "dog")
    (here / "empty").mkdir()
    shutil.copytree(here / "pets/dog", here / "flat")
    (here / "bad.csv").write_text("class,word\ndog,dog\n")
    status, _, err = run(capsys, "data", *words)
    assert (status, "Traceback" in err) == (1, False)
    assert answer in err


def test_an_unknown_command_of_data_is_told(capsys):
    assert run(capsys, "data", "ad")[0] == 2


# one's own classes


def test_names_of_folders_are_read_as_people_write_them():
    wanted = {
        "n02132580": ("grizzly", "grizzly.n.01"),
        "n02099712-Labrador_retriever": ("labrador retriever", "labrador_retriever.n.01"),
        "grizzly+bear": ("grizzly bear", "grizzly.n.01"),
        "brown_bear": ("brown bear", "brown_bear.n.01"),
        "Golden Retriever": ("golden retriever", "golden_retriever.n.01"),
        "001.Black_footed_Albatross": ("black-footed albatross", "black-footed_albatross.n.01"),
        "sea-lion": ("sea lion", "sea_lion.n.01"),
        "mice": ("mouse", "mouse.n.01"),
    }
    found = {one.row.label: (one.row.words[0], one.row.synset) for one in propose(dict.fromkeys(wanted, 1))}
    assert found == wanted


def test_of_several_senses_the_one_nearest_to_the_other_classes_is_proposed():
    """Against the synsets that were chosen by hand for AwA2; the most frequent sense is right for 38."""
    rows = read_table("awa2", "classes.csv")
    proposed = propose({row["class"].replace(" ", "+"): 1 for row in rows})
    assert sum(one.row.synset == row["synset"] for one, row in zip(proposed, rows, strict=True)) == 49
    animals, tools = (propose(dict.fromkeys(["crane", *others], 1))[0] for others in (["zebra", "lion"], ["hoist"]))
    assert (animals.row.synset, animals.alternatives) == ("crane.n.05", ("crane.n.04",))
    assert animals.row.how.startswith("CHECK: nearest to the other classes; more frequent is crane.n.04")
    assert tools.row.synset == "crane.n.04"


def test_names_of_imagenets_classes_are_proposed_as_docs_data_says(real):
    samples = json.loads((real / "pictures/imagenet_samples/index.json").read_text())
    truth = {one["name"].split(",")[0].lower(): wordnet.synset(one["wnid"]).name() for one in samples}
    proposed = {one.row.label: one for one in propose(dict.fromkeys(truth, 1))}
    right = [label for label, synset in truth.items() if proposed[label].row.synset == synset]
    sure = [label for label, one in proposed.items() if not one.row.is_doubtful and not one.row.is_open]
    assert (len(truth), len(right)) == (499, 427)
    assert (len(sure), len(set(sure) & set(right))) == (413, 380)


def test_words_are_those_that_mean_nothing_else_first():
    whale, panda, giant = propose({"killer_whale": 1, "panda": 1, "giant_panda": 1})
    assert "orca" in whale.row.words
    assert "killer" not in whale.row.words
    assert "panda" not in giant.row.words, "it is another class's own name"
    assert panda.row.words[0] == "panda"


def test_what_is_unknown_is_open_and_offers_what_is_near():
    near, far, gone = propose({"zebar": 1, "xqzzy": 1, "n99999999": 1})
    assert (near.row.synset, near.alternatives[0]) == ("", "zebra")
    assert near.row.how == "OPEN: WordNet has no noun `zebar`"
    assert far.alternatives == ()
    assert gone.row.is_open
    (kitten,) = propose({"tabby kitten": 1})
    assert (kitten.row.synset, kitten.row.how) == ("kitten.n.01", "CHECK: of its name only `kitten` is a noun")


def test_a_definition_is_given_with_and_without_glosses():
    (zebra,) = propose({"zebra": 1})
    assert zebra.row.definition == (wordnet.synset("zebra.n.01").definition() or "a kind of equine")


def test_add_proposes_is_corrected_and_gives_a_data_set(capsys, here):
    pictures(here / "pets", "zebra", "crane", "zebar", "thing")
    status, out, _ = run(capsys, "data", "add", "pets")
    assert (status, (here / "pets.yaml").exists()) == (1, False)
    assert "zebar" in out.split("OPEN: give a synset")[1].split("CHECK:")[0]
    assert "crane.n.04: a kind of lifting device" in out
    assert "2 still open" not in out
    change(here / "pets.csv", "zebar", words="zebra", how="")
    change(here / "pets.csv", "thing", synset="-")
    change(here / "pets.csv", "crane", synset="crane.n.04", words="crane|hoist")
    pictures(here / "pets", "dog")
    status, out, _ = run(capsys, "data", "add", "pets")
    assert status == 0
    assert "Wrote pets.yaml. Use it: concepttransfer awa-errors --on pets.yaml --encoder beit" in out
    rows = table(here / "pets.csv")
    assert {label: row["synset"] for label, row in rows.items()} == {
        "zebra": "zebra.n.01",
        "crane": "crane.n.04",
        "zebar": "zebra.n.01",
        "thing": "-",
        "dog": "dog.n.01",
    }
    assert (rows["crane"]["words"], rows["crane"]["how"]) == ("crane|hoist", "given by you")
    assert (rows["thing"]["how"], rows["dog"]["pictures"]) == ("left out by you", "2")
    before = (here / "pets.csv").read_bytes()
    assert run(capsys, "data", "add", "pets")[0] == 0
    assert (here / "pets.csv").read_bytes() == before, "nothing changes when nothing did"


def test_the_owners_own_columns_and_words_in_the_yaml_stay(capsys, here):
    pictures(here / "pets", "zebra", "dog")
    run(capsys, "data", "add", "pets")
    text = (here / "pets.csv").read_text().splitlines()
    (here / "pets.csv").write_text("\ufeff" + "\n".join(f"{line},{n or 'note'}" for n, line in enumerate(text)))
    about = yaml.safe_load((here / "pets.yaml").read_text()) | {"licence": "CC0", "title": "Our pets"}
    (here / "pets.yaml").write_text(yaml.safe_dump(about))
    shutil.rmtree(here / "pets/dog")
    assert run(capsys, "data", "add", "pets")[0] == 0
    rows = table(here / "pets.csv")
    assert {label: (row["note"], row["pictures"]) for label, row in rows.items()} == {
        "zebra": ("2", "2"),
        "dog": ("1", "0"),
    }
    again = yaml.safe_load((here / "pets.yaml").read_text())
    assert (again["licence"], again["title"], again["counts"]["pictures"]) == ("CC0", "Our pets", 2)


def test_all_mistakes_of_a_table_are_told_and_it_is_left_alone(capsys, here):
    pictures(here / "pets", "zebra", "dog", "cat")
    run(capsys, "data", "add", "pets")
    change(here / "pets.csv", "zebra", synset="zebra.n.07")
    change(here / "pets.csv", "dog", synset="n00000001")
    change(here / "pets.csv", "cat", words="")
    before = (here / "pets.csv").read_bytes()
    status, _, err = run(capsys, "data", "add", "pets")
    assert status == 1
    assert "pets.csv has 3 mistakes; it was left as it is" in err
    assert "class `zebra`: No noun synset `zebra.n.07` in WordNet 3.0. WordNet has: zebra.n.01." in err
    assert "class `dog`: No noun of WordNet 3.0 has the id `n00000001`" in err
    assert "class `cat` has no words" in err
    assert (here / "pets.csv").read_bytes() == before


def test_tables_of_spreadsheets_are_read(here):
    (here / "a.csv").write_text("\ufeffclass;words;synset\r\nzebra;zebra|stripes;zebra.n.01\r\n;;\r\n", newline="")
    assert is_class_table(here / "a.csv")
    assert read_class_table(here / "a.csv") == [ClassRow("zebra", ("zebra", "stripes"), "zebra.n.01")]
    (here / "b.csv").write_bytes("class,words,synset\nzèbre,zebra,zebra.n.01\n".encode("latin-1"))
    with pytest.raises(BadInputError, match="Save it again as `CSV UTF-8`"):
        read_class_table(here / "b.csv")
    for text, message in [("", "no column `class`"), ("class,words,synset\n", "names no class")]:
        (here / "c.csv").write_text(text)
        with pytest.raises(BadInputError, match=message):
            read_class_table(here / "c.csv")
    write_class_table(here / "d.csv", [ClassRow("a", ("a",), "zebra.n.01")] * 2)
    with pytest.raises(BadInputError, match="class `a` more than once"):
        read_class_table(here / "d.csv")
    with pytest.raises(MissingResourceError, match="no table of classes"):
        read_class_table(here / "e.csv")


# concepts of such a table


def manifest(*labels):
    return Manifest("m", tuple(Row(str(i), labels={"class": label}) for i, label in enumerate(labels)))


def test_concepts_go_by_the_first_word_and_two_of_one_word_are_told_apart(here):
    rows = [
        ClassRow("n1", ("crane",), "crane.n.05"),
        ClassRow("n2", ("crane", "hoist"), "crane.n.04"),
        ClassRow("a", ("dog",), "dog.n.01"),
        ClassRow("b", ("dog", "hound"), "dog.n.01"),
        ClassRow("x", (), "-"),
    ]
    write_class_table(here / "t.csv", rows)
    concepts = from_classes_csv(here / "t.csv", manifest("n1", "n2", "a", "b", "x", "unknown"))
    assert concepts.names == ("crane (crane.n.05)", "crane (crane.n.04)", "dog")
    assert dict(concepts.truth) == {"0": concepts.names[0], "1": concepts.names[1], "2": "dog", "3": "dog"}
    assert concepts.find("two hounds") == ["dog"]
    assert concepts.wup("dog", "crane (crane.n.05)") == wordnet.wup("dog.n.01", "crane.n.05")
    with pytest.raises(BadInputError, match="has no class of `m`"):
        from_classes_csv(here / "t.csv", manifest("unknown"))
    write_class_table(here / "t.csv", [*rows, ClassRow("y", ("y",), "")])
    with pytest.raises(BadInputError, match=r"class `y` has no synset\. Give it one, or `-` to leave it out"):
        from_classes_csv(here / "t.csv", manifest("n1"))


def study_on(here, entry):
    (here / "my.yaml").write_text(yaml.safe_dump({"name": "my", "like": "microworld", "data": {"mine": entry}}))
    return load_study(here / "my.yaml")


def test_a_data_manifest_is_data_for_a_study_and_for_on(capsys, here):
    pictures(here / "else/pets", "zebra", "dog", "thing")
    (here / "else").joinpath("pets.csv").write_text(
        "class,words,synset\nzebra,zebra,zebra.n.01\ndog,dog,dog.n.01\nthing,,-\n"
    )
    status, _, _ = run(capsys, "data", "add", here / "else/pets", "--names", here / "else/pets.csv")
    assert status == 0, "pets.yaml is written here, its paths from here"
    studies = [study_on(here, "pets.yaml"), study_on(here, {"manifest": "pets.yaml", "limit": 4})]
    selections = [study.select("mine")[0] for study in studies] + load_study().select("pets.yaml")
    assert [selection.name for selection in selections] == ["mine", "mine", "pets"]
    for selection in selections:
        assert len(selection.manifest) == 4, "classes left out have no rows"
        assert set(selection.concepts.truth.values()) == {"zebra", "dog"}
        assert set(selection.manifest.texts) == {("zebra.",), ("dog.",)}
    with pytest.raises(MissingResourceError, match="no data manifest"):
        study_on(here, "none.yaml").select("mine")


def test_on_a_yaml_that_is_no_data_says_so(capsys, here):
    (here / "study.yaml").write_text("name: x\n")
    status, _, err = run(capsys, "encode", "--encoder", "beit", "--on", "study.yaml")
    assert status == 1
    assert "study.yaml has" in err
    assert "line 1: title: is missing." in err


@pytest.mark.slow
def test_real_photographs_from_a_folder_to_a_report(capsys, here, real):
    """A folder of ImageNet photographs as one finds them, added and measured by the command that `data add` says."""
    samples = json.loads((real / "pictures/imagenet_samples/index.json").read_text())
    animals = [one for one in samples if "mammal.n.01" in wordnet.kinds_above(one["wnid"])][:6]
    for one, label in zip(animals, ["wnid", "wnid", "wnid", "name", "name", "name"], strict=True):
        folder = here / "pets" / one[label].split(",")[0]
        folder.mkdir(parents=True)
        shutil.copy(next((real / "pictures/imagenet_samples").glob(f"{one['wnid']}*")), folder)
    status, out, _ = run(capsys, "data", "add", "pets")
    assert status == 0, out
    command = out.split("Use it: concepttransfer ")[1].split()
    status, out, err = run(capsys, *command, "--quiet")
    assert status == 0, err
    assert "beit-random" in out
    assert " of 6 pictures right" in out
    assert list(here.glob("runs/awa-errors/*/report/index.html"))


def test_loading_the_data_commands_loads_no_heavy_library():
    import subprocess

    code = "import sys; from concepttransfer.cli import main; main(['data', 'list']);"
    code += "print([m for m in ('torch', 'transformers', 'nltk') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_errors_are_those_of_the_reader(here):
    from concepttransfer.data.add import add_classes

    (here / "empty").mkdir()
    with pytest.raises(EmptyDataError):
        add_classes(here / "empty")
