"""Runs that end with a sentence: each is started for real on tiny models and rows, and fails where a person's would."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from spoken import check_spoken
from tiny_training import machine, reviews, save_chat, save_encoder, save_rows

from studio.errors import UserError
from studio.events import Event, Step
from studio.spec import Spec
from studio.training.run import Inputs, train_run


def classification(method: str = "full") -> Spec:
    return Spec(
        "d-1",
        {"text": "text", "label": "label"},
        "classification",
        "" if method == "baseline" else "local:tiny",
        method,
        options={"training": {"epochs": 1, "learning_rate": 3e-3, "batch_size": 8, "evaluations": 1}},
    )


def chat(method: str, **training: object) -> Spec:
    return Spec("d-2", {"messages": "messages"}, "chat", "local:chat", method, options={"training": training})


def talks(count: int, question: str = "say") -> list[dict[str, str | None]]:
    asked = [{"role": "user", "content": question}, {"role": "assistant", "content": "ok"}]
    return [
        {"messages": json.dumps([{**asked[0], "content": f"{question} {number}"}, asked[1]])} for number in range(count)
    ]


def failing(folder: Path, spec: Spec, data: Path, model: Path | None, emit=lambda event: None) -> UserError:
    folder.mkdir(exist_ok=True)
    with pytest.raises(UserError) as caught:
        train_run(folder, spec, Inputs(data, model, machine()), emit, lambda: None)
    return caught.value


def test_too_few_rows_name_the_part_that_stays_empty(tmp_path):
    data = save_rows(tmp_path / "data", reviews(2))
    error = failing(tmp_path / "run", classification("baseline"), data, None)
    check_spoken(error, "split_too_small", part="validation", rows=2)


def test_answers_that_no_row_keeps_within_the_limit(tmp_path):
    data, model = save_rows(tmp_path / "data", talks(12, "a long question " * 8)), save_chat(tmp_path / "chat")
    error = failing(tmp_path / "run", chat("lora", max_length=16, epochs=1), data, model)
    check_spoken(error, "answers_all_cut", tokens=16)


def test_chat_has_no_simple_models(tmp_path):
    data = save_rows(tmp_path / "data", talks(12))
    check_spoken(failing(tmp_path / "run", chat("baseline"), data, None), "baseline_needs_labels", task="chat")


def test_simple_models_that_cannot_be_written_say_why(tmp_path):
    data = save_rows(tmp_path / "data", reviews(40))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "baselines").write_text("a file where the folder belongs")
    error = failing(tmp_path / "run", classification("baseline"), data, None)
    check_spoken(error, "baselines_failed", reason=re.compile(r"(NotADirectory|FileExists)Error: .*baselines"))


def test_a_base_that_changes_during_the_run_is_found_when_the_result_is_reloaded(tmp_path):
    data, model = save_rows(tmp_path / "data", reviews(60)), save_encoder(tmp_path / "tiny")

    def meanwhile(event: Event) -> None:
        """Somebody puts other weights in the place of the base while it is being tuned."""
        if isinstance(event, Step):
            save_encoder(model, seed=7)

    error = failing(tmp_path / "run", classification("lora"), data, model, meanwhile)
    check_spoken(error, "reload_differs", gap=re.compile(r"^0\.\d{4}$"), allowed=0.001)
    assert float(error.values["gap"]) > error.values["allowed"]
