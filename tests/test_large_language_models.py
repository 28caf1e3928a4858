"""A language model that one card does not hold: spread, in 8 and 4 bit, or sharded, it says what the whole one says."""

from __future__ import annotations

import gc
import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sharded_fit
import tiny_fit
import torch
from tiny_language_models import module, soft_prompt, tokenizer

import concepttransfer as ct
from concepttransfer.cli import main
from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, MissingResourceError, TrainingError
from concepttransfer.language_models import language_model_identity, load_language_model, placement
from concepttransfer.study import keys
from concepttransfer.study.settings import Settings
from concepttransfer.training.accumulation import Accumulator
from concepttransfer.training.batch_plan import Batch
from concepttransfer.transfer import Transfer

FAMILIES = ["gpt2", "gptj", "llama"]
TEXTS = ["a dog", "two cats in the field"]
LITTLE = {"gpt2": "cpu=60KB", "gptj": "cpu=150KB", "llama": "cpu=80KB"}
"""Of these, memory holds the word vectors at most and some or all layers go to disk."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tiny language models of real architectures, as files."""
    root = tmp_path_factory.mktemp("models")
    for family in FAMILIES:
        module(family).save_pretrained(root / family)
        tokenizer().save_pretrained(root / family)
    return root


def spread(folder, family, monkeypatch, memory=None):
    monkeypatch.setenv(placement.MEMORY_VARIABLE, memory or LITTLE[family])
    return load_language_model(str(folder / family), device="spread")


def losses(model, prompt):
    """Token losses of two texts, one with a text before it, and their gradient to the soft prompt."""
    given = prompt.clone().requires_grad_(True)
    found, mask = model.token_nll([[given, "A picture of"], [given]], TEXTS)
    found.sum().backward()
    return found.detach(), mask, given.grad


def said(model, prompt):
    decodings = [Decoding(max_tokens=5), Decoding(method="beam", beams=3, max_tokens=5)]
    decodings.append(Decoding(method="nucleus", samples=2, max_tokens=5))
    return [model.generate([[prompt, "A"], ["two black"]], decoding) for decoding in decodings]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_spread_model_computes_what_the_whole_one_does(folder, family, monkeypatch):
    """To the bit, its layers on disk: losses, gradients, generation by every method, hidden states, word vectors."""
    whole, parts = load_language_model(str(folder / family)), spread(folder, family, monkeypatch)
    assert any(parameter.is_meta for parameter in parts.module.parameters())
    assert parts.id == whole.id
    assert parts.device == torch.device("cpu")
    prompt = soft_prompt(whole, 5)
    for mine, theirs in zip(losses(parts, prompt), losses(whole, prompt), strict=True):
        assert torch.equal(mine, theirs)
    assert said(parts, prompt) == said(whole, prompt)
    states = [model.hidden_states([[prompt], ["a dog"]], [0, -1])[0] for model in (parts, whole)]
    assert torch.equal(*states)
    assert torch.equal(parts.word_vectors, whole.word_vectors)


def kept_weights(model, prompt):
    """How many numbers of the layers' matrices wait in memory for the backward pass."""
    shapes = {tuple(shape) for p in module("llama").model.layers.parameters() for shape in (p.shape, p.shape[::-1])}
    kept = []

    def pack(tensor):
        kept.append(tensor.numel() if tensor.ndim == 2 and tuple(tensor.shape) in shapes else 0)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.token_nll([[prompt.clone().requires_grad_(True)]], TEXTS[:1])
    return sum(kept)


def test_the_backward_pass_brings_offloaded_layers_again_instead_of_keeping_them(folder, monkeypatch):
    """Kept, all would lie on the device at once, and nothing would be won by offloading. The last one is kept."""
    whole, parts = load_language_model(str(folder / "llama")), spread(folder, "llama", monkeypatch)
    prompt = soft_prompt(whole, 3)
    n_weights = sum(p.numel() for p in whole.module.model.layers.parameters() if p.ndim == 2)
    assert kept_weights(whole, prompt) >= n_weights
    assert kept_weights(parts, prompt) <= n_weights / len(parts.module.model.layers)


def test_a_fit_into_a_spread_model_learns_the_same_bytes(tmp_path, monkeypatch):
    sharded_fit.save(tmp_path / "models")
    whole = tiny_fit.run(tmp_path / "whole", model=load_language_model("gptj", tmp_path / "models"))
    parts = tiny_fit.run(tmp_path / "parts", model=spread(tmp_path / "models", "gptj", monkeypatch, memory="cpu=16KB"))
    assert whole.hashes == parts.hashes
    assert whole.id == parts.id


def test_what_was_written_for_a_spread_model_goes_with_it(folder, monkeypatch, own_cache):
    """The library writes nothing here, since the files can be read in place; where it must, the folder goes again."""
    model = spread(folder, "llama", monkeypatch)
    arguments, keep = placement.spreading()
    keep(model.module)
    offload = Path(arguments["offload_folder"])
    offload.mkdir(parents=True)
    del model
    gc.collect()
    assert offload.parent == own_cache
    assert not offload.exists()


