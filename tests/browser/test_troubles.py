"""What can befall a training happens to a real worker, and a person reads it at its place on the chart, in their
language: a restarted studio, a hang, a kill, a damaged checkpoint, no memory, numbers that are none, a full disk."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Studio, until
from playwright.sync_api import Page, expect

from studio import hardware
from studio.data.importing import import_file
from studio.data.use import Use
from studio.runs import journal, states
from studio.runs.desk import Desk
from studio.runs.draft import draft
from studio.runs.files import read_json
from studio.web.live import worded
from studio.workspace import Workspace

sys.path.append(str(Path(__file__).parents[1] / "training"))

FLAGS = (
    "(document.querySelector('#live-island .chart')?.layout?.annotations ?? [])"
    ".map(a => (a.hovertext ?? '').replaceAll('<br>', '')).join('|').replace(/\\s/g, '')"
)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Hangs are called so after seconds; and what a step frees goes back to the system at once, so that a limit on
    memory means the same at every step."""
    from tiny_training import machine

    place = Studio(
        tmp_path_factory.mktemp("troubles") / "home",
        "tests/browser/impatient.py",
        MALLOC_MMAP_THRESHOLD_="65536",
        PYTHONPATH=str(Path(__file__).parents[2]),
    )
    Workspace.open(place.home)
    known = machine(fingerprint=hardware.fingerprint()).to_json()
    (place.home / "hardware.json").write_text(json.dumps(known))
    place.start()
    yield place
    place.stop()


class Site:
    """Runs on the studio's workspace, and what is done to their workers."""

    def __init__(self, studio: Studio, place: Path) -> None:
        from tiny_training import save_encoder
        from transformers import AutoTokenizer, BertConfig, BertModel

        self.studio, self.place = studio, place
        self.desk = Desk(Workspace.open(studio.home))
        model = save_encoder(place / "encoder")
        # Wide layers: what a step computes is most of the memory it needs.
        config = BertConfig.from_pretrained(model)
        config.update({"intermediate_size": 4096})
        BertModel(config).save_pretrained(model)
        AutoTokenizer.from_pretrained(model).save_pretrained(model)
        self.model = model

    def start(self, rows: list[dict[str, str]], model: Path | None = None, **training: object) -> str:
        file = self.place / f"rows{len(rows)}.csv"
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows)
        options = {"epochs": 200, "batch_size": 2, "checkpoint_every": 25, "evaluations": 20, "max_length": 32}
        made = draft(
            self.desk.workspace,
            import_file(self.desk.workspace, "local", file, file.name),
            use=Use("classification", {"text": "text", "label": "label"}),
            model=f"local:{model or self.model}",
            method="full",
            options={"training": {**options, **training}},
        )
        assert not [problem for problem in made.problems if problem.severity == "error"], made.problems
        return self.desk.submit(made.spec)

    def worker(self, run: str, attempt: int = 1) -> int:
        """The process of an attempt that has made some steps."""
        record = self.desk.folder(run) / f"attempt-{attempt}.json"
        until(lambda: self.reached(run, attempt), 120, 0.05)
        return int((read_json(record) or {})["pid"])

    def reached(self, run: str, attempt: int) -> int:
        found = journal.last_event(self.desk.folder(run), attempt, ("step",))
        return found["step"] if found else 0

    def checkpoints(self, run: str) -> list[Path]:
        return sorted((self.desk.folder(run) / "checkpoints").glob("step-*"))

    def end(self, run: str) -> None:
        with contextlib.suppress(Exception):
            self.desk.stop(run)
        until(lambda: self.desk.get(run).state in states.TERMINAL, 60)


