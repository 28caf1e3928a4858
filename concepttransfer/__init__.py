"""Which concepts survive when a frozen image encoder is mapped linearly into a frozen language model?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import On
    from .answering import Answers
    from .captioning import Captions
    from .concepts import Concept, ConceptSet
    from .decoding import Decoding
    from .encoders import load_encoder
    from .encoders.spec import EncoderSpec
    from .errors import ConceptTransferError
    from .features import Features, encode
    from .language_models import load_language_model
    from .manifest import Manifest, Row
    from .result import Result
    from .study import Study, load_study
    from .training.recipe import Recipe
    from .transfer import Transfer

_HOMES = {
    "Answers": "answering",
    "Captions": "captioning",
    "Concept": "concepts",
    "ConceptSet": "concepts",
    "ConceptTransferError": "errors",
    "Decoding": "decoding",
    "EncoderSpec": "encoders.spec",
    "Features": "features",
    "Manifest": "manifest",
    "On": "analysis",
    "Recipe": "training.recipe",
    "Result": "result",
    "Row": "manifest",
    "Study": "study",
    "Transfer": "transfer",
    "encode": "features",
    "load_encoder": "encoders",
    "load_language_model": "language_models",
    "load_study": "study",
}

__all__ = [
    "Answers",
    "Captions",
    "Concept",
    "ConceptSet",
    "ConceptTransferError",
    "Decoding",
    "EncoderSpec",
    "Features",
    "Manifest",
    "On",
    "Recipe",
    "Result",
    "Row",
    "Study",
    "Transfer",
    "encode",
    "load_encoder",
    "load_language_model",
    "load_study",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `--help` loads no library it does not need."""
    if name not in _HOMES:
        message = f"module `concepttransfer` has no attribute `{name}`"
        raise AttributeError(message)
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
