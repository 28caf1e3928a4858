"""Contrastive training: its loss, its gradient however the batch is split, what is learnt, and what may go wrong."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_clip
import torch
from safetensors.torch import load_file
from scipy.special import log_softmax
from scipy.stats import binomtest
from torch import nn

from concepttransfer.cli import main as command
from concepttransfer.contrastive import ContrastiveRecipe, read_recipe
from concepttransfer.contrastive import train as training
from concepttransfer.contrastive.gradient import statistics_kept
from concepttransfer.contrastive.loss import contrastive_loss, scale_of, share_of_loss
from concepttransfer.contrastive.optimiser import build_optimiser
from concepttransfer.contrastive.pairs import PairPlan, Pairs, cropped
from concepttransfer.contrastive.run import ContrastiveRun
from concepttransfer.contrastive.towers import build_towers
from concepttransfer.encoders import load_encoder
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, StudyError, TrainingError
from concepttransfer.manifest import Row
from concepttransfer.microworld.data import microworld_manifest
from concepttransfer.training.batch_plan import hold_out

SCRIPT = Path(tiny_clip.__file__)


def embeddings(n=13, dim=6, seed=0):
    drawn = np.random.default_rng(seed).standard_normal((2, n, dim))
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def tensors(*arrays):
    return [torch.tensor(array, requires_grad=True) for array in arrays]


def run_of(folder, recipe, manifest=None, seed=0):
    """A training that has not begun."""
    towers = build_towers(tiny_clip.architecture(folder / "architecture"), folder, recipe, seed)
    pairs = Pairs(manifest or tiny_clip.pictures(), towers, crop=recipe.crop, seed=seed, workers=1)
    return ContrastiveRun(towers, pairs, recipe, seed, training.build_accelerator())


def without_keys(name, value):
    """A bias of attention without its keys' part, on which nothing depends: its gradient is rounding."""
    return torch.cat(value.chunk(3)[::2]) if name.endswith("in_proj_bias") else value


def close(one, other, tolerance):
    """Are all weights or gradients equal, up to a share of each one's norm? Gives that share for all together."""
    apart = whole = 0.0
    for name in one:
        mine, theirs = without_keys(name, one[name]), without_keys(name, other[name])
        assert (mine - theirs).norm() <= tolerance * max(mine.norm(), 1e-6), name
        apart, whole = apart + float((mine - theirs).square().sum()), whole + float(mine.square().sum())
    return math.sqrt(apart / whole)


# The loss


def test_the_loss_is_the_mean_of_both_directions_cross_entropies():
    """Against scipy's log-softmax, float64."""
    pictures, texts = embeddings()
    scores = 17.0 * pictures @ texts.T
    wanted = -(np.diag(log_softmax(scores, axis=1)).mean() + np.diag(log_softmax(scores, axis=0)).mean()) / 2
    loss, right = contrastive_loss(*tensors(pictures, texts), 17.0)
    assert loss.item() == pytest.approx(wanted, rel=1e-12)
    assert right.tolist() == (scores.argmax(axis=1) == np.arange(13)).tolist()


def test_shares_of_the_loss_add_up_to_it_and_so_do_their_gradients():
    whole, parts = tensors(*embeddings()), tensors(*embeddings())
    scale, scale_too = (torch.tensor(2.0, requires_grad=True, dtype=torch.float64) for _ in range(2))
    loss, right = contrastive_loss(*whole, scale.exp())
    loss.backward()
    shares = [share_of_loss(*parts, scale_too.exp(), torch.arange(start, 13, 3)) for start in range(3)]
    total = sum(share for share, _ in shares)
    total.backward()
    assert total.item() == pytest.approx(loss.item(), rel=1e-12)
    assert sum(int(found.sum()) for _, found in shares) == int(right.sum())
    assert scale_too.grad.item() == pytest.approx(scale.grad.item(), rel=1e-10)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-10, atol=1e-12)


def test_unrelated_embeddings_are_at_chance():
    pictures, texts = embeddings(n=2000, dim=64, seed=5)
    loss, right = contrastive_loss(*tensors(pictures, texts), 1.0)
    assert loss.item() == pytest.approx(math.log(2000), abs=0.02)
    assert right.sum() <= 6  # expected 1 of 2,000


