"""Where a result comes from is said in full, and nothing private with it."""

from __future__ import annotations

import getpass
import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from concepttransfer.provenance import LIBRARIES, device_name, provenance, revision, without_locations


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_names_versions_seeds_and_ids():
    said = provenance(seeds=[0, 1], study="limber", manifest="ab" * 32)
    assert said["libraries"]["numpy"] == metadata.version("numpy")
    assert set(said["libraries"]) <= set(LIBRARIES)
    assert said["python"] == platform.python_version()
    assert (said["seeds"], said["study"], said["manifest"]) == ([0, 1], "limber", "ab" * 32)
    assert said["date"].endswith("+00:00")
    assert json.loads(json.dumps(said)) == said


def test_it_names_neither_folder_nor_user_nor_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = json.dumps(
        provenance(study=str(tmp_path / "mine.yaml"), inputs=[tmp_path / "x.pt", {"a": f"hf:{tmp_path}/gpt"}])
    )
    assert str(tmp_path) not in said
    assert str(Path.home()) not in said or str(Path.home()) == "/"
    assert platform.node() not in said or len(platform.node()) < 4
    assert f"/{getpass.getuser()}/" not in said
    assert '"mine.yaml"' in said
    assert '"x.pt"' in said
    assert '"hf:gpt"' in said


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/data/me/data/x.csv", "x.csv"),
        ("~/data/x.csv", "x.csv"),
        ("file:///data/me/x.csv", "x.csv"),
        ("C:\\Users\\me\\x.csv", "x.csv"),
        ("\\\\server\\share\\x.csv", "x.csv"),
        ("hf:/data/me/gpt2", "hf:gpt2"),
        ("hf:EleutherAI/gpt-j-6b", "hf:EleutherAI/gpt-j-6b"),
        ("timm:nf_resnet50", "timm:nf_resnet50"),
        ("https://huggingface.co/gpt2/x", "https://huggingface.co/gpt2/x"),
        ("A picture of", "A picture of"),
        ("and/or", "and/or"),
        (3, 3),
        (None, None),
    ],
)
def test_locations_are_cut_and_names_are_kept(given, kept):
    shortened = without_locations(given)
    assert str(shortened).removeprefix("file://") == str(kept)


def test_the_revision_is_that_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision() is None
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("a")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert revision() == {"revision": commit, "changed": False}
    (tmp_path / "a").write_text("b")
    assert provenance()["git"] == {"revision": commit, "changed": True}


def test_without_git_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision() is None


def test_it_imports_no_library():
    code = (
        "import sys; from concepttransfer.provenance import provenance; provenance(study='x')\n"
        "sys.exit(', '.join({'torch', 'numpy', 'pandas', 'matplotlib', 'transformers'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_device_is_named_without_loading_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert device_name() == "cpu"
    assert device_name("cuda:1") == "cuda:1"
    assert "torch" not in sys.modules
