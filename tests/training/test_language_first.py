"""Learning the language of the training texts before the task: what it changes, what it leaves alone, and that it can
be stopped, killed and gone on with in either phase."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from spoken import check_spoken
from test_run import after_step, only, run, spec
from tiny_training import machine, reviews, save_chat, save_encoder, save_rows

from studio.errors import UserError
from studio.events import Done, Note, Phase, Resumed, Step, Stopped
from studio.models.card import read_card
from studio.tasks.base import tasks
from studio.training import firstlanguage
from studio.training.firstlanguage import FOLDER, MARK, learnt, texts_of
from studio.training.language import SHARE, Lesson, blocks, refused
from studio.training.options import TrainingOptions
from studio.training.plan import BUDGETS, Case, plan

PHASES = ["language", "tokenising", "baselines", "training", "evaluating", "saving", "reporting"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("model") / "tiny-encoder", mask=True)


@pytest.fixture(scope="module")
def talker(tmp_path_factory) -> Path:
    return save_chat(tmp_path_factory.mktemp("model") / "tiny-writer")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return save_rows(
        tmp_path_factory.mktemp("data"), [{"review": row["text"], "mood": row["label"]} for row in reviews(120)]
    )


def asked(method: str = "full", **training):
    return spec(method, language_first=True, language_epochs=6.0, **training)


def notes(told, name: str) -> list[dict]:
    return [event.values for event in only(told, Note) if event.code == f"timeline.{name}"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, encoder, data):
    """An unbroken run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, run(folder, asked(), data, encoder)


def test_the_language_comes_first_and_the_task_begins_there(whole, encoder):
    folder, told = whole
    assert isinstance(told[-1], Done)
    assert list(dict.fromkeys(event.name for event in only(told, Phase))) == PHASES
    assert not only(told, Resumed)
    (said,) = notes(told, "language_learnt_new")  # this checkpoint has no language head
    assert said["texts"] == len(json.loads((folder / "split.json").read_text())["train"])
    assert 1 < float(said["after"]) < 40, "of words that follow by chance, it may know at best which there are"
    base = learnt(folder)
    assert base == folder / "base"
    before, after = weights(encoder), weights(base)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(before["pooler.dense.weight"], after["pooler.dense.weight"]), "no language head reads it"
    about = json.loads((folder / "model" / "studio.json").read_text())
    assert about["base_folder"] == str(base)
    assert not (folder / FOLDER).exists()
    # The task's own steps are counted from one, as in any run.
    assert [event.step for event in only(told, Step)] == list(range(1, only(told, Step)[-1].step + 1))


def test_only_training_rows_are_learnt_from(tmp_path, encoder, data, monkeypatch):
    """What is encoded to be learnt are the training rows' texts."""
    seen = {}
    real = firstlanguage.Coder.items

    def items(self, name, rows):
        seen[name] = [row["text"] for row in rows]
        return real(self, name, rows)

    monkeypatch.setattr(firstlanguage.Coder, "items", items)
    run(tmp_path / "run", asked(), data, encoder, wish=lambda told: "stop" if len(language_phases(told)) > 3 else None)
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    rows = [row["text"] for row in reviews(120)]
    assert set(seen["language-train"]) == {rows[place] for place in split["train"]}
    assert set(seen["language-validation"]) <= {rows[place] for place in split["validation"]}


def language_phases(told) -> list[Phase]:
    return [event for event in only(told, Phase) if event.name == "language"]


def test_stopped_and_killed_in_the_first_phase_it_ends_as_an_unbroken_run(tmp_path, whole, encoder, data):
    folder = tmp_path / "run"
    told = run(folder, asked(), data, encoder, wish=lambda told: "stop" if len(language_phases(told)) > 20 else None)
    assert isinstance(told[-1], Stopped)
    (said,) = notes(told, "language_stopped")
    assert 0 < said["done"] < said["steps"]
    assert not only(told, Step)
    assert learnt(folder) is None

    class Killed(BaseException):
        pass

    def kill(told):
        if len(language_phases(told)) > 20:
            raise Killed

    with pytest.raises(Killed):
        run(folder, asked(), data, encoder, wish=kill)
    told = run(folder, asked(), data, encoder)
    assert notes(told, "language_resumed")[0]["done"] >= said["done"]
    assert isinstance(told[-1], Done)
    assert not only(told, Resumed), "the task itself had not begun"
    unbroken = whole[0]
    for part in ("base", "model"):
        one, other = weights(folder / part), weights(unbroken / part)
        assert all(torch.equal(one[name], other[name]) for name in other), part


