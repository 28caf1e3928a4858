"""Somebody's package adds an encoder library, a projection, a reader, an analysis and a study, without an edit of ours.

It is built as a wheel and installed beside ours into a fresh environment. What is broken in a plug-in fails alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from concepttransfer import analysis, data, encoders, plugins, projections
from concepttransfer.doctor import State, plug_ins
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.errors import ConceptTransferError, UnknownNameError
from concepttransfer.study import load_study, packaged

ROOT = Path(__file__).parents[1]
PLUGIN = Path(__file__).parent / "plugin_package"
OURS = ("concepttransfer", "analyses", "data_manifests", "pyproject.toml", "README.md", "LICENSE", "NOTICE")

# Everything that is asked of the fresh environment, in one process of it: importing torch takes long.
SCRIPT = """
import json, sys
import concepttransfer as ct
from concepttransfer import encoders, projections
from concepttransfer.cli import main
from concepttransfer.result import Result

assert ".venv" not in ct.__file__ and ct.__file__.startswith(sys.prefix), ct.__file__
said = ["--study", "pocket-microworld", "--encoder", "all", "--quiet", "--limit", "40"]
told = {
    "status": [main(words) for words in (
        ["analyses"], ["studies", "list"], ["studies", "check", "pocket-microworld"],
        ["said-colours", *said, "--out", "said"], ["awa-errors", *said, "--out", "named"],
    )],
    "library": encoders.libraries()["colours"],
    "projection": projections.kinds()["bottleneck"],
}
result = Result.load(__import__("pathlib").Path("said"))
study = ct.load_study("pocket-microworld", quiet=True)
transfer = study.transfers("colours")[0]
told |= {
    "analysis": type(result).__module__,
    "summary": result.summary(),
    "table": result.table.groupby("encoder")["said"].count().to_dict(),
    "kind": transfer.kind,
    "options": dict(transfer.projection().options()),
    "identity": transfer.encoder_identity,
    "tokens": transfer.tokens,
    "rows": len(study.training.manifest),
    "root": str(study.root),
}
print("TOLD", json.dumps(told))
"""


def run(*command, where: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=where,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def built(source: Path, out: Path) -> Path:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source, where=out.parent)
    return next(out.glob(f"{source.name.replace('-', '_')}*.whl"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """A fresh environment: two wheels of its own, and the libraries that the tests' environment has."""
    folder = tmp_path_factory.mktemp("fresh")
    (folder / "wheels").mkdir()
    for name, files in (("concepttransfer", [ROOT / one for one in OURS]), ("pocket_systems", PLUGIN.iterdir())):
        source = folder / "sources" / name
        source.mkdir(parents=True)
        for one in files:
            unread = shutil.ignore_patterns("__pycache__")
            shutil.copytree(one, source / one.name, ignore=unread) if one.is_dir() else shutil.copy(one, source)
        built(source, folder / "wheels")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", where=folder)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    run(*pip, *(folder / "wheels").glob("*.whl"), where=folder)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", where=folder).strip()
    (Path(site) / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return python


@pytest.mark.slow
def test_a_package_adds_a_system_to_a_fresh_environment(environment, tmp_path):
    printed = run(
        environment, "-c", SCRIPT, where=tmp_path, CONCEPTTRANSFER_CACHE=str(tmp_path / "cache"), PYTHONPATH=""
    )
    told = json.loads(printed.rpartition("TOLD ")[2])
    assert told["status"] == [0] * 5
    assert "said-colours" in printed
    assert "Colours of regions through a bottleneck" in printed
    assert (told["library"], told["projection"]) == ("pocket_systems.colours", "pocket_systems.bottleneck:Bottleneck")
    assert told["analysis"] == "pocket_systems.said_colours"
    assert told["table"] == {"colours": 40, "colours-linear": 40}
    assert "chance" in told["summary"]
    assert (told["kind"], told["options"], told["tokens"]) == ("bottleneck", {"width": 4}, 9)
    assert told["identity"].startswith("colours:3/patch_tokens@")
    assert told["rows"] == 250
    assert told["root"] == str(tmp_path), "paths of a packaged study start from the working folder"
    assert (tmp_path / "said" / "report" / "index.html").is_file()
    assert (tmp_path / "named" / "report" / "index.html").is_file()


# --- what can go wrong --------------------------------------------------------------------------------------------


@pytest.fixture
def declare(monkeypatch):
    """Declares entry points for one test: `declare(group, name=value)`."""
    found: list[EntryPoint] = []
    caches = (encoders.libraries, data.readers, projections.kinds, analysis._entries)

    def entry(group, *pairs):
        found.extend(EntryPoint(name, value, group.name) for name, value in pairs)
        for one in caches:
            one.cache_clear()

    def entry_points(group):
        return [one for one in found if one.group == group]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    yield entry
    monkeypatch.undo()
    for one in caches:
        one.cache_clear()


def test_a_broken_library_or_projection_is_an_error_only_when_it_is_asked_for(declare):
    declare(plugins.ENCODERS, ("bad", "no_such_module_anywhere"))
    assert encoders.library_of("timm:resnet18") == "timm"
    assert encoders.library_module("microworld:beit").build
    with pytest.raises(ConceptTransferError, match=r"encoder library `bad` \(no_such_module_anywhere\) is broken: Mod"):
        encoders.library_module("bad:x")
    with pytest.raises(UnknownNameError, match="Did you mean `bad`"):
        encoders.library_of("bat:x")
    declare(plugins.PROJECTIONS, ("bad", "no_such_module_anywhere:X"))
    with pytest.raises(ConceptTransferError, match=r"projection `bad` .* is broken: ModuleNotFoundError"):
        projections.build_projection("bad", dim=2, d_model=3)


def test_a_broken_reader_is_an_error_only_when_it_is_asked_for(declare, tmp_path):
    declare(plugins.READERS, ("bad", "json:no_such_function"))
    with pytest.raises(UnknownNameError, match="image_folder"):
        data.read_data({"reader": "image_foldr"}, tmp_path)
    with pytest.raises(ConceptTransferError, match=r"reader `bad` .* is broken: AttributeError"):
        data.read_data({"reader": "bad"}, tmp_path)


@pytest.mark.parametrize(
    ("group", "listed", "taken"),
    [
        (plugins.ENCODERS, lambda: encoders.libraries(), "timm"),
        (plugins.READERS, lambda: data.readers(), "coco"),
        (plugins.PROJECTIONS, lambda: projections.kinds(), "linear"),
    ],
)
def test_two_of_one_name_and_names_that_are_taken_are_told(declare, group, listed, taken):
    declare(group, (taken, "c"))
    with pytest.raises(ConceptTransferError, match=f"names its {group.one} `{taken}`, which is {group.taken}"):
        listed()
    declare(group, ("same", "a"), ("same", "b"))
    with pytest.raises(ConceptTransferError, match=f"Two {group.many} are named `same`: a and b. Uninstall one"):
        plugins.declared(group)


def test_the_same_package_seen_twice_is_one(declare):
    declare(plugins.ENCODERS, ("mine", "plugin_encoders"), ("mine", "plugin_encoders"))
    assert encoders.libraries()["mine"] == "plugin_encoders"


def test_studies_of_a_package_are_found_and_ours_are_not_replaced(declare, tmp_path, monkeypatch):
    folder = tmp_path / "their_studies"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "theirs.yaml").write_text("like: microworld\nname: theirs\n")
    monkeypatch.syspath_prepend(tmp_path)
    declare(plugins.STUDIES, ("theirs", "their_studies"), ("gone", "no_such_package_anywhere"))
    assert packaged.packaged_studies()["theirs"] == folder / "theirs.yaml"
    assert packaged.is_packaged(folder / "theirs.yaml")
    assert not packaged.is_packaged(tmp_path / "theirs.yaml")
    (folder / "limber.yaml").write_text("like: limber\nname: limber\n")
    with pytest.raises(ConceptTransferError, match=r"Two studies are named `limber`: .*Uninstall their_studies"):
        packaged.packaged_studies()