def test_the_scale_begins_as_published_and_ends_at_100(tmp_path):
    towers = build_towers(tiny_clip.architecture(tmp_path), tmp_path, ContrastiveRecipe(), 0)
    assert towers.module.logit_scale.item() == pytest.approx(math.log(1 / 0.07))
    assert scale_of(torch.tensor(9.0)).item() == 100.0
    run = run_of(tmp_path, tiny_clip.RECIPE)
    with torch.no_grad():
        run.module.logit_scale.fill_(math.log(100.0))
    for step in range(3):
        run.step(step)
    assert run.module.logit_scale.item() <= math.log(100.0) + 1e-6
    run.pairs.close()


def test_the_microworlds_clip_is_trained_with_this_loss():
    """Its value is what the shipped weights were trained with."""
    from concepttransfer.microworld import train_clip
    from concepttransfer.microworld.pretraining import pictures_of
    from concepttransfer.microworld.train_loop import Optimisation

    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.logit_scale = nn.Parameter(torch.tensor(5.0))  # above the limit of 100

        def encode_image(self, pictures):
            return pictures.flatten(1)[:, ::1000]

        def encode_text(self, tokens):
            return nn.functional.one_hot(tokens[:, 1] % 28, 28).float() + 0.1

    module, how = Towers(), Optimisation(steps=1, batch_size=8, lr=1e-3)
    tokens = torch.arange(500 * 5 * 24).view(500, 5, 24) % 1000
    task = train_clip.Contrast(module, tokens, pictures_of("dev"), how, {"shift": 0})
    loss, _ = task.loss(0, torch.device("cpu"))
    rows = train_clip.batch_indices(0, 8, 500, 0)
    said = np.random.default_rng([0, 0, 2]).integers(0, 5, 8)
    seen = module.encode_image(train_clip.normalise(pictures_of("dev").take(rows)))
    read = module.encode_text(tokens[rows, said])
    scores = 100.0 * nn.functional.normalize(seen, dim=-1) @ nn.functional.normalize(read, dim=-1).T
    own = torch.arange(8)
    wanted = (nn.functional.cross_entropy(scores, own) + nn.functional.cross_entropy(scores.T, own)) / 2
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


# The gradient of a batch


def reference(run, step):
    """Loss and gradients of a batch in one forward pass, by autograd alone."""
    module, batch = run.module, run.plan.batch(step)
    loaded = run.pairs.load(batch)
    seen = nn.functional.normalize(module.encode_image(loaded.pictures), dim=-1)
    read = nn.functional.normalize(module.encode_text(loaded.tokens), dim=-1)
    scores = module.logit_scale.exp() * seen @ read.T
    own = torch.arange(len(batch))
    loss = (nn.functional.cross_entropy(scores, own) + nn.functional.cross_entropy(scores.T, own)) / 2
    module.zero_grad(set_to_none=True)
    loss.backward()
    return loss.item(), {name: value.grad.clone() for name, value in module.named_parameters()}


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("micro_batch", [9, 4, 1])
def test_micro_batches_give_the_gradient_of_the_whole_batch(tmp_path, micro_batch, local):
    recipe = tiny_clip.RECIPE.model_copy(update={"micro_batch": micro_batch, "local_loss": local})
    run = run_of(tmp_path, recipe)
    wanted_loss, wanted = reference(run, 0)
    measured = run.gradient.of(run.plan.batch(0))
    assert measured.loss == pytest.approx(wanted_loss, rel=1e-6)
    close({name: value.grad for name, value in run.module.named_parameters()}, wanted, 1e-5)
    run.pairs.close()


def test_checkpointing_changes_no_gradient_and_bf16_little_of_the_loss(tmp_path):
    plain = run_of(tmp_path, tiny_clip.RECIPE)
    loss, wanted = reference(plain, 0)
    plain.pairs.close()
    for changes, tolerance in (
        ({"gradient_checkpointing": True, "micro_batch": 5}, 1e-6),
        ({"precision": "bf16"}, 0.05),
    ):
        run = run_of(tmp_path, tiny_clip.RECIPE.model_copy(update=changes))
        assert run.gradient.of(run.plan.batch(0)).loss == pytest.approx(loss, rel=tolerance)
        if "precision" not in changes:
            close({name: value.grad for name, value in run.module.named_parameters()}, wanted, 1e-5)
        assert all(value.grad.dtype == torch.float32 for value in run.module.parameters())
        run.pairs.close()


