"""Every system call of the real checkpoint writer fails once, below Python where its libraries write too.

A process that has torch ready forks one writer after the other; each is traced by strace, which makes the n-th call of
one kind fail with EIO. What is on the disk afterwards has to be a checkpoint that loads.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_checkpoints import snapshot

from studio.training.checkpoints import Checkpoints

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CALLS = (
    "mkdir,mkdirat,open,openat,creat,read,pread64,write,pwrite64,writev,ftruncate,fallocate,lseek,fsync,fdatasync,"
    "close,rename,renameat,renameat2,unlink,unlinkat,rmdir,stat,newfstatat,fstat,statx,getdents64,mmap,msync,munmap"
).split(",")
WRITERS = """
import ctypes, os, sys
import torch
from safetensors.torch import load_file, save_file
from test_checkpoints import snapshot
from studio.training.checkpoints import Checkpoints

torch.set_num_threads(1)
for line in sys.stdin.buffer.raw:
    folder, step = line.decode().split()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # whoever asks may trace it
        os.write(1, f"{os.getpid()}\\n".encode())
        os.read(0, 3)
        code = 1
        try:
            Checkpoints(__import__("pathlib").Path(folder), "mine").save(snapshot(int(step)))
            code = 0
        finally:
            os._exit(code)
    os.waitpid(child, 0)
    os.write(1, b"ended\\n")
"""


class Writers:
    """The process that forks writers, and strace beside it."""

    def __init__(self, place: Path) -> None:
        here = Path(__file__).parent
        self.place = place
        self.program = subprocess.Popen(
            [sys.executable, "-u", "-c", WRITERS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": f"{here}:{here.parents[1]}"},
            bufsize=0,
        )

    def write(self, folder: Path, step: int, *traced: str) -> str:
        """Save a checkpoint of `step` under strace with these arguments; returns what strace wrote down."""
        log = self.place / "strace.log"
        log.unlink(missing_ok=True)
        self.program.stdin.write(f"{folder} {step}\n".encode())
        pid = self._line()
        strace = ["strace", "-f", "-o", str(log), *traced, "-p", pid]
        with subprocess.Popen(strace, stderr=subprocess.PIPE, text=True) as tracer:
            said = tracer.stderr.readline()
            self.program.stdin.write(b"go\n")
            assert self._line() == "ended"
            tracer.wait(timeout=30)
        if "attached" not in said:
            pytest.skip(f"this system lets nobody trace: {said.strip()}")
        return log.read_text(errors="replace")

    def _line(self) -> str:
        found = b""
        while not found.endswith(b"\n"):
            piece = self.program.stdout.read(1)
            assert piece, "the writers ended"
            found += piece
        return found.decode().strip()


@pytest.fixture
def writers(tmp_path) -> Iterator[Writers]:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    made = Writers(tmp_path)
    yield made
    made.program.kill()
    made.program.wait()


CHANGING = re.compile(r"mkdir|open|creat|write|truncate|allocate|sync|rename|unlink|rmdir|close")


@pytest.mark.parametrize(("how", "least"), [("error=EIO", 100), ("signal=KILL", 60)])
def test_whatever_system_call_fails_a_checkpoint_loads(writers, tmp_path, how, least):
    """A call fails, or the writer is killed as it makes it: then nothing of it cleans up behind itself."""
    whole = tmp_path / "whole"
    writers.write(whole, 6)
    shutil.copytree(whole, tmp_path / "seen")
    known = re.findall(r"^\d+ +(\w+)\(", writers.write(tmp_path / "seen", 8, "-e", "trace=all"), re.M)
    # The first call is the read that waits for "go".
    counts = Counter(known[known.index("read") + 1 :])
    writing = {name: counts[name] for name in CALLS if counts[name]}
    assert {"fsync", "write"} < set(writing)
    assert {"rename", "renameat", "renameat2"} & set(writing)
    steps = Counter()
    failed = 0
    if how == "signal=KILL":
        writing = {name: count for name, count in writing.items() if CHANGING.search(name)}
    for name, count in writing.items():
        for number in range(1, count + 1):
            folder = tmp_path / "run"
            shutil.copytree(whole, folder)
            # The read of "go" is counted too.
            when = number + (name == "read")
            told = writers.write(folder, 8, "-e", f"trace={name}", "-e", f"inject={name}:{how}:when={when}")
            failed += "(INJECTED)" in told or "killed by SIGKILL" in told
            found = Checkpoints(folder, "mine")
            newest, skipped = found.newest()
            assert newest is not None, (name, number)
            assert newest.step in (6, 8), (name, number)
            assert skipped == [], (name, number)
            steps[newest.step] += 1
            # The next save, on a disk that works again, is not hindered by what was left.
            found.save(snapshot(9))
            assert found.newest()[0].step == 9, (name, number)
            assert not list(folder.glob("tmp-*")), (name, number)
            shutil.rmtree(folder)
    assert failed >= least
    assert steps[6] > 20
    assert steps[8] > 0
