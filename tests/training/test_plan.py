"""Plans: a preset's budget is kept, small and large sets get what they need, what a person chose stays."""

from __future__ import annotations

import dataclasses
import random

import pytest
from tiny_training import machine

from studio.methods.base import methods
from studio.models.known import known
from studio.models.starters import E5, MINILM, SMOLLM2
from studio.options import options_of, read_options
from studio.tasks.base import tasks
from studio.training.measured import Measured, between
from studio.training.options import TrainingOptions
from studio.training.plan import BUDGETS, Case, plan, plan_simple
from studio.words import LANGUAGES, catalogue, say

CLASSIFY, CHAT = tasks.get("classification"), tasks.get("chat")


def lengths(mean: int, count: int = 400) -> list[int]:
    chance = random.Random(1)
    return [max(3, round(chance.lognormvariate(0, 0.6) * mean)) for _ in range(count)]


def made(task=CLASSIFY, card=MINILM.card, method="full", mean=40, preset="quick", rows=300, hardware=None, **more):
    case = {name: more.pop(name) for name in ("measured", "shares", "windows") if name in more}
    return plan(
        Case(task, card, methods.get(method), lengths(mean), hardware or machine(), rows, **case), preset, **more
    )


@pytest.mark.parametrize("preset", BUDGETS)
@pytest.mark.parametrize("rows", [200, 2_000, 50_000])
@pytest.mark.parametrize(
    ("task", "card", "method"),
    [(CLASSIFY, MINILM.card, "full"), (CLASSIFY, E5.card, "lora"), (CHAT, SMOLLM2.card, "lora")],
)
def test_a_plan_stays_within_its_budget(task, card, method, rows, preset):
    found = made(task, card, method, 60, preset, rows)
    options, problems = read_options(TrainingOptions, "training", found.options)
    assert problems == []
    tightest = options.epochs <= 0.05
    assert found.estimate.seconds <= BUDGETS[preset] or tightest
    assert options.max_length <= card.max_positions


def test_small_sets_take_more_passes_and_thorough_more_than_quick():
    few, many = made(rows=150).options["epochs"], made(rows=3_000).options["epochs"]
    assert few > many >= 1
    assert made(rows=3_000, preset="thorough").options["epochs"] > many


def test_a_slow_machine_gets_fewer_passes_and_is_told_so():
    fast, slow = made(rows=2_000), made(rows=2_000, hardware=machine(gflops=6.0))
    assert slow.options["epochs"] < fast.options["epochs"]
    reasons = {decision.name: decision for decision in slow.decisions}
    assert reasons["epochs"].reason == "reason.epochs_budget"
    assert reasons["epochs"].values["wanted"] > slow.options["epochs"]


def test_long_texts_are_cut_and_the_share_is_said():
    decisions = {decision.name: decision for decision in made(mean=300, rows=300).decisions}
    assert decisions["max_length"].reason == "reason.length_cut"
    assert decisions["max_length"].values["percent"] > 50
    read = {decision.name: decision for decision in made(mean=300, rows=300, windows=4).decisions}
    assert read["max_length"].reason == "reason.length_windows"
    for language, words in (("en", "up to 4 overlapping parts"), ("zh", "最多读取 4 个相互重叠的片段")):
        assert words in say(read["max_length"].reason, language, **read["max_length"].values)
    short = {decision.name: decision for decision in made(mean=10).decisions}
    assert short["max_length"].reason == "reason.length_whole" or short["max_length"].values["percent"] < 2


def test_word_tables_stay_fixed_where_they_are_most_of_the_model():
    assert made(card=E5.card).options["freeze_embeddings"] == "yes"
    assert made(CHAT, SMOLLM2.card, "full").options["freeze_embeddings"] == "no"


def test_what_a_person_chose_stays_and_changes_the_estimate():
    own = made(chosen={"epochs": 20.0, "batch_size": 4, "max_length": 64})
    assert (own.options["epochs"], own.options["batch_size"], own.options["max_length"]) == (20.0, 4, 64)
    assert own.estimate.seconds > made().estimate.seconds
    reasons = {decision.name: decision.reason for decision in own.decisions}
    assert reasons["epochs"] == reasons["batch_size"] == "reason.chosen"
    assert reasons["learning_rate"] == "reason.rate_full"
    kept = made(chosen={"epochs": 20.0}, by_hand=frozenset())
    assert {decision.reason for decision in kept.decisions}.isdisjoint({"reason.chosen"})


def test_memory_decides_how_many_rows_are_computed_at_once():
    roomy = made(CHAT, SMOLLM2.card, "lora", 300)
    tight = made(CHAT, SMOLLM2.card, "lora", 300, hardware=machine(memory=2_000_000_000))
    assert roomy.options["micro_batch"] == roomy.options["batch_size"] == 4
    assert tight.options["micro_batch"] < 4
    assert tight.estimate.memory_bytes < roomy.estimate.memory_bytes
    assert "reason.micro" in {decision.reason for decision in tight.decisions}


def test_estimates_tell_methods_apart():
    full, lora, head = (made(method=method).estimate for method in ("full", "lora", "head"))
    assert head.seconds < lora.seconds < full.seconds * 1.5
    assert head.disk_bytes < lora.disk_bytes < full.disk_bytes
    assert lora.memory_bytes < full.memory_bytes


