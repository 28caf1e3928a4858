from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from filelock import FileLock
from tiny_language_models import language_model, soft_prompt

from concepttransfer import captioning
from concepttransfer.captioning import Captions, caption, caption_features
from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, LockedError, MismatchError, MissingResourceError, ShapeError
from concepttransfer.projections import Linear
from concepttransfer.transfer import Transfer

LINES, PART = "captions.jsonl", "captions.00000.part"
N, DIM = 23, 8
DRAWN = Decoding(method="nucleus", samples=2, max_tokens=8, top_p=0.95)


@pytest.fixture(scope="module")
def model():
    return language_model("gptj")


@pytest.fixture(scope="module")
def transfer(model, tmp_path_factory):
    projection = Linear(DIM, model.d_model, prompt_tokens=3)
    projection.start(float(model.word_vectors.std()), 1.0, 0)
    return Transfer.write(
        tmp_path_factory.mktemp("transfers") / "t",
        projection,
        key="fit",
        encoder="beit",
        seed=4,
        space="beit:pooled",
        encoder_identity="beit",
        language_model_id=model.id,
        tokens=1,
    )


@pytest.fixture(scope="module")
def features():
    values = np.random.default_rng(0).normal(size=(N, 1, DIM)).astype(np.float16)
    ids = tuple(f"row-{i}" for i in range(N))
    return SimpleNamespace(values=values, row_ids=ids, space="beit:pooled", key="features", manifest_id="rows")


@pytest.fixture
def stage(features, transfer, model, tmp_path):
    """Caption into a folder, with whatever is to be different."""

    def run(folder="captions", **changes):
        named = {"encoder": "beit", "seed": 4, "manifest_id": "rows", "on": "animals", "study": "tiny"}
        how = {"prompt": "A picture of", "decoding": Decoding(max_tokens=8), "key": "k", "batch_size": 5, "quiet": True}
        rows = changes.pop("features", features)
        speaker = changes.pop("model", model)
        return caption(rows, transfer, speaker, tmp_path / folder, **{**named, **how, **changes})

    return run


def lines(folder):
    return [json.loads(line) for line in (folder / LINES).read_text(encoding="utf-8").split("\n")[:-1]]


def test_each_picture_is_said_what_the_language_model_says_of_it(stage, features, transfer, model):
    made = stage()
    prompts = transfer.projection()(torch.from_numpy(features.values.astype(np.float32)))
    said = model.generate([[soft, "A picture of"] for soft in prompts], Decoding(max_tokens=8))
    assert list(made.table.columns) == list(captioning.COLUMNS)
    assert made.table["row_id"].tolist() == list(features.row_ids) == list(made.row_ids)
    assert made.table["text"].tolist() == [one.text for one in said]
    assert made.table["n_tokens"].tolist() == [len(one.token_ids) for one in said]
    assert made.table["logprob"].tolist() == pytest.approx([sum(one.logprobs) for one in said], abs=1e-4)
    assert set(made.table["prompt"]) == {"A picture of"}
    assert [ids for ids, _ in made.tokens()] == [one.token_ids for one in said]
    assert len({one.text for one in said}) > N // 2


def test_each_picture_may_be_given_a_text_of_its_own(stage, features, transfer, model):
    articles = [f"Q: {['red', 'blue', 'green'][i % 3]} dog {i}" for i in range(N)]
    made = stage("news", prompt="{question} A:", questions=articles, batch_size=4)
    prompts = transfer.projection()(torch.from_numpy(features.values.astype(np.float32)))
    inputs = [[soft, f"{article} A:"] for soft, article in zip(prompts, articles, strict=True)]
    said = model.generate(inputs, Decoding(max_tokens=8))
    assert made.table["text"].tolist() == [one.text for one in said]
    assert made.table["prompt"].tolist() == [f"{article} A:" for article in articles]
    assert stage("plain", prompt="{question} A:").table["prompt"].tolist() == ["{question} A:"] * N
    with pytest.raises(ShapeError, match="23 pictures need as many questions; these are 2"):
        stage("few", prompt="{question}", questions=articles[:2])


