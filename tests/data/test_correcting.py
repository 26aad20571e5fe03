"""Rows corrected by hand: what is shown of a row, the cells that a correction writes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbench import Cells, mended

from studio.data import answers, correcting, spans, versions
from studio.data.importing import import_file
from studio.data.mending import Chosen
from studio.data.spans import Entity
from studio.data.store import DataVersion, read_rows
from studio.errors import UserError
from studio.tasks.base import tasks
from studio.workspace import Workspace

NER = {"text": "text", "entities": "spans"}
PLACED: Cells = {
    "text": ["Ann lives in Ulm", "小王在北京上班", "nobody", None],
    "spans": [
        '[{"start": 0, "end": 3, "type": "person"}, {"start": 13, "end": 16, "type": "place"}]',
        '[{"start": 3, "end": 5, "type": "place"}]', "[]", None,
    ],
}  # fmt: skip
QA = {"question": "question", "context": "context", "answers": "answers"}
PASSAGE = "The mill stands in Ulm. Ulm lies on the Danube."


@pytest.fixture
def row(tmp_path: Path) -> Any:
    """A version of rows as `import_file` would leave it, made here: only its rows are read."""

    def made(cells: Cells) -> DataVersion:
        from workbench import source_of

        folder = source_of(tmp_path / "d-0000000000000000", cells).folder
        columns, rows = list(cells), len(next(iter(cells.values())))
        (folder / "source.json").write_text(json.dumps({"name": "a", "rows": rows, "columns": columns, "created": 0}))
        (folder / "profile.json").write_text("{}")
        return DataVersion("d-0000000000000000", "ann", "a", rows, tuple(columns), 0.0, folder)

    return made


def why(caught: pytest.ExceptionInfo[UserError]) -> tuple[str, Any]:
    return caught.value.code, caught.value.values.get("why_codes", [("", {})])[0][0]


def test_a_row_is_opened_and_written_in_the_form_of_the_house(row: Any):
    version = row(PLACED)
    told = correcting.opened(version, "ner", NER, 1, {})
    assert told["marks"] == [[3, 5, "place"]]
    assert told["words"][:2] == [[0, 1], [1, 2]], "characters of a script without spaces are words"
    assert told["types"] == ["place", "person"], "the commonest first"
    cells = correcting.corrected(version, "ner", NER, 1, {}, {"marks": [[3, 5, "city"], [0, 2, "person"]]})
    assert spans.read("小王在北京上班", cells["spans"]).entities == [Entity(0, 2, "person"), Entity(3, 5, "city")]
    later = correcting.opened(version, "ner", NER, 1, cells)
    assert later["marks"] == [[0, 2, "person"], [3, 5, "city"]], "what is not saved yet is opened again"


@pytest.mark.parametrize(
    ("marks", "fault"),
    [
        ([[0, 99, "place"]], "correction.spans_outside"),
        ([[-1, 3, "place"]], "correction.spans_outside"),
        ([[0, 3, " "]], "correction.no_type"),
        ([[0, 8, "person"], [4, 12, "place"]], "correction.spans_overlap"),
    ],
)
def test_marks_that_cannot_be_are_refused_with_the_reason(row: Any, marks: list[Any], fault: str):
    with pytest.raises(UserError) as caught:
        correcting.corrected(row(PLACED), "ner", NER, 0, {}, {"marks": marks})
    assert why(caught) == ("correction_faulty", fault)
    assert "{" not in caught.value.text("en") + caught.value.text("zh")


@pytest.mark.parametrize("marks", [None, [[0, 3]], [["0", 3, "a"]], [[True, 3, "a"]], "x"])
def test_what_is_no_mark_at_all_is_refused(row: Any, marks: Any):
    with pytest.raises(UserError) as caught:
        correcting.corrected(row(PLACED), "ner", NER, 0, {}, {"marks": marks})
    assert caught.value.code == "request_unreadable"


def test_no_such_row_and_no_such_data(row: Any):
    version = row(PLACED)
    for task, place, code in (("ner", 4, "correction_row"), ("classification", 0, "correction_kind")):
        with pytest.raises(UserError) as caught:
            correcting.opened(version, task, NER, place, {})
        assert caught.value.code == code


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    text=st.text("ab 好", min_size=4, max_size=12),
    spots=st.lists(st.integers(0, 12), min_size=2, max_size=2, unique=True),
    at=st.integers(0, 12),
    gone=st.integers(0, 3),
    new=st.text("xy", max_size=3),
)
def test_marks_move_along_with_their_text(text: str, spots: list[int], at: int, gone: int, new: str):
    start, end = sorted(min(spot, len(text)) for spot in spots)
    at = min(at, len(text))
    after = text[:at] + new + text[at + gone :]
    moved = correcting.carried(text, after, [Entity(start, end, "t")] if text[start:end].strip() else [])
    for one in moved:
        assert 0 <= one.start < one.end <= len(after)
        assert after[one.start : one.end].strip()
    # What is gone from a run of the same letters may have stood anywhere in it; a new letter tells where the change is.
    if new and text[start:end].strip() and (end < at or start > at + gone):
        assert [after[one.start : one.end] for one in moved] == [text[start:end]]


def test_a_text_is_changed_with_its_marks(row: Any):
    version = row(PLACED)
    cells = correcting.corrected(version, "ner", NER, 0, {}, {"text": "Dear Ann lives in Ulm"})
    assert cells["text"] == "Dear Ann lives in Ulm"
    assert spans.read(cells["text"], cells["spans"]).entities == [Entity(5, 8, "person"), Entity(18, 21, "place")]
    assert correcting.corrected(version, "ner", NER, 2, {}, {"text": "no"}) == {"text": "no"}


@pytest.mark.parametrize(
    ("cells", "roles"),
    [
        ({"answers": '{"text": ["Danube"], "answer_start": [40]}'}, {}),
        ({"answers": '[{"text": "Danube", "answer_start": 40}]'}, {}),
        ({"answers": "Danube"}, {}),
        ({"answers": "Danube", "start": "40"}, {"start": "start"}),
        ({"answers": "", "start": "", "none": "True"}, {"start": "start", "impossible": "none"}),
        ({"answers": '{"text": [], "answer_start": []}', "none": "1"}, {"impossible": "none"}),
    ],
)
@pytest.mark.parametrize("place", [19, 24, None])
def test_an_answer_is_written_in_the_form_of_its_column(row: Any, cells: dict[str, str], roles: dict[str, str], place: int | None):  # fmt: skip
    columns = {**QA, **roles}
    version = row({"question": ["where?"], "context": [PASSAGE], **{name: [cell] for name, cell in cells.items()}})
    marks = [] if place is None else [[place, place + 3, "answer"]]
    made = correcting.corrected(version, "qa", columns, 0, {}, {"marks": marks})
    whole = {role: {**cells, **made}.get(column) for role, column in columns.items()} | {"context": PASSAGE}
    found = answers.reading_of(whole)
    assert found.sound
    assert [one[:2] for one in found.answers] == ([] if place is None else [("Ulm", place)])
    if "none" in cells:
        assert made["none"] == {"True": {True: "True", False: "False"}, "1": {True: "1", False: "0"}}[cells["none"]][place is None]  # fmt: skip
    opened = correcting.opened(version, "qa", columns, 0, made)
    assert opened["marks"] == marks
    assert opened["question"] == "where?"


def test_a_passage_may_not_lose_its_answer(row: Any):
    version = row({"question": ["where?"], "context": [PASSAGE], "answers": ["Danube"]})
    with pytest.raises(UserError) as caught:
        correcting.corrected(version, "qa", QA, 0, {}, {"text": PASSAGE.replace("the Danube", "a river")})
    assert why(caught) == ("correction_faulty", "correction.torn")
    moved = correcting.corrected(version, "qa", QA, 0, {}, {"text": "Once. " + PASSAGE})
    assert answers.read(moved["context"], moved["answers"]).answers == [answers.Answer("Danube", 46)]


def judged(folder: Path, cells: Cells, task: str, roles: dict[str, str], *edits: list[str], fresh: tuple[str, ...] = ()) -> Cells:  # fmt: skip
    return mended(folder, cells, "set_cells", edits=list(edits), task=task, roles=list(roles.items()), fresh=fresh)[0]


def test_a_step_judges_what_it_is_given(tmp_path: Path):
    new = '[{"start": 0, "end": 6, "type": "robot"}]'
    with pytest.raises(UserError) as caught:
        judged(tmp_path / "a", PLACED, "ner", NER, ["3:spans", new])
    assert caught.value.code == "correction_new_name"
    assert set(caught.value.values["known"]) == {"person", "place"}
    assert judged(tmp_path / "b", PLACED, "ner", NER, ["3:spans", new], fresh=("robot",))["spans"][2] == new
    with pytest.raises(UserError) as caught:
        judged(tmp_path / "c", PLACED, "ner", NER, ["3:spans", '[{"start": 0, "end": 60, "type": "place"}]'])
    assert why(caught) == ("correction_faulty", "correction.spans_outside")
    with pytest.raises(UserError) as caught:
        judged(tmp_path / "d", PLACED, "ner", NER, ["1:text", "Ann"])
    assert why(caught) == ("correction_faulty", "correction.spans_outside")
    both = [["1:text", "Ann"], ["1:spans", '[{"start": 0, "end": 3, "type": "person"}]']]
    assert judged(tmp_path / "e", PLACED, "ner", NER, *both)["text"][0] == "Ann"


def test_labels_that_nobody_asked_for_are_refused(tmp_path: Path):
    cells: Cells = {"text": ["a", "b", "c"], "label": ["yes", "no", None]}
    roles = {"text": "text", "label": "label"}
    assert judged(tmp_path / "a", cells, "classification", roles, ["3:label", "yes"])["label"][2] == "yes"
    with pytest.raises(UserError) as caught:
        judged(tmp_path / "b", cells, "classification", roles, ["3:label", "yess"])
    assert caught.value.code == "correction_new_name"
    assert judged(tmp_path / "c", cells, "classification", roles, ["3:label", "yess"], fresh=("yess",))["label"][2]


def test_a_correction_holds_on_to_its_row(tmp_path: Path):
    """Taking an earlier step out moves rows; the correction stays with the row that was corrected."""
    assert tasks.get("classification").kind.used(tasks.get("classification"), {"text": "a", "label": "x"}) == ("x",)
    workspace = Workspace.open(tmp_path / "home")
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"words {n // 2},{n % 2}\n" for n in range(12)))
    version = import_file(workspace, "ann", tmp_path / "a.csv", "a.csv")
    less = versions.mend(workspace, "ann", version, [Chosen("drop_duplicates", {"columns": ["text"]})])
    assert less.rows == 6
    edited = versions.mend(workspace, "bob", less, [Chosen("set_cells", {"edits": [["3:label", "7"]]})])
    assert edited.owner == "bob"
    assert edited.created >= less.created
    whole = versions.undo(workspace, "bob", edited, 0)
    found = read_rows(whole, {"label": "label", "text": "text"})
    assert [(place, one["text"]) for place, one in enumerate(found) if one["label"] == "7"] == [(4, "words 2")]
    assert versions.undo(workspace, "bob", whole).version == version.version
    with pytest.raises(UserError) as caught:
        versions.mend(workspace, "ann", less, [Chosen("set_cells", {"edits": [["9:label", "7"]]})])
    assert caught.value.code == "step_cell_unknown"
