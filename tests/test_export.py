"""An exported projection is the projection: it captions the same, says what it is, and lets nothing in or out."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shlex

import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt

import concepttransfer as ct
from concepttransfer.cli import main
from concepttransfer.errors import BadInputError, MismatchError, MissingResourceError
from concepttransfer.export import FILES, export
from concepttransfer.export.markdown import cell, code, plain, table
from concepttransfer.export.model_card import Card, Finding, model_card
from concepttransfer.result import ESTIMATES
from concepttransfer.study import imports
from concepttransfer.transfer import Transfer

RENDER = MarkdownIt("commonmark", {"html": True}).enable("table").render


@pytest.fixture(scope="module")
def microworld():
    return ct.load_study("microworld", quiet=True, limit=6)


@pytest.fixture
def exported(microworld, tmp_path):
    return export(microworld, "beit", tmp_path / "beit", licence="mit")


def spoken(study, encoder="beit"):
    """Texts and log-probabilities of the first fit's captions of six pictures."""
    captions = study.captions(encoder, on="few" if "few" in study.spec.data else "animals")[0]
    return captions.table[["row_id", "text", "logprob"]].to_dict("list")


def study_of(folder, tmp_path, **changes):
    """The exported study with data to caption, which an export leaves out."""
    values = yaml.safe_load((folder / "study.yaml").read_text()) | changes
    values["data"]["few"] = {"reader": "microworld", "split": "test", "limit": 6}
    values["transfers"] = str(folder) if "transfers" not in changes else changes["transfers"]
    (tmp_path / "theirs.yaml").write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}))
    return ct.load_study(tmp_path / "theirs.yaml", quiet=True)


@pytest.mark.parametrize("encoder", ["beit", "nfrn50-tuned"])
def test_its_own_study_captions_as_the_first_one_did(encoder, microworld, tmp_path):
    """Without fitting, and without the training data; a tuned encoder comes along."""
    folder = export(microworld, encoder, tmp_path / "made")
    original = microworld.transfers(encoder)[0]
    there = Transfer.load(folder)
    assert (there.id, there.key, there.hashes) == (original.id, original.key, original.hashes)
    assert (folder / "encoder.safetensors").exists() == (encoder == "nfrn50-tuned")
    theirs = study_of(folder, tmp_path)
    assert [transfer.folder for transfer in theirs.transfers(encoder)] == [folder]
    assert spoken(theirs, encoder) == spoken(microworld, encoder)


