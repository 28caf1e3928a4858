"""`concepttransfer doctor`: each fault, faked, is found, named and given its remedy."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.main import get_command

from concepttransfer.cli import app, main
from concepttransfer.doctor import Finding, State, examination, examine, machine, resources, study_parts
from concepttransfer.errors import MissingResourceError
from concepttransfer.study import load_study
from concepttransfer.study.devices import Device

GOOD = {
    "errors": dict.fromkeys(["torch", "torchvision", "transformers", "timm", "open_clip", "accelerate"], ""),
    "devices": {"gpus": [], "mps": False, "cuda": "13.0", "cores": 2, "memory": 8_000_000_000},
}


def found(findings, what):
    (one,) = [finding for finding in findings if finding.what == what]
    return one


def package(folder: Path, name: str, code: str = "") -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)
    return folder


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """Stand-ins for every heavy library, found before the real ones: what a test breaks, is broken."""
    folder = tmp_path / "fakes"
    torch = "class _Off:\n  is_available = staticmethod(lambda: False)\n"
    torch += "class backends: mps = _Off\ncuda = _Off\nclass version: cuda = '13.0'\n"
    torch += "tensor = ones = lambda *_: None\n"
    package(folder, "torch", torch)
    package(folder, "torchvision")
    package(folder / "torchvision", "ops", "nms = lambda *_: None\n")
    for name, attribute in [("timm", "create_model"), ("open_clip", "create_model"), ("accelerate", "Accelerator")]:
        package(folder, name, f"{attribute} = None\n")
    package(folder, "transformers", "AutoModelForCausalLM = None\n")
    monkeypatch.syspath_prepend(folder)

    def replace(name: str, code: str) -> None:
        (folder / name / "__init__.py").write_text(code)

    return replace


@pytest.fixture
def good(monkeypatch):
    """A machine whose libraries all import."""
    answer = json.loads(json.dumps(GOOD))
    monkeypatch.setattr(machine, "probe", lambda: answer)
    return answer


# libraries and devices


def test_libraries_that_work_are_fine(fakes):
    findings = list(machine.examine())
    assert {one.state for one in findings} == {State.OK}
    assert [one.what for one in findings][1:7] == list(GOOD["errors"])
    assert "cores" in found(findings, "processor").found


@pytest.mark.parametrize(
    "error",
    [
        "RuntimeError('operator torchvision::nms does not exist')",
        "OSError('/x/_C.so: undefined symbol: _ZN3c1017RegisterOperators')",
        "ImportError('libcudart.so.13: cannot open shared object file')",
    ],
)
def test_a_torchvision_that_does_not_fit_torch_is_recognised(fakes, error):
    fakes("torchvision", f"raise {error}")
    fakes("timm", "import torchvision")
    findings = list(machine.examine())
    broken = found(findings, "torchvision")
    assert broken.state is State.MISSING
    assert "does not fit torch" in broken.found
    assert broken.remedy == "One build for both, from one place: pip install --force-reinstall torch torchvision"
    assert "\n" not in broken.remedy
    assert found(findings, "timm").state is State.MISSING
    assert found(findings, "accelerate").state is State.OK


def test_a_torchvision_that_imports_but_has_no_operators_is_recognised(fakes):
    fakes("torchvision/ops", 'def nms(*_): raise RuntimeError("Couldn\'t load custom C++ ops.")')
    assert "does not fit torch" in found(machine.examine(), "torchvision").found


@pytest.mark.slow
def test_the_real_torch_beside_a_torchvision_of_another_build(tmp_path, monkeypatch):
    """The very call by which torchvision fails beside a build of torch without its operators."""
    package(tmp_path, "torchvision", "import torch\ntorch.library.register_fake('torchvision::nms')(lambda *_: None)\n")
    monkeypatch.syspath_prepend(tmp_path)
    broken = found(machine.examine(), "torchvision")
    assert "operator torchvision::nms does not exist" in broken.found
    assert "does not fit torch" in broken.found


@pytest.mark.slow
def test_the_real_libraries_of_this_installation_import():
    assert {one.state for one in machine.examine() if one.area == "libraries"} == {State.OK}


@pytest.mark.parametrize(
    ("library", "code", "told"),
    [
        ("timm", "raise ModuleNotFoundError(\"No module named 'timm'\")", "pip install --upgrade timm"),
        ("open_clip", "", "pip install --upgrade open_clip_torch"),
        ("torch", "raise OSError('libcublas.so.13: cannot open shared object file')", machine.PAIR),
        ("torch", "import os; os.abort()", machine.PAIR),
    ],
    ids=["absent", "too-old", "no-cuda-libraries", "crash"],
)
def test_a_library_that_fails_is_named_with_what_to_install(fakes, library, code, told):
    fakes(library, code)
    one = found(machine.examine(), library)
    assert (one.state, one.remedy) == (State.MISSING, told)


def test_what_needs_torch_is_not_blamed_for_it(fakes):
    fakes("torch", "raise ImportError('libtorch.so')")
    fakes("timm", "import torch")
    findings = list(machine.examine())
    assert found(findings, "timm").remedy == "It needs torch and torchvision: mend these first."
    assert not [one for one in findings if one.area == "devices"]


def test_a_library_that_hangs_is_given_up(fakes, monkeypatch):
    fakes("timm", "import time; time.sleep(60)")
    monkeypatch.setattr(machine, "TIMEOUT", 0.5)
    assert "took more than" in found(machine.examine(), "torch").found


def test_devices_come_with_their_memory(good):
    good["devices"]["gpus"] = [{"name": "H200", "memory": 150_000_000_000, "bf16": True}]
    assert found(machine.examine(), "cuda:0").found == "H200, 150 GB, bfloat16"


@pytest.mark.parametrize(("cuda", "why"), [("13.0", "is built for CUDA 13.0"), (None, "a build for the CPU alone")])
def test_a_card_that_torch_cannot_use_is_told(good, tmp_path, monkeypatch, cuda, why):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: Some Card (UUID: GPU-1)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    good["devices"]["cuda"] = cuda
    one = found(machine.examine(), "cuda")
    assert one.state is State.WARNING
    assert one.found.startswith("GPU 0: Some Card is there, but torch cannot use it")
    assert why in one.found


# the cache


def test_the_cache_is_told_with_its_size(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/x").write_bytes(bytes(5_000_000))
    (one,) = machine.examine_cache()
    assert one.found.startswith(f"{tmp_path / 'cache'}, 5 MB held, ")


def test_a_cache_that_cannot_be_written_is_missing_and_a_small_disk_warned_of(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "file/cache"))
    (one,) = machine.examine_cache()
    assert (one.state, "cannot be written" in one.found) == (State.MISSING, True)
    assert one.remedy.startswith("export CONCEPTTRANSFER_CACHE=")
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000))
    (one,) = machine.examine_cache()
    assert (one.state, "1 MB free" in one.found) == (State.WARNING, True)


# what captions are read with


def test_wordnet_is_there_and_what_is_wrong_with_another_one(monkeypatch):
    one = found(resources.examine(), "WordNet")
    assert (one.state, "3.0" in one.found) == (State.OK, True)
    monkeypatch.setattr(resources.wordnet, "wup", lambda *_: 0.9)
    assert found(resources.examine(), "WordNet").found.endswith("dog and cat are 0.900 alike, not .857")

    def nothing():
        raise MissingResourceError("wordnet_nouns.tar.xz is missing.")

    monkeypatch.setattr(resources.wordnet, "wordnet_source", nothing)
    assert found(resources.examine(), "WordNet").state is State.MISSING


def test_the_tagger_is_the_best_that_is_there(tmp_path, monkeypatch, real):
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    rules = found(resources.examine(), "part-of-speech tagger")
    assert (rules.state, rules.found.split(";")[0]) == (State.WARNING, "rules over WordNet")
    monkeypatch.setattr(nltk.data, "path", [str(real / "nltk_data")])
    assert found(resources.examine(), "part-of-speech tagger").found.startswith("nltk's perceptron")
    monkeypatch.syspath_prepend(package(tmp_path / "site", "en_core_web_sm"))
    one = found(resources.examine(), "part-of-speech tagger")
    assert (one.state, one.found) == (State.OK, "spaCy, en_core_web_sm")


def test_java_absent_broken_and_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    findings = list(resources.examine())
    assert found(findings, "Java").state is State.WARNING
    assert "METEOR 1.5 and SPICE are left out" in found(findings, "Java").found
    java = tmp_path / "java"
    for code, state in [("exit 1", State.WARNING), ("echo 'openjdk version \"17.0.1\"' >&2", State.OK)]:
        java.write_text(f"#!/bin/sh\n{code}\n")
        java.chmod(0o755)
        assert found(resources.examine(), "Java").state is state
    assert found(resources.examine(), "Java").found == 'openjdk version "17.0.1"'


# a study's weights and data


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub cache; the function given puts a model into it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def put(repository: str, **files: str) -> Path:
        folder = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs/main").write_text("abc")
        (folder / "snapshots/abc").mkdir(parents=True)
        for name, content in files.items():
            (folder / "snapshots/abc" / name).write_text(content)
        return folder / "snapshots/abc"

    return put


def test_weights_that_are_not_here_come_with_the_command_that_fetches_them(hub):
    findings = list(study_parts.examine_weights(load_study("limber")))
    wanted = {
        "language model": "hf download EleutherAI/gpt-j-6b",
        "clip": "hf download timm/resnet50x16_clip.openai",
        "nfrn50": "hf download timm/nf_resnet50.ra2_in1k",
        "beit": "hf download microsoft/beit-large-patch16-224-pt22k",
        "judge clipscore": "hf download timm/vit_base_patch32_clip_224.openai",
    }
    for what, command in wanted.items():
        one = found(findings, what)
        assert one.state is State.MISSING
        assert command in one.remedy
    assert found(findings, "beit-random").state is State.OK


def test_weights_in_the_hubs_cache_are_found_and_half_of_them_are_not_enough(hub):
    index = json.dumps(
        {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    )
    parts = {"model.safetensors.index.json": index, "model-00001-of-00002.safetensors": "x"}
    place = hub("EleutherAI/gpt-j-6b", **parts)
    hub("timm/nf_resnet50.ra2_in1k", **{"model.safetensors": "x"})
    findings = list(study_parts.examine_weights(load_study("limber")))
    assert "lacks 1 of its files, such as model-00002-of-00002" in found(findings, "language model").found
    assert found(findings, "nfrn50").state is found(findings, "nfrn50-tuned").state is State.OK
    (place / "model-00002-of-00002.safetensors").write_text("x")
    assert found(study_parts.examine_weights(load_study("limber")), "language model").state is State.OK


def test_weights_that_were_downloaded_plainly_are_found(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "own"))
    for folder, name in [(".cache/clip", "RN50x16.pt"), ("torch/hub/checkpoints", "nf_resnet50_ra2-9f236009.pth")]:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text("x")
    findings = list(study_parts.examine_weights(load_study("limber")))
    assert {found(findings, what).state for what in ("clip", "nfrn50")} == {State.OK}


def study_of(folder, **changes):
    (folder / "my.yaml").write_text(yaml.safe_dump({"name": "my", "like": "microworld", **changes}))
    return load_study(folder / "my.yaml")


def test_files_that_a_study_names_and_that_are_not_there(tmp_path):
    encoder = {"model": "timm:resnet18", "features": "pooled", "weights": "none.safetensors"}
    study = study_of(tmp_path, language_model="hf:./nowhere", encoders={"mine": encoder})
    findings = list(study_parts.examine_weights(study))
    assert "No weights at" in found(findings, "mine").remedy
    assert "there is no folder" in found(findings, "language model").remedy
    assert found(findings, "beit").state is State.OK
    study = study_of(tmp_path, encoders={"mine": {"model": "timm:nf_resnet5O", "features": "pooled"}})
    assert found(study_parts.examine_weights(study), "mine").found == "timm knows no weights of `nf_resnet5O`"


def test_data_is_held_against_its_layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    findings = {one.what: one for one in study_parts.examine_data(load_study("limber"))}
    awa2 = findings["awa2 (animals)"]
    assert awa2.state is State.MISSING
    assert awa2.remedy == f"concepttransfer data fetch awa2 --folder {tmp_path / 'data/awa2'}"
    assert findings["cc3m (fit)"].remedy == "concepttransfer data show cc3m"
    monkeypatch.setattr("concepttransfer.data.layout.check_layout", lambda *_: [])
    findings = {one.what: one for one in study_parts.examine_data(load_study("limber"))}
    assert {one.state for one in findings.values()} == {State.OK}


def test_data_of_ones_own_is_read(tmp_path):
    study = study_of(tmp_path, data={"mine": {"pictures": "mine"}}, evaluate={"animals": "mine"})
    assert "no " in found(study_parts.examine_data(study), "mine (animals)").remedy
    (tmp_path / "mine/zebra").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "mine/zebra/1.png")
    study = load_study(tmp_path / "my.yaml")
    assert found(study_parts.examine_data(study), "mine (animals)").found == "1 rows"


# memory and disk


@pytest.mark.slow
def test_the_size_of_the_microworld_fits_anywhere():
    findings = list(study_parts.examine_size(load_study()))
    assert [(one.what, one.state) for one in findings] == [("memory", State.OK), ("disk", State.OK)]


def test_what_does_not_fit_is_told_with_its_parts(tmp_path, monkeypatch):
    from concepttransfer.reproduce import needs

    monkeypatch.setattr(needs, "devices", lambda: (Device("Small card", 1_000_000, "float32", 1e9),))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path))
    memory, disk = study_parts.examine_size(load_study())
    assert (memory.state, disk.state) == (State.MISSING, State.MISSING)
    assert "Small card has 1 MB" in memory.found
    assert "microworld:language_model in float32" in memory.found
    assert "1 kB are free" in disk.found


@pytest.mark.slow
def test_the_size_of_the_paper_is_that_of_its_models(tmp_path, monkeypatch):
    """GPT-J has 6.05 thousand million parameters: 24.2 GB in float32; BEiT-L beside it 1.2 GB."""
    monkeypatch.chdir(tmp_path)
    memory, disk = study_parts.examine_size(load_study("limber", dtype="float32"))
    assert "hf:EleutherAI/gpt-j-6b in float32 24.2 GB (6,051 M parameters), beit-ft in float32 1.21 GB" in memory.found
    features = 2 * np.array([144 * 3072 * 2, 2048 * 3, 196 * 1024 * 3])  # with twins; pictures of all evaluations
    pictures = 5000 + 4500 + 37322 + 40504
    amount = float(disk.found.split()[0])
    assert amount == pytest.approx(features.sum() * pictures / 1e9, rel=0.1)


# the command


def test_the_command_prints_remedies_and_its_status_says_whether_something_is_missing(capsys, good, monkeypatch):
    command = get_command(app).get_command(None, "doctor")
    assert "Example: concepttransfer doctor --study limber" in command.help
    monkeypatch.setattr(resources, "examine", lambda: iter([Finding.warning("language", "Java", "none", "Get one.")]))
    assert main(["doctor", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "-> Java: Get one." in out
    assert "1 warnings, 0 missing." in out
    good["errors"]["timm"] = "ModuleNotFoundError: No module named 'timm'"
    assert main(["doctor", "--json"]) == 1
    listed = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in listed if one["state"] == "missing"] == ["timm"]
    assert set(listed[0]) == {"area", "what", "state", "found", "remedy"}


def test_a_study_is_not_looked_at_with_broken_libraries_and_a_wrong_one_is_told(capsys, good, monkeypatch):
    good["errors"]["torch"] = "ImportError: broken"
    monkeypatch.setattr(examination.resources, "examine", lambda: iter([]))
    findings = examine(load_study(), quiet=True)
    for area in ("weights", "size"):
        assert [one.found for one in findings if one.area == area] == ["not looked at, because libraries are missing"]
    assert [one.state for one in findings if one.area == "data"]
    assert main(["doctor", "--study", "limbre"]) == 1
    assert "Did you mean `limber`?" in capsys.readouterr().err


def test_the_probe_itself_needs_nothing_of_ours():
    text = machine.PROBE.read_text()
    assert "concepttransfer" not in text
    assert sys.executable
