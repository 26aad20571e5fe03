"""Pairs of texts: how a model gets them, what is wrong with them, and the bi-encoder's arithmetic."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from studio.spec import Split
from studio.tasks.base import tasks
from studio.tasks.pairheads import parted
from studio.tasks.pairs import encode_beside, encode_pairs, gap_of, pair_ties
from studio.training.batching import collate

sys.path += [str(Path(__file__).parents[1] / "training"), str(Path(__file__).parents[1] / "models")]
from tiny_models import decoder_folder  # noqa: E402
from tiny_training import save_encoder  # noqa: E402

SIMILARITY, LABELS = tasks.get("similarity"), tasks.get("pair_classification")
FACTS = {"mean": 0.5, "scale": 0.25, "low": 0.0, "high": 1.0, "digits": 2}
ROWS = [
    {"first": "the soup was good", "second": "a bed", "score": "0,75", "label": "no"},
    {"first": "staff", "second": "the staff was very rude and slow and cold", "score": "0.25", "label": "yes"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("pairs") / "encoder", dropout=0.0)


@pytest.fixture(scope="module")
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


def test_each_text_is_encoded_by_itself_and_the_longer_one_is_cut_first(tokenizer):
    items = encode_beside(ROWS, tokenizer, "", 64)
    assert [item["cut"] for item in items] == [6, 3]
    alone = tokenizer([ROWS[1]["first"], ROWS[1]["second"]])["input_ids"]
    assert items[1]["input_ids"] == alone[0] + alone[1]
    (short,) = encode_beside(ROWS[1:], tokenizer, "", 8)
    assert len(short["input_ids"]) == 8
    assert short["cut"] == 3
    # What is cut keeps its closing mark.
    assert short["input_ids"][-1] == tokenizer.sep_token_id
    (empty,) = encode_beside([{"first": "", "second": ""}], tokenizer, "", 8)
    assert 0 < empty["cut"] < len(empty["input_ids"])
    assert encode_beside([], tokenizer, "", 8) == []


def test_both_texts_in_one_sequence_with_something_between_them(tokenizer, tmp_path):
    (item,) = encode_pairs(ROWS[1:], tokenizer, "", 12)
    assert len(item["input_ids"]) <= 12
    assert encode_pairs([], tokenizer, "", 12) == []
    plain = AutoTokenizer.from_pretrained(decoder_folder(tmp_path / "decoder"))
    assert gap_of(plain) == "\n\n"
    (read,) = encode_pairs([{"first": "cats", "second": "dogs"}], plain, "", 64)
    assert plain.decode(read["input_ids"]) == "cats\n\ndogs"


def test_the_score_is_the_line_through_the_cosine_of_two_readings(folder, tokenizer):
    torch.manual_seed(0)
    model = SIMILARITY.load(str(folder), FACTS, SIMILARITY.Options()).eval()
    items = SIMILARITY.encode(ROWS, tokenizer, FACTS, 64)
    assert [item["labels"] for item in items] == [pytest.approx(1.0), pytest.approx(-1.0)]
    batch = collate(items, tokenizer.pad_token_id, "cpu", SIMILARITY.blanks)
    found = SIMILARITY.read(model, batch, FACTS)
    encoder = AutoModel.from_pretrained(folder).eval()
    for row, answer in zip(ROWS, found, strict=True):
        with torch.no_grad():
            one, other = (
                encoder(**tokenizer(row[role], return_tensors="pt")).last_hidden_state[0].mean(0)
                for role in ("first", "second")
            )
        near = float(torch.nn.functional.cosine_similarity(one, other, dim=0))
        assert answer["cosine"] == pytest.approx(near, abs=1e-5)
        assert answer["score"] == pytest.approx(0.5 + 0.25 * near, abs=1e-5)
    # Neither the order of the two texts nor what stands beside them in the batch changes the answer.
    turned = [{**row, "first": row["second"], "second": row["first"]} for row in ROWS[:1]]
    alone = collate(SIMILARITY.encode(turned, tokenizer, FACTS, 64), tokenizer.pad_token_id, "cpu")
    assert SIMILARITY.read(model, alone, FACTS)[0]["score"] == pytest.approx(found[0]["score"], abs=1e-5)
    same = [{"first": "the soup", "second": "the soup"}]
    alone = collate(SIMILARITY.encode(same, tokenizer, FACTS, 64), tokenizer.pad_token_id, "cpu")
    assert SIMILARITY.read(model, alone, FACTS)[0]["cosine"] == pytest.approx(1.0, abs=1e-5)


def test_a_batch_is_parted_where_each_second_text_begins():
    ids = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    found, inside = parted(ids, mask, torch.tensor([2, 1]))
    assert found.tolist() == [[1, 2, 0], [6, 0, 0], [3, 4, 5], [7, 0, 0]]
    assert inside.tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]]


def test_a_pair_stays_in_one_part_whichever_way_round():
    one, other = {"first": "a", "second": "b"}, {"first": "b", "second": "a"}
    assert set(pair_ties(one)) & set(pair_ties(other))
    assert pair_ties(one)[0] != pair_ties(other)[0]
    assert SIMILARITY.question({"first": "你好", "second": None}) == "你好"
    assert [role.key for role in LABELS.asked] == ["first", "second"]


def test_what_is_wrong_with_pairs_is_named_by_its_row(tmp_path):
    from studio.data.checks import check
    from studio.data.importing import import_file
    from studio.workspace import Workspace

    lines = ["sentence1,sentence2,score"]
    lines += [f"the room number {n},a bed {n},{n % 9 / 2}" for n in range(60)]
    lines[3], lines[5] = "only one text,,1.5", "one text,another text,很像"
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    version = import_file(Workspace.open(tmp_path / "home"), "local", file, file.name)
    columns = {"first": "sentence1", "second": "sentence2", "score": "score"}
    found = {problem.code: problem for problem in check(version, "similarity", columns, Split())}
    missing, broken = found["cells_missing"], found["numbers_unreadable"]
    assert (missing.values["row"], missing.values["column"]) == (3, "sentence2")
    assert (broken.values["row"], broken.values["cell"]) == (5, "很像")
    assert "Row 5" in broken.text("en")
    assert not SIMILARITY.usable({"first": "a", "second": " ", "score": "1"})
    assert not SIMILARITY.usable({"first": "a", "second": "b", "score": "很像"})
    twice = {**columns, "second": "sentence1"}
    assert [one.code for one in check(version, "similarity", twice, Split())][0] == "column_twice"
    same = [{"first": "a", "second": "b", "score": "1.0"}] * 5
    assert [one.code for one in SIMILARITY.problems(same)] == ["numbers_same"]
    assert [one.code for one in LABELS.problems([{**row, "label": "x"} for row in same])] == ["labels_one"]