def test_the_card_and_its_commands_are_as_they_say(exported, microworld, tmp_path, capsys):
    picture = tmp_path / "one picture.png"
    microworld.manifest("animals").read(0).save(picture)
    page = (exported / "README.md").read_text()
    command = next(line for line in page.splitlines() if line.startswith("concepttransfer caption"))
    words = [word.replace("FOLDER", str(exported)).replace("PHOTO.jpg", str(picture)) for word in shlex.split(command)]
    assert main([*words[1:], "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    python = page.split("```python\n")[1].split("```")[0]
    python = python.replace("FOLDER", str(exported)).replace("PHOTO.jpg", str(picture))
    exec(python.replace("print(", "found = dict("), names := {})
    assert list(names["found"].values()) == [said[0]["caption"].removeprefix("A picture of ")]


@pytest.mark.parametrize("encoder", ["beit", "nfrn50-tuned"])
def test_it_takes_the_place_of_a_fit_in_another_study(encoder, microworld, tmp_path):
    folder = export(microworld, encoder, tmp_path / "made")
    mine = study_of(folder, tmp_path, prompt="A picture of", name="mine", transfers=None)
    assert imports.find(mine, encoder) is None
    taken = imports.import_projection(mine, encoder, folder)
    assert taken.meta["imported"]["file"] == "made"
    assert spoken(mine, encoder) == spoken(microworld, encoder)
    mine.replace(force=("fit",))
    imports.forget(mine, encoder)
    assert imports.find(mine, encoder) is None


def test_it_is_refused_where_it_does_not_belong(exported, microworld, tmp_path):
    with pytest.raises(MismatchError, match=r"study.yaml in that folder"):
        imports.import_projection(microworld, "beit-ft", exported)
    import tiny_language_models

    tiny_language_models.module("gptj").save_pretrained(tmp_path / "gptj")
    tiny_language_models.tokenizer().save_pretrained(tmp_path / "gptj")
    other = study_of(exported, tmp_path, language_model=f"hf:{tmp_path / 'gptj'}", transfers=None)
    with pytest.raises(MismatchError, match="this study's language model is"):
        imports.import_projection(other, "beit", exported)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingResourceError, match="holds no Transfer"):
        imports.import_projection(microworld, "beit", tmp_path / "empty")


def test_a_quantised_language_model_may_speak_through_it(exported, tmp_path):
    """Fitted into the model as it was published; taken in under the name of its 4-bit weights, and there alone."""
    small = study_of(exported, tmp_path, dtype="4bit", transfers=None)
    taken = imports.import_projection(small, "beit", exported)
    taken.check_language_model(small.language_model_identity, taken.d_model)
    assert taken.language_model_id.endswith("+4bit")
    assert imports.find(small.replace(dtype="float32"), "beit") is None


def test_an_earlier_export_is_replaced_whole_and_nothing_else_is(microworld, exported, tmp_path):
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    only_trained = {"encoder.safetensors", "language_model.safetensors", "feature_adapter.safetensors"}
    assert set(before) == set(FILES) - only_trained
    (exported / "encoder.safetensors").write_bytes(b"of another export")
    export(microworld, "beit", exported, licence="mit")
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before
    (exported / "notes.txt").write_text("mine")
    with pytest.raises(BadInputError, match=r"notes.txt and 6 more, which no export wrote"):
        export(microworld, "beit", exported)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("another project")
    with pytest.raises(BadInputError, match=r"README.md, which no export wrote"):
        export(microworld, "beit", tmp_path / "other")
    with pytest.raises(BadInputError, match="is a file"):
        export(microworld, "beit", exported / "notes.txt")
    assert (exported / "notes.txt").read_text() == "mine"


def test_the_card_tells_what_it_maps_how_it_was_fitted_and_that_it_is_the_microworld(exported, microworld):
    page = (exported / "README.md").read_text()
    _, header, body = page.split("---\n", 2)
    told = yaml.safe_load(header)
    assert (told["license"], told["library_name"]) == ("mit", "concepttransfer")
    assert "datasets" not in told  # `projection` is the study's own name: on a hub it would be somebody else's
    assert "microworld" in told["tags"]
    transfer = Transfer.load(exported)
    weights = microworld.encoder_spec("beit").weights_id(microworld.root)
    for fact in (transfer.id, transfer.language_model_id, transfer.space, weights, *transfer.hashes.values()):
        assert f"`{fact}`" in body
    assert "9 × 160" in body
    assert f"{sum(p.numel() for p in transfer.projection().parameters()):,}" in body
    assert "drawings of animals: nothing here is about photographs" in body
    assert "**licence of the data**: MIT" in body
    assert "| `lr` | `0.003` |" in body
    assert "![Loss a token against the step](training.png)" in body
    assert (exported / "training.png").read_bytes().startswith(b"\x89PNG")
    assert "None were named when this was exported" in body


@pytest.fixture(scope="module")
def result(microworld, tmp_path_factory):
    made = microworld.analyze("awa-errors", encoders=["beit"], n_resamples=50)
    return made.save(tmp_path_factory.mktemp("results") / "awa"), made


def test_results_stand_in_the_card_with_interval_chance_and_n(result, microworld, tmp_path):
    folder, made = result
    page = (export(microworld, "beit", tmp_path / "beit", results=[folder]) / "README.md").read_text()
    claim = made.claim("beit", "Wu-Palmer of wrong names")
    row = next(line for line in page.splitlines() if "Wu-Palmer of wrong names | classes like these" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    shown = [f"{claim['value']:.3f}", f"{claim['low']:.3f} to {claim['high']:.3f}", f"{claim['chance']:.3f}"]
    assert cells[3:] == [*shown, str(claim["n"]), "3"]
    assert "None were named" not in page
    with pytest.raises(BadInputError, match="says nothing about `clip` of study `microworld`"):
        export(microworld, "clip", tmp_path / "clip", results=[folder])
    assert not (tmp_path / "clip").exists()


HOSTILE = '</code><script>alert(1)</script> | `x` **b** [a](javascript:alert(1)) ![i](x) \n---\n# head\n&lt; $$x$$ "'


def hostile_card(exported):
    transfer = dataclasses.replace(
        Transfer.load(exported),
        encoder=HOSTILE,
        space=HOSTILE,
        language_model_id=HOSTILE,
        meta={"recipe": {"lr": 1, HOSTILE: HOSTILE}, "prompt": HOSTILE, "rows": 3},
    )
    row = dict.fromkeys(ESTIMATES, float("nan")) | {
        "on": HOSTILE,
        "measure": HOSTILE,
        "group": HOSTILE,
        "value": 0.5,
        "n": 3,
    }
    return Card(
        study=HOSTILE,
        transfer=transfer,
        encoder={"model": HOSTILE, "features": HOSTILE},
        weights=HOSTILE,
        language_model=HOSTILE,
        prompt=HOSTILE,
        licence=HOSTILE,
        data=dict.fromkeys(("name", "hub", "title", "licence", "citation", "url"), HOSTILE),
        base_models=[HOSTILE],
        findings=[Finding(HOSTILE, HOSTILE, pd.DataFrame([row]))],
        files={HOSTILE: (3, HOSTILE)},
        versions={HOSTILE: HOSTILE},
        curve="training.png",
        notes=[HOSTILE],
    )


def test_nothing_from_outside_is_taken_for_markup(exported):
    """The page has the headings, tables, links and code that we wrote, and shows everything else as it is."""
    _, header, body = model_card(hostile_card(exported)).split("---\n", 2)
    told = yaml.safe_load(header)
    assert told["license"] == HOSTILE
    assert told["datasets"] == [HOSTILE]
    page = RENDER(body)
    tags = set(pd.Series(page).str.findall(r"<\s*/?\s*([a-zA-Z0-9]+)").explode().dropna())
    known = "h1 h2 h3 p ul li strong code pre table thead tbody tr th td img details summary"
    assert tags <= set(known.split())
    assert page.count("<h1>") == 1
    assert [line for line in page.splitlines() if line.startswith("<h2>")] == [
        f"<h2>{head}</h2>" for head in ("Use", "What it maps", "How it was fitted", "Results", "Limits", "Files")
    ]
    assert page.count("<img") == 1
    for one in re.findall("<table>(.*?)</table>", page, re.DOTALL):
        head, *rows = re.findall("<tr>(.*?)</tr>", one, re.DOTALL)
        assert rows
        assert {row.count("<td") for row in rows} == {head.count("<th")}


AWKWARD = ("a`b", "``", "`", "a|b", "\\|", "\\", "1. x", "* x", "a_b_c", "<b>", "&amp;", "~~x~~")


@pytest.mark.parametrize("text", [HOSTILE, *AWKWARD])
def test_a_text_is_shown_as_it_is(text):
    """Rendered and read back by a browser's rules, in a paragraph and in a table's cell, as text and as code."""
    shown = " ".join(text.split())
    for in_text, in_table in ((plain(text), plain(text)), (code(text), cell(text))):
        page = RENDER(f"x {in_text} x\n\n{table(['a', 'b'], [[in_table, 'end']])}")
        paragraph, *cells = re.findall(r"<(?:p|td)>(.*?)</(?:p|td)>", page)
        read = [html.unescape(re.sub("</?code>", "", one)) for one in (paragraph, *cells)]
        assert read == [f"x {shown} x", shown, "end"]


def test_nothing_private_goes_out(microworld, tmp_path):
    """Places on the machine are cut from why pictures could not be read, and from the study."""
    made = microworld.transfers("beit")[0]
    theirs = study_of(export(microworld, "beit", tmp_path / "first"), tmp_path, transfers=None)
    meta = {**made.meta, "unreadable": {"p.jpg": "OSError: no /data/secret/p.jpg"}, "note": "/data/secret/notes"}
    dataclasses.replace(made, meta=meta).copy(tmp_path / "changed", dtype="float32")
    imports.import_projection(theirs, "beit", tmp_path / "changed")
    training = {**theirs.spec.data, "projection": {"reader": "image_folder", "pictures": "/data/secret/pictures"}}
    theirs = theirs.with_spec(theirs.spec.model_copy(update={"data": training}))
    out = export(theirs, "beit", tmp_path / "out")
    assert Transfer.load(out).meta["unreadable"] == {"p.jpg": "OSError"}
    assert not [path.name for path in out.iterdir() if b"secret" in path.read_bytes()]
    page = (out / "README.md").read_text()
    assert "It was fitted elsewhere and taken over as it is." in page
    assert "Taken over from `changed`" in page
    assert "1 could not be read and were left out" in page


def test_the_command_explains_itself_and_refuses_two_encoders(tmp_path, capsys):
    assert main(["export", "--help"]) == 0
    assert "--licence" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "x"), "--encoder", "beit", "--encoder", "clip"]) == 1
    assert "one encoder; 2 were named" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "x"), "--encoder", "beit", "--dry-run"]) == 0
    assert not (tmp_path / "x").exists()
    capsys.readouterr()
    assert main(["export", str(tmp_path / "x"), "--encoder", "beit", "--seed", "2", "--quiet"]) == 0
    assert f"hf upload YOUR-NAME/x {tmp_path / 'x'} ." in capsys.readouterr().out
    assert Transfer.load(tmp_path / "x").seed == 2


