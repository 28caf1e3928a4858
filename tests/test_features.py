"""The feature store: the same bytes after a kill, nothing silently wrong, flat memory."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import concepttransfer.features.encoding as encoding
from concepttransfer.encoders import load_encoder
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, MissingResourceError
from concepttransfer.features import Features, encode, features_key
from concepttransfer.features.shards import ShardedArray, read_shard, write_shard
from concepttransfer.manifest import FolderPictures, Manifest, Row

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Noise:
    """Pictures drawn from their number; some cannot be read."""

    size: int = 24
    broken: frozenset[str] = frozenset()

    def read(self, key: str) -> Image.Image:
        if key in self.broken:
            raise OSError(f"picture {key} is cut short")
        pixels = np.random.default_rng(int(key)).integers(0, 255, (self.size, self.size, 3), dtype=np.uint8)
        return Image.fromarray(pixels)


def noise(n: int, *broken: int) -> Manifest:
    rows = tuple(Row(f"row-{i}", picture=str(i), texts=(f"text {i}", "b")[: 1 + i % 2]) for i in range(n))
    return Manifest("noise", rows, Noise(broken=frozenset(map(str, broken))))


def encoder_of(function: str = "colours", **settings):
    spec = EncoderSpec(model=f"plugin:plugin_encoders:{function}", **{"features": "last_map", **settings})
    return load_encoder(spec, TESTS)


@pytest.fixture(scope="module")
def encoder():
    return encoder_of("cifar_resnet", arguments={"depth": 8}, image_size=16, init="random")


def stored(manifest, encoder, folder, *, rows=8, **settings):
    """Encode into shards of `rows` rows each."""
    width = encoder.tokens * encoder.dim * np.dtype(settings.get("dtype", "float16")).itemsize
    options = {"key": "k", "batch_size": 3, "workers": 0, "quiet": True, "shard_bytes": rows * width, **settings}
    return encode(manifest, encoder, folder, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("shard-*"))}


def direct(manifest, encoder, dtype=torch.float16):
    batch = torch.stack([encoder.transform(manifest.read(i)) for i in range(len(manifest))])
    return encoder.encode(batch).to(dtype).numpy()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_stored_features_equal_direct_encoding(tmp_path, encoder, dtype):
    manifest = noise(21)
    features = stored(manifest, encoder, tmp_path / "f", dtype=dtype)
    expected = direct(manifest, encoder, getattr(torch, dtype))
    assert features.values.shape == (21, 16, 64)
    assert features.values.dtype == np.dtype(dtype)
    np.testing.assert_allclose(np.asarray(features.values), expected, atol=1e-6 if dtype == "float32" else 2e-3)
    assert features.row_ids == manifest.ids
    assert (features.manifest_id, features.encoder_id, features.space) == (manifest.id, encoder.id, encoder.space)
    assert len(contents(tmp_path / "f")) == 3
    features.verify()


def test_float16_is_nothing_but_rounding(tmp_path, encoder):
    manifest = noise(9)
    exact = stored(manifest, encoder, tmp_path / "a", dtype="float32")
    rounded = stored(manifest, encoder, tmp_path / "b", dtype="float16", rows=8)
    assert np.array_equal(np.asarray(exact.values).astype(np.float16), np.asarray(rounded.values))


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path, encoder, monkeypatch):
    manifest = noise(30, 4, 11)
    stored(manifest, encoder, tmp_path / "whole", max_unreadable=0.1)
    write, written = encoding.write_shard, []

    def die_after_two(path, values, metadata):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, values, metadata)

    monkeypatch.setattr(encoding, "write_shard", die_after_two)
    with pytest.raises(KeyboardInterrupt):
        stored(manifest, encoder, tmp_path / "killed", max_unreadable=0.1)
    with pytest.raises(MissingResourceError, match="begun"):
        Features.load(tmp_path / "killed")
    written.clear()
    monkeypatch.setattr(encoding, "write_shard", lambda *a: (written.append(a[0]), write(*a)))
    resumed = stored(manifest, encoder, tmp_path / "killed", max_unreadable=0.1)
    assert len(written) == 2, "only what was missing is encoded"
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert [bad["id"] for bad in resumed.unreadable] == ["row-4", "row-11"]


def test_a_finished_store_is_opened_as_it_is(tmp_path, encoder, monkeypatch):
    first = stored(noise(9), encoder, tmp_path / "f")
    monkeypatch.setattr(encoding, "_features", lambda *a: pytest.fail("encoded again"))
    again = stored(noise(9), encoder, tmp_path / "f")
    assert again.row_ids == first.row_ids


def test_worker_processes_change_nothing(tmp_path, encoder):
    manifest = noise(12, 5)
    stored(manifest, encoder, tmp_path / "one", max_unreadable=0.1)
    stored(manifest, encoder, tmp_path / "two", max_unreadable=0.1, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_truncated_shard_is_detected_and_made_anew(tmp_path, encoder):
    folder = tmp_path / "f"
    stored(noise(20), encoder, folder)
    whole = contents(folder)
    path = folder / "shard-00001.safetensors"
    os.truncate(path, path.stat().st_size - 10)
    with pytest.raises(BadInputError, match=r"cut short.*Remove"):
        Features.load(folder)
    stored(noise(20), encoder, folder)
    assert contents(folder) == whole


def test_changed_bytes_are_found_by_verify(tmp_path, encoder):
    features = stored(noise(9), encoder, tmp_path / "f")
    path = tmp_path / "f" / "shard-00000.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadInputError, match="changed after it was written"):
        features.verify()


def test_a_shard_of_another_store_is_refused(tmp_path, encoder):
    stored(noise(9), encoder, tmp_path / "a")
    stored(noise(9), encoder, tmp_path / "b", key="other")
    (tmp_path / "a/shard-00000.safetensors").write_bytes((tmp_path / "b/shard-00000.safetensors").read_bytes())
    with pytest.raises(BadInputError, match="not the shard"):
        Features.load(tmp_path / "a")
    with pytest.raises(MismatchError, match="another encoder or data"):
        stored(noise(9), encoder, tmp_path / "b")


def test_unreadable_pictures_are_left_out_with_their_reason(tmp_path, encoder):
    manifest = noise(20, 0, 13)
    features = stored(manifest, encoder, tmp_path / "f", max_unreadable=0.1)
    assert features.row_ids == tuple(i for i in manifest.ids if i not in ("row-0", "row-13"))
    assert features.values.shape[0] == 18
    assert [dict(bad) for bad in features.unreadable] == [
        {"id": f"row-{i}", "reason": f"OSError: picture {i} is cut short"} for i in (0, 13)
    ]
    with pytest.raises(MismatchError, match="picture 13 is cut short"):
        features.take(["row-1", "row-13"])
    kept = direct(manifest.take(features.row_ids), encoder)
    np.testing.assert_allclose(np.asarray(features.values), kept, atol=2e-3)


def test_too_many_unreadable_pictures_stop_the_run_and_keep_what_was_done(tmp_path, encoder):
    manifest = noise(24, 9, 10, 11)
    with pytest.raises(BadInputError, match=r"3 of 24 images .* \(allowed: 1\.0%\): `row-9`: OSError"):
        stored(manifest, encoder, tmp_path / "f")
    assert len(contents(tmp_path / "f")) == 2
    assert len(stored(manifest, encoder, tmp_path / "f", max_unreadable=0.2)) == 21


def test_a_shard_of_nothing_but_unreadable_pictures_is_no_fault(tmp_path, encoder):
    features = stored(noise(6, 2, 3), encoder, tmp_path / "f", rows=2, max_unreadable=0.5)
    assert features.row_ids == ("row-0", "row-1", "row-4", "row-5")
    assert features.values[[3, 0]].shape == (2, 16, 64)


def test_real_files_that_are_no_pictures_are_unreadable(tmp_path, encoder):
    Image.new("RGB", (9, 9)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    rows = tuple(Row(name, picture=name) for name in ("good.png", "bad.png", "gone.png"))
    features = stored(Manifest("files", rows, FolderPictures(tmp_path)), encoder, tmp_path / "f", max_unreadable=1)
    assert features.row_ids == ("good.png",)
    assert [bad["reason"].split(":")[0] for bad in features.unreadable] == [
        "UnidentifiedImageError",
        "FileNotFoundError",
    ]


def test_values_that_the_dtype_cannot_hold_are_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"`row-0` a value .* that float16 cannot hold"):
        stored(noise(4), encoder_of("huge"), tmp_path / "f")
    assert stored(noise(4), encoder_of("huge"), tmp_path / "g", dtype="float32").values.shape == (4, 4, 3)


def test_texts_are_encoded_one_row_each(tmp_path):
    text = encoder_of("text_letters", features="projected", modality="text")
    features = stored(noise(3), text, tmp_path / "f", dtype="float32", rows=2)
    assert features.row_ids == ("row-0#0", "row-1#0", "row-1#1", "row-2#0")
    assert features.take(["row-1#1"]).tolist() == [[[98.0, 32.0, 32.0, 32.0]]]


def test_data_that_the_encoder_cannot_read_is_refused(tmp_path, encoder):
    silent = Manifest("silent", (Row("a", picture="1"),), Noise())
    text = encoder_of("text_letters", features="projected", modality="text")
    with pytest.raises(EmptyDataError, match="no texts"):
        stored(silent, text, tmp_path / "f")
    with pytest.raises(EmptyDataError, match="no pictures"):
        stored(Manifest("blind", (Row("a", texts=("x",)),)), encoder, tmp_path / "f")


def test_the_key_changes_with_each_of_its_parts():
    keys = {
        features_key("m", "e", "float16"),
        features_key("n", "e", "float16"),
        features_key("m", "f", "float16"),
        features_key("m", "e", "float32"),
    }
    assert len(keys) == 4


def test_shards_read_as_one_array(tmp_path):
    whole = np.random.default_rng(0).normal(size=(17, 2, 3)).astype(np.float16)
    shards = []
    for k, (a, b) in enumerate([(0, 5), (5, 5), (5, 12), (12, 17)]):
        write_shard(tmp_path / f"{k}", whole[a:b], {"text": "ü"})
        shards.append(read_shard(tmp_path / f"{k}"))
    values = ShardedArray(shards)
    mask = np.arange(17) % 3 == 0
    rows = [16, 0, 5, 5, -1, 11]
    for index in (3, -1, slice(None), slice(6, 9), slice(3, 14), slice(14, 2, -2), slice(5, 5), rows, mask, (rows, 1)):
        np.testing.assert_array_equal(values[index], whole[index])
    np.testing.assert_array_equal(values[2:8, :, 0], whole[2:8, :, 0])
    np.testing.assert_array_equal(np.asarray(values, dtype=np.float32), whole.astype(np.float32))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(values))[:], whole)
    assert (values.shape, values.ndim, len(values), values.nbytes) == (whole.shape, 3, 17, whole.nbytes)
    for wrong in (17, [17], [-18], np.zeros(3, bool), [[0]], [0.5]):
        with pytest.raises(IndexError):
            values[wrong]


def test_shards_are_safetensors_that_others_can_read(tmp_path, encoder):
    from safetensors.numpy import load_file

    features = stored(noise(5), encoder, tmp_path / "f")
    (other,) = load_file(tmp_path / "f/shard-00000.safetensors").values()
    assert np.array_equal(other, np.asarray(features.values))


def test_opening_features_needs_no_torch(tmp_path, encoder):
    stored(noise(5), encoder, tmp_path / "f")
    code = (
        "import sys; from pathlib import Path; from concepttransfer.features import Features\n"
        f"f = Features.load(Path({str(tmp_path / 'f')!r})); f.take(['row-3']); f.verify()\n"
        "print(len(f), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5", "False"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="anonymous memory is measured through /proc")
def test_anonymous_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    """1,800 pictures more are 29 MB of stored features, 58 MB as computed: what a list of them would add."""
    code = f"""
import sys; sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
from test_features import noise, encoder_of, stored
def grown(n):
    before = anonymous()
    features = stored(noise(n), encoder, Path({str(tmp_path)!r}) / str(n), rows=32, batch_size=16)
    return anonymous() - before
def anonymous():
    lines = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return int(lines["RssAnon"].split()[0]) * 1024
encoder = encoder_of("wide")
grown(64)
print(grown(200), grown(2000))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    few, many = map(int, done.stdout.split()[-2:])
    assert many - few < 12e6
