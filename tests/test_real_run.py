"""The photographs study, shortened: real pictures, a real classifier, a real language model, every stage of it."""

from __future__ import annotations

import pytest

import concepttransfer as ct
from concepttransfer.study.file import packaged_studies


@pytest.mark.slow
def test_the_classifier_soon_names_more_than_its_random_twin(real, tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTTRANSFER_REAL", str(real))
    text = packaged_studies()["photographs"].read_text(encoding="utf-8")
    for long, short in (
        ("steps: 2000", "steps: 300"),
        ("seeds: 3", "seeds: 1"),
        ("image_size: 160", "image_size: 96"),
        ("subset: fit}", "subset: fit, limit: 500}"),
    ):
        assert long in text
        text = text.replace(long, short)
    (tmp_path / "short.yaml").write_text(text)
    study = ct.load_study(tmp_path / "short.yaml", quiet=True, limit=150)
    result = study.analyze("awa-errors", encoders=["mobilenet"])
    table = result.to_frame()
    right = table.groupby("encoder")["right"].mean()
    assert right["mobilenet"] > right["mobilenet-random"]
    assert table["overlap"].isna().all(), "photographs have no attributes"
    wrong = table[table["named"].notna() & ~table["right"]]
    assert wrong["wup"].between(0, 1).all()
    assert len(wrong) > 20
