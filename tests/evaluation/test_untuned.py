"""The untuned guess: nearest label description in the base model's own space."""

import sys
from pathlib import Path

import numpy as np
import pytest

from studio.evaluation.untuned import Untuned, by_length, embedder

sys.path.insert(0, str(Path(__file__).parent.parent / "inference"))
import tiny_inference

WORDS = ["cat", "dog", "food", "red"]


def bag(texts):
    """A space in which every word is an axis."""
    return np.array([[text.split().count(word) for word in WORDS] for text in texts], np.float32)


def test_the_nearest_label_wins_and_descriptions_can_be_edited():
    untuned = Untuned(bag, ["cat_red", "food"])
    assert untuned.descriptions == {"cat_red": "cat red", "food": "food"}
    answers = untuned.predict(["red cat", "food food", "unknown words"])
    assert [answer["label"] for answer in answers[:2]] == ["cat_red", "food"]
    assert answers[0]["scores"]["cat_red"] > 0.99
    assert answers[2]["scores"]["food"] == pytest.approx(0.5), "what says nothing is a coin toss"
    untuned.describe({"food": "dog", "cat_red": "  ", "nobody": "x"})
    assert untuned.predict(["a dog"])[0]["label"] == "food"
    assert untuned.descriptions["cat_red"] == "cat red"
    assert untuned.predict([]) == []


def test_a_real_encoder_embeds_the_same_alone_and_in_a_batch(tmp_path):
    from studio.models.load import load_base, load_tokenizer

    folder = tiny_inference.save_encoder_base(tmp_path / "base")
    embed = embedder(load_base(folder), load_tokenizer(folder), prefix="the ", max_length=32)
    texts = ["cat", "dogs ran far away to see the red blue green one two three", "", "好吃 不错"]
    together = embed(texts)
    assert together.shape == (4, 32)
    for text, vector in zip(texts, together, strict=True):
        assert np.allclose(embed([text])[0], vector, atol=1e-5)
    untuned = Untuned.load(folder, ["cat", "好吃"])
    assert untuned.bytes > 10_000
    assert untuned.predict(["cat", "好吃"])[1]["label"] == "好吃"
    assert untuned.predict(["cat"])[0]["label"] == "cat"


def test_batches_hold_every_place_once_and_stay_small():
    lengths = [3, 4000, 1, 500, 500, 2] * 20
    batches = by_length(lengths)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= 4096 for batch in batches)
    assert by_length([]) == []
