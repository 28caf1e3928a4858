"""Questions about pictures: how they are put to the language model, and what it answers, on disk.

`few_shot`: which solved examples stand before a question; `inputs`: both as segments of soft prompts and text; `stage`:
the answers.
"""

from __future__ import annotations

from .stage import BLIND, Answering, Answers, answer

__all__ = ["BLIND", "Answering", "Answers", "answer"]