def together(n, *words):
    """Run the script of `tiny_clip` in `n` processes that reach each other, as a scheduler starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(n), "ACCELERATE_USE_CPU": "true"}
    shared |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    started = [
        subprocess.Popen(
            command, env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE
        )
        for rank in range(n)
    ]
    for process in started:
        assert process.wait(timeout=300) == 0, process.stderr.read()[-3000:]
        process.stderr.close()


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path):
    """Gradient of the first batch and weights after more than an epoch of batches of 9 (5 and 4 a process)."""
    common = {"steps": 13, "eps": 1e-3}
    changes = [common, {**common, "local_loss": True, "micro_batch": 2}]
    together(2, tmp_path, *map(json.dumps, changes))
    recipe = tiny_clip.RECIPE.model_copy(update=common)
    alone = tiny_clip.run(tmp_path / "alone", tiny_clip.pictures(120, broken=(tiny_clip.BROKEN,)), recipe)
    assert alone.record["data"]["unreadable"] == {f"row{tiny_clip.BROKEN}": "OSError: image file is truncated"}
    wanted = tiny_clip.gradient(tmp_path, recipe)
    for number in range(2):
        close(load_file(tmp_path / f"gradient{number}.safetensors"), wanted, 1e-5)
        trained = training.load_clip(tmp_path / f"trained{number}")
        assert close(load_file(trained.weights), load_file(alone.weights), 5e-5) < 1e-5
        assert trained.record["processes"] == 2
        assert trained.record["data"]["unreadable"] == alone.record["data"]["unreadable"]
        assert trained.curve["loss"].tolist() == pytest.approx(alone.curve["loss"].tolist(), rel=1e-5)


def test_memory_that_runs_out_halves_micro_batches_and_changes_nothing(tmp_path, monkeypatch):
    whole = run_of(tmp_path, tiny_clip.RECIPE)
    whole.step(0)
    cramped = run_of(tmp_path, tiny_clip.RECIPE)
    embed = cramped.gradient.embed

    def with_room_for_three(part):
        if len(part) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return embed(part)

    monkeypatch.setattr(cramped.gradient, "embed", with_room_for_three)
    cramped.step(0)
    assert cramped.gradient.micro_batch == 3
    assert cramped.curve[0][1] == pytest.approx(whole.curve[0][1], rel=1e-6)
    close(cramped.module.state_dict(), whole.module.state_dict(), 1e-5)
    for run in (whole, cramped):
        run.pairs.close()


def test_both_passes_drop_the_same_patches(tmp_path, monkeypatch):
    recipe = tiny_clip.RECIPE.model_copy(update={"micro_batch": 4})
    spec = tiny_clip.architecture(tmp_path / "architecture", vision={"patch_dropout": 0.5})
    pairs = Pairs(tiny_clip.pictures(), towers := build_towers(spec, tmp_path, recipe, 0), crop=1.0, seed=0, workers=1)
    run = ContrastiveRun(towers, pairs, recipe, 0, training.build_accelerator())
    seen, embed = [], run.gradient.embed
    monkeypatch.setattr(run.gradient, "embed", lambda part: seen.append(embed(part)) or seen[-1])
    run.gradient.of(run.plan.batch(0))
    assert [len(part) for part in seen] == [4, 4, 1] * 2
    for first, second in zip(seen[:3], seen[3:], strict=True):
        torch.testing.assert_close(first, second)
    with torch.random.fork_rng():
        assert not torch.allclose(embed(pairs.load(run.plan.batch(0)[:4])), seen[0])  # other random numbers
    pairs.close()


def test_the_first_pass_leaves_batch_normalisation_as_it_was():
    norm = nn.BatchNorm1d(4)
    values = torch.randn(8, 4) + 3
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with statistics_kept(norm):
        first = norm(values)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    assert torch.equal(norm(values), first)
    assert not torch.equal(norm.running_mean, before["running_mean"])


def test_gains_biases_and_the_scale_do_not_decay(tmp_path):
    towers = build_towers(tiny_clip.architecture(tmp_path), tmp_path, ContrastiveRecipe(), 0)
    decaying, free = build_optimiser(towers.module, ContrastiveRecipe()).param_groups
    names = {id(value): name for name, value in towers.module.named_parameters()}
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.2, 0.0)
    spared = {names[id(value)] for value in free["params"]}
    assert {"logit_scale", "ln_final.weight", "ln_final.bias", "visual.conv1.bias"} - spared <= {"visual.conv1.bias"}
    assert {"token_embedding.weight", "text_projection", "visual.conv1.weight"} <= set(names.values()) - spared
    assert all(value.ndim > 1 for value in decaying["params"])


# Batches and pictures


def test_a_batch_never_holds_a_picture_twice_and_each_epoch_is_another():
    plan = PairPlan([2] * 25, np.arange(3, 25), batch_size=8, seed=1)
    batches = [plan.batch(step) for step in range(8)]
    assert all(len(set(batch.rows.tolist())) == 8 for batch in batches)
    for epoch in range(4):
        assert len({row for batch in batches[2 * epoch : 2 * epoch + 2] for row in batch.rows.tolist()}) == 16
    assert batches[0].rows.tolist() != batches[2].rows.tolist()
    assert {row for batch in batches for row in batch.rows.tolist()} <= set(range(3, 25))
    assert {choice for batch in batches for choice in batch.choices.tolist()} == {0, 1}
    with pytest.raises(BadInputError, match="A batch of 64 pairs cannot be made of 22 pictures"):
        PairPlan([2] * 25, np.arange(3, 25), batch_size=64, seed=1)


def test_crops_are_squares_of_the_share_wanted_and_repeatable():
    picture = tiny_clip.Painted().read("red blue 1").resize((80, 50))
    sides = [cropped(picture, 0.5, 0, step).size for step in range(40)]
    assert all(width == height for width, height in sides)
    assert min(width for width, _ in sides) >= round(50 * math.sqrt(0.5))
    assert max(width for width, _ in sides) <= 50
    assert len({width for width, _ in sides}) > 5
    assert cropped(picture, 0.5, 0, 3).tobytes() == cropped(picture, 0.5, 0, 3).tobytes()
    assert cropped(picture, 1.0, 0, 3).size == (50, 50)


# Training


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    whole = tiny_clip.run(tmp_path / "whole")
    real = ContrastiveRun.step

    def dying(self, step):
        if step == 3:
            raise KeyboardInterrupt
        real(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(ContrastiveRun, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            tiny_clip.run(tmp_path / "broken")
    taken = []
    monkeypatch.setattr(ContrastiveRun, "step", lambda self, step: (taken.append(step), real(self, step))[1])
    again = tiny_clip.run(tmp_path / "broken")
    assert taken == [2, 3, 4, 5]
    assert again.weights.read_bytes() == whole.weights.read_bytes()
    assert (again.folder / "curve.csv").read_bytes() == (whole.folder / "curve.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if "checkpoint" in path.name) == []
    taken.clear()
    tiny_clip.run(tmp_path / "broken")
    assert taken == []


def test_related_captions_are_learnt_and_unrelated_ones_stay_at_chance(tmp_path):
    """Colours of pictures that were held out find their captions; where captions are another picture's, none does."""
    recipe = tiny_clip.RECIPE.model_copy(
        update={"steps": 40, "batch_size": 24, "lr": 5e-3, "warmup_steps": 5, "validation": 0.25, "evaluate_every": 40}
    )
    found = {}
    for related in (True, False):
        manifest = tiny_clip.pictures(160, related=related)
        trained = tiny_clip.run(tmp_path / str(related), manifest, recipe)
        found[related] = trained.record["validation"]
        assert found[related]["n"] == 40
    chance = found[True]["chance"]
    assert found[True]["to_text_interval"][0] > 2 * chance
    assert found[True]["to_picture_interval"][0] > 2 * chance
    for name in ("to_text", "to_picture"):
        low, high = found[False][f"{name}_interval"]
        assert low <= chance <= high


