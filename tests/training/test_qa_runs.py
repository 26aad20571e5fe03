"""Questions about texts, from a file to answers that stand alone: windows, no answer, Chinese, downloads."""

from __future__ import annotations

import json
import random
import runpy
import zipfile
from pathlib import Path

import pytest
from tiny_questions import encoder, rows_of
from tiny_training import machine, save_rows

from studio.evaluation.kinds.base import judges
from studio.inference import package
from studio.inference.kinds.base import answerers
from studio.inference.predictor import Predictor
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training.run import Inputs, train_run

TASK, JUDGE, ANSWERER = tasks.get("qa"), judges.get("spans"), answerers.get("spans")
COLUMNS = {"question": "question", "context": "context", "answers": "answers", "start": "answer_start"}


def train(place: Path, rows: list[dict[str, str | None]], method: str = "full", base: Path | None = None, **options):
    settings = {"epochs": 12, "learning_rate": 2e-3, "head_learning_rate": 5e-3, "evaluations": 3, "max_length": 48}
    spec = Spec("d-1", COLUMNS, "qa", "local:tiny", method, options={"training": {**settings, **options}})
    folder, told = place / "local" / "runs" / "r-1", []
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    model = base or encoder(place / "model")
    train_run(folder, spec, Inputs(save_rows(place / "data", rows), model, machine()), told.append, lambda: None)
    return folder, told


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    return train(tmp_path_factory.mktemp("answered"), rows_of(300))


def test_from_rows_to_the_report(answered):
    folder, told = answered
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert told[-1].metric == "answer_f1"
    assert [rung["key"] for rung in report["ladder"]] == ["sentence", "part", "tuned"]
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["tuned"] > max(scores["sentence"], scores["part"]) + 0.2
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert set(lines[0]["asked"]) == {"question", "context"}
    assert set(report["test"]) == {"answer_f1", "answer_exact"}
    assert report["difference"]["low"] > 0
    assert len(report["marked"]) > 0
    for one in report["marked"]:
        assert all(0 <= start < end <= len(one["context"]) for start, end in [*one["answer"], *one["truth"]])


def test_the_answer_is_a_part_of_the_text_with_its_place(answered):
    predictor = Predictor.load(answered[0])
    asked = {"question": "was it good", "context": "the soup was rude and the room fresh warm we had <b>it</b>"}
    found = predictor.predict([asked])[0]
    assert asked["context"][found["start"] : found["end"]] == found["text"]
    assert "fresh" in found["text"]
    assert 0 < found["score"] <= 1
    assert "none" not in found
    ends = [(found["start"], found["end"]), *((one["start"], one["end"]) for one in found["others"])]
    assert all(a[1] <= b[0] or b[1] <= a[0] for a in ends for b in ends if a != b)
    assert list(ANSWERER.cells(found)) == [
        "predicted_answer",
        "answer_start",
        "answer_end",
        "answer_score",
        "question_tokens_unread",
    ]
    empty = predictor.predict([{"question": "was it good", "context": " "}])[0]
    assert (empty["text"], empty["start"], empty["score"]) == ("", -1, 0.0)


def test_a_long_text_is_read_in_windows_and_a_long_question_is_told(answered):
    predictor = Predictor.load(answered[0])
    short = "we had a bed fresh warm and the soup was rude"
    far = "the soup was the bed it had we " * 20
    for context in (short, far + short, short + " " + far, far + short + " " + far):
        row = {"question": "was it good", "context": context}
        items = TASK.encode([row], predictor.tokenizer, predictor.facts, predictor.max_length)
        assert (len(items) > 1) == (len(context) > 100)
        seen = {place for item in items for place in item["starts"] if place >= 0}
        assert seen == {place for place in range(len(context)) if context[place - 1 : place] in ("", " ")}
        answer = predictor.predict([row])[0]
        assert "fresh" in answer["text"], context
    cut = predictor.predict([{"question": "was it good " * 40, "context": short}])[0]
    assert cut["question_cut"] > 60


