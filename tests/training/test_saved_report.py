"""The report is made of what is on the disk: damage there is found, and a run killed in between goes on with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tiny_training import machine, reviews, save_chat, save_encoder, save_rows

from studio.errors import UserError
from studio.events import Caution, Checkpoint, Done, Note, Phase, Resumed, Step, Stopped
from studio.spec import Spec
from studio.training.reporting import report_saved
from studio.training.run import Inputs, train_run
from studio.words import say


class Killed(BaseException):
    """The process ends here without a word."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("parts")
    return save_rows(place / "data", reviews(80)), save_encoder(place / "tiny")


def run(folder: Path, parts: tuple[Path, Path], report=report_saved, method="full", wish=lambda told: None, **training):
    folder.mkdir(exist_ok=True)
    options = {"epochs": 2, "evaluations": 2, "batch_size": 8, "learning_rate": 3e-3, **training}
    spec = Spec(
        "d-1", {"text": "text", "label": "label"}, "classification", "local:tiny", method, options={"training": options}
    )
    told: list = []
    try:
        train_run(folder, spec, Inputs(*parts, machine()), told.append, lambda: wish(told), report)
    except Killed:
        pass
    return told


def only(told: list, kind: type) -> list:
    return [event for event in told if isinstance(event, kind)]


def killed(*arguments):
    raise Killed


def damaging(change):
    def report(run_dir, *rest):
        change(run_dir / "model")
        return report_saved(run_dir, *rest)

    return report


def flip(model: Path) -> None:
    """One weight a little different: the sizes are right, the file reads well, no answer need change."""
    weights = load_file(model / "model.safetensors")
    name = min(weights)
    weights[name] = weights[name].clone()
    weights[name].view(-1)[0] += 1e-6
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


CHANGES = {
    "model.safetensors": flip,
    "facts.json": lambda model: (model / "facts.json").write_text(
        json.dumps({"labels": ["positive", "negative"]}), "utf-8"
    ),
    "tokenizer.json": lambda model: (model / "tokenizer.json").unlink(),
}


@pytest.mark.parametrize("file", sorted(CHANGES))
def test_damage_after_the_saving_is_named_and_mended_by_a_resume(tmp_path, parts, file):
    whole = run(tmp_path / "whole", parts)
    with pytest.raises(UserError) as caught:
        run(tmp_path / "run", parts, damaging(CHANGES[file]))
    assert (caught.value.code, caught.value.values) == ("model_damaged", {"file": file})
    assert not (tmp_path / "run" / "report.json").exists()
    told = run(tmp_path / "run", parts)
    assert [(event.code, event.values) for event in only(told, Caution)] == [("timeline.model_damaged", {"file": file})]
    assert say("timeline.model_damaged", "zh", file=file)
    assert only(told, Step) == []
    assert told[-1] == whole[-1]
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "run"))
    assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize("method", ["full", "lora", "head", "baseline"])
def test_a_run_killed_while_it_reports_goes_on_with_the_report(tmp_path, parts, method):
    whole = run(tmp_path / "whole", parts, method=method)
    first = run(tmp_path / "run", parts, killed, method)
    assert not only(first, Done)
    second = run(tmp_path / "run", parts, method=method)
    assert second[-1] == whole[-1]
    assert isinstance(second[-1], Done)
    if method == "baseline":
        return
    assert only(second, Resumed) == [Resumed(14)]
    assert [event for event in second if isinstance(event, Step | Checkpoint)] == []
    assert {event.name for event in only(second, Phase)} == {"reporting"}
    assert [event.code for event in only(second, Note)] == ["timeline.reloaded"]
    reports = [json.loads((tmp_path / name / "report.json").read_text("utf-8")) for name in ("whole", "run")]
    assert reports[0]["test"] == reports[1]["test"]
    assert [rung["key"] for rung in reports[1]["ladder"]] == ["majority", "rules", "tfidf", "untuned", "tuned"]
    left = {entry.name for entry in (tmp_path / "run").iterdir()}
    assert not left & {"trained.json", "checkpoints", "cache"}


