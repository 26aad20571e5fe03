"""The model picker of the Train tab: what is not here says so, the hub is searched, what it refuses starts no run."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

import gradio as gr
import pytest

from studio import hardware
from studio.data.importing import import_file
from studio.data.use import Use
from studio.errors import UserError
from studio.hardware import Hardware
from studio.inference.client import InferenceClient
from studio.models.known import known
from studio.models.marks import Marks
from studio.runs.desk import Desk
from studio.runs.draft import BASELINE, draft
from studio.web.context import Page
from studio.web.tabs import train
from studio.web.tabs.given import Given
from studio.web.tabs.modelcard import settled
from studio.web.tabs.modelview import look_first, model_choices, searched, shown_card
from studio.web.tabs.preflight import shown_preflight
from studio.words import say

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import tiny_models
from web_stand_in import offer, serving

TOLD = {
    "config": {"model_type": "bert"},
    "safetensors": {"parameters": {"F32": 110_000_000}, "total": 110_000_000},
    "cardData": {"license": "mit", "language": "zh"},
    "downloads": 7,
    "gated": False,
}


@pytest.fixture
def web(monkeypatch):
    with serving() as stand_in:
        monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield stand_in


@pytest.fixture
def page(workspace, monkeypatch):
    record = Hardware(
        "cpu", "box", 2, 8 * 10**9, 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0
    )
    monkeypatch.setattr(hardware, "read_or_probe", lambda workspace: record)
    desk = Desk(workspace)
    yield Page(desk, InferenceClient(workspace), "en")
    desk.close()


@pytest.fixture
def data(workspace, tmp_path):
    file = tmp_path / "animals.csv"
    file.write_text("text,label\n" + "\n".join(f"message {n} of pets,{n % 2}" for n in range(60)))
    return import_file(workspace, "local", file, file.name)


USE = Use("classification", {"text": "text", "label": "label"})


def test_the_picker_offers_hub_models_after_the_starters_and_says_they_are_not_here(page):
    choices = {key: title for title, key in model_choices(page, "classification")}
    assert next(iter(choices)) == "starter:minilm"
    assert choices["hub:google-bert/bert-base-chinese"] == (
        "google-bert/bert-base-chinese (103 M parameters, not on this disk, 412 MB)"
    )
    gemma = {key: title for title, key in model_choices(page, "chat")}["hub:google/gemma-3-270m-it"]
    assert "terms to accept first" in gemma


def test_a_search_that_finds_and_one_that_does_not(page, web):
    web.about["org/bert-pets"] = TOLD
    (line,) = searched(page, "classification", "pets")["models"]
    assert (line["id"], line["size"], line["download"]) == ("hub:org/bert-pets", "110 M parameters", "440 MB")
    assert (line["languages"], line["licence"], line["downloads"]) == ("Chinese", "mit", 7)
    nothing = searched(page, "chat", "pets")
    assert nothing["models"] == []
    assert "'pets'" in nothing["parts"][0]


def test_a_search_while_the_hub_is_switched_off_says_why(page, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = searched(page, "classification", "bert")
    assert len(found["parts"]) == 3
    assert "HF_HUB_OFFLINE" in found["parts"][0]


def test_a_model_the_hub_does_not_have_is_told_by_its_card_and_before_a_start(page, web, data):
    card = shown_card(page, data, USE, "hub:org/absent")
    assert "There is no public model org/absent" in card["note"]
    with pytest.raises(UserError, match="There is no public model org/absent"):
        look_first(page, "hub:org/absent")


def test_a_known_model_has_its_card_without_asking_the_hub(page, web, data):
    card = shown_card(page, data, USE, "hub:FacebookAI/xlm-roberta-base")
    assert (card["size"], card["licence"]) == ("279 M parameters", "mit")
    assert card["context"] == "reads up to 512 tokens"
    assert web.asked == []


def test_a_gated_model_that_is_not_here_starts_no_run(page, workspace, data):
    made = draft(workspace, data, use=USE, model="hub:google/gemma-3-270m-it")
    (problem,) = [problem for problem in made.problems if problem.code == "model_gated"]
    assert (problem.severity, problem.field) == ("error", "model")
    for language in ("en", "zh"):
        assert "google/gemma-3-270m-it" in problem.text(language)


def machine(monkeypatch, gigabytes: float) -> None:
    record = Hardware(
        "cpu", "box", 2, int(gigabytes * 1e9), 0, False, "fp32", "reason.precision_fp32_cpu", 1, "reason.threads_cores", 50.0
    )  # fmt: skip
    monkeypatch.setattr(hardware, "read_or_probe", lambda workspace: record)


def test_the_memory_line_says_what_the_plan_says(page, data, monkeypatch):
    machine(monkeypatch, 16)
    model = "hub:google-bert/bert-base-chinese"
    line = shown_card(page, data, USE, model)["memory"]
    shown = {one["title"]: one for one in line["methods"]}
    assert line["title"] == "Memory a run needs (16.0 GB here):"
    for method in ("full", "lora"):
        made = draft(page.workspace, data, use=USE, model=model, method=method)
        one = shown[say(f"method.{method}.title")]
        assert one["size"] == f"{made.estimate.memory_bytes / 1e9:.1f} GB"
        assert one["tone"] == "good"
    assert line["instead"] == ""


def test_the_check_before_the_start_says_what_the_plan_says(page, data, monkeypatch):
    machine(monkeypatch, 16)
    for method in ("full", "head", "lora", BASELINE):
        chosen = BASELINE if method == BASELINE else "starter:minilm"
        made = draft(page.workspace, data, use=USE, model=chosen, method=method)
        told = shown_preflight(page, made)["estimate"]
        assert told["memory"] == made.estimate.memory_bytes > 0
        assert told["disk"] > 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_task_whose_starters_were_measured_below_simple_models_says_what_it_needs(
    page, workspace, tmp_path, language
):
    file = tmp_path / "pairs.csv"
    lines = [f"what is text {n},a paragraph about text {n + n % 2},{'yes' if n % 2 else 'no'}" for n in range(60)]
    file.write_text("\n".join(["question,paragraph,match", *lines]))
    pairs = import_file(workspace, "local", file, file.name)
    use = Use("pair_classification", {"first": "question", "second": "paragraph", "label": "match"})
    page = Page(page.desk, page.inference, language)
    assert shown_card(page, pairs, use, "starter:minilm")["needs"] == say("task.pair_classification.needs", language)
    assert shown_card(page, pairs, use, "hub:google-bert/bert-base-chinese")["needs"] == ""
    single = Use("classification", {"text": "question", "label": "match"})
    assert shown_card(page, pairs, single, "starter:minilm")["needs"] == ""
    written = Use("summarisation", {"document": "paragraph", "summary": "question"})
    assert "BART" in shown_card(page, pairs, written, "scratch:seq2seq")["needs"]
    for key in ("translation", "summarisation", "qa", "pair_classification"):
        assert say(f"task.{key}.needs", language)


@pytest.mark.parametrize(
    ("gigabytes", "tones", "instead"),
    [
        (2.2, {"full": "bad", "lora": "good"}, "fits here; Full tuning takes more"),
        (0.3, {"full": "bad", "lora": "bad"}, "no smaller model of the list does either"),
    ],
)
def test_a_small_machine_is_told_what_fits_instead(page, data, monkeypatch, gigabytes, tones, instead):
    machine(monkeypatch, gigabytes)
    line = shown_card(page, data, USE, "hub:google-bert/bert-base-chinese")["memory"]
    shown = {one["title"]: one["tone"] for one in line["methods"]}
    assert {method: shown[say(f"method.{method}.title")] for method in tones} == tones
    assert instead in line["instead"], line


def test_a_model_too_large_names_the_largest_that_fits(page, data, monkeypatch):
    machine(monkeypatch, 2.2)
    chat = Use("chat", {"instruction": "text", "output": "label"})
    line = shown_card(page, data, chat, "hub:Qwen/Qwen2.5-1.5B-Instruct")["memory"]
    assert {one["tone"] for one in line["methods"]} == {"bad"}
    assert "The largest model of the list that does: " in line["instead"]


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (Marks("<pad>", "<pad>", "<s>", "</s>"), ["Padding: its own <pad>", "Begin <s>, end </s>"]),
        (Marks("", "<unk>", "", "</s>"), ["no token for that, so <unk> is used", "No begin mark; end </s>"]),
        (Marks("</s>", "<unk>", "<s>", "</s>"), ["never learn to stop, so <unk> is used", "Begin <s>"]),
        (Marks("", "<|e|>", "<|e|>", "<|e|>"), ["with its end mark <|e|>", "Begin <|e|>, end <|e|>"]),
        (Marks("", "", "<b>", ""), ["once its tokenizer is here", "Begin <b>; no end mark"]),
        (Marks("[P]", "[P]", "", ""), ["its own [P]", "Neither begin nor end mark"]),
        (None, ["read once its files are here"]),
    ],
)
def test_what_is_settled_is_said(page, marks, said):
    card = dataclasses.replace(known()["hub:openai-community/gpt2"], marks=marks)
    told = settled(page, "chat", card)
    for part, text in zip(said, told, strict=False):
        assert part in text
    assert told[-1].startswith("Chat template: none")
    assert settled(page, "causal_lm", card) == told[:-1]
    own = dataclasses.replace(card, has_chat_template=True)
    assert settled(page, "chat", own)[-1] == "Chat template: the model's own."


def test_hub_local_and_starter_models_say_what_is_settled(page, web, data, tmp_path, monkeypatch):
    model = tiny_models.encoder_folder(tmp_path / "tiny")
    offer(web, model, tmp_path)
    web.about["org/tiny"] = {"cardData": {"license": "mit", "language": "en"}}
    own = "Padding: its own [PAD]; the loss leaves it out."
    for name in ("hub:org/tiny", f"local:{model}", "starter:minilm"):
        card = shown_card(page, data, USE, name)
        assert card["settled"] == [own, "Begin [CLS], end [SEP], as its own tokenizer writes them."], name
        assert (card["fetch"] or {}).get("model") == (None if name.startswith("local") else name)
        assert card["memory"]["methods"], name


def test_a_gated_card_asks_for_a_token_and_a_private_one_offers_to(page, web, data):
    gated = shown_card(page, data, USE, "hub:google/gemma-3-270m-it")["fetch"]
    assert gated["token"] == "terms"
    assert f"{web.address.removeprefix('http://')}/google/gemma-3-270m-it" in gated["help"]
    assert shown_card(page, data, USE, "hub:org/absent")["fetch"]["token"] == "private"


def folder_box(page):
    """The handler of the folder box, wired into a page of its own."""
    with gr.Blocks() as blocks:
        page.parts.clear()
        train.build(page)
    return next(wired for wired in blocks.fns.values() if wired.name == "take_folder").fn


def test_the_folder_box_takes_a_model_or_says_why_not(page, data, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_MODEL_ROOTS", str(tmp_path))
    take, filled = folder_box(page), Given(data.version, USE).dumps()
    model = tiny_models.encoder_folder(tmp_path / "小模型")
    chosen, refused = take(f"  {model} ", filled)
    assert (chosen.value, refused) == (f"local:{model}", None)
    cases = {"pickle": "model_pickle_only", "bare": "model_no_tokenizer", "empty": "model_no_config"}
    for name in cases:
        shutil.copytree(model, tmp_path / name)
    (tmp_path / "pickle" / "model.safetensors").rename(tmp_path / "pickle" / "pytorch_model.bin")
    for name in ("tokenizer.json", "vocab.txt"):
        (tmp_path / "bare" / name).unlink(missing_ok=True)
    (tmp_path / "empty" / "config.json").unlink()
    for name, code in cases.items():
        values = {"folder": str(tmp_path / name)} | ({"file": "pytorch_model.bin"} if name == "pickle" else {})
        assert take(str(tmp_path / name), filled)[1] == UserError(code, **values).parts("en")
    assert "is not open to the page" in take("/etc", filled)[1][0]
    chat = Given(data.version, Use("chat", {"instruction": "text", "output": "label"})).dumps()
    values = {"folder": str(model), "family": "bert", "task_code": "task.chat.title"}
    assert take(str(model), chat)[1] == UserError("model_other_kind", **values).parts("en")
