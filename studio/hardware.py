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
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from studio import child
from studio.errors import UserError
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


def available_cores(affinity: int | None = None, physical: int | None = None, quota: float | None = None) -> int:
    """Cores this process may really use: the least of affinity, physical cores and the container's quota."""
    counts = [count for count in (affinity, physical) if count]
    if quota:
        counts.append(max(1, int(quota)))
    return max(1, min(counts)) if counts else 1


def _affinity() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Cores a container may use (version 2, then version 1), None where there is no limit."""
    try:
        limit, period = (root / "cpu.max").read_text().split()[:2]
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
        period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        return int(limit) / int(period) if int(limit) > 0 else None
    except (OSError, ValueError):
        return None


def available_memory(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of host memory this process may use: all of it, or the container's limit."""
    total = int(psutil.virtual_memory().total)
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return min(total, int((root / name).read_text().strip()))
        except (OSError, ValueError):
            continue
    return total


def _cpu_facts() -> tuple[str, bool]:
    """Name of the processor, and whether it has bfloat16 units."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine(), False
    lines: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        lines.setdefault(key.strip(), value.strip())
    flags = set((lines.get("flags") or lines.get("Features") or "").split())
    name = lines.get("model name") or platform.machine()
    return name, bool(flags & {"amx_bf16", "avx512_bf16", "bf16"})


def _speed(torch: Any, device: str, dtype: Any, seconds: float = 0.15) -> float:
    """Gflops of the matrix product of a small transformer's feed-forward layer: the best of a few short rounds."""
    wait = _waiter(torch, device)
    left = torch.randn(512, 384, device=device).to(dtype)
    right = torch.randn(384, 1536, device=device).to(dtype)
    left @ right
    wait()
    best = 0.0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        for _ in range(4):
            left @ right
        wait()
        best = max(best, 4 * 2 * 512 * 384 * 1536 / (time.perf_counter() - start) / 1e9)
    return best


def _waiter(torch: Any, device: str) -> Callable[[], Any]:
    if device.startswith("cuda"):
        return torch.cuda.synchronize  # type: ignore[no-any-return]
    return torch.mps.synchronize if device == "mps" else (lambda: None)


def find_device(torch: Any) -> str:
    """ "cuda:0", "mps" or "cpu": what this torch can reach."""
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def probe() -> Hardware:
    """Measure this machine; imports torch and takes about two seconds. The web process calls `read_or_probe`."""
    import torch

    device = find_device(torch)
    name, units = _cpu_facts()
    cores = available_cores(_affinity(), psutil.cpu_count(logical=False), _cgroup_quota())
    speeds: dict[int, float] = {}
    if device == "cpu":
        for count in sorted({1, (cores + 1) // 2, cores}):
            torch.set_num_threads(count)
            speeds[count] = _speed(torch, device, torch.float32)
    threads, threads_reason = choose_threads(cores, speeds)
    torch.set_num_threads(threads)
    gflops = speeds.get(threads) or _speed(torch, device, torch.float32)
    capability: tuple[int, int] | None = None
    device_memory = 0
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(0)
        name, device_memory = properties.name, int(properties.total_memory)
        capability = (properties.major, properties.minor)
    ampere = capability is not None and capability >= (8, 0)
    gflops_bf16 = _speed(torch, device, torch.bfloat16) if units or ampere else 0.0
    precision, reason = choose_precision(device, units, capability, gflops, gflops_bf16)
    return Hardware(
        device=device,
        name=name,
        cores=cores,
        memory=available_memory(),
        device_memory=device_memory,
        bf16=precision == "bf16",
        precision=precision,
        precision_reason=reason,
        threads=threads,
        threads_reason=threads_reason,
        gflops=round(gflops, 1),
        gflops_bf16=round(gflops_bf16, 1),
        values={
            "name": name,
            "cores": cores,
            "threads": threads,
            "gflops": round(gflops),
            "gflops_bf16": round(gflops_bf16),
            "speeds": {str(count): round(speed, 1) for count, speed in speeds.items()},
            "capability": ".".join(map(str, capability or ())),
        },
        fingerprint=fingerprint(),
    )


def fingerprint() -> str:
    """What the record depends on, without importing torch: a new torch, box or visible device asks for a new probe."""
    parts = (
        RECORD_VERSION,
        platform.node(),
        _cpu_facts()[0],
        available_cores(_affinity(), psutil.cpu_count(logical=False), _cgroup_quota()),
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

    Raises UserError (`hardware_probe`) when the child fails, as it does with a broken torch.
    """
    known = read(workspace)
    if known is not None:
        return known
    workspace.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = workspace.temporary / f"{new_id('probe')}.json"
    try:
        # The child finds the thread count by measuring, so a count from outside must not bind it.
        inherited = child.environment(OMP_WAIT_POLICY="passive")
        inherited.pop("OMP_NUM_THREADS", None)
        done = subprocess.run(
            child.command("studio.hardware", str(written)),
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            env=inherited,
            check=False,
        )
        if done.returncode != 0 or not written.is_file():
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise UserError("hardware_probe", reason=last[:200])
        hardware = Hardware.from_json(json.loads(written.read_text("utf-8")))
        written.replace(workspace.home / "hardware.json")
        return hardware
    except subprocess.TimeoutExpired as error:
        raise UserError("hardware_probe", reason=f"{_PROBE_SECONDS} s") from error
    finally:
        written.unlink(missing_ok=True)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(probe().to_json()), "utf-8")
