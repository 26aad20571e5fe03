"""Adversarial training on a small real encoder: the shift stays inside its border, weights stay as they are."""

from __future__ import annotations

import pytest
import torch
from tiny_training import machine, reviews, save_encoder, save_rows
from transformers import AutoTokenizer

from studio.events import Step
from studio.methods.base import methods
from studio.models.starters import MINILM
from studio.options import options_of
from studio.spec import PRESETS, Spec
from studio.tasks.base import tasks
from studio.training.adversarial import Attack, passes
from studio.training.options import TrainingOptions
from studio.training.plan import Case, plan
from studio.training.run import Inputs, train_run

TEXTS = ["the soup was good", "a bad cold room and rude staff we had", "great"]


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    folder = save_encoder(tmp_path_factory.mktemp("model") / "tiny", dropout=0.0)
    task = tasks.get("classification")
    torch.manual_seed(3)
    model = task.load(str(folder), {"labels": ["bad", "good"]}, task.Options())
    coded = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0  # so that the same text has the same loss
    return model.train(), {**coded, "labels": torch.tensor([1, 0, 1])}


def loss_of(model, coded):
    logits = model(coded["input_ids"], coded["attention_mask"]).logits
    return torch.nn.functional.cross_entropy(logits, coded["labels"])


def gradients(model):
    found = {name: part.grad.clone() for name, part in model.named_parameters() if part.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize(("kind", "steps"), [("fgm", 1), ("pgd", 3), ("freelb", 3)])
def test_the_shift_raises_the_loss_inside_its_border_and_no_weight_changes(batch, kind, steps):
    model, coded = batch
    before = {name: part.detach().clone() for name, part in model.named_parameters()}
    attack, losses, lengths = Attack(model, kind, 0.2, steps), [], []

    def watched():
        loss = loss_of(model, coded)
        losses.append(float(loss.detach()))
        over, shift = coded["attention_mask"].unsqueeze(-1), attack._shift.detach()
        assert float((shift * (1 - over)).abs().max()) == 0.0, "padding was shifted"
        border = 0.2 * (attack._plain * over).flatten(1).norm(dim=1)
        lengths.append(float((shift.flatten(1).norm(dim=1) / border).max()))
        return loss

    value = attack.accumulate(watched, coded["attention_mask"])
    assert len(losses) == passes(kind, steps)
    assert max(lengths) <= 1 + 1e-5
    assert losses[-1] > losses[0], "the ascent went down"
    assert value == pytest.approx(losses[0] if kind != "freelb" else sum(losses) / steps)
    assert all(torch.equal(before[name], part) for name, part in model.named_parameters())
    assert not attack._table._forward_hooks
    assert gradients(model)


def test_fgm_learns_the_plain_and_the_shifted_text_in_equal_parts(batch):
    model, coded = batch
    Attack(model, "fgm", 1e-9, 1).accumulate(lambda: loss_of(model, coded), coded["attention_mask"])
    shifted = gradients(model)
    loss_of(model, coded).backward()
    plain = gradients(model)
    assert shifted.keys() == plain.keys()
    assert all(torch.allclose(shifted[name], plain[name], atol=1e-6) for name in plain), "a shift of nothing changed it"


def test_a_frozen_word_table_is_shifted_all_the_same(batch):
    model, coded = batch
    table = model.get_input_embeddings().weight
    table.requires_grad_(False)
    try:
        losses = []

        def watched():
            losses.append(float((loss := loss_of(model, coded)).detach()))
            return loss

        Attack(model, "pgd", 0.2, 2).accumulate(watched, coded["attention_mask"])
        assert losses[-1] > losses[0]
        assert table.grad is None
    finally:
        table.requires_grad_(True)
        gradients(model)


def test_a_loss_that_is_not_finite_is_returned_and_the_hook_is_gone(batch):
    model, coded = batch
    for kind in ("fgm", "freelb"):
        attack = Attack(model, kind, 0.1, 2)
        value = attack.accumulate(lambda: loss_of(model, coded) * float("nan"), coded["attention_mask"])
        assert value != value
        assert not attack._table._forward_hooks
    gradients(model)


@pytest.mark.parametrize("kind", ["fgm", "pgd", "freelb"])
@pytest.mark.parametrize("at", [1, 2])
def test_whatever_breaks_in_the_middle_the_model_answers_with_the_same_bits_afterwards(batch, kind, at):
    model, coded = batch
    before = {name: part.detach().clone() for name, part in model.state_dict().items()}
    said, calls = loss_of(model, coded).detach(), []

    def breaking():
        calls.append(1)
        if len(calls) == at:
            raise MemoryError
        return loss_of(model, coded)

    with pytest.raises(MemoryError):
        Attack(model, kind, 0.2, 3).accumulate(breaking, coded["attention_mask"])
    assert torch.equal(loss_of(model, coded).detach(), said)
    assert all(torch.equal(before[name], part) for name, part in model.state_dict().items())
    assert not model.get_input_embeddings()._forward_hooks
    gradients(model)


def test_it_is_off_unless_somebody_asks_for_it(batch):
    assert TrainingOptions().adversarial == "off"
    assert [option.default for option in options_of(TrainingOptions, "training") if option.name == "adversarial"] == [
        "off"
    ]
    assert passes("off", 3) == 1
    for preset in PRESETS:
        made = plan(
            Case(tasks.get("classification"), MINILM.card, methods.get("full"), [20] * 50, machine(), 300), preset
        )
        assert made.options["adversarial"] == "off"


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    rows = [{"review": row["text"], "mood": row["label"]} for row in reviews(120)]
    return save_encoder(place / "model"), save_rows(place, rows)


@pytest.mark.parametrize(("method", "kind"), [("full", "fgm"), ("lora", "freelb"), ("head", "pgd")])
def test_a_whole_run_learns_and_a_stopped_one_goes_on_with_the_same_bits(tmp_path, parts, method, kind):
    model, data = parts
    training = {"epochs": 2, "learning_rate": 3e-3, "head_learning_rate": 2e-2, "evaluations": 1, "batch_size": 8}
    what = Spec(
        data="d-1", columns={"text": "review", "label": "mood"}, task="classification", model="local:tiny",
        method=method, options={"training": {**training, "adversarial": kind, "adversarial_steps": 2}},
    )  # fmt: skip

    def attempt(name, wish):
        told: list = []
        (tmp_path / name).mkdir(exist_ok=True)
        train_run(tmp_path / name, what, Inputs(data, model, machine()), told.append, lambda: wish(told))
        return [event for event in told if isinstance(event, Step)], told[-1]

    whole, ended = attempt("whole", lambda told: None)
    first, _ = attempt("parts", lambda told: "stop" if sum(isinstance(event, Step) for event in told) == 9 else None)
    second, again = attempt("parts", lambda told: None)
    assert len(first) + len(second) == len(whole)
    assert second[-1].loss == whole[-1].loss
    assert again == ended
    assert sum(step.loss for step in whole[-5:]) < sum(step.loss for step in whole[:5])