def test_a_stop_while_the_report_is_made_ends_there(tmp_path, parts):
    def reporting(told):
        return "stop" if [event for event in only(told, Phase) if event.name == "reporting"] else None

    first = run(tmp_path / "run", parts, wish=reporting)
    assert first[-1] == Stopped(14)
    assert not (tmp_path / "run" / "report.json").exists()
    assert isinstance(run(tmp_path / "run", parts)[-1], Done)


def test_a_run_that_kept_its_best_can_still_go_on_after_its_report(tmp_path, parts):
    first = run(tmp_path / "run", parts, wish=lambda told: "best" if len(only(told, Step)) == 9 else None)
    assert first[-1] == Stopped(9)
    assert (tmp_path / "run" / "report.json").exists()
    second = run(tmp_path / "run", parts)
    assert [event.step for event in only(second, Step)] == [10, 11, 12, 13, 14]


def test_an_early_end_is_not_forgotten_by_a_kill_before_the_model_is_saved(tmp_path, parts, monkeypatch):
    from studio.training import run as training

    options = {"epochs": 8, "evaluations": 8, "patience": 1, "learning_rate": 0.05}
    whole = run(tmp_path / "whole", parts, **options)
    assert [event.code for event in only(whole, Note) if event.code == "timeline.early_stop"]
    with monkeypatch.context() as patched:
        patched.setattr(training, "save_model", killed)
        run(tmp_path / "run", parts, **options)
    second = run(tmp_path / "run", parts, **options)
    assert only(second, Step) == []
    assert second[-1] == whole[-1]


@pytest.mark.parametrize("method", ["full", "lora", "last_layers"])
def test_a_model_trained_in_bfloat16_is_compared_in_it_and_judged_in_float32(tmp_path, method):
    """Its base is rounded while an adapter trains, and its products always; what is used afterwards is neither."""
    import torch

    from studio.inference.predictor import Predictor
    from studio.methods.base import methods
    from studio.training.saving import answers, as_trained, check_reloaded
    from studio.training.trained import read_trained

    rows = [{"instruction": row["text"], "output": f"it was {row['label']}"} for row in reviews(40)]
    data, base = save_rows(tmp_path / "data", rows), save_chat(tmp_path / "tiny")
    options = {"training": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "precision": "bf16"}}
    columns = {"instruction": "instruction", "output": "output"}
    spec = Spec("d-1", columns, "chat", "local:tiny", method, options=options)
    (tmp_path / "run").mkdir()
    told: list = []
    with pytest.raises(Killed):
        train_run(tmp_path / "run", spec, Inputs(data, base, machine()), told.append, lambda: None, killed)
    trained = read_trained(tmp_path / "run")
    assert trained is not None
    tuned = Predictor.load(tmp_path / "run")

    def said() -> list[float]:
        return answers(tuned.task, tuned.model, trained.probe, tuned.tokenizer.pad_token_id or 0, tuned.facts)

    weights = {name: part.clone() for name, part in tuned.model.named_parameters()}
    with as_trained(tuned.model, methods.get(method), trained.precision):
        assert check_reloaded(trained.answers, said(), "fp32") < 1e-4
    assert all(torch.equal(part, weights[name]) for name, part in tuned.model.named_parameters())
    assert {part.dtype for part in tuned.model.parameters()} == {torch.float32}
    with pytest.raises(UserError, match="does not answer"):
        check_reloaded(trained.answers, said(), "fp32")
    with pytest.raises(Killed):
        train_run(tmp_path / "run", spec, Inputs(data, base, machine()), told.append, lambda: None, report_then_die)
    assert [float(event.values["gap"]) < 1e-4 for event in only(told, Note) if event.code == "timeline.reloaded"] == [
        True
    ]


def report_then_die(*arguments):
    report_saved(*arguments)
    raise Killed
