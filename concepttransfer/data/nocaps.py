"""NoCaps, validation: ten captions of each of 4,500 pictures, in three domains by how novel their objects are."""

from __future__ import annotations

from pathlib import Path

from ..errors import EmptyDataError, UnknownNameError
from ..manifest import Label, Manifest, Row
from .annotations import Wanted, as_published, by_id, captions_by_picture, find_annotations, read_lists, to_manifest
from .descriptions import describe

CAPTIONS = "nocaps_val_4500_captions.json"
DOMAINS = {"in-domain": "in", "near-domain": "near", "out-domain": "out"}
PLACES = ("images", "validation", "val", "images.zip", "validation.zip", "val.zip")


def nocaps(
    folder: Path,
    *,
    domain: str | None = None,
    captions: Path | None = None,
    pictures: Path | None = None,
    missing: str = "keep",
    texts_only: bool = False,
    hashes: bool = True,
    name: str | None = None,
) -> Manifest:
    """Read NoCaps' validation split: a row a picture, in the file's order; its texts are its ten captions.

    A row's id is the picture's id in NoCaps as text. Labels: `domain` (`in`: only objects that COCO's captions name;
    `near`: also others; `out`: only others), `image_id`, and `open_images_id` where the file has it.

    Args:
        folder: holds nocaps_val_4500_captions.json, and pictures named as its `file_name` says, in `images` or wherever
            below it.
        domain: only rows of `in`, `near` or `out`.
        captions: the file, where it has another name or place; .json or .json.gz.
        pictures: the folder or zip of the pictures, where it is another one.
        missing: what becomes of a row whose picture is not there. `keep`: encoding it will say so; `skip`; `refuse`.
        texts_only: rows without pictures; none is looked for.
        hashes: take each picture's sha256 into its row.
        name: what to call the data; None: `nocaps`, and the domain.

    Raises:
        MissingResourceError: the file of captions or the pictures are not there.
        UnknownNameError: there is no such domain, or way with missing pictures.
        BadInputError: the file is not as published, or names a picture twice or outside the folder.
        EmptyDataError: it has no rows, or none of their pictures is there.
    """
    if domain is not None and domain not in DOMAINS.values():
        raise UnknownNameError("domain", domain, DOMAINS.values(), where="NoCaps")
    wanted = Wanted(pictures, missing, texts_only, hashes)
    description = describe("nocaps")
    path = captions or find_annotations(folder, [CAPTIONS, f"annotations/{CAPTIONS}"], "captions", description)
    rows = [row for row in _rows(path) if domain in (None, row.labels["domain"])]
    if not rows:
        raise EmptyDataError(f"{path} has no pictures{f' of domain `{domain}`' if domain else ''}. Fetch it again.")
    called = name or "-".join(filter(None, ["nocaps", domain]))
    return to_manifest(called, rows, folder, PLACES, wanted, {"reader": "nocaps", **description.source})


def _rows(path: Path) -> list[Row]:
    images, annotations = read_lists(path, "images", "annotations")
    with as_published(path):
        listed = by_id(images, "id", path)
        texts = captions_by_picture(annotations, listed, path)
        rows = []
        for image_id, image in listed.items():
            if image["domain"] not in DOMAINS:
                raise ValueError(f"picture {image_id} is of domain `{image['domain']}`, not {', '.join(DOMAINS)}")
            labels: dict[str, Label] = {"domain": DOMAINS[image["domain"]], "image_id": image_id}
            if "open_images_id" in image:
                labels["open_images_id"] = str(image["open_images_id"])
            rows.append(Row(str(image_id), str(image["file_name"]), tuple(texts[image_id]), labels))
        return rows
