"""What lies below the first layer that learns is computed once: the same losses as without, in every family."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import machine, reviews, save_chat, save_encoder, save_rows

from studio.events import Caution, Done, Note, Resumed, Step
from studio.methods.base import methods
from studio.methods.parts import block_stack
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.tasks.heads import core_of
from studio.training import bottom as bottoms
from studio.training.bottom import Bottom
from studio.training.run import Inputs, train_run

sys.path.append(str(Path(__file__).parents[1] / "methods"))

METHODS = {"last_layers": {"layers": 1}, "lora": {"top_layers": 1, "dropout": 0.0}}


def a_spec(method: str, task: str = "classification", **training) -> Spec:
    chosen = {"epochs": 3, "evaluations": 2, "batch_size": 8, "learning_rate": 3e-3, **training}
    columns = {"text": "text", "label": "label"} if task == "classification" else {"messages": "messages"}
    options = {"training": chosen, "method": METHODS[method]}
    return Spec("d-1", columns, task, "local:tiny", method, options=options)


def run(folder: Path, spec: Spec, data: Path, model: Path, wish=lambda told: None) -> list:
    folder.mkdir(exist_ok=True)
    told: list = []
    train_run(folder, spec, Inputs(data, model, machine()), told.append, lambda: wish(told))
    return told


def losses(told: list) -> list[float]:
    return [event.loss for event in told if isinstance(event, Step)]


def kept(told: list) -> list[dict]:
    return [event.values for event in told if isinstance(event, Note) and event.code == "timeline.bottom_kept"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("parts")
    return save_rows(place / "data", reviews(80)), save_encoder(place / "tiny")


@pytest.fixture(scope="module")
def talks(tmp_path_factory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("talks")
    asked = [{"role": "user", "content": "say"}, {"role": "assistant", "content": "ok"}]
    rows = [{"messages": json.dumps([{**asked[0], "content": f"say {'n' * n}"}, asked[1]])} for n in range(32)]
    return save_rows(place / "data", rows), save_chat(place / "chat")


@pytest.mark.parametrize(("method", "kind"), [("last_layers", "classification"), ("lora", "chat")])
def test_a_run_learns_the_same_as_when_every_layer_is_computed_again(tmp_path, parts, talks, method, kind, monkeypatch):
    spec, made = a_spec(method, kind), parts if kind == "classification" else talks
    once = run(tmp_path / "once", spec, *made)
    assert kept(once) == [{"layers": 1, "total": 2}]
    assert isinstance(once[-1], Done)
    monkeypatch.setattr(bottoms, "KEPT_PASSES", 100)
    again = run(tmp_path / "again", spec, *made)
    assert kept(again) == []
    assert losses(once) == pytest.approx(losses(again), rel=1e-4)
    assert once[-1].score == pytest.approx(again[-1].score, abs=1e-4)
    assert min(losses(once)[1:]) < losses(once)[0]
    assert not list(tmp_path.rglob("cache")), "what was kept goes with the run"


def test_the_layers_below_are_not_computed_in_a_step(tmp_path, parts, monkeypatch):
    from transformers.models.bert.modeling_bert import BertLayer

    seen, real = [], BertLayer.forward

    def counted(self, *inputs, **more):
        seen.append(self.training)
        return real(self, *inputs, **more)

    monkeypatch.setattr(BertLayer, "forward", counted)
    told = run(tmp_path / "run", a_spec("last_layers"), *parts)
    assert sum(seen) == len(losses(told)), "one layer of two a step, and only that one in training mode"


@pytest.mark.parametrize("method", [pytest.param("last_layers", marks=pytest.mark.slow), "lora"])
def test_a_run_that_is_stopped_goes_on_with_the_same_bits(tmp_path, parts, method):
    spec = a_spec(method)
    whole = run(tmp_path / "whole", spec, *parts)
    first = run(tmp_path / "parts", spec, *parts, lambda told: "stop" if len(losses(told)) == 10 else None)
    second = run(tmp_path / "parts", spec, *parts)
    assert [event for event in second if isinstance(event, Resumed)] == [Resumed(10, exact=True)]
    assert losses(first) + losses(second) == losses(whole)
    one, other = (
        {
            name: part
            for file in (tmp_path / run / "model").glob("*.safetensors")
            for name, part in load_file(file).items()
        }
        for run in ("whole", "parts")
    )
    assert all((one[name] == other[name]).all() for name in one)


def test_where_it_can_no_longer_be_kept_the_run_goes_on_and_says_what_that_changes(tmp_path, parts, monkeypatch):
    spec = a_spec("last_layers")
    run(tmp_path / "run", spec, *parts, lambda told: "stop" if len(losses(told)) == 10 else None)
    monkeypatch.setattr(bottoms, "_LEFT_FREE", 1 << 60)  # a disk that has filled since
    told = run(tmp_path / "run", spec, *parts)
    assert [event for event in told if isinstance(event, Resumed)] == [Resumed(10, exact=False)]
    (said,) = [event for event in told if isinstance(event, Caution)]
    assert said.values == {"parts": "computed_once True → False"}
    assert isinstance(told[-1], Done)


@pytest.mark.parametrize("training", [{"epochs": 1}, pytest.param({"adversarial": "fgm"}, marks=pytest.mark.slow)])
def test_one_pass_and_an_attack_from_below_compute_every_layer(tmp_path, parts, training):
    told = run(tmp_path / "run", a_spec("last_layers", **training), *parts)
    assert kept(told) == []
    assert isinstance(told[-1], Done)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "modernbert", "electra", "llama", "qwen2", "gpt2"])
def test_every_family_is_read_in_two_parts(tmp_path, family, method):
    from test_methods import folder_of, load

    task, model = load(folder_of(tmp_path, family), family)
    way = methods.get(method)
    options = dataclasses.replace(way.Options(), **METHODS[method])
    model = way.prepare(model, task.peft_type, options)
    found = Bottom.of(model)
    assert (found.layers, found.total) == (1, 2)
    ids = torch.randint(5, 80, (3, 7), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    batch = {"input_ids": ids, "attention_mask": mask}
    model.eval()
    base = core_of(model).base_model

    def forward() -> torch.Tensor:
        return base(**batch).last_hidden_state

    def in_parts() -> None:
        base(input_ids=ids[:, :3]), base(input_ids=ids[:, 3:])

    with torch.no_grad():
        assert found.holds(batch, forward)
        assert not found.holds(batch, in_parts)
        plain = forward()
        with found.given(found.read(forward) + 1.0):
            assert not torch.allclose(forward(), plain), "it is what was given that counts"
        assert torch.equal(forward(), plain), "put back afterwards"
    model.train()
    found.still()
    learning = {name for name, part in model.named_modules() if part.training and "dropout" in name.lower()}
    stack, _ = block_stack(core_of(model))
    assert not [name for name in learning if f"{stack}.0." in name or "embedding" in name or name.endswith(".drop")]


def test_a_task_that_reads_a_row_in_parts_computes_every_layer(tmp_path, parts):
    """Pairs of texts whose vectors are compared go through the layers as two rows."""
    rows = [
        {"one": row["text"], "two": row["text"], "score": str(number % 3)} for number, row in enumerate(reviews(60))
    ]
    data = save_rows(tmp_path / "data", rows)
    options = {"training": {"epochs": 3, "evaluations": 1, "batch_size": 8}, "method": METHODS["last_layers"]}
    columns = {"first": "one", "second": "two", "score": "score"}
    told = run(
        tmp_path / "run",
        Spec("d-1", columns, "similarity", "local:tiny", "last_layers", options=options),
        data,
        parts[1],
    )
    assert kept(told) == []
    assert isinstance(told[-1], Done)


def test_without_layers_below_there_is_no_bottom(tmp_path):
    task = tasks.get("classification")
    folder = save_encoder(tmp_path / "m")
    for method, options in (("full", {}), ("lora", {}), ("last_layers", {"layers": 9}), ("head", {})):
        way = methods.get(method)
        model = task.load(str(folder), {"labels": ["a", "b"]}, task.Options())
        assert Bottom.of(way.prepare(model, task.peft_type, dataclasses.replace(way.Options(), **options))) is None