@pytest.mark.parametrize("words", ["20GiB", "gpu=3GB", "0=much", "0=", "cpu=1GB;0=2GB"])
def test_memory_that_cannot_be_read_is_refused(words, monkeypatch):
    monkeypatch.setenv(placement.MEMORY_VARIABLE, words)
    with pytest.raises(BadInputError, match=r"0=20GiB,1=20GiB,cpu=64GiB"):
        placement.memory()


def test_memory_is_read_as_accelerate_wants_it(monkeypatch):
    monkeypatch.setenv(placement.MEMORY_VARIABLE, "0=20GiB, 1=10GB, cpu=64GiB")
    assert placement.memory() == {0: "20GiB", 1: "10GB", "cpu": "64GiB"}
    monkeypatch.delenv(placement.MEMORY_VARIABLE)
    assert placement.memory() is None


def test_layers_head_and_soft_prompts_may_be_on_different_cards():
    """Checked by torch's own rules about devices, without cards: tensors that have a place and no content."""
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    from concepttransfer.language_models.logits import logits_at
    from concepttransfer.language_models.stream import Stream

    model = module("gptj")
    with FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv()):
        for name, part in model.named_modules():
            card = "cuda:1" if name.startswith(("transformer.h.1", "transformer.ln_f", "lm_head")) else "cuda:0"
            for key, value in part._parameters.items():
                if value is not None:
                    part._parameters[key] = torch.nn.Parameter(torch.empty(value.shape, device=card), False)
            for key, value in part._buffers.items():
                part._buffers[key] = torch.empty(value.shape, dtype=value.dtype, device=card)
            if name in ("transformer.h.0", "transformer.h.1", "transformer.ln_f", "lm_head"):
                add_hook_to_module(part, AlignDevicesHook(execution_device=card, place_submodules=False))
        prompts = torch.empty(2, 6, 32, device="cuda:0")
        keep = torch.ones(2, 6, dtype=torch.bool, device="cuda:0")
        logits, output = logits_at(model, keep, inputs_embeds=prompts, use_cache=False)
        assert output.logits.device == torch.device("cuda:1")
        assert logits.device == prompts.device
        stream = Stream(model, prompts, torch.ones(2, 6, device="cuda:0"))
        stream.advance(torch.zeros(2, dtype=torch.long, device="cuda:0"))
        stream.select(torch.zeros(3, dtype=torch.long, device="cuda:0"))
        assert stream.logits.device == prompts.device


needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (extra: quantise)"
)


@pytest.fixture(scope="module")
def spoken():
    """Soft prompts of 40 microworld pictures and a true caption of each, for the microworld's language model."""
    study = ct.load_study("microworld", quiet=True, limit=40)
    manifest, features = study.manifest("animals"), study.features("beit", on="animals")
    with torch.no_grad():
        soft = study.transfers("beit")[0].projection()(torch.from_numpy(np.array(features.values, np.float32)))
    return [[prompt, "A picture of"] for prompt in soft], [texts[0] for texts in manifest.take(features.row_ids).texts]


def mean_loss(model, spoken):
    found, mask = model.token_nll(*spoken)
    return float(found.sum() / mask.sum())


@needs_bitsandbytes
@pytest.mark.parametrize(("dtype", "stored", "most"), [("8bit", torch.int8, 0.005), ("4bit", torch.uint8, 0.05)])
def test_a_quantised_model_is_near_the_whole_one(spoken, dtype, stored, most):
    """A trained model, true captions of real soft prompts: the mean token loss moves by 0.5 % or 5 % at most."""
    whole = load_language_model("microworld:language_model")
    small = load_language_model("microworld:language_model", dtype=dtype)
    assert stored in {p.dtype for p in small.module.parameters()}
    assert small.dtype == torch.float32
    assert small.id == f"{whole.id}+{dtype}" == language_model_identity("microworld:language_model", dtype=dtype)
    before, after = mean_loss(whole, spoken), mean_loss(small, spoken)
    assert 0 < abs(after - before) / before < most


def unpacked(small):
    """A float model whose matrices hold what a 4-bit one's stand for."""
    import bitsandbytes

    whole = load_language_model("microworld:language_model")
    for name, layer in small.module.named_modules():
        if isinstance(layer, bitsandbytes.nn.Linear4bit):
            values = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
            whole.module.get_submodule(name).weight.data.copy_(values)
    return whole


@needs_bitsandbytes
@pytest.mark.parametrize(("dtype", "least"), [("8bit", 0.95), ("4bit", 0.999)])
def test_gradient_comes_through_a_quantised_model_also_after_it_spoke(dtype, least):
    """Of 4 bit it is the gradient of the unpacked weights; 8 bit rounds activations too.

    On a CPU bitsandbytes repacks 4-bit weights when no gradient is wanted, after which none could be had.
    """
    small = load_language_model("microworld:language_model", dtype=dtype)
    reference = unpacked(small) if dtype == "4bit" else load_language_model("microworld:language_model")
    prompt = soft_prompt(reference, 9)
    assert small.generate([[prompt, "A picture of"]], Decoding(max_tokens=4))[0].token_ids
    mine, theirs = losses(small, prompt)[2], losses(reference, prompt)[2]
    assert torch.nn.functional.cosine_similarity(mine.flatten(), theirs.flatten(), dim=0) > least