def test_doctor_lists_each_plug_in_and_what_to_do_about_a_broken_one(declare):
    declare(plugins.ENCODERS, ("good", "concepttransfer_like_encoders"), ("none", "json"))
    declare(plugins.READERS, ("reader", "json:loads"))
    declare(plugins.PROJECTIONS, ("flat", "json:loads"))
    declare(plugins.STUDIES, ("gone", "no_such_package_anywhere"))
    found = {one.what: one for one in plug_ins.examine()}
    assert found["encoder library `good`"].state is State.WARNING
    assert "ModuleNotFoundError" in found["encoder library `good`"].found
    assert found["encoder library `none`"].found == "json has no function `build(spec, root)`"
    assert found["reader `reader`"].state is State.OK
    assert "is no class of concepttransfer.projections" in found["projection `flat`"].found
    assert found["folder of studies `gone`"].remedy == "Mend or uninstall no_such_package_anywhere."
    declare(plugins.READERS, ("coco", "json:loads"))
    (taken,) = [one for one in plug_ins.examine() if one.state is State.MISSING]
    assert "`coco`, which is a reader of concepttransfer" in taken.found


def test_an_encoder_is_known_by_its_package_and_the_files_that_it_names(declare, tmp_path):
    declare(plugins.ENCODERS, ("versioned", "plugin_encoders"))
    spec = EncoderSpec(model="versioned:weights.bin", features="pooled")
    bare = spec.weights_id(tmp_path)
    assert bare == "plugin_encoders, plugin"
    (tmp_path / "weights.bin").write_bytes(b"1")
    one = spec.weights_id(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"22")
    assert len({bare, one, spec.weights_id(tmp_path)}) == 3


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_shows_a_study_without_mistakes_and_the_package_as_it_is(tmp_path):
    page = (ROOT / "docs" / "add-a-system.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(yaml|toml)\n(.*?)```", page, re.DOTALL))
    (tmp_path / "my.yaml").write_text(blocks["yaml"])
    study = load_study(tmp_path / "my.yaml")
    assert {"linear", "mlp", "tuned", "blind"} <= set(study.encoders)
    assert study.recipe("blind").language_model == "tuned"
    declared = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]["entry-points"]
    assert tomllib.loads(blocks["toml"])["project"]["entry-points"] == declared
    assert set(declared) == {group.name for group in plugins.GROUPS}
