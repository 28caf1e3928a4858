"""Train a CLIP by contrast: the one loop, for any architecture of open_clip and for the microworld's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..encoders.spec import EncoderSpec
from ..errors import MismatchError
from ..manifest import Manifest
from ..processes.peers import together
from ..progress import progress
from ..provenance import provenance
from ..storage import digest, lock, new_folder, read_json, write_bytes, write_json, write_text
from ..training.checkpoints import checkpoint_path, read_checkpoint, write_checkpoint
from ..training.surroundings import build_accelerator, held, repeatable
from .pairs import Pairs
from .recipe import ContrastiveRecipe
from .run import COLUMNS, ContrastiveRun
from .towers import build_towers

if TYPE_CHECKING:
    import pandas as pd

SAVE_SECONDS = 600.0
"""A checkpoint is written after so long at the latest, however few steps that is."""
WEIGHTS, RECORD, CURVE = "weights.safetensors", "record.json", "curve.csv"


@dataclass(frozen=True)
class TrainedClip:
    """A CLIP that was trained here.

    Attributes:
        folder: holds `weights.safetensors`, `record.json` and `curve.csv`.
        record: `key`, `model`, `recipe`, `data`, `validation`, steps, seconds, versions.
    """

    folder: Path
    record: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """The file that an encoder's entry names under `weights:`."""
        return self.folder / WEIGHTS

    @property
    def curve(self) -> pd.DataFrame:
        """A row a step: loss and share right of the batch, learning rate, logit scale, and what was held out."""
        import pandas as pd

        return pd.read_csv(self.folder / CURVE)


@together()
def train_clip(
    manifest: Manifest,
    spec: EncoderSpec,
    recipe: ContrastiveRecipe,
    folder: Path | str,
    *,
    root: Path | str = ".",
    seed: int = 0,
    device: str | None = None,
    workers: int = 4,
    quiet: bool = False,
) -> TrainedClip:
    """Train both towers of a CLIP on pictures with captions; a run that was killed goes on from its last checkpoint.

    The same training that is there already is given back. Under `accelerate launch` every process calls this with the
    same arguments; each computes every n-th pair of a batch, and only the main one writes. The batch, and so what is
    learnt, does not depend on how many there are, but for rounding (and for batch normalisation, whose statistics are
    of one micro-batch of one process, as CLIP's were).

    Args:
        manifest: pictures with captions; of a row with several, one is drawn each time.
        spec: the architecture: `open_clip:NAME` or `microworld:clip`, with its arguments and transform.
        recipe: how.
        folder: what comes out; the checkpoint lies beside it.
        root: the folder that local paths of `spec` are relative to.
        seed: of weights, order, choice of captions, crops and dropout.
        device: a torch device; None, and of several processes: accelerate's choice (a GPU where there is one).
        workers: threads that read pictures ahead.
        quiet: show no bar.

    Raises:
        EmptyDataError: no row has a caption.
        BadInputError: the architecture is no CLIP, a batch is larger than the data, or pictures cannot be read.
        TrainingError: the loss is not finite (its rows are named), or one pair does not fit into memory.
        MismatchError: the folder holds something else.
        LockedError: another process trains the same one.
    """
    folder, root = Path(folder), Path(root)
    key = digest("contrastive 1", manifest.id, _architecture(spec, root, recipe), recipe.identity(), seed)
    accelerator = build_accelerator()
    with held(accelerator, folder):
        if _is_there(folder, key):
            return load_clip(folder)
        towers = build_towers(spec, root, recipe, seed)
        pairs = Pairs(manifest, towers, crop=recipe.crop, seed=seed, workers=workers)
        with contextlib.closing(pairs):
            run = ContrastiveRun(towers, pairs, recipe, seed, accelerator, device)
            path, name = checkpoint_path(folder), spec.model.partition(":")[2]
            run.restore(read_checkpoint(path, key))
            began = saved = time.monotonic()
            before = run.seconds
            with repeatable(run.device):
                for step in _steps(run, f"train {name}", quiet):
                    run.step(step)
                    run.seconds = before + time.monotonic() - began
                    due = run.next_step % recipe.save_every == 0 or time.monotonic() - saved > SAVE_SECONDS
                    if due and run.next_step < recipe.steps and accelerator.is_main_process:
                        write_checkpoint(path, key, *run.state())
                        saved = time.monotonic()
            unreadable = run.unreadable()
            if accelerator.is_main_process:
                _write(run, folder, _record(run, key, spec, seed, unreadable, quiet=quiet))
                path.unlink(missing_ok=True)
            accelerator.wait_for_everyone()
    return load_clip(folder)


