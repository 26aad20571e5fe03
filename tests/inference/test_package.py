"""The download of each kind of model, unpacked and run by a Python that sees neither the studio nor a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.util import find_spec

import pytest
import torch
from tiny_inference import LABELS, save_chat_base, save_encoder_base, save_run

from studio.errors import UserError
from studio.inference import package
from studio.inference.kinds.base import answerers
from studio.inference.predictor import Predictor
from studio.inference.settings import ChatSettings
from studio.methods.base import methods
from studio.words import say

TEXTS = ["the cat sat on a mat", "外卖 好吃", "dogs ran " * 60]
RUN_IT = """
import json, runpy, sys
assert not [name for name in sys.modules if name.startswith("studio")]
made = runpy.run_path(sys.argv[1])
print(json.dumps([made[sys.argv[2]](question) for question in json.load(sys.stdin)]))
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


def fresh(folder, questions, call="predict"):
    """What predict.py answers in an isolated Python without the studio's environment."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN_IT, str(folder / "predict.py"), call],
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
    facts = {**LABELS, "prefix": "the ", "windows": 3}
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
    assert "The licence of the base model starter:minilm applies: apache-2.0." in card
    assert (folder / "predict.py").read_text("utf-8").rstrip() in card
    assert str(tmp_path) not in "".join(
        path.read_text("utf-8", "replace") for path in folder.iterdir() if path.suffix != ".safetensors"
    )


@pytest.mark.parametrize(
    ("task", "method", "head"),
    [
        ("classification", "lora", "bilstm"),
        ("multilabel", "head", "cnn"),
        pytest.param("classification", "full", "mlp", marks=pytest.mark.slow),
    ],
)
def test_other_heads(tmp_path, task, method, head):
    base = save_encoder_base(tmp_path / "base")
    facts = {**LABELS, "windows": 3, "head": head}
    run, tuned = save_run(tmp_path, "r", base, task, method, facts)
    folder = unpacked(run, tmp_path)[1]
    predictor = Predictor.load(run)
    for name, weight in tuned.state_dict().items():
        # What peft keeps of a head before it learnt is drawn anew, and answers nothing.
        assert "original_module" in name or torch.equal(predictor.model.state_dict()[name], weight), name
    expected = predictor.predict(TEXTS)
    for answer, mine in zip(fresh(folder, TEXTS), expected, strict=True):
        scores = answer["scores"] if task == "multilabel" else answer
        assert scores == pytest.approx(mine["scores"], abs=1e-5)
    assert len({round(one["scores"]["animal"], 4) for one in expected}) == len(TEXTS)


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (extra: quant)")
def test_what_computed_with_rounded_numbers_is_compared_merged_and_says_how_far_it_was(tmp_path):
    base = save_encoder_base(tmp_path / "base")
    run, _ = save_run(tmp_path, "r", base, "classification", "qlora8", LABELS)
    folder = unpacked(run, tmp_path)[1]
    predictor = Predictor.load(run)
    rounded = predictor.predict(TEXTS)
    merged = Predictor(predictor.about, methods.get("qlora8").merged(predictor.model), predictor.tokenizer, LABELS)
    gaps = []
    for found, whole, mine in zip(fresh(folder, TEXTS), merged.predict(TEXTS), rounded, strict=True):
        assert found == pytest.approx(whole["scores"], abs=1e-5)
        gaps += [abs(found[label] - mine["scores"][label]) for label in found]
    assert 1e-6 < max(gaps) < 0.2
    card = (folder / "README.md").read_text("utf-8")
    told = re.search(r"rounded numbers \(method: qlora8\).* up to ([\d.]+) %", card)
    assert told
    assert 0 < float(told[1]) < 20


SCALE = {"mean": 3.0, "scale": 1.5, "low": 1.0, "high": 5.0, "digits": 1, "windows": 3}
ANSWERS = {"unanswerable": True, "longest": 40, "overlap": 0.33, "threshold": 0.5}


@pytest.mark.parametrize(
    ("task", "head", "facts"),
    [
        ("ner", "bilstm", {"types": ["A", "B"], "overlap": 0.25}),
        ("regression", "cnn", SCALE),
        ("qa", "cnn", ANSWERS),
        pytest.param("ner", "cnn", {"types": ["A", "B"], "overlap": 0.25}, marks=pytest.mark.slow),
        pytest.param("ner", "mlp", {"types": ["A", "B"], "overlap": 0.25}, marks=pytest.mark.slow),
        pytest.param("qa", "bilstm", ANSWERS, marks=pytest.mark.slow),
        pytest.param("regression", "bilstm", SCALE, marks=pytest.mark.slow),
    ],
)
def test_other_heads_of_tokens_and_numbers(tmp_path, task, head, facts):
    base = save_encoder_base(tmp_path / "base")
    run, _ = save_run(tmp_path, "r", base, task, "head", {**facts, "head": head})
    folder = unpacked(run, tmp_path)[1]
    asked = [{"question": "the cat", "context": text} if task == "qa" else text for text in TEXTS]
    predictor = Predictor.load(run)
    expected = [answerers.get(predictor.task.result).numbers(predictor, question) for question in asked]
    for found, mine in zip(fresh(folder, asked, "numbers"), expected, strict=True):
        assert found == pytest.approx(mine, abs=1e-4)
    assert len({json.dumps(one) for one in expected}) == len(TEXTS)


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


def test_answers_are_compared_on_their_own_scale_and_no_number_is_a_difference():
    assert package._compare([{"a": 9.0, "b": 1.0}], [{"a": 10.0, "b": 1.5}], 0.2) == pytest.approx(0.1)
    for wrong in (float("nan"), 0.6):
        with pytest.raises(UserError) as caught:
            package._compare([{"a": 0.5, "b": wrong}], [{"a": 0.5, "b": 0.4}])
        assert caught.value.code == "package_differs"


SIMPLE_TEXTS = [
    "",
    "the cat sat on a mat",
    "DOGS ran far, far away; cats ran too",
    "外卖 好吃",
    "好吃" * 3000,
    "Ⅷ ½ ＡＢＣ",
]


@pytest.mark.parametrize(
    ("kind", "count"), [("majority", 3), ("rules", 3), ("words", 3), ("words", 2), ("characters", 3)]
)
def test_a_simple_model_runs_with_numpy_alone(tmp_path, kind, count):
    from studio.evaluation.baseline import Majority, load
    from studio.evaluation.rules import Rules
    from studio.evaluation.tfidf import Tfidf

    labels = ["animals", "food", "other"][:count]
    said = {"animals": "the cat and the dogs ran", "food": "外卖 好吃 不错", "other": "hello red blue green world"}
    rows = [{"text": f"{said[label]} {number}", "label": label} for number in range(20) for label in labels]
    texts, truths = [row["text"] for row in rows], [row["label"] for row in rows]
    makers = {
        "majority": lambda: Majority.fit(truths, labels),
        "rules": lambda: Rules.fit(texts, truths, labels),
        "words": lambda: Tfidf.fit(texts, truths, labels, texts[:9], truths[:9]),
        "characters": lambda: Tfidf.fit(texts, truths, labels, [], []),
    }
    run = tmp_path / "local" / "runs" / "r-1"
    model = makers[kind]()
    key = model.key
    if key == "tfidf":
        assert model.analyser == kind[:4]
    model.save(run / "baselines" / key)
    rung = {"key": key, "score": 0.5432, "low": 0.1, "high": 0.9}
    report = {"rows": 40, "main_metric": "macro_f1", "test": {"macro_f1": 0.99}, "ladder": [rung]}
    (run / "report.json").write_text(json.dumps(report))
    phases, folder = unpacked(run, tmp_path)
    assert phases == ["collecting", "trying", "packing"]
    answers = fresh(folder, [*SIMPLE_TEXTS, *(row["text"] for row in rows[:9])])
    expected = load(run / "baselines" / key).predict([*SIMPLE_TEXTS, *(row["text"] for row in rows[:9])])
    for answer, mine in zip(answers, expected, strict=True):
        assert next(iter(answer)) == mine["label"]
        assert answer == pytest.approx(mine["scores"], abs=1e-5)
    card = (folder / "README.md").read_text("utf-8")
    assert "macro_f1: 0.5432" in card, "its own score, not that of the tuned model"
    assert "torch" not in card
    assert str(tmp_path) not in "".join(path.read_text("utf-8", "replace") for path in folder.iterdir())


def test_a_tie_of_rules_goes_to_the_one_that_votes_first(tmp_path):
    from studio.evaluation.rules import Rules

    rules = [("absent", "a"), ("red", "b"), ("blue", "a"), ("好", "b")]
    made = Rules(["a", "b"], [{"keyword": k, "label": v} for k, v in rules], "a", {"a": 0.5, "b": 0.5})
    run = tmp_path / "local" / "runs" / "r-1"
    made.save(run / "baselines" / "rules")
    _, folder = unpacked(run, tmp_path)
    texts = ["red blue", "blue", "reddish blue", "不好 blue", "nothing"]
    assert [next(iter(answer)) for answer in fresh(folder, texts)] == [one["label"] for one in made.predict(texts)]


def test_the_simple_model_of_a_tuned_run_is_had_by_name(tmp_path):
    from studio.evaluation.baseline import Majority

    run, _ = save_run(tmp_path, "r-1", save_encoder_base(tmp_path / "base"), "classification", "head", LABELS)
    Majority.fit(LABELS["labels"], LABELS["labels"]).save(run / "baselines" / "majority")
    list(package.build(run, tmp_path / "out.zip", "zh", "simple"))
    names = zipfile.ZipFile(tmp_path / "out.zip").namelist()
    assert sorted(names) == ["model/README.md", "model/baseline.json", "model/predict.py"]


def test_a_kind_whose_simple_models_cannot_stand_alone_says_so(tmp_path, monkeypatch):
    from studio.evaluation.baseline import Majority
    from studio.inference.kinds.base import answerers

    run, _ = save_run(tmp_path, "r-1", save_encoder_base(tmp_path / "base"), "classification", "head", LABELS)
    Majority.fit(LABELS["labels"], LABELS["labels"]).save(run / "baselines" / "majority")
    monkeypatch.setattr(type(answerers.get("labels")), "simple_snippet", "")
    with pytest.raises(UserError) as caught:
        list(package.build(run, tmp_path / "out.zip", "en", "simple"))
    assert caught.value.code == "package_simple"
    assert "classification" in caught.value.text()
    assert not (tmp_path / "out.zip").exists()


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


def test_a_base_that_names_no_licence_is_said_to_name_none(tmp_path):
    said = package._licence({"base": "local:mine", "base_folder": str(tmp_path)}, "en")
    assert said == say("package.card.licence_unknown", "en", base="local:mine")
