"""Visual News (Liu et al. 2021): news pictures, their captions, and the articles that they stand in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInputError, EmptyDataError, UnknownNameError
from ..manifest import Label, Manifest, Row
from ..progress import progress
from .annotations import Wanted, as_published, find_annotations, read_json_file, to_manifest
from .descriptions import describe

SPLITS = ("all", "train", "val", "test")
ARTICLES = ("keep", "skip", "refuse")
FILES: Mapping[str, str] = {"all": "data.json"}


@dataclass(frozen=True)
class _Articles:
    """Where articles lie, how much of each is taken, and what becomes of a row without one."""

    root: Path
    words: int
    missing: str

    def read(self, place: str) -> str:
        """The first words of one article; empty where it is not there.

        Raises:
            BadInputError: it lies outside the folder, or is no text.
        """
        path = (self.root / place).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise BadInputError(f"`{place}` lies outside {self.root}. Articles must lie inside their data's folder.")
        try:
            return " ".join(path.read_text(encoding="utf-8").split()[: self.words])
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except UnicodeDecodeError as error:
            raise BadInputError(f"{path} is not text in UTF-8. Fetch it again.") from error


def visual_news(
    folder: Path,
    *,
    split: str = "all",
    entries: Path | None = None,
    words: int = 400,
    articles: str = "skip",
    pictures: Path | None = None,
    missing: str = "keep",
    texts_only: bool = False,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read Visual News: a row a picture, in the file's order; its text is its caption.

    A row's id is the entry's. Labels: `question`, the article's first words, which a prompt's `{question}` stands for;
    `premise`, the caption, which CLOSE's text tower reads in the picture's place; `topic` and `source`, the newspaper.

    Args:
        folder: holds `data.json`, or below it `origin` does, and beside it articles and pictures as it names them
            (`./bbc/articles/0013/600.txt`).
        split: `all`, of data.json as it is published; `train`, `val` or `test`, of train_data.json and so on, as CLOSE
            divided it.
        entries: the file, where it has another name or place; .json or .json.gz. What it names lies beside it, else
            in `folder`.
        words: so many of an article are taken.
        articles: what becomes of a row whose article is not there: `skip` it, `keep` it with an empty one, or `refuse`.
        pictures: the folder or zip of the pictures, where it is another one.
        missing: what becomes of a row whose picture is not there. `keep`: encoding it will say so; `skip`; `refuse`.
        texts_only: rows without pictures; none is looked for.
        hashes: take each picture's sha256 into its row.
        name: what to call the data; None: `visual-news-` and the split.

    Raises:
        MissingResourceError: the file or the pictures are not there.
        UnknownNameError: there is no such split, or way with missing articles or pictures.
        BadInputError: the file is not as published, names something outside the folder, or an article is missing though
            that was refused.
        EmptyDataError: there are no rows, or none of their articles or pictures is there.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS, where="Visual News")
    if articles not in ARTICLES:
        raise UnknownNameError("way with missing articles", articles, ARTICLES)
    if words < 1:
        raise BadInputError(f"`words` is {words}. Give how many words of an article are taken, 1 or more.")
    wanted, description = Wanted(pictures, missing, texts_only, hashes), describe("visual-news")
    file = FILES.get(split, f"{split}_data.json")
    path = entries or find_annotations(folder, [file, f"origin/{file}"], "entries", description)
    root = path.parent if path.is_relative_to(folder) else folder
    rows, told = _rows(path, _Articles(root, words, articles))
    source = {"reader": "visual_news", "split": split, **description.source, **told}
    return to_manifest(name or f"visual-news-{split}", rows, root, [], wanted, source)


def _rows(path: Path, articles: _Articles) -> tuple[list[Row], dict[str, str]]:
    """The rows whose articles are wanted, and what the manifest says of the others."""
    listed = read_json_file(path)
    if not isinstance(listed, list) or not listed:
        raise BadInputError(f"{path} is not as published: it is no list of captions. Name another file.")
    rows, lost = [], []
    with as_published(path), progress(len(listed), "read articles", unit="article") as bar:
        for entry in listed:
            row, place = _row(entry), _place(entry["article_path"])
            article = articles.read(place)
            if not article:
                lost.append(place)
            if article or articles.missing == "keep":
                rows.append(replace(row, labels={"question": article, **row.labels}))
            bar.update()
    if lost and articles.missing == "refuse":
        what = f"{articles.root} lacks {len(lost)} of {len(listed)} articles, such as `{lost[0]}`."
        raise BadInputError(f"{what} Put them there, or say `articles: skip` to leave their rows out.")
    if len(lost) == len(listed):
        raise EmptyDataError(f"{articles.root} holds none of the {len(listed)} articles, such as `{lost[0]}`.")
    return rows, {"articles": f"{len(lost)} of {len(listed)} are missing, rows: {articles.missing}"} if lost else {}


def _row(entry: Mapping[str, Any]) -> Row:
    caption = str(entry["caption"]).strip()
    labels: dict[str, Label] = {"premise": caption, "topic": str(entry.get("topic", ""))}
    labels |= {"source": str(entry.get("source", "")), "question_type": "article"}
    return Row(str(entry["id"]), _place(entry["image_path"]), (caption,) if caption else (), labels)


def _place(path: str) -> str:
    """A path as the file has it, `./bbc/images/0013/600.jpg`, without the point."""
    return PurePosixPath(path).as_posix()
