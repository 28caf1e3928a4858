"""What one study needs that may not be here: weights, data, memory and disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..amounts import size
from ..errors import ConceptTransferError, MissingResourceError
from ..storage import cache_folder
from .finding import Finding

if TYPE_CHECKING:
    from ..encoders.spec import EncoderSpec
    from ..study import Study
    from ..study.selection import Selection


def examine_weights(study: Study) -> Iterator[Finding]:
    """Are the weights of the language model, of each encoder and of the judges on this machine?"""
    yield _language_model(study)
    judges = {f"judge {use}": spec for use, spec in study.spec.judges.items()}
    for name, spec in [*study.spec.encoders.items(), *judges.items()]:
        if spec.init == "random":
            yield Finding.ok("weights", name, f"{spec.model}: drawn from seed {spec.seed}")
        else:
            yield _encoder(name, spec, study.root)


def _language_model(study: Study) -> Finding:
    from ..encoders.weights import snapshot
    from ..language_models.identity import locate

    name = study.spec.language_model
    try:
        source = locate(name, study.root)
    except ConceptTransferError as error:
        return Finding.missing("weights", "language model", f"{name} is not here", str(error))
    if source.folder:
        return Finding.ok("weights", "language model", f"{name}: {_size_of(source.folder)}")
    return _on_hub("language model", name, source.hub, snapshot(source.hub, source.revision or "main"))


def _encoder(name: str, spec: EncoderSpec, root: Path) -> Finding:
    """Where its weights are: a file, a folder, the microworld, the hub's cache, or that of the library."""
    from ..encoders.weights import hub_repository, remember_repository, snapshot, weights_id

    library, _, model = spec.model.partition(":")
    try:
        weights_id(spec, root)
    except ConceptTransferError as error:
        return Finding.missing("weights", name, f"{spec.model} is not here", str(error))
    is_folder = model.startswith("local-dir:") or (root / model).is_dir()
    if spec.weights is not None or library not in ("hf", "timm", "open_clip") or is_folder:
        return Finding.ok("weights", name, f"{spec.model}: {spec.weights or 'on this machine'}")
    repository = hub_repository(library, model)
    place = snapshot(repository, spec.revision or "main")
    if place is None and library != "hf" and not model.startswith("hf-hub:"):
        said = _as_the_library_says(library, model)
        if said is None:
            return Finding.missing("weights", name, f"{library} knows no weights of `{model}`", "Correct its name.")
        repository, file = said
        remember_repository(library, model, repository)
        if file is not None and file.is_file():
            return Finding.ok("weights", name, f"{spec.model}: {file}")
        place = snapshot(repository, spec.revision or "main")
    return _on_hub(name, spec.model, repository or "", place)


def _as_the_library_says(library: str, name: str) -> tuple[str, Path | None] | None:
    """The repository of the hub that timm or open_clip means by a name, and where a plain download of it would lie.

    None where the library has no weights of that name.
    """
    if library == "timm":
        import timm
        import torch

        config: Any = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
        repository, url = (config.hf_hub_id or "", config.url or "") if config else ("", "")
        downloads = Path(torch.hub.get_dir()) / "checkpoints"
    else:
        import open_clip

        architecture, _, tag = name.partition("/")
        said = open_clip.get_pretrained_cfg(architecture, tag)
        repository, url = said.get("hf_hub", "").strip("/"), said.get("url", "")
        downloads = Path.home() / ".cache" / "clip"
    if not repository and not url:
        return None
    return "/".join(repository.split("/")[:2]), downloads / Path(url).name if url else None


def _on_hub(what: str, name: str, repository: str, place: Path | None) -> Finding:
    """Whether a model of the hub is in its cache, with all the parts that its index names."""
    download = f"hf download {repository}" if repository else "run a command that uses it"
    remedy = f"With a network: {download}. It is also fetched when it is first used."
    if place is None:
        return Finding.missing("weights", what, f"{name} is not in the hub's cache", remedy)
    if parts := _missing_parts(place):
        found = f"{name} lacks {len(parts)} of its files, such as {parts[0]}"
        return Finding.missing("weights", what, found, remedy)
    return Finding.ok("weights", what, f"{name}: {_size_of(place)} in the hub's cache")


