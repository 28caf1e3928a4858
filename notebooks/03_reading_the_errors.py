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
# # Reading the errors: all analyses on one pair
#
# CLIP learnt from captions, BEiT from pictures alone. Both are mapped into the same language model by one linear
# layer. What comes through of each, and where is the rest lost: in the encoder, in the map, or in the language
# model? Each analysis below asks one question; a result shows its sentence and main numbers, and draws its
# figures. 60 pictures and one fit of each encoder, so that the page runs in minutes; `concepttransfer report
# --all` does all of it in full.

# %%
import concepttransfer as ct

study = ct.load_study("microworld", limit=60, seeds=1, quiet=True)
pair = ["clip", "beit"]

# %% [markdown]
# ## When the animal is named wrongly, how near is the wrong animal?
#
# Nearness has a chance level well above 0: animals are alike. What counts is the distance from it, and from the
# random control of the same architecture.

# %%
errors = study.analyze("awa-errors", encoders=pair, on="dev")
errors

# %%
errors.plot("similarity")

# %%
errors.plot("examples")

# %% [markdown]
# ## Which concepts do the captions name?
#
# Precision and recall of nouns, modifiers and relations. A language model that knows nothing of a picture still
# says frequent words: chance is what the same captions score when they are dealt out to other pictures.

# %%
concepts = study.analyze("concept-recall", encoders=pair, on="dev")
concepts

# %%
concepts.plot("categories")

# %% [markdown]
# ## How well do the captions fit?

# %%
scores = study.analyze("caption-scores", encoders=pair, on="dev")
scores

# %%
scores.plot("scores")

# %% [markdown]
# ## Can it answer questions?
#
# The blind language model gets the same questions without a picture: what it knows is not the encoder's merit.

# %%
answers = study.analyze("visual-questions", encoders=pair, on="dev-questions")
answers

# %%
answers.plot("shots")

# %% [markdown]
# ## Was it in the encoder at all?
#
# A linear probe reads the features themselves. A concept that a probe reads and no caption says was lost on the
# way; one that no probe reads was never there. Attributes are tested on animals that the probe never saw.

# %%
probes = study.analyze("linear-probe", encoders=pair, on="dev")
probes

# %%
probes.plot("attributes")

# %% [markdown]
# ## How are the pictures arranged?
#
# The map is for looking; every number is computed in the feature space.

# %%
arranged = study.analyze("embedding-map", encoders=pair, on="dev")
arranged

# %%
arranged.plot("map")

# %%
alike = study.analyze("similarity", encoders=pair, on="dev", n_permutations=200)
alike

# %%
alike.plot("pictures")

# %% [markdown]
# ## What do the soft prompts look like to the language model?

# %%
lens = study.analyze("prompt-lens", encoders=pair, on="dev")
lens

# %%
lens.plot("words")

# %% [markdown]
# ## How much of a caption is the language model's own?
#
# Each word's log-likelihood with the picture, with a blank one and with another picture's prompt.

# %%
alone = study.analyze("runoff", encoders=pair, on="dev")
alone

# %%
alone.plot("positions")

# %% [markdown]
# ## Can the two be ranked?
#
# Paired over the same pictures, and against what the encoders learnt from: nothing, pictures, labels or captions.

# %%
compared = study.analyze("compare", encoders=pair, on="dev")
compared

# %%
compared.plot("ladder")

# %% [markdown]
# Every table is tidy: `result.to_frame()` has a row for each thing measured, `result.estimates` a row a claim.
# `result.save(folder)` keeps all of it, and `concepttransfer report FOLDER` makes one page that can be mailed.