@pytest.mark.parametrize("max_length", [16, 24, 48, 1 << 20])
def test_labels_point_at_the_answer_in_every_window_that_holds_it(tmp_path, max_length):
    from studio.models.load import load_tokenizer

    tokenizer = load_tokenizer(encoder(tmp_path))
    rows = [
        {
            "question": row["question"],
            "context": row["context"],
            "answers": row["answers"],
            "start": row["answer_start"],
        }
        for row in rows_of(30, length=40, none=0.2)
    ]
    facts = TASK.facts(rows, TASK.Options())
    assert facts["unanswerable"]
    held: dict[int, int] = {}
    for item in TASK.encode(rows, tokenizer, facts, max_length):
        row, (first, last) = rows[item["row"]], item["labels"]
        assert len(item["input_ids"]) <= max_length
        assert len(item["starts"]) == len(item["ends"]) == len(item["token_type_ids"]) == len(item["input_ids"])
        if (first, last) == (0, 0):
            continue
        held[item["row"]] = held.get(item["row"], 0) + 1
        assert row["context"][item["starts"][first] : item["ends"][last]] == row["answers"]
    answered = {number for number, row in enumerate(rows) if row["answers"]}
    # Windows of a few words cannot overlap: an answer may be torn there.
    assert set(held) == answered if max_length > 16 else len(answered - set(held)) < 5


def test_an_answer_inside_a_word_is_widened_to_it_and_halves_in_two_windows_are_none():
    from studio.tasks import passages

    item = {"starts": [-1, 0, 4, -1, 10], "ends": [-1, 3, -1, 9, 12]}
    assert passages.labels(item, 4, 9) == [2, 3]
    assert passages.labels(item, 5, 8) == [2, 3]
    assert passages.labels(item, 0, 12) == [1, 4]
    assert passages.labels(item, 10, 15) == [0, 0]
    assert passages.labels({"starts": [-1, 6], "ends": [-1, 9]}, 2, 8) == [0, 0]


@pytest.mark.parametrize("family", ["roberta", "distilbert"])
def test_models_without_a_mark_for_the_second_text_are_read_too(tmp_path, family):
    from studio.models.load import load_tokenizer
    from studio.training.batching import collate

    folder = encoder(tmp_path, family)
    facts = {"unanswerable": True, "longest": 30, "overlap": 0.33, "threshold": 0.5}
    model, tokenizer = TASK.load(str(folder), facts, TASK.Options()).eval(), load_tokenizer(folder)
    rows = [{"question": "was it good", "context": "the soup was fresh warm", "answers": "fresh warm"}]
    batch = collate(TASK.encode(rows, tokenizer, facts, 48), 0, "cpu", TASK.blanks)
    assert not TASK.knows(model)
    assert float(TASK.loss(model, batch, TASK.Options()).detach()) > 0
    found = TASK.combine(TASK.read(model, batch, facts), rows[0], facts)
    assert found["likeliest"]["text"] in rows[0]["context"]
    assert 0 < found["none"] < 1


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory):
    rows = rows_of(360, length=8, none=0.4)
    return train(tmp_path_factory.mktemp("doubtful"), rows, epochs=14)


def test_no_answer_is_learnt_its_threshold_tuned_and_both_parts_scored(doubtful):
    folder, _ = doubtful
    report = json.loads((folder / "report.json").read_text("utf-8"))
    facts = json.loads((folder / "model" / "facts.json").read_text("utf-8"))
    assert facts["unanswerable"]
    assert 0 < facts["threshold"] <= 1
    assert [rung["key"] for rung in report["ladder"]] == ["no_answer", "sentence", "part", "tuned"]
    assert set(report["test"]) == set(JUDGE.metrics)
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["tuned"] > scores[report["simple"]] + 0.1
    assert report["test"]["no_answer_accuracy"] > 0.5
    found = Predictor.load(folder).predict(
        [{"question": "was it good", "context": "the soup was rude and slow we had"}]
    )[0]
    assert (found["text"], found["start"], found["score"]) == ("", -1, found["none"])
    assert found["none"] >= found["threshold"] == facts["threshold"]
    assert found["likeliest"]["text"]
    assert ANSWERER.cells(found)["no_answer_score"] == pytest.approx(found["none"], abs=1e-6)


