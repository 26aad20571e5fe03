"""The workshop's routes, as the page asks them: every one looks at what it was sent, and nothing is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient
from hostile import HOSTILE
from spoken import check_answer

from studio.data import process
from studio.data.importing import import_file
from studio.data.rows import tidy_name
from studio.data.steps.base import steps
from studio.data.store import DataVersion, list_versions
from studio.data.use import saved_use
from studio.options import options_of
from studio.runs.desk import Desk
from studio.spec import Spec
from studio.web import workshop
from studio.web.context import Page
from studio.web.tabs.choose import data_sets
from studio.words import say_parts

USE = {
    "task": "classification",
    "columns": {"text": "text", "label": "label"},
    "split": {"validation": 0.2, "test": 0.2},
}
MARKUP = {"step": "markup", "options": {"columns": ["text"]}}
BLANK = {"step": "drop_blank", "options": {"columns": ["text"]}}


@pytest.fixture
def version(site: tuple[Desk, object], tmp_path: Path) -> DataVersion:
    rows = "".join(
        f"the kettle number {n} is {'fine' if n % 2 else 'broken'},{'good' if n % 2 else 'bad'}\n" for n in range(60)
    )
    file = tmp_path / f"{tmp_path.name}.csv"
    file.write_text(f"text,label\n<b>{tmp_path.name}</b>,good\n{rows},bad\n", encoding="utf-8")
    return import_file(site[0].workspace, "local", file, "kettles.csv")


def asked(analyst: TestClient, version: str, what: str, body: dict[str, Any], language: str = "en") -> dict[str, Any]:
    """The last line of an answer."""
    reply = analyst.post(f"/api/data/{version}/{what}?lang={language}", json=body)
    assert reply.status_code == 200, reply.text
    return json.loads(reply.text.splitlines()[-1])


def test_the_doctor_answers_with_findings_that_can_be_fixed(site, analyst, version):
    found = asked(analyst, version.version, "doctor", USE, "zh")["findings"]
    fixes = {one["code"]: one["fix"] for one in found}
    assert fixes["text_markup"] == [MARKUP]
    assert fixes["cells_missing"] == [BLANK]
    (one,) = [one for one in found if one["code"] == "text_markup"]
    assert one["examples"][0][0] == 1
    assert "HTML" in one["text"]
    assert "去除 HTML" in one["remedy"]


def test_a_step_is_previewed_done_and_taken_back(site, analyst, version):
    told = asked(analyst, version.version, "preview", {"steps": [MARKUP]})["preview"]
    assert told["line"] == "Changed: 1. Rows now: 62."
    assert told["examples"][0]["row"] == 1
    made = asked(analyst, version.version, "mend", {"steps": [MARKUP], **USE})
    more = asked(analyst, made["data"], "mend", {"steps": [BLANK], **USE})
    assert more["line"] == "Dropped: 1. Rows now: 61."
    use = saved_use(site[0].workspace, "local", more["data"])
    assert use is not None
    assert (use.columns, use.split.test) == (USE["columns"], 0.2)
    listed = analyst.get(f"/api/data/{more['data']}/versions").json()
    assert [step["title"] for step in listed["steps"]] == ["Strip HTML and entities", "Drop rows with blanks"]
    assert [one["rows"] for one in listed["versions"]] == [62, 62, 61]
    assert [one["current"] for one in listed["versions"]] == [False, False, True]
    compared = asked(analyst, more["data"], "compare", {"with": version.version})["compared"]
    assert (compared["changed"], compared["dropped"]) == (1, 1)
    assert asked(analyst, more["data"], "undo", {})["data"] == made["data"]
    without = asked(analyst, more["data"], "undo", {"step": 0})["data"]
    assert [one["title"] for one in analyst.get(f"/api/data/{without}/versions").json()["steps"]] == [
        "Drop rows with blanks"
    ]
    for turn in (2, -1, True, "1"):
        assert analyst.post(f"/api/data/{more['data']}/undo", json={"step": turn}).status_code == 400


def test_the_chooser_leaves_out_what_lies_on_the_way(site, analyst, version):
    one = asked(analyst, version.version, "mend", {"steps": [MARKUP]})["data"]
    two = asked(analyst, one, "mend", {"steps": [BLANK]})["data"]
    page = Page(site[0], None, "en")  # type: ignore[arg-type]
    shown = {key: text for text, key in data_sets(page)}
    assert {version.version, two} <= set(shown)
    assert one not in shown
    assert "Steps: 2" in shown[two]
    assert one in {key for _, key in data_sets(page, also=one)}


def test_what_a_run_used_is_not_deleted_and_the_rest_comes_back(site, analyst, version):
    desk = site[0]
    made = asked(analyst, version.version, "mend", {"steps": [MARKUP]})["data"]
    run = desk.submit(Spec(made, {"text": "text", "label": "label"}, "classification", "", "baseline", name="My run"))
    reply = analyst.post(f"/api/data/{made}/delete?lang=zh", json={})
    assert reply.status_code == 400
    check_answer(reply.json(), "version_used", "zh", name="kettles.csv", count=1, runs=["My run"])
    desk.store.drop_run(run)
    gone = analyst.post(f"/api/data/{made}/delete", json={}).json()
    assert gone == {"owner": "local", "data": version.version}
    assert made not in {one.version for one in list_versions(desk.workspace)}
    assert analyst.post(f"/api/data/{made}/restore", json={"owner": "local"}).json() == {"data": made}
    assert analyst.post(f"/api/data/{made}/restore", json={"owner": "../x"}).status_code == 404


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("doctor", {}, "request_unreadable"),
        ("doctor", {"task": 3, "columns": {}}, "request_unreadable"),
        ("doctor", {"task": "classification", "columns": [1]}, "request_unreadable"),
        ("doctor", {**USE, "split": {"test": "many"}}, "request_unreadable"),
        ("doctor", {**USE, "split": {"test": 7}}, "request_unreadable"),
        ("preview", {"steps": []}, "request_unreadable"),
        ("mend", {"steps": "markup"}, "request_unreadable"),
        ("mend", {"steps": [MARKUP] * 21}, "request_unreadable"),
    ],
)
def test_a_request_of_another_form_is_refused(analyst, version, what: str, body: dict[str, Any], code: str):
    reply = analyst.post(f"/api/data/{version.version}/{what}", json=body)
    assert reply.status_code == 400
    assert reply.json()["parts"] == say_parts(f"error.{code}")


def test_what_cannot_be_done_is_said_and_changes_nothing(site, analyst, version):
    before = len(list_versions(site[0].workspace))
    reply = analyst.post(f"/api/data/{version.version}/mend?lang=zh", json={"steps": [{"step": "fly"}]})
    assert reply.status_code == 400
    told = asked(
        analyst, version.version, "mend", {"steps": [{"step": "whitespace", "options": {"columns": ["x"]}}]}, "zh"
    )
    check_answer(told, "step_column_unknown", "zh", column="x", known=["text", "label"])
    assert len(list_versions(site[0].workspace)) == before
    assert analyst.post("/api/data/d-nowhere/doctor", json=USE).status_code == 404
    assert analyst.post("/api/data/..%2F..%2Fx/doctor", json=USE).status_code == 404
    assert analyst.get(f"/api/data/{version.version}/export?form=exe").status_code == 400


def test_a_child_that_breaks_is_told_as_a_sentence(analyst, version, monkeypatch):
    ends = [process.child.command("x")[0], "-c", "raise SystemExit(5)"]
    monkeypatch.setattr(process.child, "command", lambda *arguments: ends)
    told = asked(analyst, version.version, "preview", {"steps": [MARKUP]})
    check_answer(told, "work_broke", "en", name="kettles.csv", status=5)


def test_a_bug_is_told_without_its_innards(analyst, version, monkeypatch):
    monkeypatch.setattr(workshop.versions, "preview", lambda *given: 1 / 0)
    told = asked(analyst, version.version, "preview", {"steps": [MARKUP]}, "zh")
    assert told["parts"] == say_parts("error.bug", "zh")


def test_versions_are_exported_under_their_name(analyst, version):
    reply = analyst.get(f"/api/data/{version.version}/export?form=csv")
    assert reply.content.startswith(b"\xef\xbb\xbftext,label")
    assert 'filename="kettles.csv"' in reply.headers["content-disposition"]
    lines = analyst.get(f"/api/data/{version.version}/export?form=jsonl").text.splitlines()
    assert len(lines) == 62
    assert analyst.get(f"/api/data/{version.version}/export?form=parquet").content.startswith(b"PAR1")


def test_every_step_is_declared_with_its_fields(analyst):
    told = {one["key"]: one for one in analyst.get("/api/steps?lang=zh").json()["steps"]}
    listed = [step for step in steps if step.listed]
    assert list(told) == [step.key for step in listed]
    assert "set_cells" not in told, "the grid asks for it, with cells"
    for step in listed:
        assert [option["name"] for option in told[step.key]["options"]] == [
            o.name for o in options_of(step.Options, "step")
        ]
        assert told[step.key]["title"]


def test_a_stranger_gets_nothing(stranger, version):
    for path in ("versions", "export"):
        assert stranger.get(f"/api/data/{version.version}/{path}").status_code in (303, 401)
    assert stranger.post(f"/api/data/{version.version}/mend", json={"steps": [MARKUP]}).status_code in (303, 401, 403)


def test_two_hundred_hostile_names_stay_names_in_what_is_exported(site, analyst, version):
    desk, source = site[0], version.folder / "source.json"
    kept, before = source.read_text("utf-8"), sorted(desk.workspace.home.rglob("*"))
    for name in HOSTILE:
        source.write_text(json.dumps({**json.loads(kept), "name": tidy_name(name) or "data"}), "utf-8")
        reply = analyst.get(f"/api/data/{version.version}/export?form=jsonl")
        assert reply.status_code == 200
        told = reply.headers["content-disposition"]
        plain = re.fullmatch(
            r'attachment; filename="([\w-]+)\.jsonl"; filename\*=UTF-8\'\'([\w%.-]+)\.jsonl', told, re.ASCII
        )
        assert plain, told
        assert not set(unquote(plain[2])) & set('/\\"<>|:*?\0\r\n')
    source.write_text(kept, "utf-8")
    assert sorted(desk.workspace.home.rglob("*")) == before
