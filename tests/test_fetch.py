"""Fetching loses nothing, trusts nothing and says what it needs: against a server that cuts, lies and goes away."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_unpack import visible, zipped

from concepttransfer.data.descriptions import DataManifest
from concepttransfer.data.download import Patience, download
from concepttransfer.data.fetch import fetch, missing_files
from concepttransfer.errors import BadInputError, LockedError, MissingResourceError
from concepttransfer.storage import lock

SOON = Patience(tries=3, timeout=5, pause=0.01)
BODY = os.urandom(3 << 20)


class Shop(ThreadingHTTPServer):
    """A server of files in memory, with the faults that real ones have."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Counter)
        self.files: dict[str, bytes] = {}
        self.ranges, self.etag, self.date, self.kind = True, '"one"', "", "application/octet-stream"
        self.cut_after: list[int] = []  # bytes of each of the next answers
        self.failures: list[int] = []  # statuses of the next answers
        self.slowly = 0.0
        self.asked: list[tuple[str, str | None]] = []
        self.sent = 0

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no fault of the server."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Counter(BaseHTTPRequestHandler):
    server: Shop

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        shop, name = self.server, self.path.strip("/")
        shop.asked.append((name, self.headers.get("Range")))
        if shop.failures or name not in shop.files:
            self.send_error(shop.failures.pop(0) if shop.failures else 404)
            return
        body, start = shop.files[name], 0
        same = self.headers.get("If-Range") in (None, shop.etag or shop.date)
        if shop.ranges and same and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", shop.kind)
        self.send_header("Content-Length", str(len(body) - start))
        if shop.etag:
            self.send_header("ETag", shop.etag)
        if shop.date:
            self.send_header("Last-Modified", shop.date)
        self.end_headers()
        part = body[start:]
        part = part[: shop.cut_after.pop(0)] if shop.cut_after else part
        for at in range(0, len(part), 1 << 16):
            block = part[at : at + (1 << 16)]
            self.wfile.write(block)
            shop.sent += len(block)
            time.sleep(shop.slowly)
        self.close_connection = True


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = Shop()
    server.files["a.bin"] = BODY
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def sha(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def get(shop, tmp_path, **more):
    target = tmp_path / "a.bin"
    download(shop.url("a.bin"), target, quiet=True, patience=SOON, **more)
    assert not list(tmp_path.glob("*.part*")), "nothing half-written stays"
    return target.read_bytes()


# one file


def test_a_file_comes_whole_and_is_checked(shop, tmp_path):
    assert get(shop, tmp_path, size=len(BODY), checksum=sha(BODY)) == BODY
    assert get(shop, tmp_path, checksum="md5:" + hashlib.md5(BODY).hexdigest()) == BODY


def test_a_cut_connection_is_gone_on_with_where_it_was_cut(shop, tmp_path):
    shop.cut_after = [1_000_000, 500_000]
    assert get(shop, tmp_path) == BODY
    assert [asked for _, asked in shop.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert shop.sent == len(BODY), "no byte was sent twice"


def test_a_server_without_ranges_sends_it_all_again(shop, tmp_path):
    shop.ranges, shop.cut_after = False, [1_000_000]
    assert get(shop, tmp_path) == BODY
    assert shop.sent == len(BODY) + 1_000_000


def test_a_part_of_an_older_version_is_not_gone_on_with(shop, tmp_path):
    shop.cut_after = [1_000_000] + [0] * 3
    with pytest.raises(MissingResourceError, match=r"1,000,000 bytes that came are kept"):
        get(shop, tmp_path)
    shop.files["a.bin"], shop.etag = BODY[::-1], '"two"'
    assert get(shop, tmp_path) == BODY[::-1]


@pytest.mark.parametrize("has_checksum", [True, False])
def test_without_etag_and_date_only_a_checksum_makes_it_safe_to_go_on(shop, tmp_path, has_checksum):
    shop.etag, shop.cut_after = "", [1_000_000]
    assert get(shop, tmp_path, checksum=sha(BODY) if has_checksum else None) == BODY
    assert shop.asked[1][1] == ("bytes=1000000-" if has_checksum else None)


def test_a_date_serves_where_there_is_no_etag(shop, tmp_path):
    shop.etag, shop.date, shop.cut_after = "", formatdate(0, usegmt=True), [1_000_000]
    assert get(shop, tmp_path) == BODY
    assert shop.asked[1][1] == "bytes=1000000-"


def test_a_part_that_was_whole_when_the_run_was_killed_is_only_checked(shop, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY)
    assert get(shop, tmp_path, size=len(BODY), checksum=sha(BODY)) == BODY
    assert shop.asked == []


def test_a_part_longer_than_the_file_is_begun_anew(shop, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY + b"more")
    assert get(shop, tmp_path, checksum=sha(BODY)) == BODY


def test_kill_9_while_fetching_loses_nothing(shop, tmp_path):
    shop.slowly = 0.02
    code = "import sys; from pathlib import Path; from concepttransfer.data.download import download; "
    code += "download(sys.argv[1], Path(sys.argv[2]), quiet=True)"
    process = subprocess.Popen([sys.executable, "-c", code, shop.url("a.bin"), str(tmp_path / "a.bin")])
    part = tmp_path / "a.bin.part"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (part.is_file() and part.stat().st_size > 1 << 20):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = part.stat().st_size
    assert 1 << 20 < held < len(BODY)
    shop.slowly, shop.asked = 0.0, []
    assert get(shop, tmp_path) == BODY
    assert shop.asked == [("a.bin", f"bytes={held}-")]


def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(shop, tmp_path):
    shop.failures = [503, 500]
    assert get(shop, tmp_path) == BODY
    shop.asked, shop.failures = [], [403]
    with pytest.raises(MissingResourceError, match=r"HTTP 403 Forbidden.*wants a login"):
        get(shop, tmp_path)
    assert len(shop.asked) == 1


def test_a_wrong_checksum_leaves_no_file(shop, tmp_path):
    with pytest.raises(BadInputError, match=r"a.bin is not what was published: wanted sha256 0{64}, came sha256"):
        get(shop, tmp_path, checksum="sha256:" + "0" * 64)
    assert visible(tmp_path) == {}
    with pytest.raises(BadInputError, match="holds 3,145,728 bytes; 10 were published"):
        get(shop, tmp_path, size=10)


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_no_file(shop, tmp_path, kind):
    shop.files["a.bin"], shop.kind = b"\n<!DOCTYPE html><title>Quota exceeded</title>", kind
    with pytest.raises(BadInputError, match=r"a web page instead of a\.bin"):
        get(shop, tmp_path)
    assert visible(tmp_path) == {}


def test_no_network_and_a_full_disk_are_told(shop, tmp_path, monkeypatch):
    with pytest.raises(MissingResourceError, match=r"cannot be reached.*Nothing had come yet"):
        download("http://127.0.0.1:9/a.bin", tmp_path / "a.bin", quiet=True, patience=SOON)
    with pytest.raises(BadInputError, match="begins with https://"):
        download("ftp://example.org/a", tmp_path / "a", quiet=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(BadInputError, match="needs 3,145,728 more bytes, and 1 are free"):
        get(shop, tmp_path)


def test_two_do_not_fetch_the_same_file(shop, tmp_path):
    with lock(tmp_path / "a.bin"), pytest.raises(LockedError, match="Another process"):
        get(shop, tmp_path)


# a data set


@pytest.fixture
def zoo(shop, tmp_path):
    """A data set of an archive of pictures, a table, and an optional file."""
    archive = zipped(("photos/1.txt", b"one"), ("photos/2.txt", b"two"), name="photos.zip", folder=tmp_path)
    shop.files |= {"photos.zip": archive.read_bytes(), "captions.json": b'{"images": [1, 2]}', "extra.txt": b"extra"}
    archive.unlink()
    return DataManifest.model_validate(
        {
            "name": "zoo",
            "title": "A zoo",
            "url": "http://zoo.example.org",
            "licence": "free",
            "data": {"reader": "image_folder", "pictures": "data/zoo"},
            "files": [
                {
                    "url": shop.url("photos.zip"),
                    "name": "photos.zip",
                    "unpack": "pictures",
                    "sha256": hashlib.sha256(shop.files["photos.zip"]).hexdigest(),
                },
                {"url": shop.url("captions.json"), "name": "captions.json", "bytes": 18},
                {"url": shop.url("extra.txt"), "name": "extra.txt", "optional": True},
            ],
            "layout": [
                {"glob": "pictures/photos/*.txt", "what": "pictures", "count": 2, "comes_in": "photos.zip"},
                {"path": "captions.json", "what": "captions", "holds": {"images": 2}, "comes_in": "captions.json"},
            ],
        }
    )


def fetched(manifest, folder, **more):
    return [tuple(vars(one).values()) for one in fetch(manifest, folder, quiet=True, patience=SOON, **more)]


def test_a_data_set_is_fetched_once(zoo, shop, tmp_path):
    folder = tmp_path / "data" / "zoo"
    assert fetched(zoo, folder) == [
        ("photos.zip", "fetched and unpacked", "the published sha256"),
        ("captions.json", "fetched", "the published size; there is no checksum"),
    ]
    assert visible(folder) == {
        "captions.json": b'{"images": [1, 2]}',
        "pictures/photos/1.txt": b"one",
        "pictures/photos/2.txt": b"two",
    }
    shop.asked.clear()
    assert {done for _, done, _ in fetched(zoo, folder)} == {"there already"}
    assert shop.asked == []
    (folder / "pictures/photos/2.txt").unlink()
    assert [file.name for file in missing_files(zoo, folder)] == ["photos.zip"]
    fetched(zoo, folder, keep_archives=True, optional=True)
    assert [name for name, _ in shop.asked] == ["photos.zip", "extra.txt"]
    assert "photos.zip" in visible(folder)


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_network_it_is_said_what_to_put_where_and_that_works(zoo, shop, tmp_path, offline):
    folder, bodies = tmp_path / "zoo", dict(shop.files)
    if not offline:
        shop.shutdown()
        shop.server_close()
    with pytest.raises(MissingResourceError) as told:
        fetched(zoo, folder, offline=offline)
    for name in ("photos.zip", "captions.json"):
        assert f"{shop.url(name)}\n    -> {folder / name}" in str(told.value)
    assert "extra.txt" not in str(told.value)
    assert "(see )" not in str(told.value)
    folder.mkdir(exist_ok=True)
    for name in ("photos.zip", "captions.json"):
        (folder / name).write_bytes(bodies[name])
    assert fetched(zoo, folder, offline=True) == [
        ("captions.json", "there already", "by its layout"),
        ("photos.zip", "was here and unpacked", "the published sha256"),
    ]


def test_a_file_put_there_by_hand_is_checked_and_kept(zoo, tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"something else")
    with pytest.raises(BadInputError, match=r"photos\.zip is not what was published.*Fetch it again"):
        fetched(zoo, tmp_path)
    assert (tmp_path / "photos.zip").read_bytes() == b"something else"


def test_a_folder_that_cannot_be_written_is_told_before_anything_comes(zoo, shop, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match=r"cannot be written \(.*name another with --folder"):
        fetched(zoo, tmp_path / "file" / "zoo")
    assert shop.asked == []