def _missing_parts(place: Path) -> list[str]:
    """Files that an index of the weights names and that are not there."""
    wanted: set[str] = set()
    for index in place.glob("*.index.json"):
        wanted |= set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values())
    return sorted(name for name in wanted if not (place / name).is_file())


def _size_of(folder: Path) -> str:
    return size(sum(path.stat().st_size for path in folder.iterdir() if path.is_file()))


def examine_data(study: Study) -> Iterator[Finding]:
    """Is each data set that the study trains or evaluates on where it expects it?"""
    used = {name: ["fit"] for name in study.spec.fitted_on}
    for role, names in study.spec.evaluate.items():
        for name in names:
            used.setdefault(name, []).append(role)
    for name, roles in used.items():
        yield _data(f"{name} ({', '.join(roles)})", name, study)


def _data(what: str, name: str, study: Study) -> Finding:
    try:
        selection = study.select(name)[0]
        return _by_description(what, selection) or _by_reading(what, selection)
    except MissingResourceError as error:
        return Finding.missing("data", what, "not here", str(error))
    except ConceptTransferError as error:
        return Finding.missing("data", what, "it cannot be read", str(error))


def _by_description(what: str, selection: Selection) -> Finding | None:
    """A data set of ours is held against the layout of its manifest; None for one that is not described."""
    from ..data.descriptions import available, describe
    from ..data.layout import check_layout

    if selection.name not in available():
        return None
    about = describe(selection.name)
    if selection.entry.get("reader") != about.data["reader"]:
        return None
    folder = selection.root / str(selection.entry.get("folder") or selection.entry.get("pictures"))
    wrong = [finding for finding in check_layout(folder, about) if not finding.ok]
    if not wrong:
        return Finding.ok("data", what, str(folder))
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    found = f"{wrong[0].found}; wanted is {wrong[0].wanted}{more}"
    remedy = f"concepttransfer data fetch {selection.name} --folder {folder}"
    return Finding.missing(
        "data", what, found, remedy if about.files else f"concepttransfer data show {selection.name}"
    )


def _by_reading(what: str, selection: Selection) -> Finding:
    return Finding.ok("data", what, f"{len(selection.manifest):,} rows")


def examine_size(study: Study) -> Iterator[Finding]:
    """Do the models fit into a device's memory, and what will be written onto the disk?

    Parameters and shapes are counted on the meta device from configurations that need no network; where one is not
    known, it is said.
    """
    from ..reproduce.needs import needs

    needed = needs(study, study.with_twins(["all"]))
    counted = {name.rpartition(" in ")[0] for name, *_ in needed.memory}
    if unknown := [name for name in study.encoders if name not in counted]:
        found = f"the size of {', '.join(unknown)} is not known here: its configuration is on a hub"
        yield Finding.warning("size", "models", found, "Fetch the weights (see above), then ask again.")
    if needed.memory:
        yield _memory(needed)
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    found = f"{size(needed.disk)} will be written, {size(free)} are free in {cache}"
    if needed.disk > free:
        remedy = "Another CONCEPTTRANSFER_CACHE, `grid:` for encoders with many tokens, or fewer pictures with --limit."
        yield Finding.missing("size", "disk", found, remedy)
    else:
        yield Finding.ok("size", "disk", found)


def _memory(needed: Any) -> Finding:
    """The language model beside the largest encoder, against the largest device."""
    (name, parameters, weights, _), *encoders = needed.memory
    largest = max(encoders, key=lambda one: one[2] + (one[3] or 0), default=("none", 0, 0, 0))
    total = weights + largest[2] + (largest[3] or 0)
    device = max(needed.devices, key=lambda one: one.memory)
    found = (
        f"{size(total)}: {name} {size(weights)} ({parameters / 1e6:,.0f} M parameters), {largest[0]} "
        f"{size(largest[2])}, one caption of a fit {size(largest[3] or 0)}; {device.name} has {size(device.memory)}"
    )
    if total <= device.memory:
        return Finding.ok("size", "memory", found)
    remedy = "A larger device, `dtype: bfloat16`, `8bit` or `4bit` in the study, or several cards."
    return Finding.missing("size", "memory", found, remedy)