def test_stopped_in_the_second_phase_it_does_not_learn_the_language_again(tmp_path, whole, encoder, data):
    folder = tmp_path / "run"
    told = run(folder, asked(), data, encoder, wish=after_step(7))
    assert told[-1] == Stopped(7)
    stamp = (folder / "base" / MARK).stat().st_mtime_ns
    told = run(folder, asked(), data, encoder)
    assert not language_phases(told)
    assert [event.step for event in only(told, Resumed)] == [7]
    assert (folder / "base" / MARK).stat().st_mtime_ns == stamp
    one, other = weights(folder / "model"), weights(whole[0] / "model")
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_wish_for_the_best_is_kept_for_later_while_there_is_no_model_of_the_task(tmp_path, encoder, data):
    told = run(
        tmp_path / "run", asked(), data, encoder, wish=lambda told: "best" if len(language_phases(told)) > 20 else None
    )
    assert isinstance(told[-1], Stopped)
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize("method", ["lora", "head"])
def test_what_is_tuned_stands_on_the_base_that_learnt(tmp_path, encoder, data, method):
    told = run(tmp_path / "run", asked(method), data, encoder)
    assert isinstance(told[-1], Done), "the reloaded model answers like the trained one"


def test_a_model_that_writes_learns_the_next_word(tmp_path, talker, data):
    told = run(tmp_path / "run", asked("lora", epochs=1), data, talker)
    assert isinstance(told[-1], Done)
    (said,) = notes(told, "language_learnt")
    assert said["task_code"] == "task.causal_lm.title"
    assert float(said["after"]) < 0.5 * float(said["before"])


def test_numbers_that_are_not_finite_end_the_run_with_a_word(tmp_path, encoder, data, monkeypatch):
    monkeypatch.setattr(
        Lesson, "options", lambda self, options: dataclasses.replace(REAL(self, options), learning_rate=1e30)
    )
    told = run(tmp_path / "run", asked(), data, encoder)
    assert (told[-1].code, told[-1].kind) == ("non_finite", "non-finite")


REAL = Lesson.options


def test_texts_are_read_once_and_whole():
    rows = [{"text": "又凉又硬", "label": "a"}, {"text": " 又凉又硬 ", "label": "b"}, {"text": "good", "label": "a"}]
    assert texts_of(tasks.get("classification"), rows) == [{"text": "又凉又硬"}, {"text": "good"}]
    assert blocks([70, 3, 32], 32) == (3, 6, 32, 32, 32)


def test_where_it_makes_no_sense_it_says_why(encoder, talker):
    reads, writes, box = read_card(encoder, "local:a"), read_card(talker, "local:b"), machine()
    labels = tasks.get("classification")
    assert refused(labels, reads, box) is None
    assert refused(labels, writes, box) is None
    rewrites = dataclasses.replace(reads, kind="seq2seq")
    for task, card, code in (
        ("masked_lm", reads, "itself"), ("causal_lm", writes, "itself"), ("chat", writes, "chat"),
        ("translation", dataclasses.replace(rewrites, id="scratch:seq2seq"), "scratch"), ("translation", rewrites, "kind"),
        ("classification", dataclasses.replace(reads, id="run:r-1"), "run"),
    ):  # fmt: skip
        found = refused(tasks.get(task), card, box)
        assert found.code == f"technique.language_{code}", task
    huge = dataclasses.replace(reads, parameters=10**10)
    assert refused(labels, huge, box).code == "verdict.method_too_big"


def test_a_spec_that_asks_for_the_impossible_is_refused_by_the_run(tmp_path, talker, data):
    what = dataclasses.replace(asked("lora"), task="causal_lm", columns={"text": "review"})
    with pytest.raises(UserError) as caught:
        run(tmp_path / "run", what, data, talker)
    check_spoken(caught.value, "language_refused", task="causal_lm", model="tiny-writer")


@pytest.mark.parametrize("preset", ["quick", "balanced"])
def test_both_phases_together_keep_the_promise_of_the_preset(encoder, preset):
    card = dataclasses.replace(
        read_card(encoder, "local:a"), parameters=22_000_000, embedding_parameters=11_000_000, vocabulary=30_000,
        hidden=384, layers=6, max_positions=512,
    )  # fmt: skip
    from studio.methods.base import methods

    case = Case(tasks.get("classification"), card, methods.get("full"), [20, 30, 60], machine(), 8000)
    alone, both = plan(case, preset), plan(case, preset, {"language_first": True})
    assert both.estimate.seconds <= BUDGETS[preset]
    assert both.options["epochs"] < alone.options["epochs"]
    assert 0 < both.language <= SHARE * BUDGETS[preset]
    assert both.estimate.disk_bytes > alone.estimate.disk_bytes
    told = [decision for decision in both.decisions if decision.name == "language_epochs"]
    assert told[0].reason == "reason.language"
    # Off, the price is known all the same; passes set by hand are kept and paid for.
    assert math.isclose(
        alone.language, Lesson(card, machine(), [20, 30, 60], 5600, 1200).seconds(TrainingOptions(**alone.options))
    )
    more = plan(case, preset, {"language_first": True, "language_epochs": 50.0})
    assert more.options["language_epochs"] == 50.0
    assert more.estimate.seconds > both.estimate.seconds
