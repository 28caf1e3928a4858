"""The paper's architectures in small: BEiT, NF-ResNet, CLIP and GPT-J, for pictures of 96 x 96.

Each is built from its own library's classes with a smaller configuration, so whatever reads the large ones reads these:
BEiT-L/16 (Bao et al. 2022), NF-ResNet-50 (Brock et al. 2021), CLIP RN50x16 (Radford et al. 2021), GPT-J (Wang &
Komatsuzaki 2021). All image encoders see a picture as 3 x 3 regions of 32 pixels: NF-ResNet and CLIP's ResNet have
stride 32 and give 9 tokens, BEiT gives 6 x 6 patches of 16, which a study averages to 3 x 3 (`grid: 3`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from concepttransfer.encoders import open_clip, timm
from concepttransfer.encoders.base import Built, from_map
from concepttransfer.encoders.loading import fill, read_weights
from concepttransfer.errors import BadInputError, MissingResourceError, UnknownNameError
from concepttransfer.microworld import WEIGHTS

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import GPTJForCausalLM

    from concepttransfer.encoders.spec import EncoderSpec

SIZE = 96
"""Pixels along a side."""
CONTEXT = 24
"""Tokens that CLIP's text tower reads, the end token included."""
LANGUAGE_MODEL = WEIGHTS / "language_model"
VOCABULARY = 1024
"""Rows of the token embeddings; the tokenizer may use fewer."""
END, PAD = 0, 1
"""Token ids of the end of a text and of padding."""

_TEXT_TOWER = ("transformer", "token_embedding", "positional_embedding", "ln_final", "text_projection", "logit_scale")

WIDTH_OF_BEIT = 160
"""Hidden dimensions of BEiT."""

Family = Literal["beit", "nf_resnet", "clip"]
Readout = Callable[[nn.Module, Tensor], Tensor]

FAMILIES: dict[str, Family] = {
    "beit": "beit",
    "beit-ft": "beit",
    "nfrn50": "nf_resnet",
    "nfrn50-all-labels": "nf_resnet",
    "clip": "clip",
    "clip-judge": "clip",
}
"""Each encoder's name as studies write it after `microworld:`, and its architecture."""


def beit() -> nn.Module:
    """BEiT: 5 layers 160 wide, patches of 16, relative positions, a mask token; `[b,3,96,96]` to `[b,37,160]`."""
    from transformers import BeitConfig, BeitModel

    config = BeitConfig(
        hidden_size=WIDTH_OF_BEIT,
        num_hidden_layers=5,
        num_attention_heads=5,
        intermediate_size=480,
        image_size=SIZE,
        patch_size=16,
        use_mask_token=True,
        use_relative_position_bias=True,
        use_absolute_position_embeddings=False,
        layer_scale_init_value=0.1,
        drop_path_rate=0.0,
        use_mean_pooling=False,
    )
    return BeitModel(config, add_pooling_layer=False)


def nf_resnet(classes: int = 0) -> nn.Module:
    """NF-ResNet: one block a stage, 64 to 256 channels; a map `[b,256,3,3]`, a head of `classes` (0: none)."""
    from timm.models.nfnet import NormFreeNet, _nfres_cfg

    return NormFreeNet(_nfres_cfg(depths=(1, 1, 1, 1), channels=(64, 128, 192, 256)), num_classes=classes)


def clip() -> nn.Module:
    """CLIP: ModifiedResNet of width 12 (map `[b,384,3,3]`), text tower of 2 layers 128 wide, 128 shared dimensions."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    vision = CLIPVisionCfg(layers=(1, 1, 1, 1), width=12, head_width=32, image_size=SIZE)
    text = CLIPTextCfg(
        context_length=CONTEXT,
        vocab_size=VOCABULARY,
        width=128,
        heads=4,
        layers=2,
        pad_id=PAD,
        eos_id=END,
        pool_type="eos",
    )
    model: nn.Module = CLIP(embed_dim=128, vision_cfg=vision, text_cfg=text)
    return model


def gpt_j() -> GPTJForCausalLM:
    """GPT-J: 6 layers 160 wide, 4 heads, rotary positions on 16 of each head's 40 dimensions, parallel residuals."""
    from transformers import GPTJConfig, GPTJForCausalLM

    config = GPTJConfig(
        vocab_size=VOCABULARY,
        n_positions=512,
        n_embd=160,
        n_layer=6,
        n_head=4,
        rotary_dim=16,
        activation_function="gelu_pytorch_tanh",  # `gelu_new` is the same function, a third slower
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=PAD,
        tie_word_embeddings=False,
    )
    return GPTJForCausalLM(config)