@pytest.fixture(scope="module")
def site(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(studio, tmp_path_factory.mktemp("site"))
    yield made
    made.desk.close()


def reviews() -> list[dict[str, str]]:
    from tiny_training import reviews as rows

    return [{**row, "text": f"{row['text']} {number}"} for number, row in enumerate(rows(160))]


def show(page: Page, studio: Studio, run: str) -> None:
    language = "zh" if page.evaluate("navigator.language").startswith("zh") else "en"
    page.goto(studio.address)
    page.wait_for_selector("#header .top")
    page.goto(f"{studio.address.partition('/login')[0]}/?tab=train&run={run}&lang={language}")


def read_there(page: Page, site: Site, run: str, language: str, *codes: str, seconds: float = 60) -> None:
    """Each of these events is a flag on the chart and a line of the timeline, with its sentence."""

    def sentences() -> dict[str, str]:
        records, _, _ = site.desk.events(run)
        spoken = [worded(record, language) for record in records]
        return {code_of(event): event["text"] for event in spoken if "flag" in event}

    until(lambda: set(codes) <= set(sentences()), seconds)
    found = sentences()
    for code in codes:
        expect(page.locator("#live-island .timeline")).to_contain_text(found[code])
        bare = "".join(found[code].split())
        page.wait_for_function(f"(said) => {FLAGS}.includes(said)", arg=bare, timeout=30_000)


def code_of(event: dict) -> str:
    if event["event"] == "resumed":
        return "resumed" if event["exact"] else "resumed_differs"
    return event["code"]


def in_chinese(visit: Callable[..., Page], site: Site, run: str, *codes: str) -> None:
    page = visit(language="zh", width=390, height=844)
    show(page, site.studio, run)
    read_there(page, site, run, "zh", *codes)


def test_a_restart_a_hang_a_kill_and_a_damaged_checkpoint(visit: Callable[..., Page], site: Site):
    run = site.start(reviews())
    page = visit()
    show(page, site.studio, run)
    worker = site.worker(run)
    island = page.locator("#live-island")

    expect(island.locator(".chip").first).to_be_visible()
    site.studio.kill()
    expect(page.locator(".gone")).to_contain_text("runs go on without it")
    site.studio.start()
    # The page comes back by itself, at the run it showed (Gradio loads it anew).
    expect(page.locator(".gone")).to_have_count(0)
    read_there(page, site, run, "en", "timeline.adopted")
    assert site.worker(run) == worker

    os.kill(worker, signal.SIGSTOP)
    expect(island.locator("[data-state=stalled]")).to_be_visible()
    read_there(page, site, run, "en", "timeline.stalled")
    os.kill(worker, signal.SIGCONT)
    read_there(page, site, run, "en", "timeline.moving_again")
    expect(island.locator("[data-state=running]")).to_be_visible()

    until(lambda: len(site.checkpoints(run)) == 2, 60, 0.1)
    os.kill(worker, signal.SIGKILL)
    expect(island.locator("[data-state=failed]")).to_be_visible()
    read_there(page, site, run, "en", "error.ended_by_signal")
    weights = site.checkpoints(run)[-1] / "weights.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[len(raw) // 2] ^= 1
    weights.write_bytes(raw)
    damaged = weights.parent.name
    island.get_by_role("button", name="Resume").click()
    read_there(page, site, run, "en", "timeline.damage_content", "resumed", "error.ended_by_signal")
    expect(island.locator(".timeline")).to_contain_text(f"Checkpoint {damaged} was skipped: weights.safetensors")
    expect(island.locator(".timeline")).to_contain_text("exactly as if it had never been interrupted")
    page.screenshot(path=str(site.place / "troubles.png"))
    everything = ("timeline.adopted", "timeline.stalled", "timeline.moving_again", "error.ended_by_signal")
    in_chinese(visit, site, run, *everything, "timeline.damage_content", "resumed")
    site.end(run)


def starve(pid: int) -> None:
    """From now on the process gets a little more memory than it has between two steps, which is no step's need."""
    least = min(_data(pid) for _ in range(40) if time.sleep(0.005) is None)
    bound = least + 256 * 1024
    resource.prlimit(pid, resource.RLIMIT_DATA, (bound, bound))


def _data(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmData")).split()[1])


def test_memory_that_runs_out_twice(visit: Callable[..., Page], site: Site):
    run = site.start([{**row, "text": " ".join([row["text"]] * 4)} for row in reviews()])
    page = visit()
    show(page, site.studio, run)
    worker = site.worker(run)
    until(lambda: site.checkpoints(run), 60, 0.1)
    starve(worker)
    read_there(page, site, run, "en", "out_of_memory", "timeline.memory_half", seconds=120)
    starve(site.worker(run, 2))
    read_there(page, site, run, "en", "timeline.memory_recompute", seconds=120)
    site.worker(run, 3)
    read_there(page, site, run, "en", "resumed_differs", "timeline.resumed_inexact")
    expect(page.locator("#live-island .timeline")).to_contain_text("not bit-exact")
    expect(page.locator("#live-island [data-state=running]")).to_be_visible()
    page.screenshot(path=str(site.place / "memory.png"))
    codes = ("out_of_memory", "timeline.memory_half", "timeline.memory_recompute", "resumed_differs")
    in_chinese(visit, site, run, *codes)
    assert site.desk.get(run).attempt == 3
    site.end(run)


def test_a_loss_that_is_no_number(visit: Callable[..., Page], site: Site):
    """A word whose vector in the model's file is no number: the first batch that holds it ends the run."""
    from safetensors.torch import load_file, save_file

    broken = site.place / "broken"
    shutil.copytree(site.model, broken)
    tensors = load_file(broken / "model.safetensors")
    (table,) = [name for name in tensors if name.endswith("word_embeddings.weight")]
    tensors[table][1] = float("inf")  # [UNK]
    save_file(tensors, broken / "model.safetensors", {"format": "pt"})
    from tiny_training import reviews as plain

    rows = plain(160)
    for number in (5, 6):
        rows[number]["text"] += " unheard"
    run = site.start(rows, broken, checkpoint_every=1)
    page = visit()
    show(page, site.studio, run)
    expect(page.locator("#live-island [data-state=non-finite]")).to_be_visible(timeout=120_000)
    read_there(page, site, run, "en", "non_finite")
    drawn = page.evaluate("document.querySelector('#live-island .chart').data[0].y")
    assert len(drawn) > 1
    assert drawn[-1] is None
    assert None not in drawn[:-1]
    assert 0 not in drawn
    kept = site.checkpoints(run)[-1]
    assert int(kept.name[5:]) == len(drawn) - 1
    finite = {name: bool(part.isfinite().all()) for name, part in load_file(kept / "weights.safetensors").items()}
    assert [name for name, sound in finite.items() if not sound] == [name for name in finite if name.endswith(table)]
    page.screenshot(path=str(site.place / "nonfinite.png"))
    in_chinese(visit, site, run, "non_finite")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_pauses_saving_until_there_is_room(visit: Callable[..., Page], site: Site):
    run = site.start(reviews())
    disk = site.desk.folder(run) / "checkpoints"
    disk.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        site.end(run)
        pytest.skip("this system mounts nothing")
    try:
        page = visit()
        show(page, site.studio, run)
        until(lambda: site.checkpoints(run), 120, 0.1)
        with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(1 << 16))
        read_there(page, site, run, "en", "timeline.saving_paused")
        kept = site.checkpoints(run)
        assert kept
        reached = site.reached(run, 1)
        until(lambda: site.reached(run, 1) > reached + 60, 60, 0.1)
        assert site.checkpoints(run) == kept
        (disk / "filler").unlink()
        read_there(page, site, run, "en", "timeline.saving_paused", "timeline.saving_again")
        until(lambda: site.checkpoints(run)[-1] > kept[-1], 60, 0.1)
        page.screenshot(path=str(site.place / "disk.png"))
        in_chinese(visit, site, run, "timeline.saving_paused", "timeline.saving_again")
    finally:
        site.end(run)
        subprocess.run(["umount", "-l", str(disk)], check=False)