def test_measured_speed_replaces_the_guess():
    def measured(factor):
        places = (16, 64, 128)
        learn = tuple(factor * place for place in places)
        return Measured(places, learn, tuple(one / 3 for one in learn), (10**6, 4 * 10**6, 8 * 10**6), 0.01, 10**9)

    slow, fast = (made(rows=2_000, measured=measured(factor)) for factor in (1e-3, 1e-5))
    assert slow.estimate.seconds > fast.estimate.seconds
    assert slow.options["epochs"] < fast.options["epochs"]
    longest = min(fast.options["max_length"], max(lengths(40)))
    expected = 10**9 + fast.options["micro_batch"] * 10**6 * longest / 16
    assert fast.estimate.memory_bytes == pytest.approx(expected, rel=0.01)


def test_what_lies_between_measured_lengths_is_on_the_line_through_them():
    assert [between((10, 20), (1.0, 3.0), place) for place in (5, 10, 15, 20, 40)] == [0.5, 1.0, 2.0, 3.0, 6.0]


def test_simple_models_need_seconds():
    assert plan_simple(1_000, machine()).estimate.seconds < 15


def test_every_reason_and_option_has_words():
    for method in ("full", "lora", "head"):
        for memory in (1_500_000_000, 16_000_000_000):
            found = made(method=method, mean=200, hardware=machine(memory=memory))
            for decision in found.decisions:
                for language in LANGUAGES:
                    assert say(decision.reason, language, **decision.values)
                    assert say(f"decision.{decision.name}", language)
    groups = [("training", TrainingOptions), *(("task", task.Options) for task in tasks)]
    for group, cls in groups:
        assert dataclasses.is_dataclass(cls)
        for option in options_of(cls, group):
            assert {option.code, f"{option.code}_help"} <= catalogue().keys()


def steps_told(found) -> int:
    return next(decision for decision in found.decisions if decision.name == "epochs").values["steps"]


def test_altered_copies_are_steps_too():
    kept = {"epochs": 4.0, "batch_size": 16, "evaluations": 3, "max_length": 64}
    swapped = {**kept, "augment": "swap"}
    plain, twice = made(rows=400, chosen=kept), made(rows=400, chosen=swapped)
    assert (steps_told(plain), steps_told(twice)) == (4 * 18, 4 * 35), "280 training rows, 560 with a copy of each"
    assert made(rows=400, chosen={**swapped, "augment_copies": 3}).estimate.seconds > twice.estimate.seconds
    assert twice.estimate.seconds - plain.estimate.seconds > 0.8 * (plain.estimate.seconds - made(rows=400, chosen={**kept, "epochs": 0.05}).estimate.seconds)  # fmt: skip
    fixed = [made(method="head", rows=400, chosen=chosen) for chosen in (kept, swapped)]
    assert fixed[1].estimate.seconds > fixed[0].estimate.seconds, "a frozen encoder reads the copies once"
    assert steps_told(fixed[1]) == 4 * 35
    chat = made(CHAT, SMOLLM2.card, "lora", rows=400, chosen={**kept, "augment": "swap"})
    assert steps_told(chat) == 4 * 18, "what cannot be augmented is not"


def test_a_cap_on_a_label_counts():
    chosen = {"epochs": 1.0, "batch_size": 10, "augment": "swap", "augment_copies": 2, "augment_most": 150}
    case = Case(CLASSIFY, MINILM.card, methods.get("full"), lengths(20), machine(), 400, labels=(240, 40))
    assert steps_told(plan(case, "quick", chosen)) == 36, "240 have enough already, 40 get 80 more"
    low = {**chosen, "augment_most": 60}
    assert steps_told(plan(case, "quick", low)) == 30
    whole = dataclasses.replace(case, labels=())
    assert steps_told(plan(whole, "quick", {**chosen, "augment_most": 300})) == 30, "without labels all count together"


def test_a_preset_with_copies_keeps_its_time():
    plain, copied = made(rows=1_000), made(rows=1_000, chosen={"augment": "mixed"})
    assert copied.options["epochs"] < plain.options["epochs"]
    assert copied.estimate.seconds <= BUDGETS["quick"]


CARDS = {"encoder": MINILM.card, "decoder": SMOLLM2.card, "seq2seq": known()["hub:facebook/bart-base"]}


@pytest.mark.parametrize("key", tasks.keys())
def test_every_task_and_method_says_how_much_memory_it_takes(key):
    """Weights at least; an adapter and a head less than full tuning, single rows no more than a whole batch."""
    task, seen = tasks.get(key), {}
    for kind in task.models:
        for method in methods:
            if not method.supports(task.peft_type, CARDS[kind], machine()).ok:
                continue
            found = made(task, CARDS[kind], method.key)
            narrow = 1 if method.linear_bytes else 4
            seen[kind, method.key] = found.estimate.memory_bytes
            assert found.estimate.memory_bytes > narrow * CARDS[kind].parameters
            one = made(task, CARDS[kind], method.key, chosen={"micro_batch": 1})
            assert one.estimate.memory_bytes <= found.estimate.memory_bytes
        assert (kind, "full") in seen
        assert all(seen[kind, "full"] >= bytes_ for (other, _), bytes_ in seen.items() if other == kind)
    assert plan_simple(300, machine()).estimate.memory_bytes > 0


def test_both_sides_of_an_encoder_decoder_take_memory():
    card = CARDS["seq2seq"]
    assert card.layers == 12, "six of each side"
    one_side = dataclasses.replace(card, layers=6)
    task, chosen = tasks.get("summarisation"), {"micro_batch": 8, "max_length": 256}
    whole, half = (made(task, one, mean=250, chosen=chosen).estimate.memory_bytes for one in (card, one_side))
    assert whole > half