def architecture(name: str) -> nn.Module:
    """The module of an encoder, with its library's own random weights.

    Raises:
        UnknownNameError: no encoder of the microworld has this name.
    """
    if name not in FAMILIES:
        raise UnknownNameError("encoder", name, FAMILIES, where="the microworld")
    build_family: dict[Family, Callable[[], nn.Module]] = {"beit": beit, "nf_resnet": nf_resnet, "clip": clip}
    return build_family[FAMILIES[name]]()


def picture_tensor(picture: Image) -> Tensor:
    """A picture as a network reads it: float32 `[3,96,96]`, resized where it has another size, `(x - 0.5) / 0.25`."""
    import numpy as np
    from PIL import Image as images

    rgb = picture.convert("RGB")
    if rgb.size != (SIZE, SIZE):
        rgb = rgb.resize((SIZE, SIZE), images.Resampling.BICUBIC)
    return normalise(torch.from_numpy(np.array(rgb)))


def normalise(pixels: Tensor) -> Tensor:
    """uint8 `[...,h,w,3]` to float32 `[...,3,h,w]` around 0: `(x / 255 - 0.5) / 0.25`."""
    return pixels.movedim(-1, -3).to(torch.float32).div(255).sub(0.5).div(0.25)


def clip_map(model: Any, pictures: Tensor) -> Tensor:
    """CLIP's spatial map before attention pooling, `[b,384,3,3]`."""
    visual = model.visual
    return visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(pictures)))))  # type: ignore[no-any-return]


def readouts(family: Family) -> dict[str, Readout]:
    """What can be read from a picture, each `(module, [b,3,96,96]) -> [b,tokens,dim]`.

    BEiT: `patch_tokens`, `pooled` (their mean, without class token) and `layer:0` to `layer:5`. NF-ResNet: `last_map`,
    `patch_tokens` (the same), `pooled`. CLIP: `last_map`, `patch_tokens` (the same), `pooled` (the map's mean) and
    `projected`, the space shared with texts. Both have `layer:0`, the stem, to `layer:4`.
    """
    if family == "beit":
        return _beit_readouts()
    level = open_clip.level if family == "clip" else timm.level
    read: Callable[[Any, Tensor], Tensor] = clip_map if family == "clip" else lambda m, x: m.forward_features(x)
    spatial: dict[str, Readout] = {
        "last_map": lambda m, x: from_map(read(m, x)),
        "patch_tokens": lambda m, x: from_map(read(m, x)),
        "pooled": lambda m, x: read(m, x).mean((2, 3))[:, None],
    }
    spatial |= {f"layer:{number}": level(number) for number in range(5)}
    return spatial | ({"projected": _projected_picture} if family == "clip" else {})


def _beit_readouts() -> dict[str, Readout]:
    def layer(number: int) -> Readout:
        return lambda m, x: m(pixel_values=x, output_hidden_states=True).hidden_states[number][:, 1:]

    def patches(module: nn.Module, pictures: Tensor) -> Tensor:
        return module(pixel_values=pictures).last_hidden_state[:, 1:]  # type: ignore[no-any-return]

    read: dict[str, Readout] = {
        "patch_tokens": patches,
        "last_map": patches,
        "pooled": lambda m, x: patches(m, x).mean(1, keepdim=True),
    }
    return read | {f"layer:{number}": layer(number) for number in range(6)}


