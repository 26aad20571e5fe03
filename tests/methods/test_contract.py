"""The contract between tasks and methods: every pair either trains, moves what it should and comes back the same in
another process, or is refused with a sentence. Driven by the registries: what is registered is in it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from reload_all import said
from tiny_families import FAMILIES, ROWS, family_folder

from studio.child import environment
from studio.inference.predictor import Predictor
from studio.methods.base import methods
from studio.methods.last_layers import moving_names
from studio.methods.pairs import pairs
from studio.methods.parts import GENERATIVE, head_names
from studio.models.load import load_tokenizer
from studio.tasks.base import tasks
from studio.tasks.heads import core_of
from studio.training.batching import collate
from studio.training.saving import answers
from studio.words import say

GREYED = {("chat", "head"), ("translation", "head"), ("summarisation", "head"), ("causal_lm", "head")}
"""Pairs that cannot be, (task, method). A pair that is refused and not named here fails the test below."""
STEPS = 10
RATE = {"head": 0.05}


class Case(NamedTuple):
    """One pair on a model of one family."""

    task: str
    method: str
    family: str

    @property
    def name(self) -> str:
        return "-".join(self).replace("_", "")


def spread() -> list[Case]:
    """Every pair at least once, and every task and every method with every family it goes with (pairwise)."""
    possible = [
        Case(pair.task, pair.method, family) for pair in pairs() for kind in pair.models for family in FAMILIES[kind]
    ]
    waiting = {two for case in possible for two in twos(case)}
    chosen: list[Case] = []
    while waiting:
        best = max(possible, key=lambda case: len(waiting & twos(case)))
        chosen.append(best)
        waiting -= twos(best)
    return sorted(chosen)


def twos(case: Case) -> set[tuple[str, str, str]]:
    task, method, family = case
    return {("tm", task, method), ("tf", task, family), ("mf", method, family)}


CASES = spread()


def test_every_task_has_rows_to_be_tried_with():
    missing = [task.key for task in tasks if task.key not in ROWS]
    assert not missing, f"tests/methods/tiny_families.py has no rows for the task(s) {missing}: add an entry to ROWS"


def test_what_is_greyed_out_is_what_is_known_to_be_impossible(capsys):
    judged = pairs()
    refused = {(pair.task, pair.method): pair.verdict for pair in judged if not pair.ok}
    reasons = {pair: say(verdict.code, "en", **verdict.values) for pair, verdict in refused.items()}
    absent = {pair for pair, verdict in refused.items() if verdict.code == "verdict.method_no_library"}
    new = {pair: reasons[pair] for pair in set(refused) - GREYED - absent}
    assert not new, f"newly greyed out: {new}"
    gone = GREYED - set(refused)
    assert not gone, f"no longer greyed out, take it from GREYED: {gone}"
    assert {pair.task for pair in judged} == set(tasks.keys())
    for verdict in refused.values():
        assert "{" not in say(verdict.code, "zh", **verdict.values)


class Result(NamedTuple):
    """What one case left to be looked at."""

    losses: list[float]
    moved: set[str]
    wanted: set[str]
    still: set[str]
    """Names that should have moved and did not."""
    before: dict[str, Any]
    merged_gap: float


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, Any]:
    """Every case tried, each in a folder of its own, and all of them opened again by one fresh process."""
    place = tmp_path_factory.mktemp("contract")
    bases = place / "bases"
    bases.mkdir()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    try:
        for case in CASES:
            try:
                found[case.name] = tried(case, place / "runs" / case.name, bases)
            except Exception as error:  # told by the case's own test
                found[case.name] = error
    finally:
        torch.set_num_threads(threads)
    program = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("reload_all.py")), str(place / "runs")]
    root = str(Path(__file__).parents[2])
    quiet = environment(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1", PYTHONPATH=root)
    subprocess.run(program, env=quiet, check=True, timeout=200)
    found["said"] = json.loads((place / "runs" / "said.json").read_text())
    return found


def tried(case: Case, folder: Path, bases: Path) -> Result:
    """Train the pair for a few steps on one batch, save it, ask it, merge it."""
    task, method = tasks.get(case.task), methods.get(case.method)
    base = bases / case.family
    if not base.is_dir():
        family_folder(base, case.family)
    options = task.Options()
    if hasattr(options, "dropout"):
        options = dataclasses.replace(options, dropout=0.0)
    rows = ROWS[case.task]()
    facts = task.facts(rows, options)
    tokenizer = load_tokenizer(base)
    torch.manual_seed(1)
    model = method.open(lambda: task.load(str(base), facts, options))
    torch.manual_seed(2)
    model = method.prepare(model, task.peft_type, method.Options())
    items = task.encode(rows, tokenizer, facts, 48)
    batch = collate(items, tokenizer.pad_token_id or 0, "cpu", task.blanks)
    if task.draws:
        batch["draw"] = torch.tensor([1, 1, 0])
    start = {name: part.detach().clone() for name, part in model.named_parameters()}
    losses = learn(task, model, batch, options, RATE.get(case.method, 0.01))
    moved = {name for name, part in model.named_parameters() if not torch.equal(part, start[name])}
    wanted = intended(case, model)
    keep(case, folder, model, tokenizer, facts, base, items)
    model.eval()
    tuned = Predictor(json.loads((folder / "model/studio.json").read_text()), model, tokenizer, facts)
    before = said(tuned, items)
    merged = core_of(method.merged(model))
    numbers = answers(task, merged, items, tokenizer.pad_token_id or 0, facts)
    scale = max(1.0, *(abs(number) for number in before["numbers"]))
    gap = max(abs(one - other) for one, other in zip(numbers, before["numbers"], strict=True)) / scale
    return Result(losses, moved, wanted, wanted - moved, before, gap)


def learn(task, model, batch, options, rate: float) -> list[float]:
    moving = [part for part in model.parameters() if part.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=rate, weight_decay=0.0)
    model.train()
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    losses = []
    for _ in range(STEPS):
        loss = task.loss(model, batch, options) / max(task.weight(batch), 1)
        losses.append(float(loss.detach()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return losses


def intended(case: Case, model) -> set[str]:
    """Which parameters the method is there to move, said apart from what it marked itself."""
    names = {name for name, _ in model.named_parameters()}
    writes = tasks.get(case.task).peft_type in GENERATIVE
    if case.method == "full":
        return {name for name in names if "sinusoid" not in name and not fixed(model, name)}
    if case.method == "head":
        return {name for name in names if name.partition(".")[0] in head_names(model)}
    if case.method == "last_layers":
        return set(moving_names(model, 2, () if writes else tuple(head_names(model))))
    if "lora" in case.method:
        return {name for name in names if ".lora_" in name or ".modules_to_save." in name}
    return {name for name, part in model.named_parameters() if part.requires_grad}  # a method of its own kind


def fixed(model, name: str) -> bool:
    """Marian's positions are computed, not learnt."""
    return "Sinusoidal" in type(model.get_submodule(name.rpartition(".")[0])).__name__