@pytest.mark.parametrize("which", ["answered", "doubtful"])
def test_the_download_answers_alike(which, request, tmp_path):
    folder = request.getfixturevalue(which)[0]
    list(package.build(folder, tmp_path / "out.zip", "zh", "tuned"))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path)
    made, mine = runpy.run_path(str(tmp_path / "model" / "predict.py")), Predictor.load(folder)
    texts = [row["context"] for row in rows_of(6, length=60, none=0.5, seed=5)]
    for context in [*texts, "", "你好，世界。", "fresh"]:
        for question in ("was it good", "was it bad " * 20):
            answer = mine.predict([{"question": question, "context": context}])[0]
            found = made["predict"](question, context)
            assert [found[name] for name in ("text", "start", "end")] == [answer[n] for n in ("text", "start", "end")]
            assert found["score"] == pytest.approx(answer["score"], abs=1e-4)
            assert found["none"] == pytest.approx(answer.get("none", 0.0), abs=1e-4)


def test_an_adapter_comes_back_as_it_was_trained(tmp_path):
    folder, told = train(tmp_path, rows_of(90), "lora", epochs=2)
    (gap,) = [event.values["gap"] for event in told if getattr(event, "code", "") == "timeline.reloaded"]
    assert float(gap) < 1e-3
    list(package.build(folder, tmp_path / "out.zip", "en", "tuned"))


def test_a_head_that_came_with_the_model_is_kept_and_is_the_line_to_beat(tmp_path):
    import torch
    from transformers import AutoConfig, BertForQuestionAnswering

    base = encoder(tmp_path / "base")
    torch.manual_seed(3)
    stock = BertForQuestionAnswering(AutoConfig.from_pretrained(base))
    stock.save_pretrained(base)
    model = TASK.load(str(base), {}, TASK.Options())
    assert TASK.knows(model)
    assert torch.equal(model.qa_outputs.weight, stock.qa_outputs.weight)
    ids = torch.tensor([[2, 5, 6, 3, 7, 8, 3]])
    marks = torch.tensor([[0, 0, 0, 0, 1, 1, 1]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        mine = model.eval()(input_ids=ids, attention_mask=mask, token_type_ids=marks).logits
        theirs = stock.eval()(input_ids=ids, attention_mask=mask, token_type_ids=marks)
    assert torch.allclose(mine[..., 0], theirs.start_logits, atol=1e-5)
    assert torch.allclose(mine[..., 1], theirs.end_logits, atol=1e-5)
    folder, _ = train(tmp_path, rows_of(90), base=base, epochs=2)
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert [rung["key"] for rung in report["ladder"]] == ["sentence", "part", "untuned", "tuned"]


LETTERS = "他在哪里去了谁来说王李张陈赵小明红军芳花北京上海广州学校公司今天昨和的很好"


def chinese(count: int) -> list[dict[str, str | None]]:
    """Who did it? Names of two characters, the first of which is a family's, anywhere in a sentence without blanks."""
    dice, rows = random.Random(1), []
    for _ in range(count):
        name = dice.choice("王李张陈赵") + dice.choice("明红军芳花")
        before = dice.choice(["今天", "昨天", "今天在学校", "昨天在公司里"])
        after = dice.choice(["去了北京", "来上海", "在广州公司", "说学校很好"])
        context = f"{before}，{name}{after}。"
        answer = json.dumps({"text": [name], "answer_start": [context.index(name)]}, ensure_ascii=False)
        rows.append({"question": "谁？", "context": context, "answers": answer, "answer_start": None})
    return rows


def test_chinese_is_answered_by_character(tmp_path):
    base = encoder(tmp_path / "base", letters=LETTERS)
    folder, told = train(tmp_path, chinese(260), base=base, epochs=10)
    report = json.loads((folder / "report.json").read_text("utf-8"))
    scores = {rung["key"]: rung["score"] for rung in report["ladder"]}
    assert scores["tuned"] > max(scores["sentence"], scores["part"]) + 0.1
    found = Predictor.load(folder).predict([{"question": "谁？", "context": "今天在学校，张芳去了上海。"}])[0]
    assert (found["text"], found["start"], found["end"]) == ("张芳", 6, 8)
    list(package.build(folder, tmp_path / "out.zip", "zh", "tuned"))
