"""Plain facts about this machine: cores and memory a process may really use, the processor's name. No torch."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

import psutil


def available_cores(allowed: int | None = None, physical: int | None = None, quota: float | None = None) -> int:
    """Cores this process may really use: the least of affinity, physical cores and the container's quota."""
    counts = [count for count in (allowed, physical) if count]
    if quota:
        counts.append(max(1, int(quota)))
    return max(1, min(counts)) if counts else 1


def affinity() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
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


def cpu_facts() -> tuple[str, bool]:
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


@cache
def cores() -> int:
    """Cores this process may really use here."""
    return available_cores(affinity(), psutil.cpu_count(logical=False), cgroup_quota())
