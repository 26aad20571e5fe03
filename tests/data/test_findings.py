"""The doctor on planted faults in real sentences: what was planted is found, nothing else is, and the remedy works."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import planting
import pytest
from planting import ALONE, PLANTS
from reading_room import bring
from spoken import check_problem
from workbench import Cells, cells_of, source_of

from studio.data.doctor.base import Told
from studio.data.doctor.examining import case_of, examine_case
from studio.data.findings import diagnosis, examine, known
from studio.data.mending import Chosen, Source, run_step
from studio.data.profile import profile
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.workspace import Workspace

USE = {"text": "text", "label": "label"}


CLEAN = {"en": "help_desk", "zh": "waimai"}
LANGUAGES = sorted(CLEAN)


def table(language: str, seed: int) -> tuple[Cells, random.Random]:
    one = planting.table(CLEAN[language], seed)
    return one.cells, one.draw


def kinds_of(source: Source) -> dict[str, str]:
    import polars as pl

    columns = profile(pl.read_parquet(source.folder / "rows.parquet"))["columns"]
    return {column["name"]: column["kind"] for column in columns}


def looked(folder: Path, cells: Cells) -> tuple[Source, dict[str, str], dict[str, Told]]:
    source = source_of(folder, cells)
    kinds = {**kinds_of(source), "text": "text", "label": "label"}
    told = examine_case(case_of(source, "classification", USE, kinds), lambda done, total: None)
    return source, kinds, {one.problem.code: one for one in told}


def touched(folder: Path, source: Source, kinds: dict[str, str], fix: tuple[Chosen, ...]) -> tuple[set[int], Source]:
    """Rows (from 0) that the remedy changes or drops, and the rows after it."""
    (chosen,) = fix
    made = folder / "after"
    made.mkdir(parents=True)
    run_step(source, chosen, kinds, made, lambda done, total: None)
    after = Source(made)
    before, now, origins = cells_of(source), cells_of(after), after.origins().tolist()
    kept = {origin: spot for spot, origin in enumerate(origins)}
    changed = {
        row for row, spot in kept.items() if any(before[name][row] != now[name][spot] for name in now if name in before)
    }
    return changed | (set(range(len(before["text"]))) - set(kept)), after


@pytest.mark.parametrize("code", sorted({**PLANTS, **ALONE}))
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_remedy_leaves_nothing_of_its_trouble(tmp_path: Path, language: str, code: str):
    """How much is found and how little besides, `test_planted` counts."""
    one = planting.table(CLEAN[language], 7)
    {**PLANTS, **ALONE}[code](one)
    source, kinds, told = looked(tmp_path / "bad", one.cells)
    number, text = told[code].problem.examples[0]
    assert 1 <= number <= len(one.cells["text"])
    assert isinstance(text, str)
    (chosen,) = told[code].fix
    _, after = touched(tmp_path / "mended", source, kinds, (chosen,))
    left = examine_case(case_of(after, "classification", USE, kinds), lambda done, total: None)
    # Blank texts and blank labels are two findings, a click each.
    fields = [told.problem.field for told in left if told.problem.code == code]
    assert told[code].problem.field not in fields, f"{code} is still there after its remedy"


@pytest.mark.parametrize("language", LANGUAGES)
def test_clean_data_gets_no_alarm(tmp_path: Path, language: str):
    for seed in range(3):
        _, _, told = looked(tmp_path / str(seed), table(language, seed)[0])
        assert not [one for one in told.values() if one.problem.severity != "note"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_word_that_tells_the_label_is_found_and_taken_out(tmp_path: Path, language: str):
    for seed in range(3):
        cells, draw = table(language, seed)
        word = draw.choice(["refcode", "zz9", "工单", "ticketno"])
        label = draw.choice(sorted({str(label) for label in cells["label"]}))
        cells["text"] = [
            f"{text} {word}" if of == label else text for text, of in zip(cells["text"], cells["label"], strict=True)
        ]
        source, kinds, told = looked(tmp_path / f"bad{seed}", cells)
        problem = told["shortcut_word"].problem
        rows = cells["label"].count(label)
        check_problem([problem], "shortcut_word", "warning", "columns.text", word=word, label=label, share=100)
        assert problem.count == rows
        _, after = touched(tmp_path / f"mended{seed}", source, kinds, told["shortcut_word"].fix)
        assert not any(word in (text or "") for text in cells_of(after)["text"])


def test_lengths_that_tell_the_label_are_found(tmp_path: Path):
    cells, _ = table("en", 1)
    cells["label"] = ["long" if len(text or "") > 120 else "short" for text in cells["text"]]
    _, _, told = looked(tmp_path, cells)
    problem = told["shortcut_length"].problem
    assert (problem.severity, problem.count) == ("warning", cells["label"].count("long"))
    assert "'long' are nearly all longer" in problem.text()
    assert told["shortcut_length"].fix == ()


def test_rare_and_uneven_labels_and_their_remedy(tmp_path: Path):
    cells: Cells = {
        "text": [f"sentence number {n} about a kettle" for n in range(243)],
        "label": ["a"] * 200 + ["bee"] * 40 + ["sea"] * 3,
    }
    source, kinds, told = looked(tmp_path / "rare", cells)
    assert told["labels_rare"].fix == (Chosen("drop_rare", {"label": "label", "rows": 5}),)
    rows, _ = touched(tmp_path / "rare", source, kinds, told["labels_rare"].fix)
    assert rows == {240, 241, 242}
    rows, after = touched(tmp_path / "uneven", source, kinds, told["labels_uneven"].fix)
    assert cells_of(after)["label"].count("a") == 60
    assert rows < set(range(200))


def test_misspelt_labels_are_not_called_rare(tmp_path: Path):
    cells: Cells = {
        "text": [f"sentence number {n}" for n in range(80)],
        "label": ["good"] * 40 + ["bad"] * 38 + ["Good", "BAD"],
    }
    _, _, told = looked(tmp_path, cells)
    assert "labels_spelling" in told
    assert "labels_rare" not in told


def test_columns_without_anything_to_learn(tmp_path: Path):
    cells, _ = table("en", 1)
    count = len(cells["text"])
    cells |= {"nothing": [None] * count, "same": ["x"] * count, "number": [f"A-{n:05d}" for n in range(count)]}
    source, kinds, told = looked(tmp_path, cells)
    check_problem(
        [told["columns_useless"].problem], "columns_useless", "note", "data", columns=["nothing", "same", "number"]
    )
    _, after = touched(tmp_path, source, kinds, told["columns_useless"].fix)
    assert after.columns() == ("text", "label")
    case = case_of(source, "classification", {"text": "number", "label": "label"}, {**kinds, "text": "text"})
    found = [one.problem for one in examine_case(case, lambda done, total: None)]
    check_problem(found, "columns_identifier", "warning", "columns.text", column="number")


def test_no_remedy_is_offered_where_it_would_be_refused(tmp_path: Path):
    spans = '[{"start": 0, "end": 3, "label": "PER"}]'
    cells: Cells = {
        "text": ["<b>Ann</b> is here and there", "Bob said so <i>again</i>"],
        "label": ["a", "b"],
        "spans": [spans] * 2,
    }
    _, _, told = looked(tmp_path, cells)
    assert told["text_markup"].problem.count == 2
    assert told["text_markup"].fix == ()


def words(found: list[Told]) -> list[str]:
    return [one.problem.code for one in found]


def test_the_list_says_nothing_twice_and_is_kept(tmp_path: Path):
    rows = "".join(f"sentence number {n} about kettles,{'good' if n % 2 else 'bad'}\n" for n in range(60))
    version: DataVersion = bring(
        tmp_path / "w", "a.csv", f"text,label\n{rows}<b>tagged</b> ann@mail.example,good\n,bad\n,bad\n"
    )
    workspace, use = Workspace.open(tmp_path / "w" / "home"), Use("classification", USE)
    assert known(version, use) is None
    before = words(diagnosis(version, use, None))
    found = examine(workspace, version, use)
    assert known(version, use) == found
    assert examine(workspace, version, use) == found
    listed = diagnosis(version, use, found)
    assert before.count("cells_missing") == words(listed).count("cells_missing") == 1
    assert {"text_markup", "personal_data", "split_few_test"} <= set(words(listed))
    assert all(one.problem.text("zh") for one in listed)
    (private_one,) = [one for one in listed if one.problem.code == "personal_data"]
    values: dict[str, Any] = {"column": "text", "row": 61, "kinds_codes": [["data.personal.email", {"count": 1}]]}
    assert private_one.problem.values == values


@pytest.mark.parametrize("apart", ["; ", "|"])
def test_cells_of_several_labels_are_not_examined_as_prose(tmp_path: Path, apart: str):
    """The <b> in a text is found, the one in a label is a label's name."""
    texts = [f"the kettle number {n} is{' <b>very</b>' * (n == 3)} fine" for n in range(60)]
    labels = [apart.join(("<b>good</b>", "kitchen")[: 1 + n % 2]) for n in range(60)]
    source = source_of(tmp_path, {"text": texts, "tags": labels})
    case = case_of(source, "multilabel", {"text": "text", "labels": "tags"}, {"text": "text", "tags": "text"})
    assert case.texts == ("text",)
    assert case.required == ("text", "tags")
    found = {told.problem.code: told for told in examine_case(case, lambda done, total: None)}
    assert found["text_markup"].problem.count == 1
    assert found["text_markup"].fix == (Chosen("markup", {"columns": ["text"]}),)
