"""The guard against padding that is also the end mark, and which side it stands on."""

from pathlib import Path

import pytest
import tiny_models

from studio.models.load import load_base, load_tokenizer


def test_padding_that_ends_answers_is_replaced_from_the_vocabulary(tmp_path):
    tokenizer = load_tokenizer(tiny_models.decoder_folder(tmp_path / "llama", pad="<|im_end|>"))
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token == "<|endoftext|>"
    assert len(tokenizer) == 3 + 256


def test_a_padding_of_its_own_is_kept(tmp_path):
    folder = tiny_models.decoder_folder(tmp_path / "llama", pad="<|pad|>", specials=("<|endoftext|>", "<|pad|>"))
    assert load_tokenizer(folder).pad_token == "<|pad|>"


def test_without_any_other_token_it_stays_and_the_mask_tells(tmp_path):
    tokenizer = load_tokenizer(tiny_models.decoder_folder(tmp_path / "llama", specials=()))
    assert tokenizer.pad_token == tokenizer.eos_token == "<|im_end|>"
    batch = tokenizer(["a<|im_end|>", "abcd<|im_end|>"], padding=True, return_tensors="pt")
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]


@pytest.mark.parametrize("make", [tiny_models.encoder_folder, tiny_models.decoder_folder])
def test_padding_on_the_right_changes_no_answer(tmp_path, make):
    import torch

    folder: Path = make(tmp_path / "model")
    tokenizer, model = load_tokenizer(folder), load_base(folder)
    assert tokenizer.padding_side == "right"
    alone, padded = (
        tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
        for texts in (["the food"], ["the food", "how do i reset my password"])
    )
    with torch.no_grad():
        one = model(**alone).last_hidden_state[0]
        two = model(**padded).last_hidden_state[0, : len(one)]
    assert torch.allclose(one, two, atol=1e-5)
    assert not model.training
