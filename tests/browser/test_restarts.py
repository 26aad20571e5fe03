"""The real server is killed and started again and again while a real model learns: the run is the same all the time,
and the page, left open or opened anew, shows every step exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import Studio, until
from playwright.sync_api import Page
from test_troubles import Site, reviews, show

from studio.runs import journal, process
from studio.runs.files import read_json

RESTARTS = 5
DRAWN = "document.querySelector('#live-island .chart')?.data?.[0] ?? {x: [], y: []}"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    place = Studio(tmp_path_factory.mktemp("restarts") / "home")
    place.start()
    yield place
    place.stop()


@pytest.fixture(scope="module")
def site(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(studio, tmp_path_factory.mktemp("site"))
    yield made
    made.desk.close()


def told(site: Site, run: str) -> list[dict[str, Any]]:
    return [event for event in journal.Tail(site.desk.folder(run), 1).read() if event["event"] == "step"]


def test_five_restarts_of_the_server_lose_and_double_nothing(visit: Callable[..., Page], studio: Studio, site: Site):
    run = site.start(reviews())
    page = visit()
    page.set_default_timeout(120_000)  # a busy machine draws late
    show(page, studio, run)
    worker = site.worker(run)
    record = read_json(site.desk.folder(run) / "attempt-1.json")
    servers = {studio.pid}
    page.wait_for_function(f"({DRAWN}).x.length > 0")
    for _ in range(RESTARTS):
        studio.kill()
        # Nobody leads and nobody serves: the worker goes on, and what it tells is read later.
        reached = site.reached(run, 1)
        until(lambda reached=reached: site.reached(run, 1) > reached + 5, 60, 0.02)
        studio.start()
        servers.add(studio.pid)
        reached = site.reached(run, 1)
        # The page was never loaded anew.
        page.wait_for_function(f"(step) => ({DRAWN}).x.at(-1) > step", arg=reached)
        assert process.lives(record)
    assert len(servers) == RESTARTS + 1
    until(lambda: adopted(site, run), 30)
    site.end(run)

    view = site.desk.get(run)
    assert (view.state, view.attempt, view.error) == ("stopped", 1, "")
    assert read_json(site.desk.folder(run) / "attempt-1.json")["pid"] == worker
    assert not (site.desk.folder(run) / "attempt-2.json").exists()
    steps = told(site, run)
    numbers = [event["step"] for event in steps]
    assert numbers == list(range(1, len(numbers) + 1))
    page.wait_for_function(f"(step) => ({DRAWN}).x.at(-1) == step", arg=numbers[-1])
    drawn = page.evaluate(f"(({{x, y}}) => ({{x, y}}))({DRAWN})")
    assert drawn["x"] == numbers
    assert drawn["y"] == pytest.approx([event["loss"] for event in steps])

    again = visit(width=390, height=844)
    show(again, studio, run)
    again.wait_for_function(f"(step) => ({DRAWN}).x.at(-1) == step", arg=numbers[-1])
    shown = again.evaluate(f"({DRAWN}).x")
    assert shown[0] == 1
    assert shown == sorted(set(shown))
    assert len(shown) >= min(len(numbers), journal.POINTS - 4)


def adopted(site: Site, run: str) -> bool:
    """Each server that found the run at work has said so, once."""
    records = journal.Tail(site.desk.folder(run), 1).read()
    seen = [event for event in records if event["event"] == "watched"]
    assert {event["code"] for event in seen} <= {"timeline.adopted"}
    return len(seen) == RESTARTS
