"""Checkpoints that exist whole or not at all, and are checked before anything is read from them.

A checkpoint is a folder: weights.safetensors (what trains), optimizer.safetensors, random.safetensors, state.json
and, written last, manifest.json with size and SHA-256 of each file. It is filled under another name and renamed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.files import system_errors, to_disk

if TYPE_CHECKING:
    import torch

    from studio.training.ranks import Ranks

FORMAT = 1
WEIGHTS, OPTIMIZER, RANDOM, STATE, MANIFEST = (
    "weights.safetensors",
    "optimizer.safetensors",
    "random.safetensors",
    "state.json",
    "manifest.json",
)
_NAME = re.compile(r"(step|best)-(\d{8})")

Tensors = dict[str, "torch.Tensor"]


class Damaged(Exception):
    """A checkpoint that must not be used; says why in a catalogue code (`timeline.damage_<code>`)."""

    def __init__(self, code: str, file: str) -> None:
        self.code, self.file = code, file
        super().__init__(f"{code}: {file}")


@dataclass
class Snapshot:
    """What a checkpoint holds: weights and optimizer state by name, random states, numbers of the loop."""

    step: int
    weights: Tensors
    optimizer: Tensors = field(default_factory=dict)
    random: Tensors = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one run. `fingerprint` ties them to what the run was made from."""

    def __init__(self, folder: Path, fingerprint: str, keep: int = 2) -> None:
        self.folder, self._fingerprint, self._keep = folder, fingerprint, keep

    def save(self, snapshot: Snapshot, *, best: bool = False) -> Path:
        """Write a checkpoint and drop what is no longer needed. Raises OSError (disk full) with nothing half done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sweep()
        self._need_room(snapshot)
        name = f"{'best' if best else 'step'}-{snapshot.step:08d}"
        unfinished = self.folder / f"tmp-{name}"
        try:
            unfinished.mkdir()
            _write_tensors(snapshot.weights, unfinished / WEIGHTS)
            if not best:
                _write_tensors(snapshot.optimizer, unfinished / OPTIMIZER)
                _write_tensors(snapshot.random, unfinished / RANDOM)
            state = {**snapshot.state, "step": snapshot.step}
            (unfinished / STATE).write_text(json.dumps(state, sort_keys=True), "utf-8")
            files = {file.name: _measure(file) for file in sorted(unfinished.iterdir())}
            manifest = {"format": FORMAT, "fingerprint": self._fingerprint, "step": snapshot.step, "files": files}
            (unfinished / MANIFEST).write_text(json.dumps(manifest, sort_keys=True), "utf-8")
            to_disk(unfinished / MANIFEST)
            to_disk(unfinished)
            final = self.folder / name
            if final.exists():
                # Only a damaged one can be in the way: a sound one of this step would have been resumed.
                os.rename(final, self.folder / f"tmp-old-{name}")
            os.rename(unfinished, final)
            to_disk(self.folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        self.sweep()
        self._retire(best)
        return final

    def _need_room(self, snapshot: Snapshot) -> None:
        """Raises OSError before anything is written: half a checkpoint would take the last room from what is smaller
        and matters more, the run's events and the database."""
        tensors = (snapshot.weights, snapshot.optimizer, snapshot.random)
        needed = sum(tensor.nbytes for part in tensors for tensor in part.values())
        if shutil.disk_usage(self.folder).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))

    def newest(self, *, best: bool = False) -> tuple[Snapshot | None, list[tuple[str, Damaged]]]:
        """The newest sound checkpoint, read whole, and the newer ones that had to be skipped with their damage."""
        skipped: list[tuple[str, Damaged]] = []
        for folder in self._found(best):
            try:
                return self.read(folder), skipped
            except Damaged as damage:
                skipped.append((folder.name, damage))
        return None, skipped

    def read(self, folder: Path) -> Snapshot:
        """Verify, then read one checkpoint. Raises Damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        self._verify(folder)
        try:
            state = json.loads((folder / STATE).read_text("utf-8"))
            parts = [
                load_file(folder / name) if (folder / name).exists() else {} for name in (WEIGHTS, OPTIMIZER, RANDOM)
            ]
        except (SafetensorError, ValueError, OSError) as error:
            raise Damaged("unreadable", str(error)[:80]) from error
        return Snapshot(int(state["step"]), parts[0], parts[1], parts[2], state)

    def sweep(self) -> None:
        """Remove what an interrupted save left behind."""
        for left in self.folder.glob("tmp-*"):
            shutil.rmtree(left, ignore_errors=True)

    def forget_after(self, step: int) -> None:
        """Remove what lies beyond `step`: a run that continues from there must not find its own future."""
        for folder in (*self._found(False), *self._found(True)):
            if int(folder.name.rpartition("-")[2]) > step:
                shutil.rmtree(folder, ignore_errors=True)

    def _found(self, best: bool) -> list[Path]:
        kind = "best" if best else "step"
        entries = self.folder.iterdir() if self.folder.is_dir() else ()
        found = [entry for entry in entries if (match := _NAME.fullmatch(entry.name)) and match[1] == kind]
        return sorted(found, key=lambda entry: entry.name, reverse=True)

    def _retire(self, best: bool) -> None:
        for folder in self._found(best)[1 if best else self._keep :]:
            shutil.rmtree(folder, ignore_errors=True)

    def _verify(self, folder: Path) -> None:
        try:
            manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
            files = dict(manifest["files"])
            known, fingerprint = manifest["format"], manifest["fingerprint"]
        except FileNotFoundError:
            raise Damaged("no_manifest", MANIFEST) from None
        except (ValueError, KeyError, TypeError, OSError):
            raise Damaged("unreadable", MANIFEST) from None
        needed = {WEIGHTS, STATE} | (set() if folder.name.startswith("best") else {OPTIMIZER, RANDOM})
        if known != FORMAT or fingerprint != self._fingerprint:
            raise Damaged("other_run", MANIFEST)
        for name in sorted(needed - set(files)):
            raise Damaged("missing", name)
        for name, expected in sorted(files.items()):
            file = folder / name
            if not file.is_file():
                raise Damaged("missing", name)
            if file.stat().st_size != expected["bytes"]:
                raise Damaged("size", name)
            if _hash(file) != expected["sha256"]:
                raise Damaged("content", name)


def last_step(folder: Path) -> int:
    """The step of the newest checkpoint in a run's folder of checkpoints, 0 when there is none; none is verified."""
    entries = folder.iterdir() if folder.is_dir() else ()
    found = (match for entry in entries if (match := _NAME.fullmatch(entry.name)))
    return max((int(match[2]) for match in found if match[1] == "step"), default=0)