def load_clip(folder: Path | str) -> TrainedClip:
    """A CLIP that `train_clip` left in a folder."""
    folder = Path(folder)
    return TrainedClip(folder, read_json(folder / RECORD))


def forget(folder: Path) -> None:
    """Take away what a training left in a folder, and its checkpoint."""
    with lock(folder):
        for name in (WEIGHTS, RECORD, CURVE):
            (folder / name).unlink(missing_ok=True)
        checkpoint_path(folder).unlink(missing_ok=True)


def _is_there(folder: Path, key: str) -> bool:
    """Whether this very training is in a folder already.

    Raises:
        MismatchError: something else is.
    """
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not found:
        return False
    if RECORD in found and read_json(folder / RECORD)["key"] == key:
        return True
    what = "another training" if RECORD in found else f"other files ({', '.join(found[:3])})"
    raise MismatchError(f"{folder} holds {what}. Name another folder with --out, or take this one's content away.")


def _architecture(spec: EncoderSpec, root: Path, recipe: ContrastiveRecipe) -> dict[str, Any]:
    """What of an encoder's entry the towers depend on."""
    named = {"model", "arguments", "image_size", "mean", "std"}
    first = {"weights": spec.weights_id(root)} if recipe.start == "pretrained" else {}
    return spec.model_dump(mode="json", include=named) | first


def _steps(run: ContrastiveRun, what: str, quiet: bool) -> Iterator[int]:
    """The steps that are left, with a bar that shows rate, ending time and loss."""
    total = run.recipe.steps
    with progress(total, what, unit="step", quiet=quiet, initial=run.next_step) as bar:
        for step in range(run.next_step, total):
            yield step
            bar.set_postfix(loss=f"{run.curve[-1][1]:.3f}", refresh=False)
            bar.update()


def _record(
    run: ContrastiveRun, key: str, spec: EncoderSpec, seed: int, unreadable: Mapping[str, str], *, quiet: bool
) -> dict[str, Any]:
    """Everything that is known of the training."""
    manifest, recipe = run.pairs.manifest, run.recipe
    cut, counted = run.pairs.cut(quiet=quiet)
    found = run.measured()
    return {
        "key": key,
        "model": spec.model,
        "arguments": spec.arguments,
        "image_size": spec.image_size,
        "n_parameters": sum(p.numel() for p in run.module.parameters()),
        "recipe": recipe.model_dump(mode="json"),
        "seed": seed,
        "data": {
            "name": manifest.name,
            "manifest": manifest.id,
            "n": len(run.plan.rows),
            "held_out": len(run.held_out),
            "captions": sum(map(len, manifest.texts)),
            "captions_counted": counted,
            "captions_cut": cut,
            "unreadable": dict(unreadable),
        },
        "steps": run.next_step,
        "pairs_seen": run.next_step * recipe.batch_size,
        "processes": run.exchange.n_processes,
        "micro_batch": run.gradient.micro_batch,
        "precision": "bf16" if run.bf16 else "float32",
        "seconds": round(run.seconds, 1),
        "logit_scale": run.module.logit_scale.exp().item(),
        "validation": None if found is None else found.summary(),
        "provenance": provenance(device=str(run.device), seeds=[seed]),
    }


def _write(run: ContrastiveRun, folder: Path, record: Mapping[str, Any]) -> None:
    import pandas as pd
    from safetensors.torch import save

    weights = {name: value.detach().cpu().contiguous().clone() for name, value in run.module.state_dict().items()}
    with new_folder(folder) as made:
        write_bytes(made / WEIGHTS, save(weights))
        table = pd.DataFrame(run.curve, columns=COLUMNS).astype({"step": int})
        write_text(made / CURVE, table.to_csv(index=False))
        write_json(made / RECORD, record)
