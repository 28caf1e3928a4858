"""The study that comes with the package needs nothing but the package, and what it ships is what its recipe makes."""

from __future__ import annotations

import pytest

import concepttransfer as ct
from concepttransfer.microworld import WEIGHTS
from concepttransfer.study import pipeline

STUDY = ct.load_study("microworld", quiet=True)


@pytest.mark.parametrize("encoder", STUDY.encoders)
def test_every_shipped_fit_is_exactly_what_the_study_asks_for(encoder):
    for seed in range(STUDY.spec.train.seeds):
        assert pipeline.fitted(STUDY, encoder, seed) == WEIGHTS / "transfers" / encoder / f"seed-{seed}"


def test_every_encoder_gives_as_many_tokens():
    assert {STUDY.transfers(encoder)[0].tokens for encoder in STUDY.encoders} == {9}


def test_the_random_controls_are_the_encoders_own():
    assert {e: STUDY.twin(e) for e in STUDY.encoders if STUDY.twin(e)} == {
        "beit": "beit-random",
        "beit-ft": "beit-random",
        "nfrn50": "nfrn50-random",
        "nfrn50-all-labels": "nfrn50-random",
        "nfrn50-tuned": "nfrn50-random",
        "clip": "clip-random",
    }


def test_a_supervised_encoder_names_animals_and_its_random_twin_hardly():
    study = STUDY.replace(limit=150)
    truth = study.concepts("dev").truth

    def right(encoder):
        table = study.captions(encoder, on="dev")[0].table
        said = [study.concepts("dev").find(text, "first") for text in table["text"]]
        return sum(truth[row] in names for row, names in zip(table["row_id"], said, strict=True)) / len(table)

    assert right("nfrn50-all-labels") > right("nfrn50-random") + 0.3


def test_a_tuned_encoder_speaks_with_the_weights_that_its_fit_left():
    transfer = STUDY.transfers("nfrn50-tuned")[0]
    assert transfer.encoder_state()
    assert STUDY.transfers("nfrn50")[0].encoder_state() is None
    captions = STUDY.replace(limit=5).captions("nfrn50-tuned", on="dev")
    assert len({c.seed for c in captions}) == 3


def test_a_transfer_refuses_another_encoders_features():
    with pytest.raises(ct.ConceptTransferError, match="was fitted on"):
        STUDY.transfers("clip")[0].check_features(STUDY.replace(limit=5).features("nfrn50", on="dev"))


def test_fitting_and_captioning_run_from_nothing(tmp_path):
    """What a user's own study does: no shipped fit serves, so everything is made."""
    text = (
        "name: own\nlanguage_model: microworld:language_model\n"
        "encoders:\n  clip: {model: 'microworld:clip', features: last_map}\n"
        "  clip-random: {like: clip, init: random}\n"
        "data:\n  some: {reader: microworld, split: projection, limit: 60}\n"
        "  dev: {reader: microworld, split: dev, limit: 40}\n"
        "train: {data: some, steps: 40, batch_size: 16, lr: 3.0e-3, warmup_steps: 2, standardize: true}\n"
        "evaluate: {animals: dev}\n"
    )
    (tmp_path / "own.yaml").write_text(text)
    study = ct.load_study(tmp_path / "own.yaml", quiet=True)
    transfer = study.transfers("clip")[0]
    losses = transfer.history["loss"]
    assert losses.tail(5).mean() < losses.head(5).mean()
    result = study.analyze("awa-errors", encoders=["clip"])
    assert len(result.to_frame()) == 80
    assert set(result.to_frame()["encoder"]) == {"clip", "clip-random"}
