"""Padding, begin and end of a model, read from its small files: as the loaded tokenizer has them."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "methods"))
from tiny_families import DECODERS, ENCODERS, SEQ2SEQ, family_folder

from studio.models.card import Card, read_card
from studio.models.known import known
from studio.models.load import load_tokenizer
from studio.models.marks import DEFAULTS, Marks, read_marks


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("marks")
    return {family: family_folder(place / family, family) for family in (*ENCODERS, *DECODERS, *SEQ2SEQ)}


@pytest.mark.parametrize("family", [*ENCODERS, *DECODERS, *SEQ2SEQ])
def test_the_marks_are_those_of_the_loaded_tokenizer(tiny, family):
    tokenizer = load_tokenizer(tiny[family])
    marks = read_card(tiny[family], f"local:{tiny[family]}").marks
    assert marks is not None
    assert marks.pad == tokenizer.pad_token
    assert marks.begin == (tokenizer.bos_token or tokenizer.cls_token or "")
    assert marks.end == (tokenizer.eos_token or tokenizer.sep_token or "")


@pytest.mark.parametrize("own", [None, "<|im_end|>", {"__type": "AddedToken", "content": "<|im_end|>"}])
def test_padding_that_ends_answers_is_replaced_as_training_replaces_it(tiny, tmp_path, own):
    import shutil

    folder = Path(shutil.copytree(tiny["llama"], tmp_path / "llama"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "pad_token": own}))
    marks = read_marks(folder, "llama")
    assert marks == Marks("<|im_end|>" if own else "", "<pad>", "", "<|im_end|>")
    assert load_tokenizer(folder).pad_token == "<pad>"
    (folder / "tokenizer.json").unlink()
    assert read_marks(folder, "llama").pad == "", "without the vocabulary nobody can tell yet"


@pytest.mark.parametrize("family", sorted({*DEFAULTS} - {"marian"}))
def test_what_a_family_says_by_itself_is_what_its_class_says(family):
    import inspect

    import transformers
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    name = TOKENIZER_MAPPING_NAMES[family]
    kind = getattr(transformers, name)
    said = {key: item.default for key, item in inspect.signature(kind.__init__).parameters.items()}
    for role, token in DEFAULTS[family].items():
        if role in said:
            assert str(said[role]) == token, (name, role)


def test_a_card_with_marks_goes_through_json():
    for card in known().values():
        assert Card.from_json(json.loads(json.dumps(card.to_json()))) == card
    plain = dataclasses.replace(next(iter(known().values())), marks=None)
    assert Card.from_json(plain.to_json()) == plain
