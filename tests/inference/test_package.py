"""The download of each kind of model, unpacked and run by a Python that sees neither the studio nor a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import pytest
from tiny_inference import LABELS, save_chat_base, save_encoder_base, save_run

from studio.errors import UserError
from studio.inference import package
from studio.inference.predictor import Predictor
from studio.inference.settings import ChatSettings

TEXTS = ["the cat sat on a mat", "外卖 好吃", "dogs ran " * 60]
RUN_IT = """
import json, runpy, sys
assert not [name for name in sys.modules if name.startswith("studio")]
made = runpy.run_path(sys.argv[1])
print(json.dumps([made["predict"](question) for question in json.load(sys.stdin)]))
assert not [name for name in sys.modules if name.split(".")[0] in ("studio", "peft", "datasets")]
"""


def unpacked(run, tmp_path):
    """The phases told, and the folder that was in the zip."""
    out = tmp_path / "download.zip"
    phases = list(dict.fromkeys(package.build(run, out)))
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "elsewhere")
    assert {path.name for path in tmp_path.iterdir()} >= {"download.zip", "elsewhere"}
    assert not list(tmp_path.glob(".*"))
    return phases, tmp_path / "elsewhere" / "model"


def fresh(folder, questions):
    """What predict.py answers in an isolated Python without the studio's environment."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN_IT, str(folder / "predict.py")],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HOME": "/nonexistent"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "method", [pytest.param("full", marks=pytest.mark.slow), "lora", pytest.param("head", marks=pytest.mark.slow)]
)
def test_labels(tmp_path, method):
    base = save_encoder_base(tmp_path / "base")
    facts = {**LABELS, "prefix": "the "}
    run, _ = save_run(tmp_path, f"r-{method}", base, "classification", method, facts)
    (run / "report.json").write_text(json.dumps({"rows": 40, "test": {"macro_f1": 0.8123, "accuracy": 0.8}}))
    (run / "predictions.jsonl").write_text(json.dumps({"text": "two three"}) + "\n")
    phases, folder = unpacked(run, tmp_path)
    assert phases == ["collecting", "trying", "packing"]
    expected = Predictor.load(run).predict(TEXTS)
    for answer, mine in zip(fresh(folder, TEXTS), expected, strict=True):
        assert next(iter(answer)) == mine["label"]
        assert answer == pytest.approx(mine["scores"], abs=1e-5)
    names = {path.name for path in folder.iterdir()}
    assert {
        "model.safetensors",
        "head.safetensors",
        "labels.json",
        "config.json",
        "tokenizer.json",
        "predict.py",
    } <= names
    assert not {name for name in names if "adapter" in name or "studio" in name}
    card = (folder / "README.md").read_text("utf-8")
    assert "macro_f1: 0.8123" in card
    assert "starter:minilm" in card
    assert (folder / "predict.py").read_text("utf-8").rstrip() in card
    assert str(tmp_path) not in "".join(
        path.read_text("utf-8", "replace") for path in folder.iterdir() if path.suffix != ".safetensors"
    )


@pytest.mark.parametrize("method", [pytest.param("full", marks=pytest.mark.slow), "lora"])
def test_chat(tmp_path, method):
    base = save_chat_base(tmp_path / "base", positions=600)
    run, _ = save_run(tmp_path, f"r-{method}", base, "chat", method, {}, columns={})
    talks = [[{"role": "user", "content": text[:60]}] for text in TEXTS]
    _, folder = unpacked(run, tmp_path)
    predictor = Predictor.load(run)
    settings = ChatSettings(max_new_tokens=256)
    expected = ["".join(piece.text for piece in predictor.chat(talk, settings)) for talk in talks]
    assert fresh(folder, talks) == expected
    stops = json.loads((folder / "generation_config.json").read_text("utf-8"))["eos_token_id"]
    assert predictor.tokenizer.convert_tokens_to_ids("<|im_end|>") in stops


def test_a_copy_that_answers_differently_is_not_offered(tmp_path, monkeypatch):
    run, _ = save_run(tmp_path, "r-1", save_encoder_base(tmp_path / "base"), "classification", "head", LABELS)
    wrong = tmp_path / "snippets"
    wrong.mkdir()
    text = (package.SNIPPETS / "labels.txt").read_text("utf-8")
    (wrong / "labels.txt").write_text(text.replace("hidden.mean(0)", "hidden[0]"))
    monkeypatch.setattr(package, "SNIPPETS", wrong)
    with pytest.raises(UserError) as caught:
        list(package.build(run, tmp_path / "out.zip"))
    assert caught.value.code == "package_differs"
    (wrong / "labels.txt").write_text("import nowhere_to_be_found")
    with pytest.raises(UserError) as caught:
        list(package.build(run, tmp_path / "out.zip"))
    assert caught.value.code == "package_broken"
    assert "nowhere_to_be_found" in caught.value.text()
    assert {path.name for path in tmp_path.iterdir()} == {"base", "local", "snippets"}


def test_no_room_and_no_model_are_said_first(tmp_path, monkeypatch):
    run, _ = save_run(tmp_path, "r-1", save_encoder_base(tmp_path / "base"), "classification", "head", LABELS)
    usage = package.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(package.shutil, "disk_usage", lambda place: usage)
    for folder, code in ((run, "package_space"), (tmp_path / "r-none", "model_gone")):
        with pytest.raises(UserError) as caught:
            list(package.build(folder, tmp_path / "out.zip"))
        assert caught.value.code == code
        assert len(caught.value.parts("zh")) == 3


def test_giving_up_in_the_middle_leaves_nothing(tmp_path):
    run, _ = save_run(tmp_path, "r-1", save_encoder_base(tmp_path / "base"), "classification", "head", LABELS)
    work = package.build(run, tmp_path / "out.zip")
    assert next(phase for phase in work if phase == "trying")
    work.close()
    assert {path.name for path in tmp_path.iterdir()} == {"base", "local"}
