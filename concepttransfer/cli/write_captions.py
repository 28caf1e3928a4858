"""`concepttransfer data write-captions`: training captions that a language model writes from keywords."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from concepttransfer.data.keywords import keywords_of, read_keywords
from concepttransfer.data.written_texts import Writing, Written, first_prompt
from concepttransfer.data.written_texts import write_captions as write
from concepttransfer.errors import BadInputError
from concepttransfer.study import Study

from .options import Run
from .show import say, show_json, show_rows


def write_captions(
    run: Run,
    out: Annotated[Path, typer.Option(help="The table that is written: captions.csv or captions.jsonl.")],
    language_model: Annotated[
        str | None, typer.Option(help="hf:NAME-OR-FOLDER, or microworld:language_model. Default: the study's.")
    ] = None,
    n: Annotated[int, typer.Option("--n", help="How many captions are asked for; fewer are kept.", min=1)] = 1000,
    vocabulary: Annotated[
        Path | None,
        typer.Option(help="A file with a keyword on each line, and its count. Default: the words of --on's captions."),
    ] = None,
    most_keywords: Annotated[int, typer.Option(help="Of --on's captions, so many commonest words.", min=1)] = 1000,
    sampling: Annotated[str, typer.Option(help="How keywords are drawn: uniform, or by frequency.")] = "uniform",
    keywords: Annotated[int, typer.Option(help="Keywords of each caption.", min=1)] = 2,
    examples: Annotated[int, typer.Option(help="Solved examples before each prompt, from --on's captions.", min=0)] = 5,
    prompt: Annotated[
        str, typer.Option(help="What stands before a caption; `{keywords}` is replaced, \\n ends a line.")
    ] = Writing().prompt,
    must_say: Annotated[str, typer.Option(help="Of its keywords a caption must say: all, any, none.")] = "any",
    least_words: Annotated[int, typer.Option(help="Shorter captions are dropped.", min=1)] = 3,
    most_words: Annotated[int, typer.Option(help="Longer captions are dropped.", min=1)] = 40,
    top_p: Annotated[float, typer.Option(help="Of the nucleus from which each token is drawn.")] = 0.95,
    max_tokens: Annotated[int, typer.Option(help="A caption that has not ended by then is dropped.", min=1)] = 40,
) -> None:
    r"""Let a language model write captions from pairs of keywords, as training data without pictures.

    Keywords and solved examples come from the captions of --on: a data set of the study, or a table. What is written is
    kept in the cache batch by batch, so that a run that was stopped goes on. The table is data with the reader
    `captions_table`; fit on it with `reads: texts`.

    Example: concepttransfer data write-captions --on projection --prompt "{keywords}\nA picture of" --out mine.csv
    """
    study = run.open(stage="write-captions", seed=run.seed)
    told = {"n": n, "prompt": prompt.replace("\\n", "\n"), "keywords": keywords, "sampling": sampling, "seed": run.seed}
    told |= {"examples": examples, "must_say": must_say, "least_words": least_words, "most_words": most_words}
    decoding = {"method": "nucleus", "top_p": top_p, "max_tokens": max_tokens, "stop": ("\n",)}
    writing = _writing({**told, "decoding": decoding})
    pool = _captions(run, study) if examples or vocabulary is None else []
    words = read_keywords(vocabulary) if vocabulary else keywords_of(pool, most=most_keywords)
    if run.dry_run:
        say(f"{n} captions would be written about {len(words.words)} words. The first prompt:\n")
        say(first_prompt(words, pool, writing))
        return
    model = study.language_model if language_model is None else _load(language_model, study)
    batch_size, quiet = study.settings.batch_size or 32, study.settings.quiet
    _tell(run, write(model, words, pool, writing, out, batch_size=batch_size, quiet=quiet, again=run.force), n)


def _writing(told: Mapping[str, Any]) -> Writing:
    """The options as a recipe.

    Raises:
        BadInputError: one of them is none of its values; the first is told.
    """
    try:
        return Writing.model_validate(told)
    except ValidationError as error:
        fault = error.errors()[0]
        option = "--" + str(fault["loc"][-1]).replace("_", "-")
        what = "must hold {keywords}, the place of the keywords" if option == "--prompt" else fault["msg"].lower()
        raise BadInputError(f"{option} is {fault['input']!r}: {what}.") from None


def _captions(run: Run, study: Study) -> list[str]:
    """All captions of --on, or of the data that the study fits on.

    Raises:
        BadInputError: there are none.
    """
    selections = study.select(run.on) if run.on else [study.training]
    found = [text for selection in selections for texts in selection.manifest.texts for text in texts]
    if not found:
        message = f"`{run.on}` has no captions. Name data with captions, or give --vocabulary FILE and --examples 0."
        raise BadInputError(message)
    return found


def _load(name: str, study: Study) -> Any:
    """A language model other than the study's, on the same device and in the same dtype."""
    from concepttransfer.language_models import load_language_model

    dtype = study.settings.torch_dtype(study.spec.dtype)
    return load_language_model(name, study.root, device=study.settings.language_model_device(), dtype=dtype)


def _tell(run: Run, written: Written, n: int) -> None:
    about = {"table": str(written.path), "asked": n, "kept": written.kept, "dropped": dict(written.dropped)}
    if run.json:
        show_json({**about, "first": list(written.shown)})
        return
    show_rows(["caption"], [(caption,) for caption in written.shown], title="The first that were kept")
    why = ", ".join(f"{count} {reason}" for reason, count in written.dropped.items()) or "none"
    say(f"\n{written.kept} of {n} captions were kept in {written.path}; dropped: {why}.")
    say(f"In a study, under `data:`\n  written: {{reader: captions_table, table: {written.path}}}")
