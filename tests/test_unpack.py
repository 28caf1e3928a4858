"""Archives from strangers: nothing lands outside, fills the disk, or stays half-done."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zipfile

import pytest

from concepttransfer.data import unpack as unpacking
from concepttransfer.data.unpack import unpack
from concepttransfer.errors import BadInputError, MissingResourceError


def zipped(*members, name="a.zip", folder):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            archive.writestr(member, content)
    return folder / name


def tarred(*members, name="a.tar.gz", folder):
    with tarfile.open(folder / name, "w:gz" if name.endswith("gz") else "w") as archive:
        for member, content in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return folder / name


def everything(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def visible(folder):
    """What a person sees: not what begins with a dot."""
    return {name: body for name, body in everything(folder).items() if "/." not in f"/{name}"}


@pytest.mark.parametrize("make", [zipped, tarred])
def test_archives_are_unpacked_beside_what_is_there(tmp_path, make):
    (tmp_path / "out/images").mkdir(parents=True)
    (tmp_path / "out/images/mine.jpg").write_bytes(b"mine")
    archive = make(("images/1.jpg", b"one"), ("images/deep/2.jpg", b"two"), folder=tmp_path)
    for _ in range(2):
        unpack(archive, tmp_path / "out", quiet=True)
        assert visible(tmp_path / "out") == {
            "images/1.jpg": b"one",
            "images/deep/2.jpg": b"two",
            "images/mine.jpg": b"mine",
        }


def test_a_gz_of_one_file(tmp_path):
    (tmp_path / "captions.json.gz").write_bytes(gzip.compress(b"{}"))
    unpack(tmp_path / "captions.json.gz", tmp_path / "out", quiet=True)
    assert visible(tmp_path / "out") == {"captions.json": b"{}"}


@pytest.mark.parametrize("member", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_members_that_would_land_outside_are_refused(tmp_path, make, member):
    archive = make(("good.jpg", b"good"), (member, b"evil"), folder=tmp_path)
    with pytest.raises(BadInputError, match=r"would land outside of its folder\. Nothing was unpacked"):
        unpack(archive, tmp_path / "in" / "out", quiet=True)
    assert visible(tmp_path / "in" / "out") == {}
    assert not list(tmp_path.rglob("*evil*"))


def link(name, kind, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "member",
    [
        link("out", tarfile.SYMTYPE, "/etc"),
        link("out", tarfile.SYMTYPE, "images"),
        link("hard", tarfile.LNKTYPE, "/etc/passwd"),
        link("dev", tarfile.CHRTYPE, ""),
    ],
    ids=["outside", "inside", "hard", "device"],
)
def test_links_and_devices_are_refused(tmp_path, member):
    archive = tarred((member, b""), folder=tmp_path)
    with pytest.raises(BadInputError, match="a link or a device"):
        unpack(archive, tmp_path / "out", quiet=True)
    assert visible(tmp_path / "out") == {}


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with pytest.raises(BadInputError, match="`link`, a link or a device"):
        unpack(zipped((info, "/etc/passwd"), folder=tmp_path), tmp_path / "out", quiet=True)


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_bomb_is_refused(tmp_path, make, monkeypatch):
    archive = make(("zeros", b"A" * 5_000_000), folder=tmp_path)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 1_000_000))
    with pytest.raises(BadInputError, match=r"unpacks to 5,000,000 bytes or more, and 1,000,000 are free"):
        unpack(archive, tmp_path / "out", quiet=True)
    (tmp_path / "zeros.gz").write_bytes(gzip.compress(b"A" * 5_000_000))
    with pytest.raises(BadInputError, match="or more, and 1,000,000 are free"):
        unpack(tmp_path / "zeros.gz", tmp_path / "out", quiet=True)
    assert visible(tmp_path / "out") == {}


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_truncated_archive_is_refused(tmp_path, make, share):
    archive = make(*((f"{i}.bin", os.urandom(20_000)) for i in range(5)), folder=tmp_path)
    archive.write_bytes(archive.read_bytes()[: int(share * archive.stat().st_size)])
    with pytest.raises(BadInputError, match="fetch it again"):
        unpack(archive, tmp_path / "out", quiet=True)
    assert visible(tmp_path / "out") == {}


@pytest.mark.parametrize("make", [zipped, tarred])
def test_an_archive_of_nothing_is_told(tmp_path, make):
    with pytest.raises(BadInputError, match="holds no files"):
        unpack(make(folder=tmp_path), tmp_path / "out", quiet=True)


def test_a_page_under_an_archives_name_and_a_folder_that_is_none(tmp_path):
    (tmp_path / "a.zip").write_text("<!doctype html><p>Sign in")
    with pytest.raises(BadInputError, match="is a web page, no archive"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    with pytest.raises(BadInputError, match=r"cannot be unpacked into .*a\.zip.*(exists|directory)"):
        unpack(zipped(("1", b""), name="b.zip", folder=tmp_path), tmp_path / "a.zip")
    with pytest.raises(MissingResourceError, match="There is no archive"):
        unpack(tmp_path / "none.zip", tmp_path)
