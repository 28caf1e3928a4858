"""Sentences that the name of a class is written into, for a text tower that learnt from captions: lists of templates.

Radford et al. 2021, section 3.1.4: one template instead of the bare name is worth 1.3 points on ImageNet, 80 of them
together 3.5 more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from ..errors import BadInputError, EmptyDataError, UnknownNameError

NAME, WITH_ARTICLE = "{}", "{a}"
"""The places for the name as it is, and for the name with its article."""
FOR_PHOTOGRAPHS, FOR_MICROWORLD = "imagenet-80", "microworld"


@dataclass(frozen=True)
class Templates:
    """Sentences with one place for a name each.

    Attributes:
        name: of the list, or of its file.
        sentences: such as `a photo of a {}.`

    Raises:
        EmptyDataError: there are none.
        BadInputError: one has no place for the name, or several, or stands there twice.
    """

    name: str
    sentences: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.sentences:
            raise EmptyDataError(f"`{self.name}` holds no templates. Write one a line, such as: a photo of a {NAME}.")
        for number, sentence in enumerate(self.sentences, start=1):
            if (n := sentence.count(NAME) + sentence.count(WITH_ARTICLE)) != 1:
                there = "no place" if n == 0 else f"{n} places"
                raise BadInputError(
                    f"Template {number} of `{self.name}` has {there} for the name of a class: `{sentence}`. Write one "
                    f"{NAME} where the name goes, or {WITH_ARTICLE} for the name with its article."
                )
        if twice := [sentence for sentence, n in Counter(self.sentences).items() if n > 1]:
            raise BadInputError(f"Template `{twice[0]}` stands twice in `{self.name}`: it would count double.")

    def __len__(self) -> int:
        return len(self.sentences)

    def of(self, name: str) -> tuple[str, ...]:
        """The sentences about one class."""
        return tuple(written(sentence, name) for sentence in self.sentences)


def written(sentence: str, name: str) -> str:
    """A template with a name in its place: `{a} in a cave` and `otter` give `an otter in a cave`."""
    article = "an" if name[:1].lower() in "aeiou" else "a"
    place, name = (WITH_ARTICLE, f"{article} {name}") if WITH_ARTICLE in sentence else (NAME, name)
    return sentence.replace(place, name)


def templates(named: str) -> Templates:
    """The templates of a list of ours, or of a text file with one a line (empty lines and `#` left out).

    Raises:
        UnknownNameError: there is neither.
        EmptyDataError, BadInputError: see `Templates`; or the file is no text.
    """
    if named in known():
        return Templates(named, tuple(_lists()[named]))
    path = Path(named).expanduser()
    if not path.is_file():
        raise UnknownNameError("list or file of templates", named, known())
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        raise BadInputError(f"{path} is not text in UTF-8. Write one template a line.") from None
    return Templates(path.name, tuple(line for line in lines if line and not line.startswith("#")))


def templates_for(model: str) -> str:
    """The list that fits a model where none is named: captions as its text tower learnt from."""
    return FOR_MICROWORLD if model.startswith("microworld:") else FOR_PHOTOGRAPHS


def known() -> Sequence[str]:
    """The names of our lists."""
    return list(_lists())


@cache
def _lists() -> dict[str, list[str]]:
    import yaml

    content = files("concepttransfer.language").joinpath("prompt_templates.yaml").read_text(encoding="utf-8")
    found: dict[str, list[str]] = yaml.safe_load(content)
    return found
