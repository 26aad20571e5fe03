"""Whole runs of tasks that write or foretell text: live samples, rivals, the base where it could do it, the report."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from test_run import after_step, only, run
from tiny_training import save_chat, save_rows

sys.path.append(str(Path(__file__).parents[1] / "tasks"))
from tiny_language import WORDS, encoder_with_mask  # noqa: E402
from tiny_seq2seq import pairs, seq2seq_folder  # noqa: E402

from studio.events import Baseline, Done, Eval, Note, Sample, Step, Stopped  # noqa: E402
from studio.inference.predictor import Predictor  # noqa: E402
from studio.models import scratch  # noqa: E402
from studio.spec import Spec  # noqa: E402

QUICK = {"learning_rate": 1e-2, "evaluations": 2, "batch_size": 8, "epochs": 3, "max_length": 32}


def spec(task: str, columns: dict[str, str], method: str = "full", model: str = "local:tiny", **training) -> Spec:
    options = {"training": {**QUICK, **training}}
    return Spec(data="d-1", columns=columns, task=task, model=model, method=method, options=options)


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text("utf-8"))


def translation(method: str = "full", **more) -> Spec:
    return spec("translation", {"source": "en", "target": "zh"}, method, **more)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory) -> Path:
    rows = [{"en": row["source"], "zh": row["target"]} for row in pairs(90)]
    return save_rows(tmp_path_factory.mktemp("data"), rows)


@pytest.fixture(scope="module")
def writer(tmp_path_factory) -> Path:
    return seq2seq_folder(tmp_path_factory.mktemp("model") / "tiny", "t5")


@pytest.mark.parametrize("method", ["lora", "last_layers"])
def test_a_translation_from_rows_to_the_report(tmp_path, writer, sentences, method):
    told = run(tmp_path / "run", translation(method), sentences, writer)
    report = report_of(tmp_path / "run")
    assert isinstance(told[-1], Done)
    assert told[-1].metric == "chrf"
    assert told[-1].score == report["test"]["chrf"]
    assert report["test"].keys() == {"bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "length_ratio"}
    assert [rung["key"] for rung in report["ladder"]] == ["copy", "nearest", "base", "tuned"]
    assert {event.key for event in only(told, Baseline)} == {"copy", "nearest", "base"}
    assert [event.step for event in only(told, Eval)][0] == 0
    samples = only(told, Sample)
    assert {row["row"] for row in samples[0].rows} == {row["row"] for row in samples[-1].rows}
    assert all(isinstance(row["answer"], str) and row["truth"] for row in samples[-1].rows)
    assert report["samples"][0].keys() == {"row", "prompt", "truth", "after"}
    lines = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == report["rows"]
    assert all(0 <= line["wrong"] <= 1 for line in lines)


def test_a_model_from_scratch_learns_and_is_never_shown_untaught(tmp_path, sentences, monkeypatch):
    for name, value in {"_HIDDEN": 32, "_INNER": 48, "_HEADS": 2, "_LAYERS": 1}.items():
        monkeypatch.setattr(scratch, name, value)
    what = translation(model=scratch.SCRATCH_ID, epochs=12)
    empty = tmp_path / "nothing"
    empty.mkdir()
    told = run(tmp_path / "run", what, sentences, empty)
    report = report_of(tmp_path / "run")
    assert [rung["key"] for rung in report["ladder"]] == ["copy", "nearest", "tuned"]
    assert {event.key for event in only(told, Baseline)} == {"copy", "nearest"}
    assert only(told, Eval)[0].step > 0
    losses = [event.loss for event in only(told, Step)]
    assert losses[-1] < 0.7 * losses[0]
    # What was tuned stands alone: nothing of the base is needed beside it.
    predictor = Predictor.load(tmp_path / "run")
    assert predictor.predict(["the red cat sees fish"])[0]["text"]
    test_rows = json.loads((tmp_path / "run" / "split.json").read_text("utf-8"))["test"]
    assert test_rows


def test_a_run_from_scratch_goes_on_where_it_was_stopped(tmp_path, sentences, monkeypatch):
    from safetensors.torch import load_file

    for name, value in {"_HIDDEN": 32, "_INNER": 48, "_HEADS": 2, "_LAYERS": 1}.items():
        monkeypatch.setattr(scratch, name, value)
    what = translation(model=scratch.SCRATCH_ID)
    run(tmp_path / "whole", what, sentences, tmp_path)
    told = run(tmp_path / "parts", what, sentences, tmp_path, after_step(5))
    assert isinstance(told[-1], Stopped)
    run(tmp_path / "parts", what, sentences, tmp_path)
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "parts"))
    assert all((one[name] == other[name]).all() for name in one)


@pytest.fixture(scope="module")
def prose(tmp_path_factory) -> Path:
    chance = random.Random(3)
    rows = []
    for _ in range(80):
        # A word is always followed by one of two: there is something to learn.
        word, text = chance.randrange(len(WORDS)), []
        for _ in range(chance.randint(4, 40)):
            text.append(WORDS[word])
            word = (2 * word + chance.randrange(2)) % len(WORDS)
        rows.append({"text": " ".join(text)})
    return save_rows(tmp_path_factory.mktemp("prose"), rows)


def test_a_causal_model_beside_its_base_and_the_counts(tmp_path, prose):
    what = spec("causal_lm", {"text": "text"}, "lora", epochs=2)
    told = run(tmp_path / "run", what, prose, save_chat(tmp_path / "m"))
    report = report_of(tmp_path / "run")
    assert told[-1].metric == "perplexity"
    assert [rung["key"] for rung in report["ladder"]] == ["unigram", "bigram", "base", "tuned"]
    assert {event.key for event in only(told, Baseline)} == {"unigram", "bigram", "base"}
    assert report["simple"] == "base"
    assert report["verdict"]["code"].startswith("verdict.base.")
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["bigram"] < scores["unigram"]
    assert scores["tuned"] < scores["base"]
    assert " → " in only(told, Sample)[-1].rows[0]["answer"]


@pytest.mark.parametrize("head", [True, False])
def test_a_masked_model_is_compared_with_its_base_only_where_that_had_a_head(tmp_path, prose, head):
    what = spec("masked_lm", {"text": "text"}, epochs=4)
    told = run(tmp_path / "run", what, prose, encoder_with_mask(tmp_path / "m", head=head))
    report = report_of(tmp_path / "run")
    expected = ["unigram", "base", "tuned"] if head else ["unigram", "tuned"]
    assert [rung["key"] for rung in report["ladder"]] == expected
    assert {event.key for event in only(told, Baseline)} == set(expected) - {"tuned"}
    assert report["simple"] == ("base" if head else "unigram")
    assert (only(told, Eval)[0].step == 0) == head
    assert any(note.code == "timeline.base_untaught" for note in only(told, Note)) != head
    assert bool(Predictor.load(tmp_path / "run").base_could) == head
    assert "[" in only(told, Sample)[-1].rows[0]["answer"]
    losses = [event.loss for event in only(told, Step)]
    assert sum(losses[-5:]) < sum(losses[:5])


def test_a_masked_run_stopped_and_resumed_hides_the_same_words(tmp_path, prose):
    from safetensors.torch import load_file

    base = encoder_with_mask(tmp_path / "m", head=False)
    what = spec("masked_lm", {"text": "text"}, epochs=1)
    run(tmp_path / "whole", what, prose, base)
    run(tmp_path / "parts", what, prose, base, after_step(4))
    run(tmp_path / "parts", what, prose, base)
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "parts"))
    assert all((one[name] == other[name]).all() for name in one)
