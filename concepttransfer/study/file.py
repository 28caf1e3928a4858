"""Read a study from YAML: every mistake at once, each with its line and the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..answering import Answering
from ..decoding import Decoding
from ..encoders.spec import EncoderSpec
from ..errors import StudyError, UnknownNameError, suggestion, unreadable_yaml
from ..language_models.placement import DTYPES
from ..scoring.prompt_readings import Lens
from ..training.recipe import Recipe
from ..yaml_lines import line_of, lines_of, listed, mistake
from .packaged import packaged_studies as packaged_studies

STUDIES = Path(str(files("concepttransfer.studies")))


class SplitNames(BaseModel):
    """The data sets that a probe learns from when it is tested on another one.

    Attributes:
        train: what it is fitted on.
        validation: where its strength of regularisation is chosen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: str
    validation: str


class StudySpec(BaseModel):
    """The encoders, the language model, the data and the recipe of one study.

    Attributes:
        name: of the study; printed beside every result.
        title: one line that says what it is.
        paper: whose tables `concepttransfer reproduce` fills.
        language_model: `hf:NAME-OR-FOLDER`, a folder, or `microworld:language_model`.
        prompt: the text between picture and caption; `{question}` in it is replaced by what each row asks or is given.
        encoders: by name; `like: OTHER` takes over what is not said from another one.
        data: data sets by name; each names its `reader` and what that reader needs, or is the file of a data manifest.
        train: the recipe of the fit.
        evaluate: for each role (animals, captions, questions, ...) the data sets that play it.
        splits: for data sets that are tested on, those that probes learn from; others are split by picture.
        decoding: how captions are generated.
        answering: how questions about pictures are asked.
        lens: how closely soft prompts are looked at, and the seed that draws other pictures in a picture's place.
        judges: encoders that score captions, by what they are used for; `clipscore` needs both towers of one CLIP.
        transfers: a folder of fitted Transfers that come with the study.
        dtype: of the language model; `auto` is bf16 where the hardware has it, else float32; `8bit` and `4bit` are
            bitsandbytes'.
        root: the folder that relative paths start from, `$VARIABLES` expanded; None: the folder of the
            study's file, or the working folder for a study of the package.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    title: str = ""
    paper: str | None = None
    language_model: str
    prompt: str = "A picture of"
    encoders: dict[str, EncoderSpec] = Field(min_length=1)
    data: dict[str, dict[str, Any]] = Field(default_factory=dict)
    train: Recipe
    evaluate: dict[str, list[str]] = Field(default_factory=dict)
    splits: dict[str, SplitNames] = Field(default_factory=dict)
    decoding: Decoding = Decoding()
    answering: Answering = Answering()
    lens: Lens = Lens()
    judges: dict[str, EncoderSpec] = Field(default_factory=dict)
    transfers: str | None = None
    dtype: str = Field(default="auto", pattern=f"^({'|'.join(DTYPES)})$")
    root: str | None = None

    @property
    def fitted_on(self) -> list[str]:
        """The data sets that projections are fitted on, each once."""
        recipes = [self.train, *(self.recipe(encoder) for encoder in self.encoders.values())]
        return list(dict.fromkeys(name for recipe in recipes for name in recipe.data_sets))

    def recipe(self, encoder: EncoderSpec) -> Recipe:
        """`train:` with what one encoder's fit has otherwise."""
        if not encoder.recipe:
            return self.train
        return Recipe.model_validate(self.train.model_dump(exclude_unset=True) | encoder.recipe)


def find_study(name: str | Path) -> Path:
    """The file of a study named by a file or by the name of one that comes with the package.

    Raises:
        UnknownNameError: there is neither.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if not path.is_file():
            message = f"There is no file {path}. Make one with: concepttransfer studies new {path}"
            raise StudyError(message)
        return path
    known = packaged_studies()
    if str(name) not in known:
        raise UnknownNameError("study", str(name), known)
    return known[str(name)]


def read_study(path: Path) -> tuple[StudySpec, dict[str, str]]:
    """Validate a study's file. One that is `like: OTHER` takes over what it does not say itself.

    Returns:
        The study, and for each encoder the name of the one that it is `like` (itself if none): its family.

    Raises:
        StudyError: all that is wrong with it, each mistake with its line.
    """
    values = yaml_values(path)
    lines = lines_of(path.read_text(encoding="utf-8"))
    mistakes: list[str] = []
    values = _over_another(values, path, lines, mistakes)
    families = _resolve_likes(values, lines, mistakes)
    spec = _validate(values, lines, mistakes)
    mistakes += _check_names(values, lines)
    if mistakes or spec is None:
        raise StudyError(listed(str(path), mistakes))
    return spec, families


def yaml_values(path: Path) -> dict[str, Any]:
    """What a study's file says, as it stands there.

    Raises:
        StudyError: it is no YAML, or no mapping.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{path} is no study: {unreadable_yaml(error)}"
        raise StudyError(message) from None
    if not isinstance(values, dict):
        message = f"{path} is no study: it should be a mapping with name, language_model, encoders and train."
        raise StudyError(message)
    return values


