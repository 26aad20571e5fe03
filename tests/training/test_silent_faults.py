"""What goes wrong elsewhere in silence, each with a test of its own; `tests/test_pitfalls.py` lists all of them."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import TEMPLATE, machine, reviews, save_chat, save_encoder, save_rows

from studio.events import Phase
from studio.methods.base import methods
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.tasks.classification import Classification
from studio.training.options import TrainingOptions
from studio.training.run import Inputs, train_run
from studio.training.settling import settle

FAST = {"epochs": 1, "evaluations": 2, "batch_size": 8, "learning_rate": 1e-3, "head_learning_rate": 1e-2}


def a_spec(seed: int = 1, method: str = "full") -> Spec:
    columns = {"text": "text", "label": "label"}
    options = {"training": FAST}
    return Spec("d-1", columns, "classification", "local:tiny", method, options=options, seed=seed)


def trained(tmp_path, name: str, spec: Spec, told: list):
    folder = tmp_path / name
    folder.mkdir()
    base, data = tmp_path / "model", tmp_path / "data"
    inputs = Inputs(
        data if data.exists() else save_rows(data, reviews(90)),
        base if base.exists() else save_encoder(base),
        machine(),
    )
    train_run(folder, spec, inputs, told.append, lambda: None)
    return folder


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    """The new head is drawn, rows are divided, ordered and dropped out: all of it from the run's seed."""
    weights = [
        load_file(trained(tmp_path, name, a_spec(seed), []) / "model" / "model.safetensors")
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    ]
    first, again, other = weights
    assert all(torch.equal(part, again[name]) for name, part in first.items())
    assert any(not torch.equal(part, other[name]) for name, part in first.items())


def test_rows_of_the_test_are_read_once_and_only_after_the_last_step(tmp_path, monkeypatch):
    """Nothing is chosen by them: they are first looked at when the model is saved."""
    told: list = []
    read: list[tuple[str, str]] = []
    real = Classification.encode

    def watched(self, rows, tokenizer, facts, max_length):
        phase = next((event.name for event in reversed(told) if isinstance(event, Phase)), "")
        read.extend((phase, row["text"]) for row in rows)
        return real(self, rows, tokenizer, facts, max_length)

    monkeypatch.setattr(Classification, "encode", watched)
    folder = trained(tmp_path, "run", a_spec(), told)
    report = json.loads((folder / "report.json").read_text("utf-8"))
    tested = {json.loads(line)["text"] for line in (folder / "predictions.jsonl").read_text("utf-8").splitlines()}
    assert len(tested) == report["rows"] > 5
    phases = {phase for phase, text in read if text in tested}
    before = {"", "tokenising", "baselines", "training", "saving"}
    assert phases
    assert phases <= {event.name for event in told if isinstance(event, Phase)} - before
    assert {phase for phase, _ in read} & before, "rows that train were read in these phases"


def test_what_was_cached_for_a_run_leaves_with_its_end(tmp_path):
    folder = trained(tmp_path, "run", a_spec(), [])
    assert (folder / "report.json").is_file()
    assert not list(folder.rglob("*.arrow"))
    assert not (folder / "cache").exists()


@pytest.mark.parametrize(("method", "base"), [("full", torch.float32), ("lora", torch.bfloat16)])
def test_weights_that_learn_are_float32_even_where_the_base_is_halved(tmp_path, method, base):
    """Gradients in a half-width format cannot be unscaled, and small steps would be rounded away."""
    task, way = tasks.get("classification"), methods.get(method)
    facts = {"labels": ["bad", "good"]}
    model = way.prepare(task.load(str(save_encoder(tmp_path / "m")), facts, task.Options()), task, way.Options())
    settle(model, TrainingOptions(), way, "bf16")
    assert {part.dtype for part in model.parameters() if part.requires_grad} == {torch.float32}
    still = {part.dtype for part in model.parameters() if not part.requires_grad}
    assert still == ({base} if method == "lora" else set())


def test_a_mark_that_begins_the_text_stands_there_once(tmp_path):
    """Some tokenizers add it themselves, and their templates write it too."""
    from tokenizers import processors
    from transformers import AutoTokenizer

    folder = save_chat(tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    begin = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    tokenizer.add_special_tokens({"bos_token": "<|endoftext|>"})
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", begin)]
    )
    tokenizer.chat_template = "{{ bos_token }}" + TEMPLATE
    assert tokenizer("hi")["input_ids"][0] == begin, "it does add one by itself"
    chat = tasks.get("chat")
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    (learnt,) = chat.encode([{"messages": json.dumps(talk)}], tokenizer, {}, 200)
    (asked,) = chat.encode([{"messages": json.dumps(talk[:1])}], tokenizer, {}, 200)
    assert learnt["input_ids"].count(begin) == asked["input_ids"].count(begin) == 1
    assert learnt["input_ids"][: len(asked["input_ids"])] == asked["input_ids"], "what was learnt is what is asked"
