"""A released projection takes the place of a fit, says so, and can be left out again."""

from __future__ import annotations

import json

import pytest
import torch

import concepttransfer as ct
from concepttransfer.cli import main
from concepttransfer.errors import MismatchError
from concepttransfer.study import imports


@pytest.fixture
def study_file(tmp_path):
    """A study of tiny models whose shapes are LiMBeR's in small: one pooled feature, k soft prompts."""
    from tiny_language_models import tokenizer
    from transformers import GPTJConfig, GPTJForCausalLM

    torch.manual_seed(0)
    words = tokenizer()
    config = GPTJConfig(vocab_size=len(words), n_positions=64, n_embd=32, n_layer=1, n_head=2, rotary_dim=8)
    GPTJForCausalLM(config).save_pretrained(tmp_path / "gptj")
    words.save_pretrained(tmp_path / "gptj")
    (tmp_path / "study.yaml").write_text(
        "name: tiny\nlanguage_model: hf:gptj\n"
        "encoders:\n"
        "  nf: {model: 'microworld:nfrn50', init: random, features: pooled, prompt_tokens: 2}\n"
        "data: {few: {reader: microworld, split: dev, limit: 4}}\n"
        "train: {data: few, steps: 1, batch_size: 2}\nevaluate: {animals: few}\n"
        "decoding: {max_tokens: 3}\n"
    )
    return tmp_path / "study.yaml"


def released(path, rows, columns):
    generator = torch.Generator().manual_seed(0)
    state = {"weight": torch.randn(rows, columns, generator=generator), "bias": torch.zeros(rows)}
    torch.save(state, path)
    return state


def test_it_is_used_instead_of_a_fit_until_a_fit_is_forced(study_file, tmp_path, capsys):
    state = released(tmp_path / "proj.ckpt", 64, 256)
    status = main(
        ["import-projection", str(tmp_path / "proj.ckpt"), "--study", str(study_file), "--encoder", "nf", "--json"]
    )
    said = json.loads(capsys.readouterr().out)
    assert status == 0
    assert (said[0]["tokens"], said[0]["dim"], said[0]["soft prompts"]) == (1, 256, 2)
    study = ct.load_study(study_file, quiet=True)
    (transfer,) = study.transfers("nf")
    assert torch.equal(transfer.projection().weight, state["weight"])
    assert "released code's transform" in transfer.meta["imported"]["note"]
    assert len(study.captions("nf", on="animals")[0].table) == 4
    fitted = study.replace(force=("fit",)).transfers("nf")
    assert "imported" not in fitted[0].meta
    assert imports.find(study, "nf") is None


def test_a_projection_of_another_width_is_refused(study_file, tmp_path):
    released(tmp_path / "proj.ckpt", 64, 100)
    with pytest.raises(MismatchError, match="256 wide"):
        imports.import_projection(ct.load_study(study_file), "nf", tmp_path / "proj.ckpt")
