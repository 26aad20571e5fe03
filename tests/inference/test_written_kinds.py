"""Written and foretold texts as a person gets them: playground, whole files, and the download in a fresh Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from test_package import fresh, unpacked
from tiny_inference import save_chat_base, save_run

sys.path.append(str(Path(__file__).parents[1] / "tasks"))
from spoken import check_spoken  # noqa: E402
from tiny_language import encoder_with_mask  # noqa: E402
from tiny_seq2seq import seq2seq_folder  # noqa: E402

from studio.errors import UserError  # noqa: E402
from studio.inference import before, package  # noqa: E402
from studio.inference.kinds.base import answerers  # noqa: E402
from studio.inference.loading import make_pool  # noqa: E402
from studio.inference.predictor import Predictor  # noqa: E402
from studio.inference.settings import BEAMS  # noqa: E402
from studio.workspace import Workspace  # noqa: E402

FACTS = {"source_language": "en", "target_language": "zh"}
PAIR = {"source": "en", "target": "zh"}
ASKED = ["the big cat sees fish", "dog"]


def translator(tmp_path, family="t5", method="lora", **facts):
    base = seq2seq_folder(tmp_path / "base", family)
    return save_run(tmp_path, "r-1", base, "translation", method, {**FACTS, **facts}, columns=PAIR)[0]


def continuer(tmp_path, method="lora"):
    base = save_chat_base(tmp_path / "base")
    return save_run(tmp_path, "r-1", base, "causal_lm", method, {"end_mark": True}, columns={"text": "text"})[0]


def filler(tmp_path, method="lora", head=True, **facts):
    base = encoder_with_mask(tmp_path / "base", head=head)
    return save_run(tmp_path, "r-1", base, "masked_lm", method, facts, columns={"text": "text"})[0]


def told_before(tmp_path, run, rows):
    return before.answer(run, make_pool(Workspace.open(tmp_path / "home")), rows, {})["answers"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_base_writes_beside_the_tuned_model(tmp_path, method):
    run = translator(tmp_path, method=method)
    tuned = Predictor.load(run).predict(ASKED)
    answers = told_before(tmp_path, run, ASKED)
    assert [answer["key"] for answer in answers] == ["base"]
    assert [set(one) for one in (*tuned, *answers[0]["predictions"])] == [{"text"}] * 4
    assert tuned != answers[0]["predictions"]


def test_what_had_learnt_nothing_is_not_shown(tmp_path):
    assert told_before(tmp_path, translator(tmp_path, method="full", untaught=True), ASKED) == []
    other = tmp_path / "other"
    assert told_before(other, filler(other, head=False, untaught=True), ["the [MASK] was good"]) == []


def test_a_row_says_over_how_many_beams_it_is_written(tmp_path):
    predictor = Predictor.load(translator(tmp_path))
    rows = [{"source": text} for text in ASKED]
    one = predictor.predict(rows)
    several = predictor.predict([{**row, BEAMS: "4"} for row in rows])
    assert one != several
    assert predictor.predict([{**row, BEAMS: "many"} for row in rows]) == one


def test_texts_go_on_and_blanks_are_filled(tmp_path):
    goes_on = Predictor.load(continuer(tmp_path))
    found = goes_on.predict(["the cat"])[0]
    assert found["begun"] == "the cat"
    assert isinstance(found["text"], str)
    assert [answer["key"] for answer in told_before(tmp_path, tmp_path / "local" / "runs" / "r-1", ["the cat"])] == [
        "base"
    ]
    other = tmp_path / "other"
    fills = Predictor.load(filler(other))
    found = fills.predict(["the [MASK] was ___ good"])[0]
    assert [len(some) for some in found["fills"]] == [5, 5]
    for some in found["fills"]:
        shares = [one["share"] for one in some]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1.0001
    assert found["text"] == f"the {found['fills'][0][0]['token']} was {found['fills'][1][0]['token']} good"
    assert fills.predict(["no blank"])[0]["fills"] == []


def test_answers_become_cells_of_a_file():
    assert answerers.get("text").cells({"text": "猫"}) == {"answer": "猫"}
    assert answerers.get("tokens").cells({"text": "a b", "fills": []}) == {"answer": "a b"}


@pytest.mark.parametrize(("family", "method"), [("t5", "lora"), ("bart", "last_layers")])
def test_the_download_writes_like_the_original(tmp_path, family, method):
    run = translator(tmp_path, family, method)
    phases, folder = unpacked(run, tmp_path)
    assert phases == ["collecting", "trying", "packing"]
    rows = [{"source": text, BEAMS: "4"} for text in ASKED]
    assert fresh(folder, ASKED) == [answer["text"] for answer in Predictor.load(run).predict(rows)]
    assert not [path.name for path in folder.iterdir() if "adapter" in path.name or "layers" in path.name]


def test_the_download_fills_and_goes_on(tmp_path):
    _, folder = unpacked(filler(tmp_path), tmp_path)
    mine = Predictor.load(tmp_path / "local" / "runs" / "r-1").predict(["the [MASK] was good"])[0]["fills"][0]
    (theirs,) = fresh(folder, ["the [MASK] was good"])[0]
    assert theirs == pytest.approx({one["token"]: one["share"] for one in mine}, abs=1e-4)
    other = tmp_path / "other"
    other.mkdir()
    _, folder = unpacked(continuer(other), other)
    assert isinstance(fresh(folder, ["the cat"])[0], str)


def test_simple_models_of_written_texts_are_not_packed(tmp_path):
    run = translator(tmp_path)
    with pytest.raises(UserError) as caught:
        list(package.build(run, tmp_path / "out.zip", which="simple"))
    check_spoken(caught.value, "package_simple", task="translation")
    assert not (tmp_path / "out.zip").exists()
    assert json.loads((run / "spec.json").read_text("utf-8"))["task"] == "translation"
