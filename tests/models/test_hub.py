"""The hub with its real client against a stand-in of this test: search, look, a download that goes on, every refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from spoken import check_spoken
from web_stand_in import SHA, StandIn, offer, silent

from studio.errors import UserError
from studio.models import hub
from studio.models.card import read_card
from studio.models.catalogue import resolve
from studio.models.fetch import fetch
from studio.workspace import Workspace

TOKEN = "hf_onceONCEonceONCEonceONCEonce"


def told(family: str = "bert", **more: object) -> dict[str, object]:
    """What the hub says of a model without handing out its files."""
    return {
        "config": {"model_type": family},
        "safetensors": {"parameters": {"F32": 110_000_000, "I64": 512}, "total": 110_000_512},
        "cardData": {"license": "mit", "language": ["en", "zh"]},
        "downloads": 10,
        "gated": False,
        "tags": ["safetensors"],
        **more,
    }


def test_a_search_lists_what_can_be_opened_the_most_downloaded_first(web, workspace):
    web.about = {
        "org/bert-small": told(),
        "org/bert-famous": told(downloads=999, cardData={"license": "other", "license_name": "own", "language": "fr"}),
        "org/bert-gated": told(gated="manual", downloads=500),
        "org/bert-that-writes": told("gpt2"),
        "org/bert-with-code": told(config={"model_type": "bert", "auto_map": {"AutoModel": "x.X"}}),
        "org/bert-gptq": told(config={"model_type": "bert", "quantization_config": {"quant_method": "gptq"}}),
        "org/bert-pickled": told(safetensors=None),
        "org/other": told(),
    }
    found = hub.search(workspace, "BERT", ["encoder"])
    assert [item["title"] for item in found] == ["org/bert-famous", "org/bert-gated", "org/bert-small"]
    assert found[0]["licence"] == "own"
    assert found[0]["languages"] == ["fr"]
    assert [item["gated"] for item in found] == [False, True, False]
    assert found[2] == {
        "id": "hub:org/bert-small",
        "title": "org/bert-small",
        "parameters": 110_000_512,
        "bytes": 4 * 110_000_000 + 8 * 512,
        "licence": "mit",
        "languages": ["en", "zh"],
        "downloads": 10,
        "gated": False,
    }
    assert "filter=safetensors" in web.asked[0][0]
    assert list(workspace.temporary.iterdir()) == []


def test_a_look_reads_the_headers_and_none_of_the_weights(web, token, model, tmp_path, workspace):
    folder = offer(web, model, tmp_path)
    web.about["org/tiny"] = {"cardData": {"license": "apache-2.0", "language": "zh"}}
    card = hub.look(workspace, "org/tiny")
    whole = read_card(folder, "hub:org/tiny")
    for name in ("parameters", "embedding_parameters", "bytes", "kind", "hidden", "layers", "max_positions"):
        assert getattr(card, name) == getattr(whole, name), name
    assert (card.title, card.licence, card.languages, card.on_disk) == ("org/tiny", "apache-2.0", ("zh",), False)
    assert card.revision == SHA
    of_weights = [headers for path, headers in web.asked if path.endswith("model.safetensors")]
    assert any(headers.get("range") == "bytes=0-100000" for headers in of_weights)
    assert all("authorization" not in headers for _, headers in web.asked)
    assert resolve(workspace, "hub:org/tiny") is None
    assert list(workspace.temporary.iterdir()) == []


def test_a_gated_model_has_a_card_from_what_is_public(web, model, tmp_path, workspace):
    offer(web, model, tmp_path, "org/closed")
    web.gated.add("org/closed")
    web.about["org/closed"] = told(gated="manual")
    card = hub.look(workspace, "org/closed")
    assert card.gated
    assert (card.parameters, card.licence, card.kind) == (110_000_512, "mit", "encoder")
    assert card.hidden == 768, "the shape of the known model nearest in size"
    assert not any("/resolve/" in path for path, _ in web.asked)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "hub_no_safetensors"),
        (lambda folder: [(folder / name).unlink() for name in ("tokenizer.json", "vocab.txt")], "model_no_tokenizer"),
        (lambda folder: write(folder, "config.json", {"model_type": "strange"}), "model_family"),
        (lambda folder: write(folder, "config.json", {"auto_map": {"AutoModel": "x.X"}}), "model_has_code"),
    ],
)
def test_a_look_refuses_what_a_download_would_refuse(web, model, tmp_path, workspace, spoil, code):
    spoil(offer(web, model, tmp_path))
    with pytest.raises(UserError) as caught:
        hub.look(workspace, "org/tiny")
    assert caught.value.code == code
    assert len(caught.value.parts("zh")) == 3


def write(folder: Path, name: str, content: dict[str, object]) -> None:
    (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **content}))


class Stopped(Exception):
    """The person pressed stop."""


def heavy(folder: Path) -> int:
    """Let the weights be larger than what the client takes at once (10 MB); the new size."""
    file = folder / "model.safetensors"
    save_file({**load_file(file), "more": np.zeros(6_000_000, np.float32)}, file)
    return file.stat().st_size


def ranges(web: StandIn) -> list[str]:
    return [headers.get("range", "") for path, headers in web.asked if path.endswith("model.safetensors")]


def test_a_broken_download_goes_on_where_it_ended(web, model, tmp_path, workspace):
    folder = offer(web, model, tmp_path)
    heavy(folder)
    web.cut, web.cuts = 12_000_000, 1
    part = workspace.models / ".part-hub--org--tiny" / "model.safetensors.part"

    def stop_in_the_middle(done: int, total: int) -> None:
        if part.is_file() and part.stat().st_size:
            raise Stopped

    with pytest.raises(Stopped):
        fetch(workspace, "hub:org/tiny", stop_in_the_middle)
    assert resolve(workspace, "hub:org/tiny") is None
    kept = part.stat().st_size
    assert 10_000_000 < kept <= 12_000_000
    web.cuts = 0
    web.asked.clear()
    got = fetch(workspace, "hub:org/tiny", silent)
    assert ranges(web) == [f"bytes={kept}-"]
    assert (got / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert [path.name for path in workspace.models.iterdir() if path.is_dir()] == ["hub--org--tiny"]


def test_a_connection_that_breaks_is_taken_up_within_one_download(web, model, tmp_path, workspace):
    folder = offer(web, model, tmp_path)
    heavy(folder)
    web.cut, web.cuts = 12_000_000, 1
    got = fetch(workspace, "hub:org/tiny", silent)
    assert (got / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert ranges(web)[0] == ""
    assert int(ranges(web)[1].removeprefix("bytes=").removesuffix("-")) > 10_000_000


def test_weights_that_changed_on_the_way_are_thrown_away(web, model, tmp_path, workspace, monkeypatch):
    offer(web, model, tmp_path)
    answer = StandIn._file

    def twisted(self: StandIn, name: str, path: str) -> tuple[int, dict[str, str], bytes]:
        status, headers, content = answer(self, name, path)
        return status, headers, content[:-1] + bytes([content[-1] ^ 1]) if path.endswith("safetensors") else content

    monkeypatch.setattr(StandIn, "_file", twisted)
    with pytest.raises(UserError) as caught:
        fetch(workspace, "hub:org/tiny", silent)
    check_spoken(caught.value, "hub_damaged", model="org/tiny", file="model.safetensors")
    assert [path.name for path in workspace.models.iterdir() if path.is_dir()] == []


def test_a_token_opens_a_gated_model_once_and_is_kept_nowhere(web, model, tmp_path, workspace):
    offer(web, model, tmp_path, "org/closed")
    web.gated.add("org/closed")
    web.tokens.add(TOKEN)
    folder = fetch(workspace, "hub:org/closed", silent, token=TOKEN)
    assert read_card(folder, "hub:org/closed").parameters > 0
    assert any(headers.get("authorization") == f"Bearer {TOKEN}" for _, headers in web.asked)
    held = [path for path in workspace.home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert held == []


@pytest.mark.parametrize("known", [False, True], ids=["an unknown token", "terms not accepted"])
def test_a_token_the_hub_refuses(web, model, tmp_path, workspace, known):
    offer(web, model, tmp_path, "org/closed")
    web.gated.add("org/closed")
    if known:
        web.tokens.add(TOKEN)
        web.failing["/resolve/"] = 403
    with pytest.raises(UserError) as caught:
        fetch(workspace, "hub:org/closed", silent, token=TOKEN)
    host = web.address.removeprefix("http://")
    if known:
        check_spoken(caught.value, "hub_no_access", model="org/closed", host=host)
    else:
        check_spoken(caught.value, "hub_token_refused", host=host)
    assert TOKEN not in caught.value.text() + json.dumps(caught.value.values)


def of(workspace: Workspace, act: str) -> None:
    if act == "search":
        hub.search(workspace, "org/tiny", ["encoder"])
    elif act == "look":
        hub.look(workspace, "org/tiny")
    else:
        fetch(workspace, "hub:org/tiny", silent)


@pytest.mark.parametrize("act", ["search", "look", "fetch"])
def test_a_hub_that_asks_to_wait(web, model, tmp_path, workspace, act):
    offer(web, model, tmp_path)
    web.failing["/api/models"] = 429
    with pytest.raises(UserError) as caught:
        of(workspace, act)
    check_spoken(caught.value, "hub_busy", model="org/tiny", host=web.address.removeprefix("http://"))


@pytest.mark.parametrize(("act", "status"), [("search", 403), ("look", 503), ("fetch", 403)])
def test_a_hub_or_a_proxy_that_refuses(web, model, tmp_path, workspace, act, status):
    offer(web, model, tmp_path)
    web.failing["/api/models"] = status
    with pytest.raises(UserError) as caught:
        of(workspace, act)
    host = web.address.removeprefix("http://")
    check_spoken(caught.value, "hub_refused", model="org/tiny", host=host, status=status)


@pytest.mark.parametrize("act", ["search", "look"])
def test_without_a_network_a_search_says_so(workspace, monkeypatch, act):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError) as caught:
        of(workspace, act)
    check_spoken(caught.value, "hub_unreachable", model="org/tiny", host="127.0.0.1:9")


def test_a_look_at_a_model_that_is_not_there(web, workspace):
    with pytest.raises(UserError) as caught:
        hub.look(workspace, "org/absent")
    check_spoken(caught.value, "hub_not_found", model="org/absent", host=web.address.removeprefix("http://"))


def test_a_new_revision_does_not_go_on_with_the_old_files(web, model, tmp_path, workspace):
    folder = offer(web, model, tmp_path)
    part = workspace.models / ".part-hub--org--tiny"
    part.mkdir()
    (part / ".revision").write_text("b" * 40)
    (part / "model.safetensors.part").write_bytes(b"old weights")
    got = fetch(workspace, "hub:org/tiny", silent)
    assert (got / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