SYSTEMS = """\
like: microworld
name: systems
transfers: null
data: {few: {reader: microworld, split: dev, limit: 60}}
train: {data: few, steps: 3, seeds: 1}
encoders:
  mlp-tuned:
    {model: "microworld:clip", features: projected, prompt_tokens: 2,
     recipe: {projection: {kind: mlp}, language_model: tuned}}
  adapters: {model: "microworld:clip", features: last_map, recipe: {adapters: {where: [attention]}, lr: 0.1}}
"""


@pytest.mark.parametrize(
    ("encoder", "told"),
    [("mlp-tuned", "Trained with it: the language model."), ("adapters", "adapters in the language model")],
)
def test_what_was_trained_of_the_language_model_comes_along(encoder, told, tmp_path):
    (tmp_path / "systems.yaml").write_text(SYSTEMS)
    study = ct.load_study(tmp_path / "systems.yaml", quiet=True)
    folder = export(study, encoder, tmp_path / "made")
    card = (folder / "README.md").read_text()
    assert told in card
    assert "Nothing else was trained" not in card
    theirs = study_of(folder, tmp_path)
    original = microworld_captions(study, encoder, theirs)
    assert spoken(theirs, encoder) == original
    (folder / "language_model.safetensors").unlink()
    with pytest.raises(BadInputError, match=r"language_model\.safetensors is not the file that was written"):
        Transfer.load(folder).language_model_state()


def microworld_captions(study, encoder, theirs):
    """What the fit itself says of the pictures that the exported study captions."""
    from concepttransfer.study import pipeline

    captions = pipeline.captions_of(study, encoder, theirs.select("few")[0], study.transfers(encoder)[0])
    return captions.table[["row_id", "text", "logprob"]].to_dict("list")
