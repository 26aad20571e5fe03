"""How a tokenizer cuts a text, and the words of a Chinese one beside it."""

import sys
from pathlib import Path

import pytest
import tiny_models

from studio.errors import UserError
from studio.models.load import load_tokenizer
from studio.models.pieces import MOST_CHARACTERS, cut


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    return tiny_models.encoder_folder(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module")
def decoder(tmp_path_factory) -> Path:
    return tiny_models.decoder_folder(tmp_path_factory.mktemp("models") / "llama")


def test_the_pieces_are_those_of_the_tokenizer_that_trains(encoder):
    text = "The food arrived, 菜凉 wobbly"
    found = cut(encoder, text).pieces
    assert [piece.token for piece in found] == load_tokenizer(encoder)(text).tokens()
    assert [piece.text for piece in found if not piece.added][:4] == ["The", "food", "arrived", ","]
    assert [piece.token for piece in found if piece.added] == ["[CLS]", "[SEP]"]
    assert [piece.text for piece in found if not piece.known] == [",", "菜", "凉"]


def test_parts_of_a_character_are_marked_as_unknown(decoder):
    found = cut(decoder, "a菜").pieces
    told = [("a", True, ""), ("菜", False, "1/3"), ("菜", False, "2/3"), ("菜", False, "3/3")]
    assert [(piece.text, piece.known, piece.part) for piece in found] == told


def test_chinese_words_stand_beside_them(encoder, monkeypatch):
    monkeypatch.delitem(sys.modules, "rjieba", raising=False)
    assert cut(encoder, "我来到北京清华大学, crème today").words == (
        *("我", "来到", "北京", "清华大学", "crème", "today"),
    )
    assert cut(encoder, "the room was clean").words == ()
    assert "rjieba" not in sys.modules, "a dictionary is not loaded where the page is answered"


def test_a_long_text_is_cut_short_and_an_empty_one_has_no_tokens_of_its_own(encoder):
    assert sum(not piece.added for piece in cut(encoder, "the " * 2000).pieces) == MOST_CHARACTERS / 4
    assert all(piece.added for piece in cut(encoder, "").pieces)


def test_a_folder_without_a_tokenizer_says_so(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError) as told:
        cut(tmp_path, "text")
    assert told.value.code == "model_no_tokenizer"


def test_a_broken_tokenizer_says_so(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    with pytest.raises(UserError) as told:
        cut(tmp_path, "text")
    assert told.value.code == "model_tokenizer_fails"
