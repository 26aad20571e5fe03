"""Further training rows whose words a masked language model fills in: only a model that learnt to may, the run's rows
stay the same in every attempt, and what cannot be is said before the start. Real tiny models, real runs."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from spoken import check_spoken
from tiny_bench import TRAINING, Bench

from studio.data.augment import words_of
from studio.data.use import Use
from studio.errors import UserError
from studio.events import Done, Note, Step
from studio.inference.filling import open_filler
from studio.models.filling import filler_folder, fillers
from studio.runs.draft import Draft, draft
from studio.runs.worker import train
from studio.training.augmented import AUGMENTED
from studio.training.options import TrainingOptions
from studio.web.tabs import growing
from studio.words import say

SORTED = Use("classification", {"text": "text", "label": "label"})


class Filled(Bench):
    """Drafts differ in their task and in the training's options."""

    def draft(self, use: Use, **training: Any) -> Draft:
        options = {"training": {**TRAINING, **training}}
        return draft(self.workspace, self.version, use=use, model=self.model, method="full", options=options)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory):
    made = Filled(tmp_path_factory.mktemp("filled"), mask=True)
    yield made
    made.desk.close()


def test_without_a_model_that_learnt_it_the_start_is_refused_and_says_why(bench: Filled):
    if fillers(bench.workspace):
        pytest.fail("this test has to run before any masked language modelling run")
    made = bench.draft(SORTED, augment="context")
    found = [problem for problem in made.problems if problem.code == "augment_filler"]
    assert [problem.severity for problem in found] == ["error"]
    assert "Learn the words of your field" in found[0].text()
    encoder = bench.draft(SORTED, augment="context", augment_model=bench.model)
    assert "augment_untaught" in [problem.code for problem in encoder.problems]
    gone = bench.draft(SORTED, augment="context", augment_model="run:r-nobody")
    assert "augment_filler_gone" in [problem.code for problem in gone.problems]
    page: Any = SimpleNamespace(workspace=bench.workspace, t=lambda code, **values: say(code, "en", **values))
    assert any("starter models come without one" in why for _, why in growing.reasons(page))


def test_a_run_that_learnt_the_field_fills_in_words_for_another_run(bench: Filled, tmp_path: Path):
    from tiny_training import BAD, GOOD, PLAIN

    known = {*GOOD, *BAD, *PLAIN}
    spoken, _ = bench.made(bench.draft(Use("masked_lm", {"text": "text"})))
    assert [model for model, _ in fillers(bench.workspace)] == [f"run:{spoken}"]
    filler = open_filler(filler_folder(bench.workspace, f"run:{spoken}"))
    text = "The room was very WARM and 7 beds"
    found = filler.candidates(text, words_of(text))
    assert found == filler.candidates(text, words_of(text))
    for (start, end), others in zip(words_of(text), found, strict=True):
        word = text[start:end]
        assert word.lower() not in [one.lower() for one in others]
        assert {one.lower() for one in others} <= known, "whole words of the vocabulary, no marks"
        assert all(one.isupper() for one in others) == (word == "WARM") or len(others) == 0
    assert found[0], "a word of the field has likely others"
    assert all(one[0].isupper() for one in found[0])
    assert words_of(text)[6] == (27, 28)
    assert found[6] == [], "a number is no word to fill in"

    page: Any = SimpleNamespace(
        workspace=bench.workspace, language="en", t=lambda code, **values: say(code, "en", **values)
    )
    options = TrainingOptions(augment="context", augment_share=0.3)
    shown = growing.pairs_of(page, bench.version.version, SORTED, options)
    assert len(shown["pairs"]) >= 5
    assert all(pair["before"] != pair["after"] for pair in shown["pairs"])
    assert "About" in shown["line"]
    assert "Words are filled in by" in shown["line"]

    run, spec = bench.submit(bench.draft(SORTED, augment="context", augment_share=0.3))
    assert spec.options["training"]["augment_model"] == f"run:{spoken}", "the spec names the model, not “the newest”"
    folder, told = bench.desk.folder(run), []
    steps: list[Any] = []
    train(folder, spec, told.append, lambda: "stop" if sum(isinstance(e, Step) for e in told) >= 3 else None)
    (note,) = [event for event in told if isinstance(event, Note) and event.code == "timeline.augmented"]
    made = json.loads((folder / AUGMENTED).read_text("utf-8"))
    assert note.values["rows"] == len(made) > 40
    assert {row["label"] for row in made} == {"positive", "negative"}

    # The model may be deleted meanwhile: the run goes on with the rows it has.
    shutil.move(bench.desk.folder(spoken), tmp_path / "gone")
    train(folder, spec, steps.append, lambda: None)
    assert isinstance(steps[-1], Done)
    assert json.loads((folder / AUGMENTED).read_text("utf-8")) == made
    (folder / AUGMENTED).unlink()
    with pytest.raises(UserError) as caught:
        train(folder, spec, told.append, lambda: None)
    check_spoken(caught.value, "filler_gone", model=f"run:{spoken}")
    shutil.move(tmp_path / "gone", bench.desk.folder(spoken))


def test_a_model_on_disk_with_its_own_head_fills_in_words_too(bench: Filled, tmp_path: Path):
    from transformers import AutoConfig, AutoTokenizer, BertForMaskedLM

    place = bench.workspace.models / "hub--someone--filler"
    here = bench.model.removeprefix("local:")
    BertForMaskedLM(AutoConfig.from_pretrained(here)).save_pretrained(place)
    AutoTokenizer.from_pretrained(here).save_pretrained(place)
    try:
        assert "hub:someone/filler" in [model for model, _ in fillers(bench.workspace)]
        assert open_filler(filler_folder(bench.workspace, "hub:someone/filler")).candidates("the room", [(4, 8)])[0]
        with pytest.raises(UserError) as caught:
            filler_folder(bench.workspace, bench.model)
        check_spoken(caught.value, "filler_untaught", model=bench.model)
    finally:
        shutil.rmtree(place)
