from __future__ import annotations

import json
import shutil

import pytest
import torch
from tiny_inference import LABELS, TEXTS, save_chat_base, save_encoder_base, save_run

from studio.errors import UserError
from studio.evaluation.baseline import fit_baselines
from studio.inference.predictor import Predictor, batches, checked_messages
from studio.inference.settings import ChatSettings
from studio.inference.sharing import Shared, weights_of
from studio.tasks.base import tasks
from studio.tasks.chat import render

ASK = [{"role": "user", "content": "外卖好吃吗? the cat"}]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def encoder(home):
    return save_encoder_base(home / "models" / "encoder")


@pytest.fixture(scope="module")
def decoder(home):
    return save_chat_base(home / "models" / "decoder")


@pytest.fixture(scope="module")
def chat_run(home, decoder):
    return save_run(home, "r-chat", decoder, "chat", "lora", {"answers": "all"}, columns={"messages": "messages"})


def said(pieces):
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize("method", ["full", "lora", "head"])
def test_labels_answer_like_the_model_that_was_saved(home, encoder, method):
    run, tuned = save_run(home, f"r-{method}", encoder, "classification", method, LABELS)
    predictor = Predictor.load(run)
    found = predictor.predict(TEXTS)
    task = tasks.get("classification")
    for text, answer in zip(TEXTS, found, strict=True):
        ids = torch.tensor([task.encode([{"text": text}], predictor.tokenizer, LABELS, 48)[0]["input_ids"]])
        alone = task.read(tuned, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, LABELS)[0]
        assert answer["label"] == alone["label"]
        assert answer["scores"] == pytest.approx(alone["scores"], abs=1e-5)
    assert len({tuple(answer["scores"].values()) for answer in found}) == len(TEXTS)
    rows = [{"text": text, "label": "food"} for text in TEXTS]
    assert predictor.predict(rows) == found


def test_full_model_needs_no_base_and_an_adapter_says_which(home, tmp_path):
    base = save_encoder_base(tmp_path / "base")
    whole, _ = save_run(tmp_path, "r-whole", base, "classification", "full", LABELS)
    adapter, _ = save_run(tmp_path, "r-adapter", base, "classification", "lora", LABELS)
    shutil.rmtree(base)
    assert len(Predictor.load(whole).predict(["cat"])) == 1
    with pytest.raises(UserError) as caught:
        Predictor.load(adapter)
    assert caught.value.code == "base_gone"
    assert "starter:minilm" in caught.value.text()


def test_missing_and_damaged_models_are_named(home, encoder, tmp_path):
    with pytest.raises(UserError) as caught:
        Predictor.load(tmp_path / "r-none")
    assert caught.value.code == "model_gone"
    run, _ = save_run(tmp_path, "r-bad", encoder, "classification", "full", LABELS)
    weights = run / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError) as caught:
        Predictor.load(run)
    assert len(caught.value.parts("zh")) == 3
    (run / "model" / "studio.json").write_text("{")
    with pytest.raises(UserError) as caught:
        Predictor.load(run)
    assert caught.value.code == "model_unreadable"


def test_chat_streams_what_the_file_path_answers(chat_run):
    predictor = Predictor.load(chat_run[0])
    streamed = said(predictor.chat(ASK, ChatSettings(max_new_tokens=512)))
    assert predictor.predict([ASK[0]["content"]]) == [{"text": streamed.strip()}]
    rows = [{"messages": json.dumps([*ASK, {"role": "assistant", "content": "the truth"}])}]
    assert predictor.predict(rows) == [{"text": streamed.strip()}]


def test_base_beside_tuned_shares_weights_and_leaves_the_adapter_on(chat_run, decoder):
    predictor = Predictor.load(chat_run[0])
    settings = ChatSettings(max_new_tokens=20)
    tuned, base = said(predictor.chat(ASK, settings)), said(predictor.chat(ASK, settings, use_base=True))
    assert tuned != base
    assert said(Predictor.load_base(chat_run[0]).chat(ASK, settings)) == base
    talks = [predictor.chat(ASK, settings), predictor.chat(ASK, settings, use_base=True)]
    texts = ["", ""]
    for _ in range(20):
        for side, talk in enumerate(talks):
            texts[side] += next(talk, None).text if texts[side] is not None else ""
    assert texts == [tuned, base]


def test_the_stored_template_is_used(chat_run, tmp_path):
    run = tmp_path / "r-own"
    shutil.copytree(chat_run[0], run)
    (run / "model" / "chat_template.jinja").write_text("{% for m in messages %}[{{ m['content'] }}]{% endfor %}")
    predictor = Predictor.load(run)
    assert render(predictor.tokenizer, ASK, open_answer=True) == f"[{ASK[0]['content']}]"