def test_what_is_loaded_is_what_was_made(stage, transfer, model):
    made = stage(decoding=DRAWN)
    read = Captions.load(made.folder)
    assert read == made
    assert read.table.equals(made.table)
    assert (read.encoder, read.seed, read.on, read.study, read.manifest_id) == ("beit", 4, "animals", "tiny", "rows")
    assert read.decoding == DRAWN
    assert read.meta["transfer_id"] == transfer.id
    assert read.meta["language_model_id"] == model.id
    assert read.texts(1) == dict(zip(read.row_ids, read.table["text"][1::2], strict=True))
    assert sorted(path.name for path in made.folder.iterdir()) == ["captions.jsonl", "index.json"]


class Killed(Exception):
    pass


class KilledAfter:
    """A language model whose process dies after some batches."""

    def __init__(self, model, batches):
        self.model, self.batches = model, batches

    def __getattr__(self, name):
        return getattr(self.model, name)

    def generate(self, inputs, decoding, *, keys=None):
        if self.batches == 0:
            raise Killed
        self.batches -= 1
        return self.model.generate(inputs, decoding, keys=keys)


@pytest.mark.parametrize("decoding", [Decoding(max_tokens=8), DRAWN])
@pytest.mark.parametrize("batches", [0, 1, 3, 4])
@pytest.mark.parametrize("torn", [b"", b'{"row_id": "row', b'{"row_id"\n\n'])
def test_a_killed_run_resumed_gives_the_same_bytes(stage, model, decoding, batches, torn, tmp_path):
    whole = stage("whole", decoding=decoding)
    with pytest.raises(Killed):
        stage("killed", model=KilledAfter(model, batches), decoding=decoding)
    with pytest.raises(MissingResourceError, match="not finished"):
        Captions.load(tmp_path / "killed")
    part = tmp_path / "killed" / PART
    assert len(part.read_bytes().splitlines()) == 5 * batches * decoding.samples
    with part.open("ab") as file:
        # What was being written when the run was killed: two lines of the next batch and a torn one.
        file.write(b"".join((whole.folder / LINES).read_bytes().splitlines(True)[5 * batches * decoding.samples :][:2]))
        file.write(torn)
    counting = KilledAfter(model, 100)
    resumed = stage("killed", model=counting, decoding=decoding)
    assert (resumed.folder / LINES).read_bytes() == (whole.folder / LINES).read_bytes()
    assert 100 - counting.batches == 5 - batches
    assert resumed.table.equals(whole.table)


def test_a_run_killed_before_its_last_step_captions_nothing_again(stage, model, tmp_path):
    whole = stage("whole")
    (whole.folder / LINES).rename(whole.folder / PART)
    (whole.folder / "index.json").unlink()
    (whole.folder / "started.json").write_text('{"key": "k", "block": 260}')
    assert stage("whole", model=KilledAfter(model, 0)).table.equals(whole.table)


def test_captions_that_are_there_are_read_and_those_of_another_key_are_made(stage, model):
    stage()
    assert len(stage(model=KilledAfter(model, 0)).table) == N
    other = stage(key="other", prompt="Q:")
    assert other.key == "other"
    assert set(other.table["prompt"]) == {"Q:"}
    with pytest.raises(Killed):
        stage(key="third", model=KilledAfter(model, 2))
    assert set(stage(key="fourth", prompt="A").table["prompt"]) == {"A"}


