"""Rows in buffers are the rows: nothing that a manifest says depends on how many there are of them."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from hashlib import sha256

import pytest

from concepttransfer import manifest as manifests
from concepttransfer.errors import BadInputError, MismatchError
from concepttransfer.manifest import Manifest, Row, Rows
from concepttransfer.rows import Strings, repeated
from concepttransfer.storage import digest

ROWS = [
    Row("a", "a", ("one", "two"), {"class": "otter", "n": 3, "share": 0.1, "wild": True, "none": None}, "0" * 64),
    Row("ü/鯨 \x00\n\"'", "elsewhere.jpg", ("",), {"b": "2", "a": 1}),
    Row("no picture", None, ("text",)),
    Row("empty", ""),
    *(Row(f"row{i}", f"row{i}", (f"text {i}",) * (i % 3), {"class": f"c{i % 5}"} if i % 2 else {}) for i in range(40)),
]


@pytest.fixture
def both(monkeypatch):
    """The same rows as objects and in buffers."""
    plain = Manifest("m", tuple(ROWS))
    monkeypatch.setattr(manifests, "COMPACT_FROM", 1)
    packed = Manifest("m", tuple(ROWS))
    assert isinstance(packed.rows, Rows)
    assert isinstance(plain.rows, tuple)
    return plain, packed


def test_rows_come_out_as_they_went_in(both):
    plain, packed = both
    assert list(packed.rows) == ROWS
    assert [packed.rows[i] for i in range(-len(ROWS), len(ROWS))] == ROWS * 2
    assert [dict(row.labels) for row in packed.rows] == [dict(row.labels) for row in ROWS]
    assert type(packed.rows[0].labels["share"]) is float
    assert list(packed.rows[0].labels) == list(ROWS[0].labels)
    assert list(packed.rows[3:20:4]) == ROWS[3:20:4]
    assert packed.rows == plain.rows
    assert packed.rows != plain.rows[:-1]
    with pytest.raises(IndexError):
        packed.rows[len(ROWS)]


def test_a_manifest_says_the_same_of_both(both):
    plain, packed = both
    assert packed.id == plain.id
    assert list(packed.ids) == list(plain.ids)
    assert list(packed.texts) == list(plain.texts)
    assert [packed.texts[i] for i in (0, -1)] == [plain.texts[i] for i in (0, -1)]
    assert packed.texts[2:5] == plain.texts[2:5]
    assert packed.labels("class") == plain.labels("class")
    assert list(packed.limit(11).rows) == list(plain.limit(11).rows)
    for chosen in (["row7", "a", "row7x"[:4]][:2], [row.id for row in ROWS[::3]], [row.id for row in ROWS]):
        assert list(packed.take(chosen).rows) == list(plain.take(chosen).rows)
        assert list(packed.take(iter(chosen)).ids) == chosen
    for manifest in both:
        with pytest.raises(MismatchError, match="no row `x`"):
            manifest.take(["a", "x"])
    again = pickle.loads(pickle.dumps(packed))
    assert (again.id, list(again.rows)) == (plain.id, ROWS)


def test_the_id_is_the_digest_of_all_rows_at_once(both):
    listed = [(r.id, r.sha256 or r.picture, r.texts, sorted(r.labels.items())) for r in ROWS]
    text = json.dumps([listed], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert both[1].id == both[0].id == digest(listed) == sha256(text.encode()).hexdigest()


def test_a_limit_keeps_the_rows_whose_digests_are_first(both):
    kept = set(sorted((row.id for row in ROWS), key=digest)[:9])
    assert list(both[1].limit(9).rows) == [row for row in ROWS if row.id in kept]


def test_an_id_that_is_there_twice_is_found(both):
    for rows in (tuple(ROWS), Rows.of(ROWS)):
        with pytest.raises(BadInputError, match="row `row5` more than once"):
            Manifest("m", (*rows, replace(ROWS[9], texts=())))
    assert repeated(["b", "a", "b", "a", "c"]) == "a"
    assert repeated(Strings.of(map(str, range(1000)))) is None
    assert repeated([]) is None


def test_many_rows_are_packed_and_take_less_than_200_bytes_each():
    n = manifests.COMPACT_FROM
    rows = (Row(f"{i:05d}.tar/{i:09d}.jpg", f"{i:05d}.tar/{i:09d}.jpg", ("c" * 50,), {}, f"{i:064x}") for i in range(n))
    packed = Manifest("m", tuple(rows)).rows
    assert isinstance(packed, Rows)
    held = [packed.ids, packed._others]
    assert sum(strings.content.nbytes + strings.ends.nbytes for strings in held) < 200 * n


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="memory of a process is read from /proc")
def test_a_forked_process_that_reads_every_row_copies_none():
    """As objects the rows would be copied by their reference counts: 650 bytes each."""
    manifest = Manifest("m", Rows.of(Row(f"{i:09d}", f"{i:09d}", ("c" * 50,), {}, f"{i:064x}") for i in range(100_000)))
    sum(len(row.id) for row in manifest.rows)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        before = private_bytes()
        sum(len(row.id + row.picture + row.texts[0] + row.sha256) for row in manifest.rows)
        os.write(writing, str(private_bytes() - before).encode())
        os._exit(0)
    os.waitpid(child, 0)
    copied = int(os.read(reading, 100))
    os.close(reading)
    os.close(writing)
    assert copied < 3e6  # of 17 MB; as objects 40 MB of 65 are copied


def private_bytes() -> int:
    with open("/proc/self/smaps_rollup", encoding="utf-8") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Private_Dirty"))
