"""A disk that really fills at six moments of a run: it is said in a sentence, nothing is damaged, and with room the
run goes on to the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.data.importing import import_file
from studio.data.store import list_versions
from studio.errors import UserError
from studio.events import Caution, Checkpoint, Done, Eval, Failed, Note, Phase, Step
from studio.runs import journal
from studio.runs.desk import Desk
from studio.runs.ending import judge
from studio.runs.worker import attend
from studio.spec import Spec
from studio.training.checkpoints import Checkpoints
from studio.training.run import Inputs, train_run
from studio.words import say_parts
from studio.workspace import Workspace

sys.path.append(str(Path(__file__).parents[1] / "training"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root"),
]

TRAINING = {"epochs": 4, "batch_size": 8, "evaluations": 4, "checkpoint_every": 3, "learning_rate": 3e-3}


class Disk:
    """A small disk of its own that can be filled and emptied."""

    def __init__(self, place: Path) -> None:
        self.place, self.filler = place, place / "filler"

    def fill(self) -> None:
        with self.filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def empty(self) -> None:
        self.filler.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this system mounts nothing")
    yield Disk(place)
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> tuple[Path, Path]:
    from tiny_training import reviews, save_encoder, save_rows

    place = tmp_path_factory.mktemp("parts")
    return save_rows(place / "data", reviews(120)), save_encoder(place / "tiny")


class Attempt:
    """One attempt by the worker's own code on the small disk; it is full from the event `when` to `until`."""

    def __init__(self, disk: Disk, parts: tuple[Path, Path], when=lambda event: False, until=None) -> None:
        self.disk, self.parts, self.when, self.until = disk, parts, when, until
        self.folder = disk.place / "home" / "local" / "runs" / "r-1"
        self.told: list = []
        self.filled = False

    def run(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        columns = {"text": "text", "label": "label"}
        spec = Spec("d-1", columns, "classification", "local:tiny", "full", options={"training": TRAINING})
        (self.folder / "spec.json").write_text(spec.dumps())
        self.number = max(journal.attempts_of(self.folder), default=0) + 1
        return attend(self.folder, self.number, self.body)

    def body(self, folder, spec, emit, should_stop) -> None:
        from tiny_training import machine

        def telling(event) -> None:
            if not self.filled and self.when(event):
                self.filled = True
                self.disk.fill()
            elif self.filled and self.until and self.until(event):
                self.disk.empty()
            emit(event)
            self.told.append(event)

        train_run(folder, spec, Inputs(*self.parts, machine()), telling, should_stop)

    def events(self, kind: str) -> list[dict]:
        """What a reader of the page finds."""
        return [event for event in journal.read(self.folder)[0] if event["event"] == kind]


def ends_as_full_and_goes_on(attempt: Attempt) -> None:
    """The attempt ended with the sentence of a full disk; a later one with room ends as planned."""
    assert attempt.run() == 1
    assert attempt.filled
    ending = judge(attempt.folder, attempt.number)
    assert ending.error == "disk_full"
    assert ending.values["path"].startswith(str(attempt.folder))
    for language in ("en", "zh"):
        assert len(say_parts("error.disk_full", language, **ending.values)) == 3
    attempt.disk.empty()
    again = Attempt(attempt.disk, attempt.parts)
    assert again.run() == 0
    assert isinstance(again.told[-1], Done)
    steps = [event["step"] for event in again.events("step")]
    assert steps == list(range(1, steps[-1] + 1))
    json.loads((again.folder / "report.json").read_text())


def phase(name: str):
    return lambda event: isinstance(event, Phase) and event.name == name


def test_while_a_file_is_imported(disk, tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("text,label\n" + "".join(f"a text of row {n},{n % 2}\n" for n in range(2000)))
    desk = Desk(Workspace.open(disk.place / "home"))
    disk.fill()
    with pytest.raises(UserError) as caught:
        import_file(desk.workspace, "local", source, source.name)
    assert caught.value.code == "data_disk_full"
    disk.empty()
    assert list_versions(desk.workspace, "local") == []
    version = import_file(desk.workspace, "local", source, source.name)
    assert list_versions(desk.workspace, "local") == [version]
    with desk.store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    desk.close()


def test_while_the_split_and_the_plan_are_written(disk, parts):
    attempt = Attempt(disk, parts, phase("tokenising"))
    ends_as_full_and_goes_on(attempt)
    assert not list(attempt.folder.glob(".split*"))


def test_while_a_checkpoint_is_written(disk, parts):
    """Training goes on; the checkpoint before is whole, and the next is written once there is room."""
    lying: list[str] = []

    def until(event) -> bool:
        if at_step(8)(event):
            lying.extend(sorted(entry.name for entry in (attempt.folder / "checkpoints").iterdir()))
        return bool(lying)

    attempt = Attempt(disk, parts, at_step(5), until)
    assert attempt.run() == 0
    assert lying == ["step-00000003"]
    cautions = [event for event in attempt.told if isinstance(event, Caution)]
    # Said once while it lasts, and again when it is over.
    assert [event.code for event in cautions] == ["timeline.saving_paused"]
    again = [event for event in attempt.told if isinstance(event, Note) and event.code == "timeline.saving_again"]
    assert [event.step for event in again] == [9]
    assert [event["code"] for event in attempt.events("caution")] == [event.code for event in cautions]
    saved = [event.step for event in attempt.told if isinstance(event, Checkpoint) and not event.best]
    assert 3 in saved
    assert 6 not in saved
    assert 9 in saved
    assert isinstance(attempt.told[-1], Done)


def at_step(step: int):
    return lambda event: isinstance(event, Step) and event.step == step


def test_while_the_best_weights_are_written(disk, parts):
    attempt = Attempt(
        disk, parts, lambda event: isinstance(event, Eval) and event.best, lambda event: isinstance(event, Phase)
    )
    assert attempt.run() == 0
    (first, *_) = [event for event in attempt.told if isinstance(event, Caution)]
    assert first.code == "timeline.saving_paused"
    assert isinstance(attempt.told[-1], Done)


def test_while_the_finished_model_is_written(disk, parts):
    attempt = Attempt(disk, parts, phase("saving"))
    ends_as_full_and_goes_on(attempt)
    assert not (attempt.folder / "model.new").exists()


def test_while_the_report_is_written(disk, parts):
    ends_as_full_and_goes_on(Attempt(disk, parts, phase("reporting")))


def test_a_checkpoint_survives_whatever_did_not_fit_after_it(disk, parts):
    """The disk fills for good: the run ends with a sentence, and its last checkpoint is read whole."""
    attempt = Attempt(disk, parts, at_step(10))
    assert attempt.run() == 1
    assert judge(attempt.folder, attempt.number).error == "disk_full"
    manifest = json.loads((attempt.folder / "checkpoints" / "step-00000009" / "manifest.json").read_text())
    snapshot, skipped = Checkpoints(attempt.folder / "checkpoints", manifest["fingerprint"]).newest()
    assert (snapshot.step, skipped) == (9, [])
    assert [event for event in attempt.told if isinstance(event, Failed)] == []
    assert shutil.disk_usage(disk.place).free < 100_000
