"""The paper's models in tiny, each of its architecture, saved as its library loads it, and a study that uses them."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import timm
import torch
import transformers
from published_layouts import COLOURS
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn

from concepttransfer.data.descriptions import read_table

RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16, "patch_size": None}
VIT = {"image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 16}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
BEIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "image_size": 32}
NF_RESNET = {"depths": [1, 1, 1, 1], "channels": [16, 24, 32, 40], "stem_chs": 8}
GPTJ = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256, "rotary_dim": 4}
WORDS = ["<end>", "<unknown>", "A", "picture", "of", "a", "There", "is", "the", "that", "Q:", "A:", "yes", "no", "1"]

STUDY = """\
like: limber
name: limber-tiny
language_model: hf:models/gptj
encoders:
  clip:    {model: "open_clip:local-dir:models/clip", image_size: 64}
  nfrn50:
    weights: models/nfrn50.safetensors
    arguments: {depths: [1, 1, 1, 1], channels: [16, 24, 32, 40], stem_chs: 8}
  beit:    {model: "hf:models/beit"}
  beit-ft: {model: "hf:models/beit-ft"}
judges: {clipscore: "open_clip:local-dir:models/judge"}
"""
"""The paper's study with every model exchanged for a tiny one, and nothing else; `make` puts the models beside it."""


def make(root: Path) -> Path:
    """Save the models below `root/models` and the study as `root/tiny.yaml`; gives the study's file."""
    folder = root / "models"
    save_clip(folder / "clip", RESNET, seed=1)
    save_clip(folder / "judge", VIT, seed=2)
    nf_resnet = timm.create_model("nf_resnet50", **NF_RESNET)
    save_file(_drawn(nf_resnet, 3).state_dict(), folder / "nfrn50.safetensors")
    for seed, name in enumerate(("beit", "beit-ft")):
        beit = transformers.BeitModel(transformers.BeitConfig(**BEIT, patch_size=16))
        _drawn(beit, 4 + seed).save_pretrained(folder / name)
        transformers.BeitImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder / name)
    save_language_model(folder / "gptj")
    study = root / "tiny.yaml"
    study.write_text(STUDY)
    return study


def save_language_model(folder: Path) -> None:
    """A random GPT-J most of whose words are AwA2's animals, so that what it says can be scored."""
    animals = [row["class"] for row in read_table("awa2", "classes.csv") if " " not in row["class"]]
    words = list(dict.fromkeys([*WORDS, *COLOURS, *animals]))
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unknown>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"eos_token": "<end>", "bos_token": "<end>", "unk_token": "<unknown>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, **special).save_pretrained(folder)
    config = transformers.GPTJConfig(**GPTJ, vocab_size=len(words), eos_token_id=0, bos_token_id=0)
    _drawn(transformers.GPTJForCausalLM(config), 6, std=0.6).save_pretrained(folder)


def save_clip(folder: Path, vision: dict[str, object], seed: int) -> None:
    """A CLIP of open_clip as `local-dir:` loads it."""
    folder.mkdir(parents=True)
    config = {"embed_dim": 12, "vision_cfg": vision, "text_cfg": TEXT}
    module = _drawn(open_clip.model.CLIP(**config), seed)
    processing = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28], "interpolation": "bicubic"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": processing}))
    save_file(module.state_dict(), folder / "open_clip_model.safetensors")


def _drawn(module: nn.Module, seed: int, std: float = 0.1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=std)
    return module
