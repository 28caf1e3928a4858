from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from concepttransfer.encoders.loading import state_digest
from concepttransfer.errors import BadInputError, MismatchError, MissingResourceError
from concepttransfer.projections import Linear
from concepttransfer.transfer import Transfer

WHO = {
    "key": "key",
    "encoder": "beit",
    "seed": 1,
    "space": "space@1",
    "encoder_identity": "encoder@1",
    "language_model_id": "hf:EleutherAI/gpt-j-6b",
    "tokens": 5,
}


def projection(seed=0):
    made = Linear(6, 4096 // 512)
    made.start(1.0, 1.0, seed)
    return made


def write(folder, made=None, **changes):
    history = pd.DataFrame({"step": [1, 2], "loss": [2.5, 1.25], "validation_loss": [np.nan, 3.0], "lr": [0.1, 0.2]})
    return Transfer.write(folder, made or projection(), **{**WHO, "history": history, "meta": {"a": [1]}, **changes})


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_written_is_what_is_loaded(tmp_path):
    made = projection()
    written = write(tmp_path / "t", made)
    loaded = Transfer.load(tmp_path / "t")
    assert loaded == written
    assert {name: getattr(loaded, name) for name in WHO} == WHO
    assert (loaded.dim, loaded.d_model, loaded.soft_prompts, loaded.meta) == (6, 8, 5, {"a": [1]})
    x = torch.randn(2, 5, 6)
    torch.testing.assert_close(loaded.projection()(x), made(x), rtol=0, atol=0)
    assert not loaded.projection().training
    assert loaded.encoder_state() is None
    assert loaded.history["loss"].tolist() == [2.5, 1.25]
    assert loaded.history["validation_loss"].isna().tolist() == [True, False]


def test_written_twice_gives_the_same_bytes(tmp_path):
    state = {"b": torch.ones(2), "a": torch.zeros(3)}
    write(tmp_path / "t", encoder_state=state)
    write(tmp_path / "u", encoder_state=dict(reversed(state.items())))
    assert content(tmp_path / "t") == content(tmp_path / "u")


def test_id_follows_weights_and_parts_and_not_the_names_given(tmp_path):
    first = write(tmp_path / "t").id
    assert write(tmp_path / "t", key="other", seed=9, meta={}, history=None).id == first
    others = [
        write(tmp_path / "t", projection(1)).id,
        write(tmp_path / "t", language_model_id="gpt2").id,
        write(tmp_path / "t", space="space@2").id,
        write(tmp_path / "t", encoder_identity="encoder@2").id,
    ]
    assert len({first, *others}) == 5


def test_half_precision_halves_the_file_and_rounds(tmp_path):
    made = Linear(64, 64)
    made.start(1.0, 1.0, 0)
    whole = write(tmp_path / "t", made)
    half = whole.copy(tmp_path / "u")
    sizes = [(f / "projection.safetensors").stat().st_size for f in (whole.folder, half.folder)]
    assert sizes[1] < 0.52 * sizes[0]
    torch.testing.assert_close(half.projection().weight, made.weight.half().float(), rtol=0, atol=0)
    assert half.id != whole.id
    assert half.history.equals(whole.history)
    with pytest.raises(BadInputError, match="float32 or float16"):
        whole.copy(tmp_path / "v", dtype="int8")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_tuned_encoder_has_a_space_of_its_own_named_as_load_encoder_names_it(tmp_path, dtype):
    state = {"w": torch.randn(3, generator=torch.Generator().manual_seed(0)), "n": torch.tensor(7)}
    made = write(tmp_path / "t", encoder_state=state, dtype=dtype)
    read = made.encoder_state()
    mark = f"+{state_digest(read)[:16]}"
    assert (made.space, made.encoder_identity) == (f"space@1{mark}", f"encoder@1{mark}")
    assert read["n"].item() == 7
    torch.testing.assert_close(read["w"], state["w"].to(getattr(torch, dtype)).float(), rtol=0, atol=0)
    copied = made.copy(tmp_path / "u", dtype="float16")
    assert copied.space == f"space@1+{state_digest(copied.encoder_state())[:16]}"


def test_another_feature_space_is_refused_with_both_named(tmp_path):
    made = write(tmp_path / "t")
    stored = SimpleNamespace(space="space@1", values=np.zeros((2, 5, 6)))
    made.check_features(stored)
    made.check_features(SimpleNamespace(space="space@1", tokens=5, dim=6))
    with pytest.raises(
        MismatchError, match=r"(?s)fitted on features of `space@1`.*these are of `space@2`.*--encoder beit"
    ):
        made.check_features(SimpleNamespace(space="space@2"))
    with pytest.raises(MismatchError, match=r"5 tokens x 6\); these are of `space@1` \(4 x 6\)"):
        made.check_features(SimpleNamespace(space="space@1", values=np.zeros((2, 4, 6))))


def test_another_language_model_is_refused_with_both_named(tmp_path):
    made = write(tmp_path / "t")
    made.check_language_model("hf:EleutherAI/gpt-j-6b", 8)
    with pytest.raises(MismatchError) as caught:
        made.check_language_model("hf:gpt2", 768, study="My.yaml")
    assert str(caught.value) == (
        "beit was fitted into `hf:EleutherAI/gpt-j-6b` (8 wide); this study's language model is `hf:gpt2` (768 wide).\n"
        "Fit it again for this study: concepttransfer fit --study My.yaml --encoder beit"
    )


def test_a_folder_that_holds_none_or_a_damaged_one_says_so(tmp_path):
    with pytest.raises(MissingResourceError, match="concepttransfer fit"):
        Transfer.load(tmp_path / "t")
    made = write(tmp_path / "t")
    weights = made.folder / "projection.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    with pytest.raises(BadInputError, match="not the file that was written"):
        made.projection()
    about = made.folder / "transfer.json"
    for wrong in ("{", "[1]", "{}", json.dumps({"format": 1, "id": 3}), json.dumps({"format": 99})):
        about.write_text(wrong)
        with pytest.raises(BadInputError, match=r"[Ff]it it again"):
            Transfer.load(made.folder)


def test_a_transfer_is_read_without_torch(tmp_path):
    write(tmp_path / "t")
    code = (
        "import sys; from concepttransfer.transfer import Transfer\n"
        f"t = Transfer.load({str(tmp_path / 't')!r}); t.history\n"
        "t.check_language_model(t.language_model_id, t.d_model)\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
