"""What the Data tab shows of a data set: rows as the model sees them, and that nothing of it hides the findings."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from studio.data.findings import examine
from studio.data.importing import import_file
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.web.context import Page
from studio.web.kinds import chat as chat_face
from studio.web.tabs import data, dataview
from studio.words import LANGUAGES, say
from studio.workspace import Workspace

USE = Use("chat", {"messages": "messages"})


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    desk = Desk(Workspace.open(tmp_path / "home"))
    yield desk
    desk.close()


@pytest.fixture
def version(desk: Desk) -> DataVersion:
    """Sixty conversations; of the first three rows one is no JSON and one has no answer."""
    asked = [{"role": "user", "content": "nobody answers"}]
    lines = [json.dumps({"messages": "no conversation"}), json.dumps({"messages": asked})]
    for number in range(60):
        said = [{"role": "user", "content": f"Q{number}"}, {"role": "assistant", "content": f"A{number}"}]
        lines.append(json.dumps({"messages": said}))
    file = desk.workspace.temporary / "talks.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return import_file(desk.workspace, "local", file, file.name)


def page_of(desk: Desk, language: str = "en") -> Page:
    return Page(desk, InferenceClient(desk.workspace), language)


def examined(page: Page, version: DataVersion) -> list[Any]:
    """What the handler of the Data tab answers for these columns."""
    roles = {("chat", "messages"): None}
    islands = dict.fromkeys(("about", "findings", "mending", "charts", "rendered", "reading"))
    widgets = SimpleNamespace(roles=roles, inputs=list, **islands)
    look = data._look(page, cast(data.Widgets, widgets))[0]
    found: list[Any] = look(version.version, "chat", 0.15, 0.15, 13, "stratified", None, "messages")
    return found


def test_the_first_three_usable_rows_are_shown(desk: Desk, version: DataVersion) -> None:
    _, lines, _, _, seen, reading = examined(page_of(desk), version)
    assert reading["version"] == version.version
    assert any("no conversation" in problem["text"] for problem in lines["problems"])
    assert [f"Q{number}" in text and f"A{number}" in text for number, text in enumerate(seen["texts"])] == [True] * 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_data_are_is_said_once_the_doctor_has_looked(desk: Desk, version: DataVersion, language: str) -> None:
    about, *_ = examined(page_of(desk, language), version)
    assert about["lines"] == []
    (column,) = about["columns"]
    assert (column["name"], column["kind"]) == ("messages", say("web.about.kind.chat", language))
    assert column["role"] == say("role.chat.messages", language)
    assert (column["missing"], column["distinct"]) == (0, 62)
    examine(desk.workspace, version, USE)
    about, *_ = examined(page_of(desk, language), version)
    assert about["lines"] == [say("web.about.size", language, rows=62, columns=1)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_form_that_stands_in_for_a_model_not_here_is_called_so(
    desk: Desk, version: DataVersion, language: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = dataview.rendered(page_of(desk, language), version, USE)
    assert shown["note"] == say("web.data.as_seen_plain", language, model="starter:smollm2")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages[0].content }}!"}))
    monkeypatch.setattr(chat_face, "resolve", lambda workspace, model: tmp_path)
    assert dataview.rendered(page_of(desk, language), version, USE) == {"texts": ["Q0!", "Q1!", "Q2!"], "note": ""}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_template_that_fails_costs_neither_findings_nor_charts(
    desk: Desk, version: DataVersion, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = UserError("chat_template_refused", roles="user", reason="no")

    def refuse(folder: Path | None, talks: list[Any]) -> list[str]:
        raise fault

    monkeypatch.setattr(chat_face, "render_rows", refuse)
    _, lines, _, drawn, seen, _ = examined(page_of(desk, language), version)
    assert lines["problems"]
    assert drawn["figures"]
    assert (seen["texts"], seen["note"]) == ([], fault.text(language))


def test_no_chart_where_there_is_nothing_to_draw(desk: Desk, version: DataVersion) -> None:
    assert dataview.charts(page_of(desk), version, Use("classification", {})) == []