def keep(case: Case, folder: Path, model, tokenizer, facts, base: Path, items) -> None:
    """The run's folder, as far as what is opened again needs it."""
    saved = folder / "model"
    methods.get(case.method).save(model, str(saved))
    tokenizer.save_pretrained(saved)
    about = {"task": case.task, "method": case.method, "base": "local:base", "base_folder": str(base), "max_length": 48, "columns": {}, "options": {}}  # fmt: skip
    (saved / "facts.json").write_text(json.dumps(facts))
    (saved / "studio.json").write_text(json.dumps(about))
    (folder / "items.json").write_text(json.dumps(items))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_pair_learns_moves_what_it_should_and_comes_back_the_same(results, case):
    result = results[case.name]
    if isinstance(result, Exception):
        raise result
    assert min(result.losses[1:]) < 0.97 * result.losses[0], "the loss does not fall"
    assert not result.moved - result.wanted, "weights moved that should not"
    assert not result.still, "weights did not move that should"
    again = results["said"][case.name]
    assert "error" not in again, again
    for part in ("facts", "template", "tokens", "pad"):
        assert again[part] == json.loads(json.dumps(result.before[part])), part
    gap = max(abs(one - other) for one, other in zip(again["numbers"], result.before["numbers"], strict=True))
    assert gap <= 1e-5, "another process answers otherwise"
    assert result.merged_gap <= methods.get(case.method).merged_gap, "merged, it answers otherwise"


def test_every_family_is_tried_with_every_method_that_takes_it():
    tried_families = {(case.method, case.family) for case in CASES}
    for pair in pairs():
        for kind in pair.models:
            assert all((pair.method, family) in tried_families for family in FAMILIES[kind])
