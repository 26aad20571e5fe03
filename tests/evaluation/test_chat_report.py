"""The chat report on tiny real models: the same rows before and after, an adapter's base from the same weights."""

import json
import sys
from pathlib import Path

import pytest

from studio.errors import UserError
from studio.evaluation.exam import Exam
from studio.evaluation.report import write_report
from studio.evaluation.talker import Talker
from studio.inference.predictor import Predictor
from studio.tasks.base import tasks
from studio.words import say

sys.path.insert(0, str(Path(__file__).parent.parent / "inference"))
import tiny_inference

ROWS = [
    {"instruction": f"say {word}", "output": f"{word} and {word}"} for word in ("cat", "红", "blue", "mat", "店", "one")
]
ROWS += [{"messages": json.dumps([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}])}]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An adapter and a fully tuned run of the same tiny chat model."""
    home = tmp_path_factory.mktemp("runs")
    base = tiny_inference.save_chat_base(home / "base")
    found = {}
    for method in ("lora", "full"):
        found[method], _ = tiny_inference.save_run(
            home,
            f"r-{method}",
            base,
            "chat",
            method,
            {"answers": "all"},
            columns={"instruction": "q", "output": "a"},
            max_length=128,
        )
    return found


def asked(rows=ROWS):
    return Exam(tasks.get("chat"), rows, list(range(10, 10 + len(rows))), {"answers": "all"}, rows)


def test_an_adapter_is_compared_with_its_own_base(runs):
    tuned, told = Predictor.load(runs["lora"]), []
    written = write_report(runs["lora"], asked(), {}, tuned, None, lambda done, total: told.append((done, total)))
    assert told[-1] == (14, 14)
    assert written["result"] == "chat"
    assert written["rows"] == len(ROWS)
    assert set(written["test"]) == set(written["untuned"]) == {"loss", "perplexity"}
    assert [rung["key"] for rung in written["ladder"]] == ["base", "tuned"]
    assert written["interval"]["loss"][0] <= written["test"]["loss"] <= written["interval"]["loss"][1]
    verdict = written["verdict"]
    assert verdict["kind"] in ("unclear", "worse"), "weights moved at random do not help"
    assert "{" not in say(verdict["code"], "zh", **verdict["values"])
    assert written["difference"]["value"] == pytest.approx(written["test"]["loss"] - written["untuned"]["loss"])
    assert len(written["samples"]) == len(ROWS)
    first = written["samples"][0]
    assert (first["row"], first["prompt"], first["truth"]) == (10, "say cat", "cat and cat")
    assert all(rung["ms"] > 0 and rung["bytes"] > 0 for rung in written["ladder"])
    assert json.loads((runs["lora"] / "report.json").read_text("utf-8")) == json.loads(json.dumps(written))
    lines = [json.loads(line) for line in (runs["lora"] / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert sum(line["loss"] for line in lines) / sum(line["tokens"] for line in lines) == pytest.approx(
        written["test"]["loss"]
    )
    assert {"before", "text", "truth"} <= set(lines[0])


def test_the_base_of_an_adapter_scores_as_the_base_itself(runs):
    tuned, base = Predictor.load(runs["lora"]), Predictor.load_base(runs["full"])
    through, itself = Talker(tuned, use_base=True), Talker(base)
    expected = [answer["loss"] for answer in itself.losses(ROWS)]
    assert [answer["loss"] for answer in through.losses(ROWS)] == pytest.approx(expected, abs=1e-3)
    assert [answer["loss"] for answer in Talker(tuned).losses(ROWS)] != pytest.approx(expected, abs=1e-2)
    assert through.answers(ROWS[:3], 8) == itself.answers(ROWS[:3], 8)
    assert itself.answers([], 8) == []


def test_a_fully_tuned_model_needs_its_base_beside_it_or_stands_alone(runs):
    tuned = Predictor.load(runs["full"])
    with pytest.raises(ValueError, match="base"):
        Talker(tuned, use_base=True)
    beside = write_report(runs["full"], asked(), {}, tuned, Predictor.load_base(runs["full"]))
    assert beside["untuned"]["loss"] > 0
    alone = write_report(runs["full"], asked(), {}, tuned)
    assert alone["verdict"]["code"] == "verdict.chat.alone"
    assert say("verdict.chat.alone", "en", **alone["verdict"]["values"]).startswith("The loss on answers is ")
    assert "{" not in say("verdict.chat.alone_detail", "zh", **alone["verdict"]["values"])
    assert alone["samples"][0]["before"] is None
    assert alone["untuned"] is None


def test_rows_whose_answer_is_cut_off_are_left_out_and_counted(runs):
    tuned = Predictor.load(runs["lora"])
    long = {"instruction": "word " * 200, "output": "never reached"}
    written = write_report(runs["lora"], asked([*ROWS[:3], long]), {}, tuned)
    assert (written["rows"], written["left_out"]) == (3, 1)
    with pytest.raises(UserError) as raised:
        write_report(runs["lora"], asked([long]), {}, tuned)
    assert raised.value.code == "report_rows"
