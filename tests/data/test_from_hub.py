"""Data sets of the hub with its real client against a stand-in: what one has, its rows, and every refusal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.data import fromhub, limits
from studio.data.importing import import_files
from studio.data.store import read_rows
from studio.errors import UserError
from studio.models.hubsets import grouped

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
from web_stand_in import SHA, StandIn, serving

TOKEN = "hf_CANARYcanaryONCEonceCANARYcanary"
NAMES = {"info": {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}}}
CARD = {"configs": [{"config_name": "plain", "data_files": [{"split": "train", "path": "data/train-*"}, {"split": "test", "path": ["data/test-*"]}]}]}  # fmt: skip


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with serving() as stand_in:
        monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_TOKEN", "hf_OWNownOWNownOWNownOWNown")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield stand_in


def offered(web: StandIn, folder: Path, name: str = "org/kettles") -> Path:
    """Two shards to train, one to test, a script and a picture, on the stand-in hub."""
    (folder / "data").mkdir(parents=True)
    for part, rows in (("train-00000-of-00002", range(30)), ("train-00001-of-00002", range(30, 40)), ("test-00000-of-00001", range(40, 50))):  # fmt: skip
        table = pa.table({"text": [f"kettle {n}" for n in rows], "label": [n % 3 - 1 for n in rows]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(NAMES)})
        pq.write_table(table, folder / "data" / f"{part}.parquet")
    (folder / "kettles.py").write_text("raise SystemExit")
    (folder / "README.md").write_text("kettles")
    web.sets[name] = folder
    web.about[name] = {"cardData": {"license": "mit", **CARD}}
    return folder


def refused(act: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        act()
    for language in ("en", "zh"):
        assert len(caught.value.parts(language)) == 3
        assert "{" not in caught.value.text(language)
    return caught.value


def test_a_part_of_it_becomes_a_version_with_its_origin(web, tmp_path, workspace):
    offered(web, tmp_path / "set")
    told = fromhub.look(workspace, "org/kettles")
    assert told["licence"] == "mit"
    (config,) = told["configs"]
    assert [(split["name"], split["files"]) for split in config["splits"]] == [("train", 2), ("test", 1)]
    heard: list[tuple[str, int, int]] = []
    version = fromhub.bring(workspace, "ann", "org/kettles", ("plain", "train"), "", lambda *told: heard.append(told))
    assert version.rows == 40
    assert version.columns == ("text", "label"), "two shards of a split are one table"
    assert version.origin == {"kind": "hub", "id": "org/kettles", "revision": SHA, "config": "plain", "split": "train"}
    assert version.name == "kettles · plain · train"
    rows = read_rows(version, {"label": "label"}, [0, 1, 2])
    assert [row["label"] for row in rows] == [None, "bad", "good"], "numbers of labels are read by their names"
    assert {stage for stage, _, _ in heard} == {"fetch", "read"}
    whole = fromhub.bring(workspace, "ann", "org/kettles", ("plain", ""))
    assert whole.rows == 50
    assert {row["file"] for row in read_rows(whole, {"file": "file"})} == {"train", "test"}
    assert not any(path.endswith((".py", ".md")) for path, _ in web.asked)
    assert all("authorization" not in headers for _, headers in web.asked), "the machine's own token does not travel"
    assert list(workspace.temporary.iterdir()) == []


def test_a_gated_one_needs_a_token_that_is_kept_nowhere(web, tmp_path, workspace):
    offered(web, tmp_path / "set", "org/closed")
    web.gated.add("org/closed")
    web.tokens.add(TOKEN)
    assert refused(lambda: fromhub.look(workspace, "org/closed")).code == "set_gated"
    assert refused(lambda: fromhub.look(workspace, "org/closed", "hf_wrong")).code == "hub_token_refused"
    assert fromhub.look(workspace, "org/closed", TOKEN)["configs"]
    version = fromhub.bring(workspace, "ann", "org/closed", ("plain", "test"), TOKEN)
    assert version.rows == 10
    for file in workspace.home.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


def test_what_cannot_be_brought_says_why(web, tmp_path, workspace, monkeypatch):
    folder = offered(web, tmp_path / "set")
    assert refused(lambda: fromhub.look(workspace, "org/none")).code == "set_not_found"
    error = refused(lambda: fromhub.bring(workspace, "ann", "org/kettles", ("plain", "dev")))
    assert error.code == "set_part_unknown"
    assert error.values["known"] == ["plain/train", "plain/test"]
    monkeypatch.setattr(limits, "UPLOAD_BYTES", 100)
    assert refused(lambda: fromhub.bring(workspace, "ann", "org/kettles", ("plain", "test"))).code == "set_large"
    monkeypatch.undo()
    monkeypatch.setenv("HF_ENDPOINT", web.address)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert refused(lambda: fromhub.look(workspace, "org/kettles")).code == "set_offline"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    web.spoilt.add("data/test-00000-of-00001.parquet")
    assert refused(lambda: fromhub.bring(workspace, "ann", "org/kettles", ("plain", "test"))).code == "set_damaged"
    web.about["org/kettles"] = {}
    for file in folder.glob("data/*"):
        file.unlink()
    (folder / "kettles.py").unlink()
    assert refused(lambda: fromhub.look(workspace, "org/kettles")).code == "set_no_files"
    web.failing["/api/datasets"] = 403
    assert refused(lambda: fromhub.look(workspace, "org/kettles")).code == "set_refused"
    assert list(workspace.temporary.iterdir()) == []


def test_without_a_network_it_says_so(workspace, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert refused(lambda: fromhub.look(workspace, "org/kettles")).code == "set_unreachable"


def test_a_stop_leaves_nothing(web, tmp_path, workspace):
    offered(web, tmp_path / "set")

    class Stopped(Exception):
        pass

    def stop(*told: Any) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        fromhub.bring(workspace, "ann", "org/kettles", ("plain", "train"), "", stop)
    assert list(workspace.temporary.iterdir()) == []
    assert not list(workspace.home.glob("ann/data/d-*"))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" org/name ", "org/name"),
        ("imdb", "imdb"),
        ("https://huggingface.co/datasets/org/name?x=1", "org/name"),
        ("datasets/org/name", "org/name"),
    ],
)
def test_an_address_is_an_id_too(typed: str, name: str):
    assert fromhub.checked(typed) == name


@pytest.mark.parametrize("typed", ["", "a b", "../x", "org/name/more", "org/..", "x" * 200, "org/na\nme", "名/字"])
def test_what_is_no_id_is_refused(typed: str):
    assert refused(lambda: fromhub.checked(typed)).code == "set_id"


def test_files_are_grouped_as_their_names_say_where_no_card_does():
    paths = ["plain_text/train-0.parquet", "plain_text/test-0.parquet", "other/dev.csv", "data/train-1.parquet", "all.jsonl"]  # fmt: skip
    assert grouped(paths, []) == {
        "default": {"train": ["all.jsonl", "data/train-1.parquet"]},
        "other": {"validation": ["other/dev.csv"]},
        "plain_text": {"train": ["plain_text/train-0.parquet"], "test": ["plain_text/test-0.parquet"]},
    }
    assert grouped(["default/train/0000.parquet"], []) == {"default": {"train": ["default/train/0000.parquet"]}}
    card = [{"config_name": "en", "data_dir": "en"}, {"config_name": "b", "data_files": "x/*.csv"}, "odd", {}]
    assert grouped(["en/test.csv", "x/1.csv", "y.csv"], card) == {"en": {"test": ["en/test.csv"]}, "b": {"train": ["x/1.csv"]}}  # fmt: skip


def test_the_same_rows_of_another_origin_are_another_version(tmp_path, workspace):
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n3,4\n")
    one = import_files(workspace, "ann", [(file, "a.csv")])
    other = import_files(workspace, "ann", [(file, "a.csv")], called="kettles", origin={"kind": "hub", "id": "x"})
    assert one.version != other.version
    assert (one.origin, other.origin, other.name) == ({}, {"kind": "hub", "id": "x"}, "kettles")


@pytest.mark.parametrize("code", ["set_busy", "set_no_access", "set_failed", "set_refused", "set_unreachable"])
def test_the_clients_errors_are_told_in_words_for_data_sets(code: str):
    raised = UserError(code.replace("set_", "hub_"), model="org/x", host="hub.example", status=500, reason="odd")

    def act() -> None:
        raise fromhub.spoken(raised, "org/x")

    error = refused(act)
    assert error.code == code
    assert "org/x" in error.text("en")
    assert "model" not in error.text("en").replace("modelled", "")
