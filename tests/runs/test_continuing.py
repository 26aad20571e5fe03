"""A run that begins where an earlier one ended: what it starts from, what is shown of it, and what it does not need."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from spoken import check_spoken
from tiny_bench import TRAINING, Bench

from studio.data.use import Use
from studio.errors import UserError
from studio.events import Done, Note
from studio.inference.continuing import EARLIER, bring, inherit
from studio.inference.predictor import Predictor
from studio.models import earlier
from studio.models.catalogue import card, resolve
from studio.runs.draft import again, draft
from studio.runs.worker import train
from studio.spec import Spec
from studio.tasks.base import tasks
from studio.web.settings import shown_settings
from studio.words import say


class Continuing(Bench):
    """Drafts differ in their model and method."""

    def draft(self, model: str, method: str, task: str = "classification", name: str = ""):
        columns = {"text": "text", "label": "label"} if task == "classification" else {"text": "text"}
        use = Use(task, columns)
        return draft(self.workspace, self.version, use=use, model=model, method=method, options={"training": TRAINING}, name=name)  # fmt: skip

    def run(self, model: str, method: str, name: str = "") -> tuple[str, list]:
        """The run's id and what it told."""
        return self.made(self.draft(model, method, name=name))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    made = Continuing(tmp_path_factory.mktemp("continuing"))
    yield made
    made.desk.close()


@pytest.fixture(scope="module")
def first(bench) -> str:
    """An adapter."""
    return bench.run(bench.model, "lora", "First reviews")[0]


@pytest.fixture(scope="module")
def second(bench, first) -> tuple[str, list]:
    """All weights, from where the adapter had come."""
    return bench.run(earlier.id_of(first), "full", "Second reviews")


def codes(told) -> list[str]:
    return [event.code for event in told if isinstance(event, Note)]


def test_the_further_run_starts_from_what_the_earlier_one_answers(bench, first, second, tmp_path):
    run, told = second
    # Its base is the earlier model as a whole, and its head goes on instead of being placed anew.
    assert "timeline.head_placed" not in codes(told)
    base = bench.desk.folder(run) / "base"
    task, before = tasks.get("classification"), Predictor.load(bench.desk.folder(first))
    fresh = task.load(str(base), before.facts, task.Options())
    assert inherit(fresh, task, before.facts, base)
    after = Predictor(before.about, fresh, before.tokenizer, before.facts)
    texts = ["the soup was good", "a cold and rude staff", "fine"]
    for one, other in zip(before.predict(texts), after.predict(texts), strict=True):
        assert one["label"] == other["label"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)
    # A head for other labels is not taken over.
    other = task.load(str(base), {"labels": ["good", "ugly"]}, task.Options())
    weight = other.classifier.weight.detach().clone()
    assert not inherit(other, task, {"labels": ["good", "ugly"]}, base)
    assert torch.equal(other.classifier.weight, weight)


def test_an_adapter_beside_an_earlier_run_is_saved_and_opened_like_any_other(bench, first):
    run, _ = bench.run(earlier.id_of(first), "lora")
    told = json.loads((bench.desk.folder(run) / "model" / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == earlier.id_of(first)
    assert Predictor.load(bench.desk.folder(run)).predict(["good"])[0]["label"] == "positive"


def test_where_it_came_from_is_shown(bench, first, second):
    run = second[0]
    third = bench.draft(earlier.id_of(run), "head").spec
    chain = earlier.lineage(bench.workspace, third.model)
    assert chain == [bench.model, earlier.id_of(first), earlier.id_of(run)]
    for language, word in (("en", "Came from"), ("zh", "来历")):
        rows = dict(shown_settings(third, bench.desk.get(run), language, bench.workspace)[0]["rows"])
        assert "First reviews" in rows[word]
        assert rows[word].index("First reviews") < rows[word].index("Second reviews")
    found = card(bench.workspace, third.model)
    assert (found.title, found.licence, found.kind) == ("Second reviews", "mit", "encoder")
    assert card(bench.workspace, earlier.id_of(first)).licence == "mit"


def test_a_run_that_others_continue_from_is_not_deleted_without_a_word(bench, first, second):
    with pytest.raises(UserError) as caught:
        bench.desk.delete(first)
    told = caught.value.values
    check_spoken(caught.value, "run_is_base", name="First reviews", runs=told["runs"], count=told["count"])
    assert "Second reviews" in told["runs"]
    assert bench.desk.get(first).trashed is None


def test_a_whole_model_is_linked_not_copied_and_made_once(bench, second, tmp_path):
    run = second[0]
    target = bench.desk.folder(run).parent / "elsewhere"
    base = bring(bench.workspace, earlier.id_of(run), target)
    own, theirs = base / "model.safetensors", bench.desk.folder(run) / "model" / "model.safetensors"
    assert own.samefile(theirs)
    stamp = (base / EARLIER).stat().st_mtime_ns
    assert bring(bench.workspace, earlier.id_of(run), target) == base
    assert (base / EARLIER).stat().st_mtime_ns == stamp
    shutil.rmtree(target)


def test_a_further_run_lives_on_without_the_earlier_one(bench, first):
    run, _ = bench.run(earlier.id_of(first), "head")
    place = bench.desk.folder(first)
    away = place.with_name("away")
    place.rename(away)
    try:
        assert Predictor.load(bench.desk.folder(run)).predict(["good"])[0]["label"] in ("positive", "negative")
        assert resolve(bench.workspace, earlier.id_of(first)) is None
        for ask in (
            lambda: card(bench.workspace, earlier.id_of(first)),
            lambda: again(bench.workspace, bench.desk.spec(run), "", "local"),
        ):
            with pytest.raises(UserError) as caught:
                ask()
            check_spoken(caught.value, "base_run_gone", run=first)
        # What it was made from is in its own folder, so it can be resumed.
        told: list = []
        shutil.rmtree(bench.desk.folder(run) / "model")
        (bench.desk.folder(run) / "report.json").unlink()
        train(
            bench.desk.folder(run),
            Spec.loads((bench.desk.folder(run) / "spec.json").read_text()),
            told.append,
            lambda: None,
        )
        assert isinstance(told[-1], Done)
    finally:
        away.rename(place)


def test_a_task_that_needs_another_head_is_refused_with_the_reason(bench, first):
    made = bench.draft(earlier.id_of(first), "full", task="masked_lm")
    (problem,) = [one for one in made.problems if one.code == "continue_other_head"]
    assert (problem.severity, problem.field) == ("error", "model")
    for language in ("en", "zh"):
        said = problem.text(language)
        titles = [say(f"task.{key}.title", language) for key in ("classification", "masked_lm")]
        assert all(part in said for part in ("First reviews", *titles))
    assert dataclasses.asdict(made.spec)["model"] == earlier.id_of(first)


def test_weights_do_not_change_while_others_learn_from_them(bench, first, second):
    """The adapter's files are those the first run wrote."""
    saved = load_file(bench.desk.folder(first) / "model" / "adapter_model.safetensors")
    base = load_file(bench.desk.folder(second[0]) / "base" / "model.safetensors")
    tuned = load_file(bench.desk.folder(second[0]) / "model" / "model.safetensors")
    assert all("lora_" in name or "classifier" in name for name in saved)
    assert not any("lora_" in name for name in base)
    assert any(not torch.equal(base[name], tuned[name]) for name in base)
