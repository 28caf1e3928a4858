"""ClipCap's released files: what they are follows from their keys; they compute here what they computed there."""

from __future__ import annotations

import json
import os

import pytest
import torch
from released_clipcap import drawn, gpt2_shapes, mapped, mlp_shapes, on_meta, transformer_shapes
from tiny_language_models import VOCABULARY, language_model, tokenizer

import concepttransfer as ct
from concepttransfer.cli import main
from concepttransfer.errors import BadInputError, MismatchError
from concepttransfer.language_models.fitted import as_fitted
from concepttransfer.projections.clipcap_file import read_clipcap, understood
from concepttransfer.projections.import_clipcap import import_clipcap
from concepttransfer.projections.released import system_of
from concepttransfer.study import imports
from concepttransfer.transfer import Transfer

MAPPERS = {
    "mlp": mlp_shapes(12, k=5, d=32),
    "transformer": transformer_shapes(12, k=5, clip_tokens=3, layers=3, d=32),
}
WHERE = {"key": "k", "encoder": "clip", "space": "s", "encoder_identity": "e", "tokens": 1, "dim": 12}


@pytest.fixture(scope="module")
def gpt2():
    return language_model("gpt2")


def released(path, mapper, gpt=None, size=0.3):
    """A file as the released code's `torch.save(model.state_dict())` wrote it."""
    state = drawn(MAPPERS[mapper], size=size)
    if gpt is not None:
        state |= {f"gpt.{name}": value for name, value in gpt.state_dict().items()}
        for layer in range(len(gpt.transformer.h)):
            state[f"gpt.transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 64, 64, dtype=torch.uint8).tril()
            state[f"gpt.transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    torch.save(state, path)
    return state


def tuned(gpt2, seed=7):
    """Another model of the same architecture, as if it had been tuned."""
    return language_model("gpt2", seed=seed).module


@pytest.mark.parametrize(
    ("shapes", "kind", "dim", "k", "options"),
    [
        (mlp_shapes(512), "mlp", 512, 10, {}),
        (mlp_shapes(640), "mlp", 640, 10, {}),
        (mlp_shapes(1024, k=40), "mlp", 1024, 40, {}),
        (transformer_shapes(640), "transformer", 640, 40, {"layers": 8, "clip_tokens": 40, "mlp_ratio": 2, "heads": 8}),
        (
            transformer_shapes(512, k=10, clip_tokens=4, layers=3, ratio=4),
            "transformer",
            512,
            10,
            {"layers": 3, "clip_tokens": 4, "mlp_ratio": 4, "heads": 8},
        ),
    ],
)
def test_released_files_are_known_by_their_keys_and_shapes(tmp_path, shapes, kind, dim, k, options):
    """At their real widths, with the whole GPT-2 and alone."""
    whole = understood(on_meta(shapes, gpt2_shapes()), tmp_path / "coco_weights.pt")
    assert (whole.kind, whole.dim, whole.d_model, whole.prompt_tokens) == (kind, dim, 768, k)
    assert dict(whole.options) == options
    assert len(whole.language_model) == len(gpt2_shapes()) - 2 * 12
    alone = understood(on_meta(shapes), tmp_path / "mapper.pt", d_model=768)
    assert (alone.kind, alone.dim, alone.prompt_tokens, alone.language_model) == (kind, dim, k, None)
    bare = {key.removeprefix("clip_project."): value for key, value in on_meta(shapes).items()}
    assert understood(bare, tmp_path / "mapper.pt", d_model=768).options == whole.options


@pytest.mark.parametrize("mapper", MAPPERS)
def test_a_projection_has_the_released_keys_and_gives_the_released_prefix(tmp_path, mapper):
    state = released(tmp_path / "a.pt", mapper)
    projection = read_clipcap(tmp_path / "a.pt", d_model=32).projection()
    assert {f"clip_project.{name}": tuple(t.shape) for name, t in projection.state_dict().items()} == MAPPERS[mapper]
    features = torch.randn(6, 12)
    expected = mapped(state, features).reshape(6, 5, 32)
    assert expected.std() > 0.5
    torch.testing.assert_close(projection(features[:, None]), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mapper", MAPPERS)
def test_logits_of_an_imported_file_are_the_released_models(tmp_path, mapper, gpt2):
    theirs = tuned(gpt2)
    state = released(tmp_path / "a.pt", mapper, theirs)
    read = read_clipcap(tmp_path / "a.pt")
    made = import_clipcap(read, tmp_path / "t", **WHERE, language_model_id=gpt2.id, base=gpt2.module)
    again = Transfer.load(tmp_path / "t")
    assert again == made
    features, ids = torch.randn(4, 12), torch.randint(2, VOCABULARY, (4, 7))
    with torch.no_grad():
        prefix = mapped(state, features).reshape(4, 5, 32)
        vectors = torch.cat([prefix, theirs.transformer.wte(ids)], dim=1)
        expected = theirs(inputs_embeds=vectors).logits
        with as_fitted(gpt2, again):
            soft = again.projection()(features[:, None])
            ours = gpt2.module(inputs_embeds=torch.cat([soft, gpt2.module.transformer.wte(ids)], dim=1)).logits
            losses, _ = gpt2.ids_nll([[one] for one in soft], ids.tolist())
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    wanted = torch.nn.functional.cross_entropy(expected[:, 4:-1].transpose(1, 2), ids, reduction="none")
    torch.testing.assert_close(losses, wanted, rtol=1e-4, atol=1e-4)


def test_gpt2_is_saved_only_where_it_was_tuned(tmp_path, gpt2):
    released(tmp_path / "frozen.pt", "transformer", gpt2.module)
    released(tmp_path / "tuned.pt", "transformer", tuned(gpt2))
    made = {}
    for name in ("frozen", "tuned"):
        read = read_clipcap(tmp_path / f"{name}.pt")
        made[name] = import_clipcap(read, tmp_path / name, **WHERE, language_model_id=gpt2.id, base=gpt2.module)
        assert made[name].meta["imported"]["language_model"] == name
    mapper = sum(torch.Size(shape).numel() for shape in MAPPERS["transformer"].values())
    assert made["frozen"].language_model_state() is None
    assert made["frozen"].n_trained == mapper
    assert made["tuned"].n_trained == mapper + sum(p.numel() for p in gpt2.module.parameters())
    assert made["tuned"].id != made["frozen"].id


def test_a_cut_file_is_refused_and_nothing_is_written(tmp_path, gpt2):
    released(tmp_path / "a.pt", "mlp", gpt2.module)
    (tmp_path / "cut.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-2000])
    with pytest.raises(BadInputError, match=r"cut.pt was not read: .*damaged") as caught:
        read_clipcap(tmp_path / "cut.pt")
    assert "weights_only" not in str(caught.value)
    state = drawn(MAPPERS["transformer"])
    for key, lacks in {
        "clip_project.transformer.layers.1.mlp.fc2.bias": "lacks transformer.layers.1.mlp.fc2.bias",
        "clip_project.linear.weight": "lacks linear.weight",
    }.items():
        with pytest.raises(BadInputError, match=lacks):
            understood({name: value for name, value in state.items() if name != key}, tmp_path / "b.pt")
    second = {name: value for name, value in state.items() if ".layers.1." not in name}
    with pytest.raises(BadInputError, match=r"lacks transformer.layers.1\. Fetch"):
        understood(second, tmp_path / "b.pt")
    whole = torch.load(tmp_path / "a.pt", weights_only=True)
    whole.pop("gpt.transformer.h.1.ln_1.weight")
    read = understood(whole, tmp_path / "a.pt")
    with pytest.raises(BadInputError, match=r"incomplete: it lacks transformer.h.1.ln_1.weight"):
        import_clipcap(read, tmp_path / "t", **WHERE, language_model_id=gpt2.id, base=gpt2.module)
    assert not (tmp_path / "t").exists()


OTHERS = {
    "LiMBeR": {"weight": torch.zeros(8, 2), "bias": torch.zeros(8)},
    "MAGMA": {"module": {"lm.transformer.wte.weight": torch.zeros(2, 2)}, "global_steps": 3},
    "CLOSE": {"_t5_model.shared.weight": torch.zeros(2, 2), "adapter.lin.bias": torch.zeros(2)},
    "CLIP": {"visual.conv1.weight": torch.zeros(2, 2), "text_projection": torch.zeros(2, 2)},
    "a language model alone": {"transformer.wte.weight": torch.zeros(2, 2)},
}


@pytest.mark.parametrize("system", OTHERS)
def test_a_file_of_another_system_is_refused_with_its_name(tmp_path, system):
    torch.save(OTHERS[system], tmp_path / "x.pt")
    with pytest.raises(BadInputError, match=f"no file of ClipCap: it looks like {system}'s"):
        read_clipcap(tmp_path / "x.pt")


def test_files_that_are_nobodys_are_refused(tmp_path):
    assert system_of({"something": torch.zeros(2)}) is None
    with pytest.raises(BadInputError, match=r"no known system has such \(something\)"):
        understood({"something": torch.zeros(2)}, tmp_path / "x.pt")
    extra = drawn(MAPPERS["transformer"]) | {"clip_project.transformer.layers.0.attn.to_queries.bias": torch.zeros(32)}
    with pytest.raises(BadInputError, match=r"transformer does not have: transformer.layers.0.attn.to_queries.bias"):
        understood(extra, tmp_path / "x.pt")
    with pytest.raises(BadInputError, match="files do not have: optimizer"):
        understood(drawn(MAPPERS["mlp"]) | {"optimizer": torch.zeros(2)}, tmp_path / "x.pt", d_model=32)
    odd = drawn(MAPPERS["mlp"]) | {"clip_project.model.2.bias": torch.zeros(3)}
    with pytest.raises(BadInputError, match=r"model.2.bias should be \[160\] beside the others; it is \[3\]"):
        understood(odd, tmp_path / "x.pt", d_model=32)
    with pytest.raises(BadInputError, match="does not tell how wide"):
        understood(drawn(MAPPERS["mlp"]), tmp_path / "x.pt")


def test_parts_of_other_widths_are_refused(tmp_path, gpt2):
    state = drawn(MAPPERS["mlp"])
    with pytest.raises(MismatchError, match="no whole vectors of a language model 48 wide"):
        understood(state, tmp_path / "x.pt", d_model=48)
    with pytest.raises(MismatchError, match="32 wide; the language model is 64 wide"):
        understood(drawn(MAPPERS["transformer"]), tmp_path / "x.pt", d_model=64)
    torch.save(state, tmp_path / "x.pt")
    read = read_clipcap(tmp_path / "x.pt", d_model=32)
    for shape, message in (((1, 640), "1 features 640 wide"), ((9, 12), "9 features 12 wide")):
        where = WHERE | dict(zip(("tokens", "dim"), shape, strict=True))
        with pytest.raises(MismatchError, match=message):
            import_clipcap(read, tmp_path / "t", **where, language_model_id="x", base=None)
    released(tmp_path / "y.pt", "mlp", language_model("gpt2", n_positions=32).module)
    with pytest.raises(MismatchError, match=r"`transformer.wpe.weight` .* is \[32, 32\]; this study's is \[64, 32\]"):
        import_clipcap(
            read_clipcap(tmp_path / "y.pt"), tmp_path / "t", **WHERE, language_model_id=gpt2.id, base=gpt2.module
        )


class Payload:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


def test_a_pickle_is_never_executed(tmp_path):
    torch.save(drawn(MAPPERS["mlp"]) | {"clip_project.model.0.bias": Payload(tmp_path / "ran")}, tmp_path / "x.pt")
    with pytest.raises(BadInputError, match="Nothing in it was run"):
        read_clipcap(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def study_file(tmp_path, gpt2):
    """ClipCap in small: one projected feature of a CLIP, a tiny GPT-2."""
    gpt2.module.save_pretrained(tmp_path / "gpt2")
    tokenizer().save_pretrained(tmp_path / "gpt2")
    (tmp_path / "study.yaml").write_text(
        "name: tiny\nlanguage_model: hf:gpt2\nprompt: ''\n"
        "encoders:\n  clip:\n"
        "    {model: 'microworld:clip', features: projected, prompt_tokens: 5, normalize: true}\n"
        "data: {few: {reader: microworld, split: dev, limit: 4}}\n"
        "train: {data: few, steps: 1, batch_size: 2, projection: {kind: transformer, heads: 4}}\n"
        "evaluate: {animals: few}\ndecoding: {max_tokens: 3}\n"
    )
    return tmp_path / "study.yaml"


@pytest.mark.parametrize("mapper", MAPPERS)
def test_the_command_takes_a_released_file_in_place_of_a_fit(study_file, tmp_path, gpt2, capsys, mapper):
    study = ct.load_study(study_file, quiet=True)
    dim = study.features("clip", on="few").dim
    shapes = mlp_shapes(dim, k=5, d=32) if mapper == "mlp" else transformer_shapes(dim, k=5, layers=2, d=32)
    state = drawn(shapes) | {f"gpt.{name}": value for name, value in tuned(gpt2).state_dict().items()}
    torch.save(state, tmp_path / "coco.pt")
    words = ["import-projection", str(tmp_path / "coco.pt"), "--study", str(study_file), "--encoder", "clip", "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said[0]["tokens"], said[0]["dim"], said[0]["soft prompts"]) == (1, dim, 5)
    study = ct.load_study(study_file, quiet=True)
    (transfer,) = study.transfers("clip")
    assert transfer.kind == mapper
    assert transfer.options.get("heads") == (4 if mapper == "transformer" else None)
    features = torch.randn(2, dim)
    expected = mapped(state, features, heads=4).reshape(2, 5, 32)
    torch.testing.assert_close(transfer.projection()(features[:, None]), expected, rtol=1e-4, atol=1e-4)
    assert len(study.captions("clip", on="animals")[0].table) == 4
    torch.save(OTHERS["CLOSE"], tmp_path / "close.pth")
    with pytest.raises(BadInputError, match="It looks like a file of CLOSE"):
        imports.import_projection(study, "clip", tmp_path / "close.pth")
