"""CLIPScore and RefCLIPScore are as defined; the study's judge reads pictures and texts once and says what it cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from caption_samples import captions, references

import concepttransfer as ct
from concepttransfer import encoders
from concepttransfer.analyses._caption_scores import measures as m
from concepttransfer.analyses.caption_scores import caption_scores
from concepttransfer.errors import MismatchError, MissingResourceError
from concepttransfer.features import Features
from concepttransfer.manifest import Manifest, Row
from concepttransfer.scoring.judging import PREFIX, WEIGHT, JudgeScores, harmonic_mean, prefix_of
from concepttransfer.study import scoring
from concepttransfer.study.read_texts import count_cut


def features(values, ids, key, space="clip"):
    rows = np.asarray(values, dtype=np.float32)[:, None]
    return Features(None, key, rows, tuple(ids), "m", "e", space)


@pytest.fixture
def judged():
    """Five pictures with one to five references and two captioners, at random."""
    rng = np.random.default_rng(0)
    rows = [f"row#{n}" for n in range(5)]  # an id may hold what divides a row from the number of its text
    ids = [f"{row}#{k}" for n, row in enumerate(rows) for k in range(n + 1)]
    said = {k: features(rng.normal(size=(5, 8)), [f"{row}#0" for row in rows], k) for k in ("beit-0", "clip-0")}
    pictures, texts = features(rng.normal(size=(5, 8)), rows, "p"), features(rng.normal(size=(len(ids), 8)), ids, "r")
    return JudgeScores("open_clip:ViT-B-32/openai", PREFIX, pictures, texts, said, frozenset({"clip"}), 3)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def by_definition(judged, key, picture, said_of):
    """Hessel et al. 2021, sections 3 and 3.1."""
    spoken = judged.captions[key].take([f"{said_of}#0"])[0, 0]
    clip = 2.5 * max(cosine(judged.pictures.take([picture])[0, 0], spoken), 0)
    theirs = [i for i in judged.references.row_ids if i.rpartition("#")[0] == picture]
    best = max(0.0, *(cosine(judged.references.take([i])[0, 0], spoken) for i in theirs))
    return clip, 2 * clip * best / (clip + best) if clip + best > 0 else 0.0


def test_scores_are_as_defined_for_own_and_for_other_captions(judged):
    rows = list(judged.pictures.row_ids)
    for order in (range(5), (3, 0, 0, 4, 1)):
        said_of = [rows[n] for n in order]
        clip, with_references = judged.score("clip-0", rows, said_of)
        wanted = [by_definition(judged, "clip-0", *pair) for pair in zip(rows, said_of, strict=True)]
        assert np.stack([clip, with_references], axis=1) == pytest.approx(np.array(wanted))


def test_the_harmonic_mean_is_0_where_there_is_none():
    a, b = np.array([0.0, 0.0, 1.0, 0.5]), np.array([0.0, -0.5, 1.0, 0.0])
    assert harmonic_mean(a, b) == pytest.approx([0, 0, 1, 0])
    assert WEIGHT == 2.5


def test_a_caption_contrary_to_every_reference_scores_nothing_however_near_the_picture():
    """Their plain harmonic mean would be 2 * .1 * -.099 / .001, far below anything that a caption can be."""
    caption, picture = np.array([[0.0, 1.0]]), np.array([[0.9992, 0.04]])
    said = {"a": features(caption, ["row#0"], "a")}
    judged = JudgeScores("x", "", features(picture, ["row"], "p"), features([[0.995, -0.099]], ["row#0"], "r"), said)
    clip, with_references = judged.score("a", ["row"], ["row"])
    assert clip[0] == pytest.approx(0.1, abs=1e-3)
    assert with_references.tolist() == [0.0]


def test_a_judge_of_several_spaces_is_refused(judged):
    other = features(np.ones((5, 8)), judged.pictures.row_ids, "x", space="other")
    with pytest.raises(MismatchError, match="one space"):
        JudgeScores("x", "", other, judged.references, judged.captions)


def test_scores_stand_in_the_result_and_its_own_encoder_is_marked(judged):
    rows = list(judged.pictures.row_ids)
    texts = references({row: ["a dog"] * (n + 1) for n, row in enumerate(rows)})
    given = [captions(dict.fromkeys(rows, "a dog"), name) for name in ("beit", "clip")]
    result = caption_scores(given, texts, judged, n_resamples=20)
    for name in ("beit", "clip"):
        clip, with_references = judged.score(f"{name}-0", rows, rows)
        mine = result.table[result.table["encoder"] == name]
        assert mine["clipscore"].to_numpy() == pytest.approx(clip)
        assert mine["refclipscore"].to_numpy() == pytest.approx(with_references)
        assert result.claim(name, m.CLIPSCORE)["value"] == pytest.approx(clip.mean())
    assert result.judged_by_itself == ("clip",)
    cells = result.headline().set_index("encoder")["CLIPScore (chance)"]
    assert (cells["clip"].endswith("*"), cells["beit"].endswith("*")) == (True, False)
    assert "* The judge open_clip:ViT-B-32/openai has this encoder's own weights" in result.summary()
    assert "3 texts are longer than the judge reads and were cut" in result.summary()


def test_a_picture_that_the_judge_could_not_read_does_not_count(judged):
    rows = list(judged.pictures.row_ids)
    few = JudgeScores(
        judged.model, PREFIX, features(judged.pictures.values[:3, 0], rows[:3], "p"), judged.references, judged.captions
    )
    texts = references({row: ["a dog"] for row in rows})
    result = caption_scores([captions(dict.fromkeys(rows, "a dog"))], texts, few, n_resamples=20)
    clip, _ = judged.score("beit-0", rows[:3], rows[:3])
    claim = result.claim("beit", m.CLIPSCORE)
    assert (claim["n"], claim["value"]) == (3, pytest.approx(clip.mean()))
    assert result.table["clipscore"].isna().tolist() == [False] * 3 + [True] * 2


def test_texts_that_are_cut_are_counted_exactly():
    import open_clip

    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    texts = [PREFIX + " ".join(["dog"] * n) for n in (1, 70, 71, 72, 73, 74, 75, 90)]
    texts += [PREFIX + " ".join(["dog"] * n) + " zebrafishes" for n in (69, 70, 71)]
    whole = [int((tokenizer([text], context_length=200)[0] != 0).sum()) for text in texts]
    assert {76, 77, 78} <= set(whole)
    for text, length in zip(texts, whole, strict=True):
        assert count_cut([text], lambda t: tokenizer([t])[0]) == (length > 77), length
    assert count_cut([texts[-4], texts[-4], texts[0]], lambda t: tokenizer([t])[0]) == 1


def test_the_microworlds_judge_reads_bare_captions():
    assert prefix_of("microworld:clip-judge") == ""
    assert prefix_of("open_clip:ViT-B-32/openai") == "A photo depicts "


@pytest.fixture(scope="module")
def study():
    return ct.load_study("microworld", limit=24, seeds=1, quiet=True)


def test_the_studys_judge_prefers_the_truth_and_is_asked_once(study, monkeypatch):
    (selection,) = study.select("dev")
    judged = scoring.judge_scores(study, ["clip", "clip-random"], selection)
    assert (judged.model, judged.shares) == ("microworld:clip-judge", frozenset())
    rows = list(selection.manifest.ids)
    key = study.captions("clip", on="dev")[0].key
    own, _ = judged.score(key, rows, rows)
    shuffled, _ = judged.score(key, rows, rows[1:] + rows[:1])
    assert own.mean() > shuffled.mean() + 0.3
    assert judged.pictures.meta["dtype"] == "float32"

    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr("concepttransfer.encoders.load_encoder", never)
    again = scoring.judge_scores(study, ["clip", "clip-random"], selection)
    assert again.id == judged.id
    assert np.array_equal(again.score(key, rows, rows)[0], own)


def with_judge(study, model):
    from concepttransfer.encoders.spec import EncoderSpec

    changed = study.replace()
    changed.spec = study.spec.model_copy(update={"judges": {"clipscore": EncoderSpec(model=model)} if model else {}})
    return changed


def test_encoders_with_the_judges_weights_are_found(study):
    (selection,) = study.select("dev")
    own = with_judge(study, "microworld:clip")
    assert scoring.judge_scores(own, ["clip", "clip-random"], selection).shares == {"clip"}


def test_no_judge_or_one_that_is_not_here_leaves_the_scores_out(study, monkeypatch, caplog):
    (selection,) = study.select("dev")
    assert scoring.judge_scores(with_judge(study, None), ["clip"], selection) is None

    real = encoders.fetch

    def gone(spec, root):
        if spec.features == "projected":
            raise MissingResourceError("No weights.")
        real(spec, root)

    monkeypatch.setattr(encoders, "fetch", gone)
    assert scoring.judge_scores(study, ["clip"], selection) is None
    assert "the judge is not on this machine. No weights." in caplog.text


def test_data_without_references_are_not_judged(study):
    (selection,) = study.select("dev")
    bare = Manifest(
        "bare", tuple(Row(row.id, row.picture) for row in selection.manifest.rows), selection.manifest.pictures
    )

    class Bare:
        name, manifest = "bare", bare

    assert scoring.judge_scores(study, ["clip"], Bare) is None


def test_training_texts_are_those_of_the_fits(study, monkeypatch):
    (selection,) = study.select("dev")
    found = scoring.training_texts(study, ["clip", "beit"], selection)
    said = study.training.manifest.texts[0][0]
    assert said.upper() + "!" in found
    assert "a sentence of which nobody thought" not in found
    assert found.encoders == {"clip", "beit"}
    monkeypatch.setattr(scoring.imports, "find", lambda study, name: Path("x") if name == "beit" else None)
    assert scoring.training_texts(study, ["clip", "beit"], selection).encoders == {"clip"}
    assert scoring.training_texts(study, ["beit"], selection) is None
