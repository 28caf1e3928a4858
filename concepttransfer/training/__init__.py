"""Fit a projection into a frozen language model: `fit.py` is the loop, `recipe.py` what a study says about it.

`sources`: where features come from, the store or an encoder in the loop. `batch_plan`: which captions make which batch,
decided before any split over processes. `run`: one fit's state, and what one step does to it; `accumulation`: gradients
over micro-batches and processes; `schedule`: the learning rate; `checkpoints`: how a killed fit goes on; `history`: its
losses.
"""
