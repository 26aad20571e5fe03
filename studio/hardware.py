"""What this machine can do, probed once by a child process and remembered: device, number format, threads, speed.

The record is plain values, so that a process without torch can plan with it. The decisions are pure functions of
those values: they can be tested for machines nobody here owns.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

from studio import child, machine
from studio.errors import UserError
from studio.files import write_whole
from studio.workspace import Workspace, new_id

RECORD_VERSION = 1
_PROBE_SECONDS = 180


@dataclass(frozen=True)
class Decision:
    """One thing the studio chose, and the catalogue code of the sentence that says why, with its values."""

    name: str
    value: Any
    reason: str
    values: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Hardware:
    """One device as measured. Memory in bytes (`device_memory` 0: it shares the host's), speeds in 1e9 operations a
    second of a float32 / bfloat16 matrix product with `threads` threads (0.0: not measured)."""

    device: str
    name: str
    cores: int
    memory: int
    device_memory: int
    bf16: bool
    precision: str
    precision_reason: str
    threads: int
    threads_reason: str
    gflops: float
    gflops_bf16: float = 0.0
    values: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    def decisions(self) -> list[Decision]:
        """The choices made from this record: device, precision, threads."""
        return [
            Decision("device", self.device, f"reason.device_{self.device.partition(':')[0]}", self.values),
            Decision("precision", self.precision, self.precision_reason, self.values),
            Decision("threads", self.threads, self.threads_reason, self.values),
        ]

    @property
    def usable_memory(self) -> int:
        """Bytes a model may fill: those of the device, else those of the host."""
        return self.device_memory or self.memory

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Hardware:
        """Back again. Raises TypeError where the record was written by another version."""
        return Hardware(**raw)


def choose_precision(
    device: str, bf16_units: bool, capability: tuple[int, int] | None, gflops: float, gflops_bf16: float
) -> tuple[str, str]:
    """ "bf16" or "fp32", and the reason's code.

    `bf16_units` says whether a CPU has AMX or avx512_bf16, `capability` is CUDA's compute capability. A CPU that
    claims the units but is not a tenth faster with them (some virtual machines) stays with fp32.
    """
    if device.startswith("cuda"):
        if capability is not None and capability >= (8, 0):
            return "bf16", "reason.precision_bf16_cuda"
        return "fp32", "reason.precision_fp32_cuda"
    if device == "mps":
        return "fp32", "reason.precision_fp32_mps"
    if not bf16_units:
        return "fp32", "reason.precision_fp32_cpu"
    if gflops_bf16 < 1.1 * gflops:
        return "fp32", "reason.precision_fp32_slow"
    return "bf16", "reason.precision_bf16_cpu"


def choose_threads(cores: int, speeds: dict[int, float]) -> tuple[int, str]:
    """How many threads, and the reason's code; `speeds` maps tried counts to measured gflops.

    All cores, unless fewer are a third faster: the record is kept, and a neighbour who was busy during the
    measurement must not halve every later run.
    """
    best = max(1, cores)
    for count in sorted(speeds, reverse=True):
        if speeds[count] > 1.34 * speeds.get(best, float("inf")):
            best = count
    if best < cores:
        return best, "reason.threads_measured"
    return best, "reason.threads_cores"


def fingerprint() -> str:
    """What the record depends on, without importing torch: a new torch, box or visible device asks for a new probe."""
    parts = (
        RECORD_VERSION,
        platform.node(),
        machine.cpu_facts()[0],
        machine.cores(),
        _torch_version(),
        os.environ.get("CUDA_VISIBLE_DEVICES", "-"),
    )
    return "|".join(str(part) for part in parts)


@cache
def _torch_version() -> str:
    return metadata.version("torch")


def read(workspace: Workspace) -> Hardware | None:
    """The remembered record, None when there is none yet or it belongs to another machine or torch."""
    try:
        hardware = Hardware.from_json(json.loads((workspace.home / "hardware.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return hardware if hardware.fingerprint == fingerprint() else None


def read_or_probe(workspace: Workspace) -> Hardware:
    """The remembered record, or a new one from a child process (some seconds; the caller needs no torch).

    Raises UserError (`hardware_probe`) when the child fails, as it does with a broken torch, `hardware_busy` when it
    is not done in time.
    """
    return read(workspace) or _keep(workspace, _probed(workspace))


def probe_again(workspace: Workspace) -> Hardware:
    """Measure once more and keep the faster record: neighbours make a machine look slower, nothing makes it look
    faster. Raises UserError (`hardware_probe`)."""
    known, new = read(workspace), _probed(workspace)
    if known is not None and known.gflops >= new.gflops:
        return known
    return _keep(workspace, new)


def _keep(workspace: Workspace, found: Hardware) -> Hardware:
    write_whole(workspace.home / "hardware.json", json.dumps(found.to_json()))
    return found


def _probed(workspace: Workspace) -> Hardware:
    workspace.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = workspace.temporary / f"{new_id('probe')}.json"
    # The child finds the thread count by measuring, so a count from outside must not bind it.
    inherited = child.environment(OMP_WAIT_POLICY="passive")
    inherited.pop("OMP_NUM_THREADS", None)
    try:
        done = subprocess.run(
            child.command("studio.probing", str(written)),
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            env=inherited,
            check=False,
        )
        if done.returncode != 0 or not written.is_file():
            last = (done.stderr.strip().splitlines() or [child.end_of(done.returncode)])[-1]
            raise UserError("hardware_probe", reason=last[:200])
        return Hardware.from_json(json.loads(written.read_text("utf-8")))
    except subprocess.TimeoutExpired as error:
        raise UserError("hardware_busy", seconds=_PROBE_SECONDS) from error
    finally:
        written.unlink(missing_ok=True)
