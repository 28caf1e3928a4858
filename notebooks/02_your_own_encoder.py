# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own encoder
#
# Any model of timm, OpenCLIP or transformers is a line in a study, and so is a torch module of your own. Here is
# the smallest one that is worth asking about: it sees nothing but **colours**. Whatever the language model can
# then say about a picture, it can say from colour alone, which is a baseline that every real encoder should beat.
#
# ## 1. The module
#
# A function that returns a `torch.nn.Module` with `forward_features(batch [b, 3, h, w])`, in a file beside the
# study.

# %%
# %%writefile my_encoders.py
import torch
from torch import Tensor, nn


class ColourGrid(nn.Module):
    """The mean colour of each cell of a 3 x 3 grid, and its square: a map [b, 6, 3, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(3)
        self.gain = nn.Parameter(torch.ones(()))

    def forward_features(self, batch: Tensor) -> Tensor:
        mean = self.pool(batch)
        return self.gain * torch.cat((mean, self.pool(batch**2) - mean**2), dim=1)


def colour_grid() -> nn.Module:
    return ColourGrid()


# %% [markdown]
# ## 2. The study
#
# `like: microworld` takes over the language model, the data and the recipe; the other encoders stay beside ours.
# An encoder of a library is one line as well:
#
# ```yaml
#   vit:   {model: "timm:vit_small_patch16_224", features: patch_tokens}
#   clip:  {model: "open_clip:RN50x16/openai", features: last_map, image_size: 384}
#   dino:  {model: "hf:facebook/dinov2-base", features: patch_tokens}
# ```

# %%
from pathlib import Path

mine = """
like: microworld
name: mine
encoders:
  colours: {model: "plugin:my_encoders:colour_grid", features: last_map, image_size: 64}
train: {steps: 150, seeds: 1}     # short, so that this page takes a minute; the microworld's own fits take 500
"""
_ = Path("mine.yaml").write_text(mine)

# %% [markdown]
# `concepttransfer studies check mine.yaml` says everything that is wrong with a study, with lines. What would be
# done, and how long it takes on this machine, is asked before anything is run:

# %%
# !concepttransfer awa-errors --study mine.yaml --encoder colours --on dev --limit 200 --dry-run

# %% [markdown]
# ## 3. Fit, caption, analyse
#
# One call encodes, fits and captions whatever is missing. Stopped, the same call goes on where it was.

# %%
import concepttransfer as ct

study = ct.load_study("mine.yaml", limit=200, quiet=True)
result = study.analyze("awa-errors", encoders=["colours"], on="dev")
result

# %%
study.captions("colours", on="dev")[0].table[["row_id", "text"]].head(8)

# %%
result.plot("shares")

# %% [markdown]
# ## 4. What it holds at all
#
# Features are compared directly, without a language model and without a fit: does an encoder of colours arrange
# pictures as a trained network does? (`linear-probe` asks what else can be read from them.)

# %%
alike = study.analyze("similarity", encoders=["colours", "nfrn50"], on="dev", n_permutations=100)
alike

# %% [markdown]
# Several encoders in one call (`encoders=["colours", "nfrn50"]`) are asked about the same pictures, so that their
# differences have paired intervals; `concepttransfer compare` ranks them, and says when it cannot.
#
# `concepttransfer export my-projection --study mine.yaml --encoder colours` writes what was fitted as a folder
# with a model card. Next: [all analyses on one pair](03_reading_the_errors.ipynb).