def test_a_short_training_on_the_microworld_is_above_chance_and_studies_load_it(tmp_path, capsys):
    """48 steps of a tiny transformer by the command; the weights are loaded as a study does, and asked again."""
    spec = tiny_clip.architecture(tmp_path / "architecture", size=96, patch=32)
    words = {"weight_decay": 0.05, "validation": 0.3, "evaluate_every": 48, "precision": "float32", "crop": 1.0}
    (tmp_path / "recipe.yaml").write_text(json.dumps(words))
    given = ["--steps", "48", "--batch-size", "64", "--lr", "2e-3", "--warmup-steps", "5", "--limit", "700"]
    out = tmp_path / "trained"
    given += ["--model", spec.model, "--recipe", str(tmp_path / "recipe.yaml"), "--out", str(out), "--json", "--quiet"]
    assert command(["train-clip", *given]) == 0
    record = json.loads(capsys.readouterr().out)
    found = record["validation"]
    assert record["data"]["captions_cut"] > 0  # longer than 12 tokens
    trained = spec.model_copy(update={"weights": str(out / "weights.safetensors")})
    image, text = (load_encoder(trained.model_copy(update={"modality": m}), Path()) for m in ("image", "text"))
    manifest = microworld_manifest("projection").limit(700)
    held = hold_out(manifest.texts, 0.3)[1].tolist()
    assert found["n"] == len(held) == 210
    seen = torch.cat([image.encode(image.transform(manifest.read(row))[None])[:, 0] for row in held])
    read = torch.cat([text.encode(text.transform(manifest.texts[row][0])[None])[:, 0] for row in held])
    scores = nn.functional.normalize(seen) @ nn.functional.normalize(read).T
    own = torch.arange(210)
    assert (scores.argmax(1) == own).float().mean().item() == pytest.approx(found["to_text"], abs=0.01)
    among_ten = int((scores.topk(10).indices == own[:, None]).sum())  # 10 of 210 are expected by chance
    assert binomtest(among_ten, 210).proportion_ci(method="wilson").low > 10 / 210, among_ten