def _over_another(
    values: dict[str, Any], path: Path, lines: dict[tuple[str, ...], int], mistakes: list[str]
) -> dict[str, Any]:
    """What the file says, merged key by key over the study that it is `like`; null takes a key away."""
    chain = [path.resolve()]
    while (like := values.pop("like", None)) is not None:
        beside = path.parent / str(like)
        try:
            other = find_study(beside if beside.is_file() else str(like)).resolve()
            below = yaml_values(other)
        except (StudyError, UnknownNameError) as error:
            mistakes.append(f"line {line_of(lines, ('like',))}: like `{like}`: {error}")
            break
        if other in chain:
            mistakes.append(f"line {line_of(lines, ('like',))}: like `{like}`: names itself in a circle")
            break
        if "name" not in values:
            mistakes.append("line 1: name: is missing. A study that is like another has a name of its own.")
        chain.append(other)
        path, values = other, _merged(below, values)
    return values


def _merged(below: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {**below, **over}
    for key in below.keys() & over.keys():
        if isinstance(below[key], dict) and isinstance(over[key], dict):
            both[key] = _merged(below[key], over[key])
    return {key: value for key, value in both.items() if value is not None}


def _resolve_likes(values: dict[str, Any], lines: dict[tuple[str, ...], int], mistakes: list[str]) -> dict[str, str]:
    """Replace `like: other` by what the other one says, in place; give each encoder's family."""
    encoders = values.get("encoders")
    families: dict[str, str] = {}
    if not isinstance(encoders, dict):
        return families
    declared = {name: entry for name, entry in encoders.items() if isinstance(entry, dict)}
    for name, entry in declared.items():
        chain, merged = [name], dict(entry)
        while (like := merged.pop("like", None)) is not None:
            if like not in declared or like in chain:
                what = "names itself in a circle" if like in chain else f"there is none.{suggestion(like, declared)}"
                mistakes.append(f"line {line_of(lines, ('encoders', name, 'like'))}: like `{like}`: {what}")
                break
            chain.append(like)
            recipe = {**(declared[like].get("recipe") or {}), **(merged.get("recipe") or {})}
            merged = {**declared[like], **merged, **({"recipe": recipe} if recipe else {})}
        families[name] = chain[-1]
        encoders[name] = merged
    return families


def _validate(values: dict[str, Any], lines: dict[tuple[str, ...], int], mistakes: list[str]) -> StudySpec | None:
    judges, evaluate, data = values.get("judges"), values.get("evaluate"), values.get("data")
    if isinstance(data, dict):
        values["data"] = {name: {"manifest": said} if isinstance(said, str) else said for name, said in data.items()}
    if isinstance(judges, dict):
        values["judges"] = {
            use: {"features": "projected"} | (said if isinstance(said, dict) else {"model": said})
            for use, said in judges.items()
        }
    if isinstance(evaluate, dict):
        values["evaluate"] = {role: [data] if isinstance(data, str) else data for role, data in evaluate.items()}
    try:
        spec = StudySpec.model_validate(values)
    except ValidationError as error:
        mistakes += [mistake(entry, lines, _known_keys) for entry in error.errors()]
        return None
    for name, encoder in spec.encoders.items():
        try:
            spec.recipe(encoder)
        except ValidationError as error:
            at = ("encoders", name, "recipe")
            inside = [{**entry, "loc": (*at, *entry["loc"])} for entry in error.errors()]
            mistakes += [mistake(entry, lines, _known_keys) for entry in inside]
    return spec


def _known_keys(at: tuple[str, ...]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "encoders": EncoderSpec,
        "judges": EncoderSpec,
        "train": Recipe,
        "decoding": Decoding,
        "answering": Answering,
        "lens": Lens,
        "splits": SplitNames,
    }
    model = StudySpec if len(at) == 1 else models.get(at[0], StudySpec)
    if len(at) > 3 and at[0] == "encoders" and at[2] == "recipe":
        return list(Recipe.model_fields)
    return [*model.model_fields, *(["like"] if model in (EncoderSpec, StudySpec) else [])]


def _check_names(values: dict[str, Any], lines: dict[tuple[str, ...], int]) -> list[str]:
    """Names of data sets that `train:`, `answering:`, `evaluate:` and `splits:` use must stand in `data:`."""
    data = values.get("data") or {}
    used: list[tuple[tuple[str, ...], Any]] = []
    for at, recipe in _recipes(values):
        fitted = recipe.get("data")
        used += [((*at, "data"), name) for name in (fitted if isinstance(fitted, dict) else [fitted])]
        if isinstance(adapter := recipe.get("feature_adapter"), dict):
            used.append(((*at, "feature_adapter", "paired"), adapter.get("paired")))
    if isinstance(values.get("answering"), dict) and "examples" in values["answering"]:
        used.append((("answering", "examples"), values["answering"]["examples"]))
    if isinstance(values.get("evaluate"), dict):
        used += [
            (("evaluate", role), name)
            for role, listed in values["evaluate"].items()
            for name in (listed if isinstance(listed, list) else [])
        ]
    splits = values.get("splits")
    for tested, parts in splits.items() if isinstance(splits, dict) else ():
        used.append((("splits", str(tested)), tested))
        used += [(("splits", str(tested), part), x) for part, x in (parts.items() if isinstance(parts, dict) else ())]
    return [
        f"line {line_of(lines, at)}: {'.'.join(at)}: no data set `{name}` in `data:`.{suggestion(str(name), data)}"
        for at, name in used
        if isinstance(data, dict) and isinstance(name, str) and name not in data
    ]


def _recipes(values: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """`train:`, and what encoders say under `recipe:`, each with where it stands."""
    encoders = values.get("encoders")
    named = encoders.items() if isinstance(encoders, dict) else ()
    said = [(("encoders", str(name), "recipe"), e.get("recipe")) for name, e in named if isinstance(e, dict)]
    for at, recipe in [(("train",), values.get("train")), *said]:
        if isinstance(recipe, dict):
            yield at, recipe
