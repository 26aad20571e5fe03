"""The real training worker in a process that has `BOUNDED_MB` more than it begins with, and really no more."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from studio.runs import worker


def main(folder: str, attempt: str) -> int:
    used = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line)
    bound = int(used.split()[1]) * 1024 + (int(os.environ["BOUNDED_MB"]) << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    return worker.main(folder, attempt)