def _write_tensors(tensors: Tensors, file: Path) -> None:
    """Raises OSError where the system refuses the file: a run survives a full disk, and no other fault of saving."""
    from safetensors.torch import save_file

    with system_errors(file):
        save_file(tensors, file)


def _measure(file: Path) -> dict[str, Any]:
    to_disk(file)
    return {"bytes": file.stat().st_size, "sha256": _hash(file)}


def _hash(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def random_states() -> tuple[Tensors, dict[str, Any]]:
    """The states of torch's, numpy's and Python's generators: as tensors, and as JSON."""
    import numpy as np
    import torch

    tensors = {"torch": torch.get_rng_state()}
    for number in range(torch.cuda.device_count()):
        tensors[f"cuda{number}"] = torch.cuda.get_rng_state(number)
    kind, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    tensors["numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    version, internal, gauss_next = random.getstate()
    rest = {"numpy": [kind, place, has_gauss, gauss], "python": [version, list(internal), gauss_next]}
    return tensors, rest


def restore_random_states(tensors: Tensors, rest: dict[str, Any]) -> None:
    """Put back what `random_states` gave. Raises KeyError when something is missing."""
    import numpy as np
    import torch

    torch.set_rng_state(tensors["torch"])
    for number in range(torch.cuda.device_count()):
        if f"cuda{number}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda{number}"], number)
    kind, place, has_gauss, gauss = rest["numpy"]
    np.random.set_state((kind, tensors["numpy"].numpy().astype(np.uint32), place, has_gauss, gauss))
    version, internal, gauss_next = rest["python"]
    random.setstate((version, tuple(internal), gauss_next))


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: dict[int, str]) -> Tensors:
    """An optimizer's state as "<parameter>.<part>"; `names` maps id(parameter) to its name.

    What an optimizer keeps as a plain number becomes a 64-bit tensor: none keeps its own tensors so wide.
    """
    import torch

    found: Tensors = {}
    for parameter, state in optimizer.state.items():
        for part, value in state.items():
            if value is None:
                continue
            wide = torch.int64 if isinstance(value, int) else torch.float64
            kept = value.detach().clone() if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=wide)
            found[f"{names[id(parameter)]}.{part}"] = kept
    return found


def check_fit(parameters: dict[str, Any], snapshot: Snapshot) -> None:
    """Raises ValueError before anything is changed: half a restored state would be worse than none."""
    for name, part in parameters.items():
        if name not in snapshot.weights or snapshot.weights[name].shape != part.shape:
            raise ValueError(name)
    if set(snapshot.weights) != set(parameters):
        raise ValueError(min(set(snapshot.weights) - set(parameters)))


def restore_weights(parameters: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    """Copy saved weights into the parameters of the same names. Raises RuntimeError on another shape."""
    import torch

    with torch.no_grad():
        for name, weight in weights.items():
            parameters[name].copy_(weight)


def restore_optimizer(optimizer: torch.optim.Optimizer, names: dict[int, str], tensors: Tensors) -> None:
    """Put an optimizer's state back; a parameter that never had a gradient has none."""
    import torch

    parts: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        name, _, part = key.rpartition(".")
        plain = tensor.ndim == 0 and tensor.dtype in (torch.int64, torch.float64)
        parts.setdefault(name, {})[part] = tensor.item() if plain else tensor
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state = parts.get(names[id(parameter)])
            if state:
                optimizer.state[parameter] = {
                    part: value.to(parameter.device) if isinstance(value, torch.Tensor) and part != "step" else value
                    for part, value in state.items()
                }


def everyones_chance(ranks: Ranks) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The state of every process's generators: (tensors, those of further ones under their rank; the rest)."""
    everyone = ranks.gathered(random_states())
    tensors, rest = everyone[0]
    for rank, (theirs, _) in enumerate(everyone[1:], 1):
        tensors |= {f"{rank}.{name}": part for name, part in theirs.items()}
    return tensors, {"random": rest, "others": [state for _, state in everyone[1:]]}


def restore_chance(ranks: Ranks, snapshot: Snapshot) -> None:
    """Put this process's generators back; one that was not there yet keeps its own."""
    others = snapshot.state.get("others", [])
    if ranks.first:
        restore_random_states(snapshot.random, snapshot.state["random"])
    elif ranks.rank <= len(others):
        begin = f"{ranks.rank}."
        mine = {name[len(begin) :]: part for name, part in snapshot.random.items() if name.startswith(begin)}
        restore_random_states(mine, others[ranks.rank - 1])
