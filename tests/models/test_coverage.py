"""How well a tokenizer reads some texts, and how long they are."""

import json
import re
import shutil
from pathlib import Path

import pytest
import tiny_models
from spoken import check_spoken

from studio.errors import UserError
from studio.models import coverage
from studio.models.coverage import read_texts, reads_your_text, token_lengths
from studio.models.load import load_tokenizer


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    return tiny_models.encoder_folder(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module")
def decoder(tmp_path_factory) -> Path:
    return tiny_models.decoder_folder(tmp_path_factory.mktemp("models") / "llama")


TEXTS = ["the food arrived cold", "my invoice is wrong", "x", "how do i reset my password " * 9]


def test_lengths_are_those_of_the_tokenizer_that_trains(encoder):
    tokenizer = load_tokenizer(encoder)
    assert token_lengths(encoder, TEXTS) == [len(ids) for ids in tokenizer(TEXTS, truncation=False)["input_ids"]]


def test_the_share_counts_unknown_tokens_and_no_special_ones(encoder):
    assert reads_your_text(encoder, TEXTS) == 1.0
    assert reads_your_text(encoder, ["菜凉"]) == 0.0
    # BertPreTokenizer makes a token of each Chinese character: two known words, two unknown characters.
    assert reads_your_text(encoder, ["the food 菜凉"]) == 0.5
    assert reads_your_text(encoder, []) == 1.0
    assert reads_your_text(encoder, [""]) == 1.0


def test_parts_of_a_character_are_not_read(decoder):
    assert reads_your_text(decoder, ["plain text", "line\nbreak"]) == 1.0
    # Three bytes a character, none of them a character by itself.
    assert reads_your_text(decoder, ["菜凉"]) == 0.0
    assert reads_your_text(decoder, ["abc菜"]) == 0.5


def test_older_vocabulary_files_measure_the_same(encoder, tmp_path):
    older = Path(shutil.copytree(encoder, tmp_path / "older"))
    (older / "tokenizer.json").unlink()
    assert read_texts(older, [*TEXTS, "菜 the"]) == read_texts(encoder, [*TEXTS, "菜 the"])


def test_older_byte_level_files(decoder, tmp_path):
    older = Path(shutil.copytree(decoder, tmp_path / "older"))
    model = json.loads((older / "tokenizer.json").read_text("utf-8"))["model"]
    (older / "vocab.json").write_text(json.dumps(model["vocab"]), "utf-8")
    (older / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    (older / "tokenizer.json").unlink()
    assert read_texts(older, ["abc菜"]) == read_texts(decoder, ["abc菜"])


def test_another_tokenizer_in_the_same_place_is_looked_at_anew(encoder, tmp_path):
    folder = Path(shutil.copytree(encoder, tmp_path / "bert"))
    assert reads_your_text(folder, ["菜"]) == 0.0
    (folder / "vocab.txt").write_text((folder / "vocab.txt").read_text("utf-8") + "\n菜", "utf-8")
    tiny_models.write_word_piece(folder)
    assert reads_your_text(folder, ["菜"]) == 1.0


def test_a_broken_tokenizer_is_a_sentence(encoder, tmp_path):
    folder = Path(shutil.copytree(encoder, tmp_path / "bert"))
    (folder / "tokenizer.json").write_text('{"version": "1.0", "model": {"type": "Nonsense"}}')
    with pytest.raises(UserError) as caught:
        token_lengths(folder, ["a"])
    check_spoken(caught.value, "model_tokenizer_fails", folder=str(folder), reason=re.compile("Nonsense|variant"))
    with pytest.raises(UserError) as caught:
        load_tokenizer(folder)
    check_spoken(
        caught.value, "model_file_unreadable", folder=str(folder), file="tokenizer.json", reason=re.compile(".")
    )


def test_a_tokenizer_that_takes_too_long_is_ended(encoder, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(encoder, tmp_path / "bert"))
    monkeypatch.setattr(coverage, "SECONDS", 0.01)
    with pytest.raises(UserError) as caught:
        token_lengths(folder, ["a"])
    check_spoken(caught.value, "model_tokenizer_fails", folder=str(folder), reason="0.02 s")