def test_the_microworlds_own_clip_is_trained_by_the_command_too(tmp_path, capsys):
    out = tmp_path / "clip"
    given = ["--model", "microworld:clip", "--limit", "20", "--steps", "2", "--batch-size", "8", "--warmup-steps", "0"]
    assert command(["train-clip", *given, "--out", str(out), "--quiet"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "microworld:clip" in said
    assert "chance" in said
    spec = EncoderSpec(model="microworld:clip", features="projected", weights=str(out / "weights.safetensors"))
    picture = microworld_manifest("dev").read(0)
    encoder, shipped = load_encoder(spec, Path()), load_encoder(spec.model_copy(update={"weights": None}), Path())
    inputs = encoder.transform(picture)[None]
    assert encoder.id != shipped.id
    assert not torch.allclose(encoder.encode(inputs), shipped.encode(inputs))


def test_training_may_begin_at_weights_that_are_there(tmp_path):
    first = tiny_clip.run(tmp_path / "first")
    spec = tiny_clip.architecture(tmp_path / "architecture").model_copy(update={"weights": str(first.weights)})
    recipe = tiny_clip.RECIPE.model_copy(update={"start": "pretrained"})
    towers = build_towers(spec, tmp_path, recipe, 0)
    close(towers.module.state_dict(), load_file(first.weights), 0.0)
    fresh = build_towers(spec, tmp_path, tiny_clip.RECIPE, 0)
    assert not torch.equal(fresh.module.text_projection, towers.module.text_projection)


# What may go wrong


def test_data_without_captions_is_told(tmp_path, capsys):
    manifest = tiny_clip.pictures(20)
    silent = replace(manifest, rows=tuple(replace(row, texts=()) for row in manifest.rows))
    with pytest.raises(EmptyDataError, match="No row of `painted` has a caption"):
        tiny_clip.run(tmp_path / "silent", silent)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        tiny_clip.Painted().read(f"red blue {number}").save(tmp_path / "photos" / f"{number}.png")
    given = ["--model", "microworld:clip", "--on", str(tmp_path / "photos"), "--out", str(tmp_path / "out")]
    assert command(["train-clip", *given]) == 1
    assert "has a caption" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_long_captions_are_cut_counted_and_said(tmp_path, capsys):
    manifest = tiny_clip.pictures(20)
    rows = list(manifest.rows)
    rows[3] = Row("long", "red blue 3", ("red " * 10, "red " * 11, "red " * 60))
    towers = build_towers(tiny_clip.architecture(tmp_path / "architecture"), tmp_path, tiny_clip.RECIPE, 0)
    assert [towers.tokens.cuts(text) for text in rows[3].texts] == [False, True, True]  # 12 with begin and end
    ids = towers.tokens("red " * 60)
    assert len(ids) == 12
    assert ids[-1] == towers.tokens("red")[2]  # the end is kept
    trained = tiny_clip.run(tmp_path / "long", replace(manifest, rows=tuple(rows)))
    assert trained.record["data"]["captions_cut"] == 2
    assert trained.record["data"]["captions_counted"] == 41
    from concepttransfer.cli.contrastive import _tell
    from concepttransfer.cli.options import Run

    _tell(Run(), trained.record, trained.folder)
    assert "2 of 41 captions are longer than the text tower reads; they were cut." in capsys.readouterr().out


def test_the_microworlds_tokens_are_cut_at_their_context():
    tokens = build_towers(EncoderSpec(model="microworld:clip"), Path(), tiny_clip.RECIPE, 0).tokens
    assert not tokens.cuts("a zebra")
    assert tokens.cuts("a zebra " * 30)


def test_numbers_that_are_none_stop_it_with_the_rows_named(tmp_path):
    run = run_of(tmp_path, tiny_clip.RECIPE)
    transform = run.pairs._towers.transform
    spoilt = run.plan.batch(0).rows[2]
    brightness = np.asarray(run.pairs.manifest.read(int(spoilt))).mean()
    towers = run.pairs._towers

    def spoiling(picture):
        return transform(picture) * (math.nan if np.asarray(picture).mean() == brightness else 1)

    run.pairs._towers = replace(towers, transform=spoiling)
    run.pairs._crop = 1.0
    before = {name: value.clone() for name, value in run.module.state_dict().items()}
    with pytest.raises(TrainingError, match=rf"embedding of step 1 is not finite, with rows `row{spoilt}`"):
        run.step(0)
    assert all(torch.equal(value, before[name]) for name, value in run.module.state_dict().items())
    run.pairs.close()


def test_too_many_unreadable_pictures_stop_it(tmp_path):
    with pytest.raises(BadInputError, match=r"pictures cannot be read, more than the 1% allowed; `row"):
        tiny_clip.run(tmp_path / "broken", tiny_clip.pictures(48, broken=tuple(range(12))))


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(MismatchError, match=r"holds other files \(thesis.tex\)"):
        tiny_clip.run(folder)
    assert (folder / "thesis.tex").read_text() == "years of work"
    trained = tiny_clip.run(tmp_path / "trained")
    before = trained.weights.read_bytes()
    with pytest.raises(MismatchError, match="holds another training"):
        tiny_clip.run(tmp_path / "trained", seed=1)
    assert trained.weights.read_bytes() == before


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("microworld:beit", "has no text tower to train with"),
        ("timm:resnet18", "has no text tower to train with"),
        ("open_clip:ViT-B-33", "Did you mean `ViT-B-32`"),
        ("open_clip:local-dir:sigmoid", "made for a sigmoid loss"),
    ],
)
def test_what_is_no_clip_is_told(model, message, tmp_path, capsys):
    tiny_clip.architecture(tmp_path / "sigmoid", init_logit_bias=-10)
    model = model.replace("sigmoid", str(tmp_path / "sigmoid"))
    given = ["--model", model, "--limit", "20", "--steps", "2", "--batch-size", "8", "--out", str(tmp_path / "out")]
    assert command(["train-clip", *given]) == 1
    assert message in capsys.readouterr().err


def test_mistakes_of_a_recipe_are_all_listed(tmp_path):
    (tmp_path / "recipe.yaml").write_text("stepz: 5\nbatch_size: 1\nlr: 1.0e-3\n")
    with pytest.raises(StudyError) as told:
        read_recipe(tmp_path / "recipe.yaml", {})
    assert "line 1: stepz: no such key. Did you mean `steps`?" in str(told.value)
    assert "line 2: batch_size" in str(told.value)
    (tmp_path / "recipe.yaml").write_text("steps: 5\nlr: 1.0e-3\n")
    recipe = read_recipe(tmp_path / "recipe.yaml", {"lr": 2e-3, "batch_size": None})
    assert (recipe.steps, recipe.lr, recipe.batch_size) == (5, 2e-3, 32_768)


def test_the_rate_rises_to_the_peak_and_falls_as_a_cosine():
    recipe = ContrastiveRecipe(steps=110, warmup_steps=10, lr=1.0, min_lr=0.1)
    rates = [recipe.rate(step) for step in range(110)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(0.55)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
