"""Tuning strength: nought answers as the base, one as tuned, and between two steps nothing is left turned down."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from tiny_inference import LABELS, TEXTS, save_chat_base, save_encoder_base, save_run

from studio.errors import UserError
from studio.evaluation import strength
from studio.evaluation.exam import Exam
from studio.inference.adapters import at_strength
from studio.inference.pool import Pool
from studio.inference.predictor import Predictor
from studio.inference.requests import Requests
from studio.inference.settings import ChatSettings
from studio.tasks.base import tasks
from studio.workspace import Workspace

TASK = tasks.get("classification")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def run(home):
    base = save_encoder_base(home / "base")
    return save_run(home, "r-lora", base, "classification", "lora", LABELS)[0]


@pytest.fixture(scope="module")
def predictor(run):
    return Predictor.load(run)


def scores(predictor, share):
    with predictor.at_strength(share):
        return [list(one["scores"].values()) for one in predictor.predict(TEXTS)]


def test_nought_is_the_base_below_the_tuned_head_and_one_is_as_tuned(predictor):
    plain = [list(one["scores"].values()) for one in predictor.predict(TEXTS)]
    assert scores(predictor, 1.0) == plain
    for layer in predictor.model.modules():
        if hasattr(layer, "lora_B"):
            layer._disable_adapters = True
    base = [list(one["scores"].values()) for one in predictor.predict(TEXTS)]
    for layer in predictor.model.modules():
        if hasattr(layer, "lora_B"):
            layer._disable_adapters = False
    for one, other in zip(scores(predictor, 0.0), base, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    half = scores(predictor, 0.5)
    assert half != plain
    assert half != base
    assert [list(one["scores"].values()) for one in predictor.predict(TEXTS)] == plain, "nothing stays turned down"


def test_a_step_that_fails_leaves_the_tuning_whole(predictor):
    before = scores(predictor, 1.0)
    with pytest.raises(ValueError, match="broken"), predictor.at_strength(0.25):
        raise ValueError("broken")
    assert scores(predictor, 1.0) == before


def test_what_is_no_addition_has_no_strength(home):
    from peft import LoraConfig, get_peft_model

    model = TASK.load(str(home / "base"), LABELS, TASK.Options())
    assert at_strength(model) is None
    settings = {"target_modules": ["query"], "r": 2}
    assert at_strength(get_peft_model(model, LoraConfig(**settings))) is not None
    other = TASK.load(str(home / "base"), LABELS, TASK.Options())
    assert at_strength(get_peft_model(other, LoraConfig(**settings, use_dora=True))) is None


@pytest.fixture(scope="module")
def requests(home):
    return Requests(
        Workspace.open(home),
        Pool(lambda run, which: Predictor.load(run), lambda *_: 0, lambda *_: 1, 1 << 40, lambda: 1 << 40),
    )


def asked(requests, **request):
    return list(requests.steps(request))[-1]["value"]


def test_a_request_names_its_strength_and_bad_ones_are_refused(requests, run, home, predictor):
    answers = asked(requests, op="predict", run=str(run), rows=TEXTS, strength=0.25)["predictions"]
    assert [list(one["scores"].values()) for one in answers] == scores(predictor, 0.25)
    for bad in (1.5, "much", None):
        with pytest.raises(UserError) as error:
            asked(requests, op="predict", run=str(run), rows=TEXTS, strength=bad)
        assert error.value.code == "strength_bounds"
    whole = save_run(home, "r-full", home / "base", "classification", "full", LABELS)[0]
    with pytest.raises(UserError) as error:
        asked(requests, op="predict", run=str(whole), rows=TEXTS, strength=0.5)
    assert error.value.code == "strength_none"
    assert "50" in error.value.text()
    assert "50" in error.value.text("zh")


def test_a_chat_turned_down_to_nought_answers_as_its_base(requests, home):
    base = save_chat_base(home / "chat", positions=600)
    run = save_run(home, "r-chat", base, "chat", "lora", {}, columns={})[0]
    request = {"op": "chat", "run": str(run), "messages": [{"role": "user", "content": "hello world"}]}
    request |= {"sides": ["tuned", "base"], "settings": {"max_new_tokens": 12}}
    for share, same in ((0.0, True), (1.0, False)):
        texts = {"tuned": "", "base": ""}
        for message in requests.steps({**request, "strength": share}):
            if message["event"] == "piece":
                texts[message["side"]] += message["text"]
        assert (texts["tuned"] == texts["base"]) is same
    assert ChatSettings().max_new_tokens > 12


def test_the_curve_ends_where_the_tuned_model_stands(predictor, run):
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, itertools.cycle(LABELS["labels"]))]
    exam = Exam(TASK, rows, range(len(rows)), predictor.facts)
    steps = list(strength.curve(predictor, exam))
    found = steps[-1][1]
    assert [one["strength"] for one in found] == [0.0, 0.25, 0.5, 0.75, 1.0]
    counts = [count for count, _ in steps]
    assert counts == sorted(counts)
    assert counts[-1] == 5 * len(rows)
    from studio.evaluation.kinds.base import judges

    truths = [row["label"] for row in rows]
    expected = judges.get("labels").score(
        predictor.predict([{"text": text} for text in TEXTS]), truths, predictor.facts
    )
    assert found[-1]["score"] == expected["macro_f1"]
    (run / "report.json").write_text(json.dumps({"rows": 6, "ladder": [{"key": "tuned", "ms": 2.0}]}))
    assert strength.cheap({"rows": 6, "ladder": [{"key": "tuned", "ms": 2.0}]})
    assert not strength.cheap({"rows": 60_000, "ladder": [{"key": "tuned", "ms": 2.0}]})
    assert strength.keep(run, found)["strength"] == found
    assert json.loads((run / "report.json").read_text())["strength"] == found


def test_only_answers_that_are_scored_have_a_curve(predictor):
    assert strength.able(predictor)
    assert not strength.able(object())


def test_the_sum_is_put_back_bit_for_bit(predictor):
    layer = next(part for part in predictor.model.modules() if hasattr(part, "lora_B"))
    before = dict(layer.scaling)
    with predictor.at_strength(0.3), torch.inference_mode():
        assert layer.scaling["default"] == pytest.approx(0.3 * before["default"])
    assert layer.scaling == before