def test_switching_off_is_what_peft_does_and_survives_errors(chat_run):
    predictor = Predictor.load(chat_run[0])
    ids = torch.tensor([[3, 4, 5]])
    with torch.no_grad():
        tuned = predictor.model(ids).logits
        with predictor.model.disable_adapter():
            theirs = predictor.model(ids).logits
        with predictor.base_only():
            ours = predictor.model(ids).logits
        with pytest.raises(RuntimeError, match="in the middle"), predictor.base_only():
            raise RuntimeError("in the middle")
        assert torch.equal(ours, theirs)
        assert torch.equal(predictor.model(ids).logits, tuned)
        assert not torch.equal(ours, tuned)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([], "chat_messages"),
        ([{"role": "assistant", "content": "hello"}], "chat_messages"),
        ([{"role": "tool", "content": "x"}, *ASK], "chat_messages"),
        ([{"role": "user", "content": "x" * 1000}], "prompt_too_long"),
    ],
)
def test_what_cannot_be_answered_is_refused(chat_run, messages, code):
    with pytest.raises(UserError) as caught:
        next(Predictor.load(chat_run[0]).chat(messages, ChatSettings()))
    assert caught.value.code == code
    assert all("{" not in part for part in caught.value.parts("zh"))


def test_an_empty_system_prompt_is_left_out():
    assert checked_messages([{"role": "system", "content": " "}, *ASK]) == ASK


def test_labels_cannot_chat(home, encoder, tmp_path):
    run, _ = save_run(tmp_path, "r-labels", encoder, "classification", "head", LABELS)
    with pytest.raises(UserError) as caught:
        Predictor.load(run).chat(ASK, ChatSettings())
    assert caught.value.code == "chat_not_possible"


def test_adapters_of_one_base_share_its_weights(home, decoder, chat_run, tmp_path):
    other, _ = save_run(tmp_path, "r-other", decoder, "chat", "lora", {"answers": "all"}, nudge=0.5)
    shared = Shared()
    one, two = (Predictor.load(run, shared=shared) for run in (chat_run[0], other))
    alone = Predictor.load(other)
    settings = ChatSettings(max_new_tokens=12)
    assert said(two.chat(ASK, settings)) == said(alone.chat(ASK, settings)) != said(one.chat(ASK, settings))
    together, each = sum((one.parts() | two.parts()).values()), sum(weights_of(alone.model).values())
    base = sum(weights_of(Predictor.load_base(other).model).values())
    assert together == pytest.approx(2 * each - base, rel=0.01)
    del one
    three = Predictor.load(chat_run[0], shared=shared)
    assert sum((two.parts() | three.parts()).values()) == together


def test_tuned_weights_are_never_shared(home, encoder, tmp_path):
    shared = Shared()
    one, two = (
        Predictor.load(
            save_run(tmp_path, f"r-{nudge}", encoder, "classification", "full", LABELS, nudge)[0], shared=shared
        )
        for nudge in (0.2, 0.4)
    )
    alone = Predictor.load(tmp_path / "local" / "runs" / "r-0.4")
    assert two.predict(TEXTS) == alone.predict(TEXTS) != one.predict(TEXTS)


def test_simple_models_are_predictors_too(tmp_path):
    words = {"animal": "the cat and dogs ran", "food": "外卖 很 好吃 不错"}
    rows = [{"text": f"{text} {number}", "label": label} for number in range(12) for label, text in words.items()]
    run = tmp_path / "r-simple"
    run.mkdir()
    (run / "spec.json").write_text(
        json.dumps({"task": "classification", "columns": {"text": "review", "label": "label"}})
    )
    for key, model in fit_baselines(tasks.get("classification"), rows, rows, {"labels": sorted(words)}, 1).items():
        model.save(run / "baselines" / key)
    tfidf = Predictor.load_simple(run, "tfidf")
    assert [answer["label"] for answer in tfidf.predict(["a cat", {"text": "好吃", "label": "animal"}])] == [
        "animal",
        "food",
    ]
    assert tfidf.columns["text"] == "review"
    steps = list(tfidf.steps(["the cat"] * 1200))
    assert [count for count, _ in steps] == [500, 1000, 1200]
    assert [answers is None for _, answers in steps] == [True, True, False]
    assert len(steps[-1][1]) == 1200
    with pytest.raises(UserError) as caught:
        Predictor.load_simple(run, "nearest")
    assert caught.value.code == "model_gone"


def test_batches_hold_every_row_once_within_bounds():
    lengths = [5, 300, 7, 7, 60, 1, 300, 4, 4, 9]
    found = batches(lengths, rows=4, tokens=320)
    assert sorted(place for batch in found for place in batch) == list(range(10))
    assert all(len(batch) <= 4 for batch in found)
    assert all(len(batch) == 1 or len(batch) * max(lengths[p] for p in batch) <= 320 for batch in found)
    assert found[:2] == [[1], [6]]
    assert batches([], 4, 320) == []