@needs_bitsandbytes
def test_a_fit_into_a_quantised_model_learns_nearly_as_much(tmp_path):
    sharded_fit.save(tmp_path)
    recipe = tiny_fit.RECIPE.model_copy(update={"steps": 60})
    ended = {}
    for dtype in ("float32", "8bit"):
        model = load_language_model("gptj", tmp_path, dtype=dtype)
        made = tiny_fit.run(tmp_path / dtype, recipe, model=model)
        start, ended[dtype] = made.history["loss"].iloc[0], made.history["loss"].iloc[-10:].mean()
        assert ended[dtype] < 0.9 * start
    assert made.language_model_id == f"{language_model_identity('gptj', tmp_path)}+8bit"
    assert ended["8bit"] == pytest.approx(ended["float32"], rel=0.05)


def test_only_quantised_weights_are_another_language_model():
    """Fits and captions are kept apart by it; the microworld's shipped fits are found under every floating dtype."""
    plain = ct.load_study("microworld", quiet=True, dtype="bfloat16")
    small = ct.load_study("microworld", quiet=True, dtype="8bit")
    shipped = ct.load_study("microworld", quiet=True).transfers("beit")[0]
    assert keys.fit(plain, "beit", plain.training, 0) == shipped.key
    assert keys.fit(small, "beit", small.training, 0) != shipped.key
    assert keys.imported(small, "beit") != keys.imported(plain, "beit")
    chosen = small.select("animals")[0]
    assert keys.captions(small, "beit", chosen, shipped) != keys.captions(plain, "beit", chosen, shipped)


def test_without_the_library_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(placement.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingResourceError, match=r"pip install 'concepttransfer\[quantise\]'"):
        load_language_model("microworld:language_model", dtype="4bit")


def test_a_study_may_ask_for_bits_and_a_wrong_dtype_is_refused(tmp_path, capsys):
    text = (Path(ct.study.file.STUDIES) / "microworld.yaml").read_text() + "\ndtype: 4bit\n"
    (tmp_path / "small.yaml").write_text(text)
    assert ct.load_study(tmp_path / "small.yaml").language_model_identity.endswith("+4bit")
    assert main(["caption", "--encoder", "beit", "--dtype", "3bit"]) == 1
    assert "auto, float32, bfloat16, float16, 8bit, 4bit" in capsys.readouterr().err


def test_the_language_model_lies_where_the_run_says(monkeypatch):
    assert Settings(device="spread").language_model_device() == "spread"
    assert Settings(device="spread").torch_device() == Settings().torch_device()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInputError, match="2 processes cannot each spread"):
        Settings(device="spread").language_model_device()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")
    assert Settings().language_model_device() == "shard"
    assert os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "false"
    with pytest.raises(BadInputError, match="8bit is not sharded"):
        load_language_model("microworld:language_model", device="shard", dtype="8bit")


def test_memory_that_runs_out_in_step_ends_the_fit_and_says_what_to_set():
    def losses(batch):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    alone = SimpleNamespace(num_processes=1, process_index=0)
    accumulator = Accumulator(alone, [], losses, lambda batch: None, ["row"] * 9, micro_batch=8, in_step=True)
    rows = np.arange(9)
    with pytest.raises(TrainingError, match="set `micro_batch: 4` under `train:`"):
        accumulator.gradient(Batch(0, rows, rows, rows))


@pytest.mark.slow
def test_two_processes_that_share_the_weights_fit_what_one_fits(tmp_path):
    """12 steps of 9 captions in micro-batches of 1 and of 4, so that one process computes for nothing now and then."""
    sharded_fit.save(tmp_path)
    sharded_fit.main(tmp_path, tmp_path / "one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    how = [
        "--use_fsdp",
        "--fsdp_version",
        "2",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--main_process_port",
        port,
    ]
    how += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    script = str(Path(sharded_fit.__file__))
    command = [sys.executable, "-m", "accelerate.commands.launch", *how, script, str(tmp_path), str(tmp_path / "two")]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(Path(script).parents[1])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for family in sharded_fit.FAMILIES:
        one, two = (Transfer.load(tmp_path / what / family) for what in ("one", "two"))
        weights = [transfer.projection().state_dict() for transfer in (one, two)]
        for name in weights[0]:
            assert ((weights[0][name] - weights[1][name]).norm() / weights[0][name].norm()).item() < 1e-4
        for column in ("loss", "validation_loss"):
            assert two.history[column].dropna().tolist() == pytest.approx(one.history[column].dropna(), rel=1e-4)
    whole = [int(line.split()[0]) for line in (tmp_path / "one" / "notes").read_text().splitlines()]
    for rank in (0, 1):
        notes = (tmp_path / "two" / f"notes{rank}").read_text().splitlines()
        held = [int(line.split()[0]) for line in notes]
        assert all(mine < 0.6 * every for mine, every in zip(held, whole, strict=True))
        assert all("without accelerate launch --use_fsdp" in line for line in notes)