def _projected_picture(model: Any, pictures: Tensor) -> Tensor:
    return model.encode_image(pictures)[:, None]  # type: ignore[no-any-return]


def _projected_text(model: Any, tokens: Tensor) -> Tensor:
    return model.encode_text(tokens)[:, None]  # type: ignore[no-any-return]


def text_tensor(tokenizer: Any, text: str) -> Tensor:
    """A text as CLIP's text tower reads it: token ids `[CONTEXT]`, cut where too long, the end token, then pads.

    Words are tokenised as they stand inside a sentence (with a space before), so a lone `zebra` is
    the token that captions hold.
    """
    ids = tokenizer.encode(f" {text.strip()}", add_special_tokens=False)[: CONTEXT - 1]
    ids = [*getattr(ids, "ids", ids), END]
    return torch.tensor(ids + [PAD] * (CONTEXT - len(ids)))


def tokenizer(folder: Path = LANGUAGE_MODEL) -> Any:
    """The microworld's byte-level BPE tokenizer, as transformers loads it.

    Raises:
        MissingResourceError: it has not been made.
    """
    from transformers import PreTrainedTokenizerFast

    if not (folder / "tokenizer.json").exists():
        raise MissingResourceError(
            f"No tokenizer of the microworld in {folder}. Make it again: concepttransfer microworld build tokenizer"
        )
    return PreTrainedTokenizerFast.from_pretrained(folder)


def weights_file(name: str, folder: Path = WEIGHTS) -> Path:
    """Where the shipped weights of an encoder lie: float16 safetensors.

    Raises:
        UnknownNameError: no encoder of the microworld has this name.
        MissingResourceError: the file is not there.
    """
    if name not in FAMILIES:
        raise UnknownNameError("encoder", name, FAMILIES, where="the microworld")
    path = folder / f"{name}.safetensors"
    if not path.exists():
        message = f"The microworld's weights {path.name} are not in {folder}. "
        raise MissingResourceError(message + f"Make them again: concepttransfer microworld build {name}")
    return path


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill `module` with float16 weights as float32.

    Raises:
        BadInputError: the file's weights are not those of this module.
    """
    fill(module, read_weights(path), str(path))


def build(spec: EncoderSpec, root: Path) -> Built:
    """Build one of the microworld's encoders for `load_encoder`.

    Args:
        spec: its `model` is `microworld:NAME`; a text tower where `modality` is text; `init: random` leaves the weights
            as the library draws them, for the caller to draw again.
        root: the folder of the study, against which `weights` is read.

    Raises:
        UnknownNameError: no encoder has this name.
        MissingResourceError: its weights are not there.
        BadInputError: a text tower was asked of an encoder without one, or a picture size other than 96.
    """
    name = spec.model.removeprefix("microworld:")
    module = architecture(name)
    family = FAMILIES[name]
    if spec.image_size not in (None, SIZE):
        raise BadInputError(
            f"The microworld's encoders see {SIZE} x {SIZE} pixels, not {spec.image_size}. Leave out `image_size`."
        )
    if spec.modality == "text" and family != "clip":
        raise BadInputError(
            f"`{spec.model}` has no text tower. Encoders with one: microworld:clip, microworld:clip-judge."
        )
    if spec.init == "pretrained" and spec.weights is None:
        load_weights(module, weights_file(name))
    if spec.modality == "text":
        return Built(
            module=module.eval(),
            readouts={"projected": _projected_text},
            transform=partial(text_tensor, tokenizer()),
            transform_id=json.dumps({"context": CONTEXT, "tokenizer": "microworld"}, sort_keys=True),
            space=spec.model,
            modality="text",
            unused=("visual",),
        )
    return Built(
        module=module.eval(),
        readouts=readouts(family),
        transform=picture_tensor,
        transform_id=json.dumps({"mean": 0.5, "size": SIZE, "std": 0.25, "resize": "bicubic"}, sort_keys=True),
        space=spec.model,
        unused=_TEXT_TOWER if family == "clip" else (),
    )
