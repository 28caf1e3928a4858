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
# # The paper's study
#
# Merullo et al. 2022 mapped CLIP RN50x16, NF-ResNet-50 and BEiT-L into GPT-J-6B with one linear layer each. The
# study `limber` holds their settings. This page says what to get, which commands to give, and how the tables are
# filled. What it runs here needs no data and no GPU; the paper itself takes weeks of GPU time.
#
# ## What is in it

# %%
import pandas as pd

import concepttransfer as ct

study = ct.load_study("limber")
fields = ("model", "features", "image_size", "prompt_tokens", "init", "train")
pd.DataFrame({name: {f: getattr(study.encoder_spec(name), f) for f in fields} for name in study.encoders}).T

# %%
pd.Series(study.spec.train.model_dump()).to_frame("recipe")

# %% [markdown]
# ## What to get
#
# `concepttransfer data fetch NAME` resumes, checks and unpacks; on a machine without a network it says what to
# put where. Weights come from their hubs by themselves, or lie where the study says.

# %%
# !concepttransfer data list

# %%
# !concepttransfer data show awa2

# %% [markdown]
# ## What it takes
#
# `concepttransfer doctor --study limber` looks at libraries, devices, weights, data, memory and disk, each with
# its remedy. The plan counts stages, pictures, memory, disk and hours on the devices found; here for one encoder
# and its control.

# %%
# !concepttransfer reproduce limber --encoder nfrn50 --dry-run --offline

# %% [markdown]
# ## The commands
#
# ```
# concepttransfer reproduce limber --rehearse    # two steps a fit, twenty rows: does everything run here?
# concepttransfer reproduce limber               # all of it; the same command goes on where it was stopped
# accelerate launch -m concepttransfer reproduce limber      # on all GPUs of a machine, or of several
# concepttransfer import-projection limber_weights/beit_linear/proj.ckpt --study limber --encoder beit
# concepttransfer report runs/limber             # one page of it all
# ```
#
# A released projection takes the place of a fit. Other models or data are a file of one's own that begins with
# `like: limber`.
#
# ## How the tables are filled
#
# What was printed comes with the package, with the reason where a printed value is doubtful. Each cell names the
# claim of a result that belongs into it.

# %%
from concepttransfer.reproduce import read_paper

paper = read_paper("limber")
animals = paper.tables["animals"]
pd.DataFrame(animals.rows, index=[column.name for column in animals.columns]).T

# %% [markdown]
# To see the form, the same table with the **microworld** in it, whose networks learnt from drawings: `ours [95 %
# interval] (printed)`. The two are about different pictures and models, and are not to be compared.

# %%
from concepttransfer.reproduce.tables import fill, wide

small = ct.load_study("microworld", limit=100, quiet=True, seeds=1)
result = small.analyze("awa-errors", encoders=["clip", "nfrn50", "beit"], on="dev")
wide(fill("animals", animals, {"awa2": result}, result.encoders))

# %%
result.plot("shares")

# %% [markdown]
# `made = reproduce(study, folder)` does so for every table; `made.cells` has a row a cell: value, interval,
# chance, n, printed value and doubt. [docs/reproduce.md](../docs/reproduce.md) tells the rest.
