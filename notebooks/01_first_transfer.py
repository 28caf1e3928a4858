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
# # From a picture to a caption to an answer
#
# An image encoder that never saw a word; a language model that never saw a picture; between them one linear
# layer. Which concepts come through? This notebook walks the whole way once, on the embedded **microworld**:
# drawn animals and small models, so that it runs in a minute on a laptop. Every number in it is about drawings.

# %%
import pandas as pd

import concepttransfer as ct

study = ct.load_study("microworld", limit=100, quiet=True)
study.encoders

# %% [markdown]
# ## A picture
#
# `dev` is a data set of the study; `limit` took 100 of its pictures. A `Manifest` says which rows there are, in
# which order, and what is known of each.

# %%
pictures = study.manifest("dev")
pictures.read(0)

# %%
pictures.rows[0]

# %% [markdown]
# ## What the encoder makes of it
#
# `Features` lie on disk and are mapped into memory: `[pictures, tokens, dim]`. They are encoded once, whoever
# asks.

# %%
features = study.features("clip", on="dev")
features.values.shape, features.values.dtype

# %% [markdown]
# ## The linear layer
#
# Fitted to captions, one `Transfer` for each seed; those of the microworld come with the package. It maps each
# token of the encoder to one soft prompt in the space of the language model's word vectors.

# %%
transfer = study.transfers("clip")[0]
transfer.projection()

# %%
transfer.history.dropna().tail(3)

# %% [markdown]
# ## What the language model says

# %%
said = {name: study.captions(name, on="dev")[0].texts() for name in ("clip", "beit", "beit-random")}
pd.DataFrame(said).head(8)

# %% [markdown]
# A picture of your own is the same call with a path.

# %%
pictures.read(3).save("mine.png")
study.captions("clip", on="mine.png")[0].table[["row_id", "text", "logprob"]]

# %% [markdown]
# ## When the animal is named wrongly, how near is the wrong animal?
#
# One analysis. The random control of each encoder (the same network with drawn weights) is added by itself. A
# result shows its sentence and its main numbers; each has an interval, a chance level and an n.

# %%
result = study.analyze("awa-errors", encoders=["clip", "beit"], on="dev")
result

# %%
result.plot("shares")

# %%
result.plot("similarity")

# %%
result.plot("examples")

# %% [markdown]
# The tidy table has a row a picture, encoder and seed; `estimates` a row a claim.

# %%
result.to_frame().groupby("encoder")[["right", "wup", "overlap"]].mean()

# %%
result.estimates[["system", "measure", "against", "value", "low", "high", "chance", "p", "q", "n"]].head(10)

# %% [markdown]
# The same from the command line, with a report beside it:
#
# ```
# concepttransfer awa-errors --encoder clip --encoder beit --on dev --limit 100
# ```
#
# Next: [your own encoder](02_your_own_encoder.ipynb), or [all analyses on one pair](03_reading_the_errors.ipynb).
