"""Whole runs of tiny real models: from rows in Parquet to the report on the reloaded model, with stops and resumes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_training import machine, reviews, save_chat, save_encoder, save_rows

from studio.errors import UserError
from studio.events import (
    Baseline,
    Caution,
    Checkpoint,
    Done,
    Eval,
    Failed,
    Note,
    Phase,
    Plan,
    Resumed,
    Sample,
    Step,
    Stopped,
    to_json,
)
from studio.spec import Spec, Split
from studio.tasks.classification import Classification
from studio.training.run import Inputs, train_run
from studio.words import say

QUICK = {"epochs": 3, "learning_rate": 3e-3, "head_learning_rate": 2e-2, "evaluations": 3, "batch_size": 8}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("model") / "tiny-encoder")


@pytest.fixture(scope="module")
def talker(tmp_path_factory) -> Path:
    return save_chat(tmp_path_factory.mktemp("model") / "tiny-chat")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    rows = [{"review": row["text"], "mood": row["label"]} for row in reviews(120)]
    rows[7]["mood"] = None
    return save_rows(tmp_path_factory.mktemp("data"), rows)


def spec(method: str = "full", **training) -> Spec:
    return Spec(
        data="d-1",
        columns={"text": "review", "label": "mood"},
        task="classification",
        model="" if method == "baseline" else "local:tiny",
        method=method,
        options={"training": {**QUICK, **training}},
    )


def run(folder: Path, what: Spec, data: Path, model: Path | None, wish=lambda told: None, **hardware) -> list:
    """The events of one attempt; each can be written down, and each sentence it names can be spoken.

    `wish` sees what has been told and says whether to stop."""
    folder.mkdir(exist_ok=True)
    told: list = []
    train_run(folder, what, Inputs(data, model, machine(**hardware)), told.append, lambda: wish(told))
    for event in told:
        json.dumps(to_json(event, 0.0), allow_nan=False)
        if isinstance(event, Note | Caution):
            assert all(say(event.code, language, **event.values) for language in ("en", "zh"))
        if isinstance(event, Plan):
            for decision in event.decisions:
                assert say(decision["reason"], **decision["values"])
                assert say(f"decision.{decision['name']}", "zh")
    return told


def only(told: list, kind: type) -> list:
    return [event for event in told if isinstance(event, kind)]


def after_step(step: int):
    return lambda told: "stop" if only(told, Step) and only(told, Step)[-1].step >= step else None


@pytest.mark.parametrize("method", ["full", "lora", "head"])
def test_from_rows_to_the_report(tmp_path, encoder, data, method):
    told = run(tmp_path / "run", spec(method), data, encoder)
    folder = tmp_path / "run"
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert only(told, Done) == [told[-1]]
    assert told[-1].metric == "macro_f1"
    assert told[-1].score == report["test"]["macro_f1"]
    assert [rung["key"] for rung in report["ladder"]] == ["majority", "rules", "tfidf", "untuned", "tuned"]
    phases = list(dict.fromkeys(event.name for event in only(told, Phase)))
    assert phases == ["tokenising", "baselines", "training", "evaluating", "saving", "reporting"]
    steps = only(told, Step)
    assert steps[-1].step == only(told, Plan)[0].steps == 33
    assert {event.key for event in only(told, Baseline)} == {"majority", "rules", "tfidf"}
    evals, samples = only(told, Eval), only(told, Sample)
    assert [event.step for event in evals] == [event.step for event in samples] == [11, 22, 33]
    assert evals[-1].metrics.keys() >= {"accuracy", "macro_f1", "precision", "recall"}
    assert {tuple(row["row"] for row in event.rows) for event in samples} == {tuple(r["row"] for r in samples[0].rows)}
    assert {row["truth"] for row in samples[0].rows} == {"positive", "negative"}
    assert len(samples[0].rows) == 5
    assert [note.values for note in only(told, Note) if note.code == "timeline.rows_left_out"] == [{"rows": 1}]
    assert not (folder / "cache").exists()
    assert not (folder / "checkpoints").exists()


def test_full_tuning_learns_what_the_words_say(tmp_path, encoder, data):
    scores = []
    for seed in (1, 2, 3):
        what = dataclasses.replace(spec(epochs=12), seed=seed, split=Split(seed=seed))
        scores.append(run(tmp_path / f"run-{seed}", what, data, encoder)[-1].score)
    assert sum(scores) / 3 > 0.85


def test_what_is_saved_says_what_it_was_made_from(tmp_path, encoder, data):
    run(tmp_path / "run", spec("lora"), data, encoder)
    model = tmp_path / "run" / "model"
    about = json.loads((model / "studio.json").read_text("utf-8"))
    assert {name: about[name] for name in ("task", "method", "base", "columns")} == {
        "task": "classification",
        "method": "lora",
        "base": "local:tiny",
        "columns": {"text": "review", "label": "mood"},
    }
    assert about["base_folder"] == str(encoder)
    assert json.loads((model / "facts.json").read_text("utf-8"))["labels"] == ["negative", "positive"]
    assert (model / "tokenizer.json").is_file()
    assert not any("embeddings" in name for name in load_file(model / "adapter_model.safetensors"))
    split = json.loads((tmp_path / "run" / "split.json").read_text("utf-8"))
    assert sorted(row for part in split.values() for row in part) == [row for row in range(120) if row != 7]


def test_a_stopped_run_is_saved_and_a_resumed_one_ends_like_an_unbroken_one(tmp_path, encoder, data):
    whole = run(tmp_path / "whole", spec("lora"), data, encoder)
    first = run(tmp_path / "parts", spec("lora"), data, encoder, after_step(13))
    stopped_at = first[-1].step
    assert isinstance(first[-1], Stopped)
    assert 0 < stopped_at < 33
    assert (tmp_path / "parts" / "model" / "studio.json").is_file()
    assert not (tmp_path / "parts" / "report.json").exists()
    second = run(tmp_path / "parts", spec("lora"), data, encoder)
    assert only(second, Resumed) == [Resumed(stopped_at, True)]
    assert only(second, Step)[0].step == stopped_at + 1
    assert only(second, Step)[-1].loss == only(whole, Step)[-1].loss
    assert second[-1] == whole[-1]
    one, other = (load_file(tmp_path / name / "model" / "adapter_model.safetensors") for name in ("whole", "parts"))
    assert all((one[name] == other[name]).all() for name in one)


def evaluating(scores: int):
    """Stop is pressed while the model is scored for the time after `scores` times."""

    def wish(told: list) -> str | None:
        last = [event for event in told if isinstance(event, Phase | Step)][-1]
        begun = isinstance(last, Phase) and last.name == "evaluating"
        return "stop" if begun and len(only(told, Eval)) == scores else None

    return wish


@pytest.mark.parametrize("scores", [1, 2])
def test_a_stop_during_a_validation_keeps_the_step_before_it_and_goes_on_with_the_same_bits(
    tmp_path, encoder, data, scores
):
    """With all the patience and the best that an unbroken run has, also where the validation is the last."""
    options = {"patience": 2, "checkpoint_every": 1000}
    whole = run(tmp_path / "whole", spec("full", **options), data, encoder)
    first = run(tmp_path / "parts", spec("full", **options), data, encoder, evaluating(scores))
    step = 11 * (scores + 1)
    assert first[-1] == Stopped(step)
    assert [event.step for event in only(first, Eval)] == [11, 22][:scores]
    assert [event.step for event in only(first, Checkpoint) if not event.best] == [step]
    assert (tmp_path / "parts" / "model" / "studio.json").is_file()
    second = run(tmp_path / "parts", spec("full", **options), data, encoder)
    assert only(second, Resumed) == [Resumed(step, True)]
    assert only(first, Eval) + only(second, Eval) == only(whole, Eval)
    assert len(only(first, Step)) + len(only(second, Step)) == len(only(whole, Step))
    assert second[-1] == whole[-1]
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "parts"))
    assert all((one[name] == other[name]).all() for name in one)


def test_a_stop_while_rows_become_numbers_ends_there(tmp_path, encoder, data):
    told = run(tmp_path / "run", spec(), data, encoder, lambda told: "stop" if only(told, Phase)[1:] else None)
    assert told[-1] == Stopped(0)
    assert {event.name for event in only(told, Phase)} == {"tokenising"}
    assert only(told, Phase)[-1].done < only(told, Phase)[-1].total


def test_a_stop_while_the_frozen_features_are_computed_ends_there(tmp_path, encoder, data):
    def wish(told: list) -> str | None:
        return "stop" if [event for event in only(told, Phase) if event.done == event.total > 0] else None

    told = run(tmp_path / "run", spec("head"), data, encoder, wish)
    assert told[-1] == Stopped(0)
    assert {event.name for event in only(told, Phase)} == {"tokenising"}
    assert only(told, Plan) == []


def test_a_stop_before_an_attempts_first_step_names_the_step_that_is_kept(tmp_path, encoder, data):
    run(tmp_path / "run", spec("lora"), data, encoder, after_step(13))
    told = run(tmp_path / "run", spec("lora"), data, encoder, lambda told: "stop")
    assert told[-1] == Stopped(13)


def test_keeping_the_best_lets_a_validation_end(tmp_path, encoder, data):
    pressed: list = []

    def wish(told: list) -> str | None:
        pressed.extend([True] if evaluating(1)(told) else [])
        return "best" if pressed else None

    told = run(tmp_path / "run", spec("full"), data, encoder, wish)
    assert [event.step for event in only(told, Eval)] == [11, 22]
    assert told[-1] == Stopped(22)


@pytest.mark.parametrize("library", ["torch", "transformers", "peft"])
def test_a_run_that_goes_on_with_another_library_does_not_claim_the_same_bits(
    tmp_path, encoder, data, monkeypatch, library
):
    from studio.training import preparing

    run(tmp_path / "run", spec("lora"), data, encoder, after_step(13))
    real = preparing.metadata.version
    monkeypatch.setattr(preparing.metadata, "version", lambda name: "0.1" if name == library else real(name))
    told = run(tmp_path / "run", spec("lora"), data, encoder)
    assert only(told, Resumed) == [Resumed(13, False)]
    (caution,) = [event for event in only(told, Caution) if event.code == "timeline.resumed_inexact"]
    assert caution.values == {"parts": f"{library} {real(library)} → 0.1"}
    assert isinstance(told[-1], Done)


def test_a_second_attempt_makes_numbers_of_no_row_again(tmp_path, encoder, data, monkeypatch):
    run(tmp_path / "run", spec("lora"), data, encoder, after_step(13))
    real, again = Classification.encode, []
    monkeypatch.setattr(
        Classification, "encode", lambda self, rows, *rest: again.append(rows) or real(self, rows, *rest)
    )
    told = run(tmp_path / "run", spec("lora"), data, encoder, after_step(15))
    assert [event.step for event in only(told, Step)] == [14, 15]
    assert again == []


def test_a_run_that_goes_on_with_other_kernels_does_not_claim_the_same_bits(tmp_path, encoder, data, monkeypatch):
    """As on another processor, where torch adds up in another order."""
    import torch

    run(tmp_path / "run", spec("lora"), data, encoder, after_step(13))
    here = torch.backends.cpu.get_cpu_capability()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "OTHER")
    told = run(tmp_path / "run", spec("lora"), data, encoder)
    assert only(told, Resumed) == [Resumed(13, False)]
    (caution,) = [event for event in only(told, Caution) if event.code == "timeline.resumed_inexact"]
    assert caution.values == {"parts": f"kernels {here} → OTHER"}


def test_threads_and_precision_are_compared_and_the_threads_kept_where_there_are_cores(tmp_path, encoder, data):
    run(tmp_path / "run", spec("lora"), data, encoder, after_step(13), threads=2)
    told = run(tmp_path / "run", spec("lora"), data, encoder, after_step(20), threads=1)
    assert only(told, Resumed) == [Resumed(13, True)]
    (threads,) = [one for one in only(told, Plan)[0].decisions if one["name"] == "threads"]
    assert (threads["value"], threads["values"]["threads"]) == (2, 2)
    told = run(tmp_path / "run", spec("lora"), data, encoder, after_step(25), threads=1, cores=1)
    assert only(told, Resumed) == [Resumed(20, False)]
    assert [event.values for event in only(told, Caution)] == [{"parts": "threads 2 → 1"}]


def test_stop_and_keep_best_ends_with_a_report(tmp_path, encoder, data):
    told: list = []

    def wish() -> str | None:
        return "best" if len(only(told, Eval)) >= 2 else None

    folder = tmp_path / "run"
    folder.mkdir()
    train_run(folder, spec("head"), Inputs(data, encoder, machine()), told.append, wish)
    assert isinstance(told[-1], Stopped)
    assert len(only(told, Eval)) == 2
    assert json.loads((folder / "report.json").read_text("utf-8"))["test"]["macro_f1"] > 0


def test_a_run_stopped_before_its_first_step_begins_anew(tmp_path, encoder, data):
    first = run(tmp_path / "run", spec("head"), data, encoder, lambda told: "stop")
    assert first[-1] == Stopped(0)
    second = run(tmp_path / "run", spec("head"), data, encoder)
    assert only(second, Resumed) == [Resumed(0, True)]
    assert isinstance(second[-1], Done)


def test_a_damaged_checkpoint_is_named_on_the_timeline_and_the_run_starts_before_it(tmp_path, encoder, data):
    run(tmp_path / "run", spec("head", checkpoint_every=5), data, encoder, after_step(14))
    newest = max((tmp_path / "run" / "checkpoints").glob("step-*"))
    (newest / "optimizer.safetensors").unlink()
    told = run(tmp_path / "run", spec("head", checkpoint_every=5), data, encoder)
    cautions = only(told, Caution)
    assert [(event.code, event.values) for event in cautions] == [
        ("timeline.damage_missing", {"checkpoint": newest.name, "file": "optimizer.safetensors"})
    ]
    assert only(told, Resumed)[0].step == 10


def test_numbers_that_are_not_finite_fail_the_run_as_such(tmp_path, encoder, data, monkeypatch):
    sound, calls = Classification.loss, []

    def poisoned(self, model, batch, options):
        calls.append(1)
        return sound(self, model, batch, options) * (float("nan") if len(calls) > 5 else 1.0)

    monkeypatch.setattr(Classification, "loss", poisoned)
    told = run(tmp_path / "run", spec("head", checkpoint_every=2), data, encoder)
    assert isinstance(told[-1], Failed)
    assert (told[-1].kind, told[-1].code, told[-1].step) == ("non-finite", "non_finite", 5)
    assert only(told, Step)[-1].loss is None
    assert "0.003" in say("error.non_finite", **told[-1].values)
    assert sorted(entry.name for entry in (tmp_path / "run" / "checkpoints").iterdir()) == [
        "step-00000002",
        "step-00000004",
    ]


def test_the_simple_models_alone_make_a_run(tmp_path, data):
    told = run(tmp_path / "run", spec("baseline"), data, None)
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert [rung["key"] for rung in report["ladder"]] == ["majority", "rules", "tfidf"]
    assert list(dict.fromkeys(event.name for event in only(told, Phase))) == ["tokenising", "baselines", "reporting"]
    assert told[-1].score > 0.9


def test_chat_with_an_adapter_beats_its_base(tmp_path, talker):
    rows = [
        {"messages": json.dumps([{"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": "ok then"}])}
        for n in range(40)
    ]
    data = save_rows(tmp_path / "data", rows)
    what = Spec(
        data="d-2",
        columns={"messages": "messages"},
        task="chat",
        model="local:chat",
        method="lora",
        options={"training": {"epochs": 10, "learning_rate": 2e-2, "evaluations": 2, "batch_size": 4}},
    )
    told = run(tmp_path / "run", what, data, talker)
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    base = only(told, Baseline)[0]
    first, last = only(told, Eval)[0], only(told, Eval)[-1]
    assert (base.key, base.metric, base.score) == ("base", "loss", first.metrics["loss"])
    assert first.step == 0
    assert last.loss < 0.5 * first.loss
    assert report["test"]["loss"] < 0.5 * report["untuned"]["loss"]
    shown = only(told, Sample)
    assert shown[0].step == 0
    assert [row["truth"] for row in shown[0].rows] == ["ok then"] * 5
    assert shown[-1].rows[0]["answer"] != shown[0].rows[0]["answer"]
    assert told[-1].score == report["test"]["loss"]


@pytest.mark.parametrize("answering", [False, True])
def test_a_stop_while_the_base_answers_before_the_first_step_ends_there(tmp_path, talker, answering):
    rows = [
        {"messages": json.dumps([{"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": "ok then"}])}
        for n in range(40)
    ]
    data = save_rows(tmp_path / "data", rows)
    what = Spec("d-2", {"messages": "messages"}, "chat", "local:chat", "lora")

    def wish(told: list) -> str | None:
        scoring = [event for event in only(told, Phase) if event.name == "evaluating"]
        # All rows are scored by the first batch; what follows are the answers, a token at a time.
        return "stop" if scoring and (scoring[-1].done or not answering) else None

    told = run(tmp_path / "run", what, data, talker, wish)
    assert told[-1] == Stopped(0)
    assert not only(told, Eval)
    assert bool([event for event in only(told, Phase) if event.name == "evaluating" and event.done]) == answering


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"columns": {"text": "review", "label": "gone"}}, "data_column_unknown"),
        ({"options": {"training": {"epochs": -1}}}, "options_wrong"),
        ({"options": {"task": {"dropout": 3}}}, "options_wrong"),
        ({"columns": {"text": "empty", "label": "mood"}}, "rows_unusable"),
    ],
)
def test_what_cannot_run_says_so(tmp_path, encoder, change, code):
    data = save_rows(
        tmp_path / "data", [{"review": row["text"], "mood": row["label"], "empty": None} for row in reviews(40)]
    )
    with pytest.raises(UserError) as caught:
        run(tmp_path / "run", Spec(**{**spec().to_json(), "split": spec().split, **change}), data, encoder)
    assert caught.value.code == code
    assert len(caught.value.parts("zh")) == 3


def test_data_that_is_gone_and_a_model_that_is_missing(tmp_path, data):
    with pytest.raises(UserError) as caught:
        run(tmp_path / "run", spec(), tmp_path / "nothing", None)
    assert caught.value.code == "data_gone"
    with pytest.raises(UserError) as caught:
        run(tmp_path / "other", spec(), data, None)
    assert caught.value.code == "model_needed"