@pytest.mark.parametrize("decoding", [Decoding(max_tokens=8), DRAWN])
def test_captions_do_not_depend_on_batch_size_or_order(stage, features, decoding):
    first = stage("a", decoding=decoding, batch_size=5)
    order = np.random.default_rng(1).permutation(N)
    shuffled = SimpleNamespace(**{**vars(features), "values": features.values[order]})
    shuffled.row_ids = tuple(features.row_ids[i] for i in order)
    for other in (
        stage("b", decoding=decoding, batch_size=1),
        stage("c", decoding=decoding, batch_size=64),
        stage("d", decoding=decoding, features=shuffled),
    ):
        for sample in range(decoding.samples):
            assert other.texts(sample) == first.texts(sample)


def test_an_empty_caption_is_a_caption(stage, features):
    silent = language_model("gptj")
    head = silent.module.get_output_embeddings()
    head.register_forward_hook(lambda _m, _g, logits: logits + 100.0 * (torch.arange(logits.shape[-1]) == 0))
    made = stage(model=silent)
    assert made.texts() == dict.fromkeys(features.row_ids, "")
    assert set(made.table["n_tokens"]) == {1}
    assert Captions.load(made.folder).table["text"].tolist() == [""] * N


class Says:
    """A language model that always says the same."""

    def __init__(self, model, text):
        self.model, self.text = model, text

    def __getattr__(self, name):
        return getattr(self.model, name)

    def generate(self, inputs, decoding, *, keys=None):
        return [SimpleNamespace(text=self.text, token_ids=[1], logprobs=[-0.5]) for _ in inputs]


@pytest.mark.parametrize("text", ["NA", "a\nb", "line\u2028separator", 'quo"te\\', "Ünï 🐘", "�"])
def test_any_text_survives_the_file(stage, model, text):
    made = stage(model=Says(model, text))
    assert Captions.load(made.folder).table["text"].tolist() == [text] * N


def test_parts_that_do_not_belong_together_are_refused(stage, features):
    with pytest.raises(MismatchError, match="features of `beit:pooled`"):
        stage(features=SimpleNamespace(**{**vars(features), "space": "clip"}))
    other = language_model("gptj")
    other.id = "another"
    with pytest.raises(MismatchError, match=r"`tiny-gptj` \(32 wide\); .* is `another` \(32 wide\)"):
        stage(model=other)
    with pytest.raises(BadInputError, match="batch of 0"):
        stage(batch_size=0)


def test_two_processes_do_not_write_different_captions_into_one_folder(stage, model, tmp_path):
    with pytest.raises(Killed):
        stage(model=KilledAfter(model, 1))
    with (
        FileLock(tmp_path / "captions" / ".captions.00000.jsonl.lock"),
        pytest.raises(LockedError, match="other lines"),
    ):
        stage(key="other")


def test_damaged_captions_are_refused(stage, tmp_path):
    made = stage()
    with (made.folder / LINES).open("a") as file:
        file.write("{}\n")
    with pytest.raises(BadInputError, match="is damaged"):
        Captions.load(made.folder)
    with pytest.raises(MissingResourceError, match="holds no captions"):
        Captions.load(tmp_path / "nothing")


def test_a_single_picture_and_examples_before_it(features, transfer, model):
    """What the command for one photograph and few-shot prompts use."""
    values = torch.from_numpy(features.values[:1].astype(np.float32))
    how = {"prompt": "A picture of", "decoding": Decoding(max_tokens=8)}
    (alone,) = caption_features(values, transfer.projection(), model, **how)
    soft = transfer.projection()(values)[0]
    assert alone == model.generate([[soft, "A picture of"]], how["decoding"])[0]
    examples = [soft_prompt(model, 3), "A picture of a red dog."]
    (taught,) = caption_features(values, transfer.projection(), model, **how, examples=examples)
    assert taught == model.generate([[*examples, soft, "A picture of"]], how["decoding"])[0]
    assert taught.text != alone.text


def test_reading_captions_loads_no_torch(stage):
    made = stage()
    code = (
        "import sys; from concepttransfer.captioning import Captions; "
        f"Captions.load({str(made.folder)!r}); print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
