"""What the pool needs to know of runs: how to load one of their models, how heavy it will be, when it was made anew."""

from __future__ import annotations

from pathlib import Path

import psutil

from studio import hardware, machine
from studio.errors import UserError
from studio.evaluation.baseline import FOLDER
from studio.inference.pool import Held, Pool
from studio.inference.predictor import Predictor, base_folder, read_saved
from studio.inference.sharing import Shared
from studio.methods.base import methods
from studio.models.template import render_rows
from studio.tasks.base import tasks
from studio.workspace import Workspace

NEURAL = ("tuned", "base", "untuned")
"""Tuned; the whole base of a run that is no adapter; the base as an encoder that guesses from label names."""
_TALK = [{"role": role, "content": "ok"} for role in ("user", "assistant", "user")]
SHARE = 0.5
"""Of the machine's memory, the most that loaded models take."""


def make_pool(workspace: Workspace) -> Pool:
    """The pool of the inference process of `workspace`. Nothing is loaded, torch is not imported yet."""
    shared = Shared()
    record = hardware.read(workspace)

    def load(run_dir: Path, which: str) -> Held:
        if which not in NEURAL:
            return Predictor.load_simple(run_dir, which)
        import torch

        _vet_template(run_dir)
        device = "cpu"
        if record is not None:
            device = record.device
            torch.set_num_threads(record.threads)
        if which == "untuned":
            from studio.inference.before import Encoder

            return Encoder.load(run_dir, device, shared)
        if which == "base":
            return Predictor.load_base(run_dir, device, shared)
        return Predictor.load(run_dir, device, shared)

    on_device = record is not None and record.device_memory > 0
    limit = SHARE * (record.usable_memory if record else machine.available_memory())
    return Pool(load, expected_bytes, stamp, int(limit), _free_device if on_device else _free_host)


def stamp(run_dir: Path, which: str) -> int:
    """Changes whenever that model of the run is written anew; 0 when there is none."""
    told = run_dir / "model" / "studio.json" if which in NEURAL else run_dir / FOLDER / which / "baseline.json"
    try:
        return told.stat().st_mtime_ns
    except OSError:
        return 0


def expected_bytes(run_dir: Path, which: str) -> int:
    """Bytes a model takes once loaded as float32, told from file headers alone; 0 where they tell nothing."""
    if which not in NEURAL:
        return 0
    from studio.models.card import read_card

    try:
        about, _ = read_saved(run_dir)
        folder = base_folder(run_dir, about)
        card = read_card(folder, folder.name)
        narrow = methods.get(str(about["method"])).linear_bytes or 4.0
        inner = card.parameters - card.embedding_parameters
        return int(narrow * inner + 4 * card.embedding_parameters)
    except UserError:
        return 0


def _vet_template(run_dir: Path) -> None:
    """A chat template is a program of strangers: before it may run here, it has to prove harmless in a limited child.

    Raises UserError (`chat_template_refused`, `chat_template_missing`).
    """
    if tasks.get(read_saved(run_dir)[0]["task"]).kind.conversational:
        render_rows(run_dir / "model", [_TALK])


def _free_host() -> int:
    return int(psutil.virtual_memory().available)


def _free_device() -> int:
    import torch

    return int(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else _free_host()
