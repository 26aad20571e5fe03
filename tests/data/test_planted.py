"""The doctor on planted faults, finding by finding: at least 0.95 of what was planted is found, and at most 5 % of what
is sound is taken for faulty, over clean sentences of three languages and several seeds.

What a finding found are the rows that its remedy changes or takes out.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from planting import ALONE, PLANTS, SOURCES, Table, generated, table
from workbench import Cells, cells_of, source_of

from studio.data.doctor.base import Told
from studio.data.doctor.examining import case_of, examine_case, examined
from studio.data.findings import diagnosis
from studio.data.kept import keep
from studio.data.mending import Chosen, Source, run_step
from studio.data.near import likeness_of
from studio.data.profile import profile
from studio.data.split import divide
from studio.data.store import DataVersion, load_version
from studio.data.use import Use
from studio.spec import Split
from studio.tasks.base import tasks

USE = {"text": "text", "label": "label"}
KINDS = {"text": "text", "label": "label"}
SEEDS = range(2)
RECALL, FALSE = 0.95, 0.05


@dataclass
class Score:
    """Planted and found, sound and taken for faulty."""

    planted: int = 0
    found: int = 0
    sound: int = 0
    false: int = 0

    def add(self, rows: int, planted: set[int], found: set[int]) -> None:
        self.planted, self.found = self.planted + len(planted), self.found + len(planted & found)
        self.sound, self.false = self.sound + rows - len(planted), self.false + len(found - planted)

    @property
    def good(self) -> bool:
        return self.planted > 0 and self.found >= RECALL * self.planted and self.false <= FALSE * self.sound


def look(folder: Path, cells: Cells, kinds: dict[str, str] | None = None) -> tuple[Source, dict[str, list[Told]]]:
    """The table on the disk, and what the doctor says of it by code."""
    source, told = source_of(folder, cells), defaultdict(list)
    for one in examine_case(case_of(source, "classification", USE, kinds or KINDS), lambda done, total: None):
        told[one.problem.code].append(one)
    return source, told


def touched(folder: Path, source: Source, told: list[Told]) -> set[int]:
    """Rows (from 0) that the remedies change or take out; none where nothing was found."""
    return {row for turn, one in enumerate(told) for row in _touched(folder.with_suffix(f".{turn}"), source, one)}


def _touched(folder: Path, source: Source, told: Told) -> set[int]:
    (chosen,) = told.fix
    folder.mkdir()
    run_step(source, chosen, KINDS, folder, lambda done, total: None)
    before, now, origins = cells_of(source), cells_of(Source(folder)), Source(folder).origins().tolist()
    changed = {row for spot, row in enumerate(origins) if any(before[name][row] != now[name][spot] for name in now)}
    return changed | (set(range(len(before["text"]))) - set(origins))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Score]:
    """Every source under every seed: the faults that can stand side by side in one table, the others each alone."""
    found: dict[str, Score] = defaultdict(Score)
    home = tmp_path_factory.mktemp("planted")
    for source in SOURCES:
        for seed in SEEDS:
            together = {code: plant for code, plant in PLANTS.items()}
            for turn, plants in enumerate((together, *({code: plant} for code, plant in ALONE.items()))):
                one = table(source, seed)
                planted = {code: plant(one) for code, plant in plants.items()}
                place = home / f"{source}-{seed}-{turn}"
                made, told = look(place, one.cells)
                for code, rows in planted.items():
                    found[code].add(len(one.cells["text"]), rows, touched(place / code, made, told[code]))
    return found


@pytest.mark.parametrize("code", sorted({**PLANTS, **ALONE}))
def test_planted_rows_are_found_and_sound_ones_are_not(scores: dict[str, Score], code: str) -> None:
    assert scores[code].good, scores[code]


def test_clean_tables_raise_no_alarm(tmp_path: Path) -> None:
    """Of what is worth mending, and of what is good to know, in at most 5 % of the clean tables each."""
    alarms: dict[str, int] = defaultdict(int)
    count = 0
    for source in SOURCES:
        for seed in SEEDS:
            _, told = look(tmp_path / f"{source}{seed}", table(source, seed).cells)
            count += 1
            for code in told:
                alarms[code] += 1
    assert {code: times for code, times in alarms.items() if times > FALSE * count} == {}


def tables(seeds: int = 2) -> list[tuple[str, Table]]:
    return [(f"{source}{seed}", table(source, seed)) for source in SOURCES for seed in range(seeds)]


def caught(found: list[bool]) -> bool:
    return sum(found) >= RECALL * len(found)


def test_a_word_that_tells_the_label(tmp_path: Path) -> None:
    """In nine of ten rows of a label, and in hardly any others."""
    found = []
    for name, one in tables():
        label, word = one.draw.choice(sorted({*map(one.label, one.free)})), one.draw.choice(["refcode", "zz9", "工单"])
        rows = [row for row in one.free if one.label(row) == label]
        for row in one.draw.sample(rows, round(0.95 * len(rows))):
            one.cells["text"][row] = f"{word} {one.text(row)}"
        told = [one.problem.values for one in look(tmp_path / name, one.cells)[1]["shortcut_word"]]
        found.append([(values["word"], values["label"]) for values in told] == [(word, label)])
    assert caught(found)


def test_a_length_that_tells_the_label(tmp_path: Path) -> None:
    found = []
    for name, one in tables():
        middle = sorted(len(one.text(row)) for row in one.free)[len(one.free) // 2]
        one.cells["label"] = ["long" if len(text or "") > middle else "short" for text in one.cells["text"]]
        found.append("shortcut_length" in look(tmp_path / name, one.cells)[1])
    assert caught(found)


def test_uneven_labels(tmp_path: Path) -> None:
    found = []
    for name, one in tables():
        first, second = [*dict.fromkeys(map(one.label, one.free))][:2]
        few = [row for row in one.free if one.label(row) == second][:8]
        rows = [row for row in one.free if one.label(row) != second] + few
        cells: Cells = {"text": [one.text(row) for row in rows], "label": [first] * (len(rows) - 8) + [second] * 8}
        found.append(look(tmp_path / name, cells)[1].keys() >= {"labels_uneven"})
    assert caught(found)


def test_columns_that_say_nothing(tmp_path: Path) -> None:
    """Constant, empty and identifying columns are named; those with something to say are not."""
    useless, useful, named, wrong = 0, 0, 0, 0
    for name, one in tables():
        count, draw = len(one.cells["text"]), one.draw
        bad: Cells = {
            "nothing": [draw.choice([None, "", " "]) for _ in range(count)],
            "same": ["v2"] * count,
            "key": [f"{draw.choice('AB')}-{number:06d}" for number in draw.sample(range(10**6), count)],
            "number": [str(1000 + turn) for turn in range(count)],
            "hash": [f"{draw.getrandbits(64):016x}" for _ in range(count)],
        }
        good: Cells = {
            "price": [f"{draw.uniform(1, 90):.2f}" for _ in range(count)],
            "shop": [draw.choice(["north", "south", "east"]) for _ in range(count)],
            "day": [f"2024-0{draw.randint(1, 9)}-{draw.randint(10, 28)}" for _ in range(count)],
            "reply": [f"Dear {draw.choice(['Ann', 'Bo', 'Cy'])}, {draw.choice(one.cells['text'])}" for _ in range(count)],
        }  # fmt: skip
        kinds = _kinds(tmp_path / f"k{name}", {**bad, **good})
        told = look(tmp_path / name, {**one.cells, **bad, **good}, {**kinds, **KINDS})[1]["columns_useless"]
        said = {column for one in told for column in one.problem.values["columns"]}
        useless, named = useless + len(bad), named + len(said & set(bad))
        useful, wrong = useful + len(good), wrong + len(said & set(good))
    assert named >= RECALL * useless
    assert wrong <= FALSE * useful


def _kinds(folder: Path, cells: Cells) -> dict[str, str]:
    import polars as pl

    made = profile(pl.read_parquet(source_of(folder, cells).folder / "rows.parquet"))
    return {column["name"]: column["kind"] for column in made["columns"]}


def version_of(folder: Path, cells: Cells, use: Use) -> DataVersion:
    """A version at which the doctor has looked."""
    source = source_of(folder, cells)
    (folder / "profile.json").write_text('{"columns": [], "problems": []}')
    about = {"name": "a.csv", "rows": source.rows(), "columns": list(source.columns()), "created": 0.0}
    (folder / "source.json").write_text(json.dumps(about))
    version = load_version(folder)
    assert version is not None
    job = {"task": use.task, "columns": use.columns, "kinds": {**KINDS, "part": "label"}}
    keep(version, use.task, use.columns, examined(source, job, lambda done, total: None))
    return version


def by_code(version: DataVersion, use: Use) -> dict[str, Told]:
    return {one.problem.code: one for one in diagnosis(version, use, [])}


def test_near_repetitions_that_cross_the_split(tmp_path: Path) -> None:
    """Counted against every pair of rows compared in full; the remedy leaves none. Without any there is no alarm."""
    wanted, found, use = 0, 0, Use("classification", USE)
    for name, one in tables():
        assert "split_near" not in by_code(version_of(tmp_path / f"clean{name}", one.cells, use), use)
        PLANTS["rows_near_repeated"](one)
        version = version_of(tmp_path / name, one.cells, use)
        truth = crossing(one.cells, use.split)
        told = by_code(version, use).get("split_near")
        wanted, found = wanted + len(truth), found + (0 if told is None else told.problem.count)
        if told is not None:
            number, text = told.problem.examples[0]
            assert number - 1 in truth
            assert " ≈ " in text
            made = tmp_path / f"mended{name}"
            made.mkdir()
            run_step(Source(version.folder), told.fix[0], KINDS, made, lambda done, total: None)
            assert not crossing(cells_of(Source(made)), use.split)
    assert wanted >= 20
    assert RECALL * wanted <= found <= (1 + FALSE) * wanted


def crossing(cells: Cells, split: Split) -> set[int]:
    """Rows of validation and test that are alike to one of train of the same label, every pair compared."""
    rows = [{"text": text, "label": label} for text, label in zip(cells["text"], cells["label"], strict=True)]
    parts = divide(tasks.get("classification"), rows, split).parts
    learnt = [row for row in parts["train"] if len(cells["text"][row] or "") >= 20]
    return {
        row
        for row in (*parts["validation"], *parts["test"])
        if len(cells["text"][row] or "") >= 20
        if any(cells["label"][row] == cells["label"][one] and _lengths_fit(cells["text"][row], cells["text"][one]) and likeness_of(cells["text"][row] or "", cells["text"][one] or "") >= 0.8 for one in learnt)
    }  # fmt: skip


def _lengths_fit(one: str | None, other: str | None) -> bool:
    """What differs by more than this in length is never so alike, and need not be compared."""
    sizes = sorted((len(one or ""), len(other or "")))
    return sizes[0] >= 0.6 * sizes[1]


def test_repetitions_across_a_given_split(tmp_path: Path) -> None:
    """Exact ones are left out and told, near ones are told; one click takes both out of train, and the test stays."""
    draw = random.Random(5)
    rows = generated("en", 300, draw)
    cells: Cells = {
        "text": [text for text, _ in rows],
        "label": [label for _, label in rows],
        "part": ["train"] * 200 + ["validation"] * 40 + ["test"] * 60,
    }
    exact, near = draw.sample(range(200), 9), list(range(230, 242))
    for turn, row in enumerate(exact):
        cells["text"][row] = (cells["text"][260 + turn] or "").upper()
    sources = draw.sample(sorted(set(range(200)) - set(exact)), len(near))
    for row, source in zip(near, sources, strict=True):
        cells["text"][row] = f"{cells['text'][source]}!"
        cells["label"][row] = cells["label"][source]
    use = Use("classification", USE, Split(how="given", column="part"))
    version = version_of(tmp_path / "given", cells, use)
    told = by_code(version, use)
    assert told["split_repeated"].problem.count == len(exact)
    assert {number - 1 for number, _ in told["split_repeated"].problem.examples} <= set(exact)
    assert told["split_near"].problem.count == len(near)
    assert {number - 1 for number, _ in told["split_near"].problem.examples} <= set(near)
    kept = {"exact": set(exact), "near": set(exact) | set(sources)}
    for code, gone in (("split_repeated", kept["exact"]), ("split_near", kept["near"])):
        made = tmp_path / code
        made.mkdir()
        run_step(Source(version.folder), told[code].fix[0], KINDS, made, lambda done, total: None)
        assert set(range(300)) - set(Source(made).origins().tolist()) == gone
    assert Chosen("drop_leaks", {"column": "part", "columns": ["text"], "likeness": 1.0}) == told["split_repeated"].fix[0]  # fmt: skip
