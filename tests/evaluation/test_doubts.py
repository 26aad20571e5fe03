"""Labels that look wrong: planted faults are found and named, copies give nothing away, a run's answers count, and what
was turned down stays so."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest
from spoken import check_spoken

from studio.assets import assets
from studio.data.importing import import_file
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.errors import UserError
from studio.evaluation.doubting import suggestions, turn_down, turned_down
from studio.evaluation.doubts import MOST_LABELS, doubted
from studio.workspace import Workspace

USE = Use("classification", {"text": "message", "label": "team"})


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture(scope="module")
def help_desk() -> tuple[list[str], list[str], dict[int, str]]:
    """Texts, labels of which twenty are wrong, and the true ones of those by place."""
    with (assets() / "samples" / "help_desk.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["message"], row["team"]) for row in csv.DictReader(file) if row["message"] and row["team"]]
    chance = random.Random(1)
    teams = sorted({team for _, team in rows})
    wrong = {place: rows[place][1] for place in chance.sample(range(len(rows)), 20)}
    labels = [chance.choice([one for one in teams if one != team]) if place in wrong else team for place, (_, team) in enumerate(rows)]  # fmt: skip
    return [text for text, _ in rows], labels, wrong


def test_planted_faults_come_first_with_the_right_label(help_desk: tuple[list[str], list[str], dict[int, str]]):
    texts, labels, wrong = help_desk
    judged = doubted(texts, labels, {}, quiet)
    first = judged.doubts[:10]
    hits = [one for one in first if one.place in wrong]
    assert len(hits) >= 8, "of the ten surest nearly all are planted"
    found = [one for one in judged.doubts if one.place in wrong]
    assert len(found) >= 12, "more than half of the planted ones are found"
    assert sum(one.suggested == wrong[one.place] for one in found) >= 0.9 * len(found)
    assert len(judged.doubts) < 0.15 * len(texts)
    assert [one.margin for one in judged.doubts] == sorted((one.margin for one in judged.doubts), reverse=True)
    assert all(one.label == labels[one.place] != one.suggested for one in judged.doubts)
    assert 0.4 < judged.quality < 1


def test_a_runs_answers_confirm_and_reject(help_desk: tuple[list[str], list[str], dict[int, str]]):
    texts, labels, wrong = help_desk
    plain = doubted(texts, labels, {}, quiet).doubts
    agreed, denied = plain[0], plain[1]
    other = next(place for place in range(len(texts)) if place not in {one.place for one in plain})
    teams = sorted(set(labels))

    def sure_of(label: str) -> dict[str, float]:
        return {team: 0.93 if team == label else 0.01 for team in teams}

    elsewhere = next(team for team in teams if team != labels[other])
    # The run knows its labels well, so that only what it is really sure of is a doubt.
    right = {place: sure_of(labels[place]) for place in range(0, len(texts), 3) if place not in wrong}
    run = {
        **right,
        agreed.place: sure_of(agreed.suggested),
        denied.place: sure_of(denied.label),
        other: sure_of(elsewhere),
    }
    found = {one.place: one for one in doubted(texts, labels, run, quiet).doubts}
    assert found[agreed.place].by == "both"
    assert denied.place not in found, "the better model says that the label is right"
    assert (found[other].by, found[other].suggested) == ("run", elsewhere)
    assert next(iter(found.values())).by in ("both", "run")


def test_copies_with_a_wrong_label_do_not_confirm_one_another():
    rows = [(f"the kettle number {n} boils water", "kettle") for n in range(40)] + [(f"a red scarf number {n} of wool", "scarf") for n in range(40)]  # fmt: skip
    rows += [
        ("A soft scarf of wool", "kettle"),
        ("a soft  SCARF of wool", "kettle"),
        ("a soft scarf of wool", "kettle"),
    ]
    judged = doubted([text for text, _ in rows], [label for _, label in rows], {}, quiet)
    assert {one.place for one in judged.doubts} == {80, 81, 82}
    assert {one.suggested for one in judged.doubts} == {"scarf"}


def test_rare_labels_are_left_alone_and_chinese_is_read():
    rows = [(f"味道很好，下次还来，第 {n} 次", "好评") for n in range(40)] + [(f"送得太慢，凉了不好吃，第 {n} 次", "差评") for n in range(40)]  # fmt: skip
    rows += [("味道很好，下次还来吧", "差评"), ("有人吗", "其他")]
    found = doubted([text for text, _ in rows], [label for _, label in rows], {}, quiet).doubts
    assert [(one.place, one.suggested) for one in found] == [(80, "好评")]


def test_what_cannot_be_judged():
    with pytest.raises(UserError) as caught:
        doubted(["a b"] * 100, ["x"] * 100, {}, quiet)
    check_spoken(caught.value, "doubts_few", rows=100, labels=1, wanted=40, each=5)
    many = [f"label {n // 5}" for n in range(5 * (MOST_LABELS + 1))]
    with pytest.raises(UserError) as caught:
        doubted(["a b"] * len(many), many, {}, quiet)
    check_spoken(caught.value, "doubts_labels", labels=MOST_LABELS + 1, most=MOST_LABELS)


@pytest.fixture
def version(tmp_path: Path, help_desk: tuple[list[str], list[str], dict[int, str]]) -> DataVersion:
    texts, labels, _ = help_desk
    file = tmp_path / "desk.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("message", "team"), *zip(texts, labels, strict=True)])
    return import_file(Workspace.open(tmp_path / "home"), "local", file, "desk.csv")


def test_a_child_judges_and_what_is_turned_down_stays_so(
    version: DataVersion, tmp_path: Path, help_desk: tuple[list[str], list[str], dict[int, str]]
):
    home, heard = Workspace.open(tmp_path / "home"), []
    run = tmp_path / "run"
    run.mkdir()
    texts, labels, _ = help_desk
    teams = sorted(set(labels))
    plain = suggestions(home, version, USE, None, lambda done, total: heard.append((done, total)))
    assert heard[-1] == (5, 5)
    first = plain["doubts"][0]
    place = first["row"] - 1
    assert (first["text"], first["label"]) == (texts[place][:400], labels[place])
    assert plain["looked"] == plain["rows"] == len(texts)
    scores = {team: 0.9 if team == first["suggested"] else 0.01 for team in teams}
    entries = [{"row": place, "truth": labels[place], "answer": first["suggested"], "scores": scores}, {"row": 1, "truth": "another label by now", "answer": "x", "scores": scores}]  # fmt: skip
    (run / "predictions.jsonl").write_text("\n".join(map(json.dumps, entries)), "utf-8")
    told = suggestions(home, version, USE, run)
    assert told["answers"] == 1, "an answer to a label that has changed since says nothing"
    assert [one["by"] for one in told["doubts"] if one["row"] == first["row"]] == ["both"]
    turn_down(version, USE, first["row"])
    again = suggestions(home, version, USE, run, lambda done, total: pytest.fail("it is remembered"))
    assert first["row"] not in {one["row"] for one in again["doubts"]}
    turn_down(version, USE, first["row"], back=True)
    assert turned_down(version, USE) == set()
    assert list(home.temporary.iterdir()) == []


def test_only_rows_with_one_label(version: DataVersion, tmp_path: Path):
    with pytest.raises(UserError) as caught:
        suggestions(
            Workspace.open(tmp_path / "home"), version, Use("translation", {"source": "message", "target": "team"})
        )
    assert caught.value.code == "doubts_task"
    assert "Translate" in caught.value.text()
