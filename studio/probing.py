"""The measurement behind a hardware record; imports torch, so it runs as a child process that writes the record."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio import machine
from studio.hardware import Hardware, choose_precision, choose_threads, fingerprint


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
    name, units = machine.cpu_facts()
    cores = machine.cores()
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
        memory=machine.available_memory(),
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


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(probe().to_json()), "utf-8")
