"""Rows that share one are learnt from as if each stood alone: the same losses and gradients, no look at a neighbour."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_training import machine, save_chat, save_rows

from studio.events import Done, Note, Resumed, Step
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.training import packing
from studio.training.batching import ListItems, Sampler, collate
from studio.training.packing import holds, packed, places, saved
from studio.training.run import Inputs, train_run

sys.path.append(str(Path(__file__).parents[1] / "methods"))

LENGTHS = [12, 3, 5, 4, 7, 2]


def a_batch(vocabulary: int = 80) -> dict[str, torch.Tensor]:
    chance = np.random.default_rng(1)
    items = [{"input_ids": list(map(int, chance.integers(5, vocabulary, length)))} for length in LENGTHS]
    # The first half of a row is asked, the second learnt; one is learnt from its very first token.
    items = [
        {**item, "labels": [-100] * (len(item["input_ids"]) // 2) + item["input_ids"][len(item["input_ids"]) // 2 :]}
        for item in items
    ]
    items[2]["labels"] = list(items[2]["input_ids"])
    return collate(items, 0, "cpu")


def test_the_longest_comes_first_and_each_row_is_there_once():
    found = places(LENGTHS)
    assert found == [[0], [4, 2], [3, 1, 5]]
    assert places([4, 4, 4]) == [[0], [1], [2]]


def test_a_batch_in_which_none_fits_beside_another_stays_as_it_is():
    batch = collate([{"input_ids": [5, 6, 7], "labels": [5, 6, 7]}] * 3, 0, "cpu")
    assert packed(batch) is batch


def test_rows_of_a_packed_batch():
    batch = a_batch()
    found = packed(batch)
    assert found["input_ids"].shape == found["labels"].shape == found["position_ids"].shape == (3, 12)
    assert "attention_mask" not in found
    assert found["position_ids"][1].tolist() == [*range(7), *range(5)]
    assert found["position_ids"][2].tolist() == [*range(4), *range(3), *range(2), *range(3)], (
        "padding is a row of its own"
    )
    assert found["input_ids"][1].tolist() == batch["input_ids"][4, :7].tolist() + batch["input_ids"][2, :5].tolist()
    chat = tasks.get("chat")
    assert chat.weight(found) == chat.weight(batch)
    assert found["labels"][1, 7] == -100, "what came before it is another text"
    below = packed({**batch, "below": batch["input_ids"].unsqueeze(2).float().repeat(1, 1, 4)})
    assert torch.equal(below["below"][..., 0], below["input_ids"].float())


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2"])
def test_loss_and_gradients_are_those_of_the_rows_alone(tmp_path, family):
    from test_methods import folder_of, load

    task, model = load(folder_of(tmp_path, family), family)
    model.eval()
    batch, found = a_batch(), {}
    for name, made in (("alone", batch), ("packed", packed(batch))):
        model.zero_grad()
        loss = task.loss(model, made, task.Options())
        loss.backward()
        found[name] = (loss.item(), [part.grad.clone() for part in model.parameters() if part.grad is not None])
    assert found["packed"][0] == pytest.approx(found["alone"][0], rel=1e-5)
    for one, other in zip(found["packed"][1], found["alone"][1], strict=True):
        assert torch.allclose(one, other, atol=1e-5, rtol=1e-4)


def test_no_row_sees_its_neighbour(tmp_path):
    from test_methods import folder_of, load

    _, model = load(folder_of(tmp_path, "llama"), "llama")
    model.eval()
    found = packed(a_batch())
    changed = {**found, "input_ids": found["input_ids"].clone()}
    changed["input_ids"][1, :7] += 1
    with torch.no_grad():
        one, other = (
            model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
            for batch in (found, changed)
        )
    assert torch.equal(one[1, 7:], other[1, 7:])
    assert not torch.allclose(one[1, :7], other[1, :7])


def test_a_model_that_carries_more_than_attention_from_token_to_token_is_not_packed(tmp_path):
    """As those with a convolution or a state do: here each vector is mixed with the one before it."""
    from test_methods import folder_of, load

    _, model = load(folder_of(tmp_path, "llama"), "llama")
    items = ListItems(
        [{"input_ids": list(range(5, 5 + length)), "labels": list(range(5, 5 + length))} for length in LENGTHS]
    )
    found = SimpleNamespace(model=model, tokenizer=SimpleNamespace(pad_token_id=0), device="cpu", autocast="fp32")
    assert holds(found, items)
    model.model.layers[0].register_forward_hook(lambda module, inputs, output: output + output.roll(1, 1))
    assert not holds(found, items)


def test_the_share_that_is_spared():
    items = ListItems([{"input_ids": [0] * length} for length in [10, 5, 5, 10] * 4])
    assert saved(Sampler(items, 16, 1), items.lengths, 16, 0) == pytest.approx(0.25)
    even = ListItems([{"input_ids": [0] * 7}] * 16)
    assert saved(Sampler(even, 4, 1), even.lengths, 4, 0) == 0.0


def test_a_run_packs_where_that_spares_something_and_learns_the_same(tmp_path, monkeypatch):
    turn = [{"role": "user", "content": "say"}, {"role": "assistant", "content": "ok"}]
    rows = [
        {"messages": json.dumps([{**turn[0], "content": "say " * (1 + 9 * (n % 4 == 0)) + str(n)}, turn[1]])}
        for n in range(40)
    ]
    data, model = save_rows(tmp_path / "data", rows), save_chat(tmp_path / "chat")
    chosen = {"epochs": 2, "evaluations": 1, "batch_size": 8, "learning_rate": 1e-2}
    spec = Spec(
        "d-2",
        {"messages": "messages"},
        "chat",
        "local:chat",
        "lora",
        options={"training": chosen, "method": {"dropout": 0.0}},
    )

    def run(name: str, wish=lambda told: None) -> list:
        (tmp_path / name).mkdir(exist_ok=True)
        told: list = []
        train_run(tmp_path / name, spec, Inputs(data, model, machine()), told.append, lambda: wish(told))
        return told

    def losses(told: list) -> list[float]:
        return [event.loss for event in told if isinstance(event, Step)]

    first = run("packed", lambda told: "stop" if len(losses(told)) == 3 else None)
    (said,) = [event for event in first if isinstance(event, Note) and event.code == "timeline.packed"]
    assert said.values["percent"] >= 10
    second = run("packed")
    assert [event for event in second if isinstance(event, Resumed)] == [Resumed(3, exact=True)]
    assert isinstance(second[-1], Done)
    monkeypatch.setattr(packing, "LEAST", 2.0)
    alone = run("alone")
    assert "timeline.packed" not in [event.code for event in alone if isinstance(event, Note)]
    assert losses(first) + losses(second) == pytest.approx(losses(alone), rel=1e-3)
    assert second[-1].score == pytest.approx(alone[-1].score, rel=1e-3)
