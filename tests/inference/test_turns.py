from __future__ import annotations

import threading
import time

import pytest

from studio.errors import UserError
from studio.inference.turns import Turns, Work, failure


@pytest.fixture
def turns():
    started = Turns(lambda: None, pause=0.02)
    yield started
    assert started.end(5)


def run(turns, *generators):
    """Messages of all works in the order they were sent, as (number, message)."""
    sent, over = [], threading.Semaphore(0)

    def receive(number):
        def send(message):
            sent.append((number, message))
            if message["event"] in ("done", "error"):
                over.release()

        return send

    works = [Work(steps, receive(number)) for number, steps in enumerate(generators)]
    for work in works:
        turns.add(work)
    turns.start()
    for _ in works:
        assert over.acquire(timeout=10)
    return sent


def counting(steps):
    for step in range(steps):
        yield {"event": "progress", "done": step}
    yield {"event": "done", "value": steps}


def test_works_take_turns(turns):
    order = [number for number, _ in run(turns, counting(4), counting(1))]
    assert order == [0, 1, 0, 1, 0, 0, 0]


def test_errors_end_one_work_only(turns):
    def refuses():
        raise UserError("model_gone", run="r-1")
        yield

    def breaks():
        yield {"event": "progress", "done": 0}
        raise RuntimeError("boom")

    sent = run(turns, refuses(), breaks(), counting(3))
    last = {number: message for number, message in sent}
    assert last[0] == {"event": "error", "code": "model_gone", "values": {"run": "r-1"}}
    assert last[1]["code"] == "inference_failed"
    assert "boom" in UserError(last[1]["code"], **last[1]["values"]).text()
    assert last[2] == {"event": "done", "value": 3}


def test_cancelled_work_is_closed_and_told(turns):
    closed = threading.Event()

    def endless():
        try:
            while True:
                time.sleep(0.001)
                yield {"event": "progress", "done": 0}
        finally:
            closed.set()

    sent = []
    work = Work(endless(), sent.append)
    turns.add(work)
    turns.start()
    while not sent:
        time.sleep(0.001)
    work.cancelled.set()
    assert closed.wait(5)
    deadline = time.monotonic() + 5
    while sent[-1]["event"] != "error" and time.monotonic() < deadline:
        time.sleep(0.001)
    assert sent[-1]["code"] == "inference_cancelled"


@pytest.mark.parametrize("busy", [False, True])
def test_rest_is_called_in_quiet_and_in_busy_times(busy):
    rested = threading.Event()
    turns = Turns(rested.set, pause=0.01)

    def steps():
        while True:
            time.sleep(0.001)
            yield {"event": "progress", "done": 0}

    if busy:
        turns.add(Work(steps(), lambda message: None))
    turns.start()
    assert rested.wait(5)
    assert turns.end(5)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "inference_memory_full"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
            "inference_memory_full",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "inference_memory_full"),
        (ValueError("shapes differ"), "inference_failed"),
    ],
)
def test_running_out_of_memory_is_told_apart(error, code):
    message = failure(error)
    assert message["code"] == code
    assert len(UserError(code, **message["values"]).parts("zh")) == 3
