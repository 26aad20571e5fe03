"""Less at once when memory runs out: what each rung is, and that a run stays the same run on all of them."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_training import machine, reviews, save_chat, save_encoder, save_rows

from studio.events import Caution, Eval, Note, Resumed, Step
from studio.runs.worker import is_out_of_memory
from studio.spec import Spec
from studio.training.memory import RUNGS, Fit, current, evaluated, planned, read_options, smaller, step_down, tokens
from studio.training.options import TrainingOptions
from studio.training.run import Inputs, train_run
from studio.training.validation import by_length
from studio.words import say


def rungs(method: str = "full", **options) -> list[tuple[int, bool]]:
    made = TrainingOptions(**options)
    fit: Fit | None = planned(made)
    found = []
    while fit is not None:
        found.append((fit.micro_batch, fit.gradient_checkpointing))
        fit = smaller(fit, made, method)
    return found


def test_half_and_half_again_then_no_activations_are_kept():
    assert rungs(batch_size=16) == [(16, False), (8, False), (4, False), (2, False), (1, False), (1, True)]
    assert rungs(batch_size=16, micro_batch=5) == [(5, False), (3, False), (2, False), (1, False), (1, True)]
    assert rungs(batch_size=4, micro_batch=64)[0] == (4, False)
    assert rungs(batch_size=2, gradient_checkpointing="yes") == [(2, True), (1, True)]
    assert rungs(batch_size=2, gradient_checkpointing="no") == [(2, False), (1, False)]


def test_a_bound_on_tokens_comes_down_with_the_rows():
    options = TrainingOptions(batch_size=16, micro_tokens=2048)
    assert [tokens(Fit(rows, again), options) for rows, again in ((16, False), (8, False), (1, True))] == [
        2048,
        1024,
        128,
    ]
    assert tokens(Fit(8, False), TrainingOptions(batch_size=16)) == 0


def test_below_a_head_nothing_is_kept_that_could_be_given_up():
    assert rungs("head", batch_size=2) == [(2, False), (1, False)]
    assert rungs("head", batch_size=2, adversarial="fgm")[-1] == (1, True)


def test_a_run_that_was_not_planned_has_no_rungs(tmp_path):
    assert read_options(tmp_path) is None
    assert step_down(tmp_path, 1, "full") is None


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("std::bad_alloc"),
        type("OutOfMemoryError", (RuntimeError,), {})("x"),
    ],
)
def test_the_words_of_every_library_for_no_memory(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError(errno.ENOSPC, "full"), ValueError("memory")])
def test_other_faults_are_none_of_memory(error):
    assert not is_out_of_memory(error)


def a_spec(method: str, **training) -> Spec:
    chosen = {"epochs": 2, "evaluations": 2, "batch_size": 8, "learning_rate": 1e-3, **training}
    options = {"training": chosen, "task": {"dropout": 0.0}}
    return Spec("d-1", {"text": "text", "label": "label"}, "classification", "local:tiny", method, options=options)


def run(folder: Path, spec: Spec, data: Path, model: Path, wish=lambda told: None) -> list:
    folder.mkdir(exist_ok=True)
    told: list = []
    train_run(folder, spec, Inputs(data, model, machine()), told.append, lambda: wish(told))
    return told


def only(told: list, kind: type) -> list:
    return [event for event in told if isinstance(event, kind)]


def weights(folder: Path) -> dict:
    return {name: part for file in (folder / "model").glob("*.safetensors") for name, part in load_file(file).items()}


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("parts")
    return save_rows(place / "data", reviews(80)), save_encoder(place / "tiny")


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("plain") / "tiny", dropout=0.0)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_activations_computed_twice_give_the_same_weights(tmp_path, parts, method, monkeypatch):
    """With dropout: the second pass draws what the first has drawn."""
    from transformers import modeling_utils

    passes = []
    real = modeling_utils.checkpoint

    def counted(*arguments, **how):
        passes.append(how["use_reentrant"])
        return real(*arguments, **how)

    monkeypatch.setattr(modeling_utils, "checkpoint", counted)
    found = {}
    for choice in ("no", "yes"):
        told = run(tmp_path / choice, a_spec(method, gradient_checkpointing=choice), *parts)
        found[choice] = (weights(tmp_path / choice), [event.loss for event in only(told, Step)])
        assert set(passes) == ({False} if choice == "yes" else set())
    assert found["yes"][1] == found["no"][1]
    assert all((found["no"][0][name] == part).all() for name, part in found["yes"][0].items())


def test_answers_learn_with_activations_computed_twice_too(tmp_path):
    turns = [{"role": "user", "content": "say"}, {"role": "assistant", "content": "ok"}]
    rows = [{"messages": json.dumps([{**turns[0], "content": f"say {n}"}, turns[1]])} for n in range(24)]
    data, model = save_rows(tmp_path / "data", rows), save_chat(tmp_path / "chat")
    losses = {}
    for choice in ("no", "yes"):
        training = {"epochs": 1, "evaluations": 1, "batch_size": 4, "gradient_checkpointing": choice}
        spec = Spec("d-2", {"messages": "messages"}, "chat", "local:chat", "lora", options={"training": training})
        losses[choice] = [event.loss for event in only(run(tmp_path / choice, spec, data, model), Step)]
    assert losses["yes"] == losses["no"]


def test_a_model_that_cannot_says_so(tmp_path, parts, monkeypatch):
    from studio.tasks.heads import pooled_classifier

    monkeypatch.setattr(pooled_classifier(), "supports_gradient_checkpointing", False)
    told = run(tmp_path / "run", a_spec("full", gradient_checkpointing="yes", epochs=1), *parts)
    (caution,) = only(told, Caution)
    assert say(caution.code, "zh", **caution.values)
    assert caution.code == "timeline.recompute_unknown"


def test_a_checkpoint_is_continued_with_less_at_once(tmp_path, parts, plain):
    """The same rows in the same order: the losses are those of the unbroken run up to rounding, and it is said."""
    data, spec = parts[0], a_spec("full")
    whole = [event.loss for event in only(run(tmp_path / "whole", spec, data, plain), Step)]
    folder = tmp_path / "run"
    first = run(folder, spec, data, plain, lambda told: "stop" if len(only(told, Step)) == 5 else None)
    plan = (folder / "plan.json").read_bytes()
    rung = step_down(folder, 1, "full")
    assert (rung.before.micro_batch, rung.after.micro_batch) == (8, 4)
    assert step_down(folder, 1, "full") == rung
    second = run(folder, spec, data, plain)
    assert (folder / "plan.json").read_bytes() == plan
    assert current(folder, read_options(folder)) == Fit(4, False)
    assert only(second, Resumed) == [Resumed(5, exact=False)]
    (said,) = [event for event in only(second, Caution) if event.code == "timeline.resumed_inexact"]
    assert said.values["parts"] == "micro_batch 8 → 4"
    assert not [event for event in only(second, Note | Caution) if event.code.startswith("timeline.damage")]
    losses = [event.loss for event in only(first, Step) + only(second, Step)]
    assert losses == pytest.approx(whole, abs=1e-4)
    assert json.loads((folder / RUNGS).read_text())[-1]["attempt"] == 1


def test_a_validation_comes_down_the_ladder_too(tmp_path, parts, plain, monkeypatch):
    """Its rows at once shrink with the training's, down to one; its scores stay what they were."""
    from studio.tasks.classification import Classification

    seen, real = [], Classification.read

    def counted(self, model, batch, facts):
        seen.append(len(batch["input_ids"]))
        return real(self, model, batch, facts)

    monkeypatch.setattr(Classification, "read", counted)
    spec, found = a_spec("full", batch_size=4, evaluations=2, epochs=0.2), []
    for steps in range(4):
        folder = tmp_path / str(steps)
        folder.mkdir()
        if steps:
            shutil.copy(tmp_path / "0" / "plan.json", folder)
        for attempt in range(1, steps + 1):
            step_down(folder, attempt, "full")
        seen.clear()
        (score,) = only(run(folder, spec, parts[0], plain, lambda told: "stop" if only(told, Eval) else None), Eval)
        found.append((max(seen), sum(seen), score.loss))
    rows = found[0][1]
    assert [(at_once, read) for at_once, read, _ in found] == [
        (min(64, rows), rows),
        (min(32, rows), rows),
        (min(16, rows), rows),
        (1, rows),
    ]
    assert [loss for *_, loss in found] == pytest.approx([found[0][2]] * 4, abs=1e-3)


def test_the_share_of_a_validation_by_rung():
    options = TrainingOptions(batch_size=16)
    assert [
        evaluated(Fit(rows, again), options) for rows, again in ((16, False), (8, False), (1, False), (1, True))
    ] == [
        1.0,
        0.5,
        1 / 16,
        0.0,
    ]
    assert evaluated(Fit(1, True), TrainingOptions(batch_size=1, gradient_checkpointing="yes")) == 1.0
    assert [len(part) for part in by_length([3] * 10, 0.0)] == [1] * 10
    assert [len(part) for part in by_length([3] * 100, 0.5)] == [32, 32, 32, 4]
    assert [len(part) for part in by_length([512] * 4, 0.25)] == [2, 2]
