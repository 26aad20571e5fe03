"""Batches: every row once an epoch, like lengths together, the same order for a seed, padding told by the mask."""

from __future__ import annotations

import numpy as np
import torch

from studio.training.batching import ListItems, Sampler, collate, epoch_batches, micro_batches

LENGTHS = np.random.default_rng(0).lognormal(3.3, 0.8, 1000).astype(np.int64) + 1


def padding(batches) -> float:
    """Share of a batch's cells that hold no token."""
    cells = sum(len(batch) * LENGTHS[batch].max() for batch in batches)
    return 1 - LENGTHS.sum() / cells


def test_every_row_comes_once_an_epoch_and_epochs_differ():
    first, second = (epoch_batches(LENGTHS, 16, 1, epoch) for epoch in (0, 1))
    for batches in (first, second):
        assert sorted(np.concatenate(batches)) == list(range(1000))
        assert sorted(map(len, batches)) == [8] + [16] * 62
    assert [batch.tolist() for batch in first] != [batch.tolist() for batch in second]


def test_the_order_is_that_of_the_seed():
    one, same, other = (epoch_batches(LENGTHS, 16, seed, 0) for seed in (1, 1, 2))
    assert [batch.tolist() for batch in one] == [batch.tolist() for batch in same]
    assert [batch.tolist() for batch in one] != [batch.tolist() for batch in other]


def test_like_lengths_go_together():
    shuffled = np.random.default_rng(0).permutation(1000)
    random_padding = padding([shuffled[start : start + 16] for start in range(0, 1000, 16)])
    grouped = padding(epoch_batches(LENGTHS, 16, 0, 0))
    assert random_padding > 0.5
    assert grouped < 0.2


def test_the_sampler_knows_any_step_without_the_ones_before():
    items = ListItems([{"input_ids": [0] * int(length)} for length in LENGTHS])
    whole = Sampler(items, 16, 3)
    steps = [whole.batch(step).tolist() for step in range(1, 130)]
    assert whole.steps_per_epoch == 63
    for step in (128, 64, 5, 63):
        assert Sampler(items, 16, 3).batch(step).tolist() == steps[step - 1]


def test_a_pass_learns_from_one_window_of_each_row_and_another_pass_from_others():
    chance = np.random.default_rng(4)
    parts = chance.integers(1, 5, 300)
    items = ListItems(
        [{"input_ids": [0] * int(chance.integers(3, 30)), "row": row} for row in range(300) for _ in range(parts[row])]
    )
    sampler = Sampler(items, 16, 3, one_window=True)
    assert (sampler.rows_per_epoch, sampler.steps_per_epoch) == (300, 19)
    passes = [np.concatenate([sampler.batch(19 * number + step) for step in range(1, 20)]) for number in range(40)]
    for drawn in passes:
        assert sorted(items.rows[drawn]) == list(range(300))
    assert {int(place) for drawn in passes for place in drawn} == set(range(len(items.rows)))
    assert Sampler(items, 16, 3, one_window=True).batch(25).tolist() == sampler.batch(25).tolist()
    assert Sampler(items, 16, 3).rows_per_epoch == len(items.rows)


def test_micro_batches_hold_all_rows_of_the_batch():
    rows = np.array([5, 900, 17, 3, 44])
    parts = list(micro_batches(rows, LENGTHS, 2))
    assert sorted(row for part in parts for row in part) == sorted(rows)
    assert [len(part) for part in parts] == [2, 2, 1]


def test_a_bound_on_tokens_cuts_long_rows_into_more_parts_and_loses_none():
    rows = np.arange(200)
    for most_rows, most_tokens in ((64, 600), (4, 600), (64, 1)):
        parts = list(micro_batches(rows, LENGTHS, most_rows, most_tokens))
        assert sorted(row for part in parts for row in part) == list(range(200))
        for part in parts:
            assert len(part) == 1 or len(part) * LENGTHS[part].max() <= most_tokens
            assert len(part) <= most_rows
    by_tokens = list(micro_batches(rows, LENGTHS, 64, 600))
    assert len(by_tokens[0]) > 3 * len(by_tokens[-1]), "many short ones, few long ones"
    assert list(micro_batches(rows, LENGTHS, 16, 10**6)) == list(micro_batches(rows, LENGTHS, 16))


def test_padding_is_masked_by_place_even_where_a_real_token_has_the_pad_id():
    items = [{"input_ids": [7, 0, 5], "labels": [-100, 0, 5]}, {"input_ids": [0], "labels": [0]}]
    batch = collate(items, 0, "cpu")
    assert batch["input_ids"].tolist() == [[7, 0, 5], [0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 0, 5], [0, -100, -100]]


def test_labels_of_rows_and_features_are_stacked():
    batch = collate([{"features": torch.ones(3), "labels": 1}, {"features": torch.zeros(3), "labels": 0}], 0, "cpu")
    assert (batch["features"].shape, batch["labels"].tolist()) == ((2, 3), [1, 0])
    assert "labels" not in collate([{"input_ids": [1], "labels": 1}, {"input_ids": [2]}], 0, "cpu")
    assert ListItems([{"input_ids": [1, 2]}, {"input_ids": [3]}]).lengths.tolist() == [2, 1]


def test_rare_rows_are_drawn_more_often_and_an_epoch_stays_as_long():
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    pulls = [1 / {0: 900, 1: 90, 2: 10}[label] for label in labels]
    items = ListItems([{"input_ids": [1] * length} for length in LENGTHS])
    sampler, plain = Sampler(items, 16, 1, pulls=pulls), Sampler(items, 16, 1)
    assert sampler.steps_per_epoch == plain.steps_per_epoch
    epochs = [np.concatenate([sampler.batch(1 + 63 * epoch + step) for step in range(63)]) for epoch in range(3)]
    for drawn in epochs:
        assert sorted(np.bincount(labels[drawn])) == [333, 333, 334]
        assert set(np.bincount(drawn)[990:]) <= {33, 34}, "rows of a label come equally often"
        assert np.bincount(drawn, minlength=1000)[:900].max() == 1
    seen = len(set(np.concatenate(epochs)) & set(range(900)))
    assert seen > 500, "common rows take turns"
    # Stateless: any step can be asked for by itself.
    again = Sampler(items, 16, 1, pulls=pulls)
    assert again.batch(100).tolist() == sampler.batch(100).tolist()


def test_a_rare_row_of_several_windows_is_drawn_by_the_row():
    items = ListItems([{"input_ids": [1]} for _ in range(8)], np.array([0, 0, 0, 0, 1, 2, 3, 4]))
    sampler = Sampler(items, 2, 3, one_window=True, pulls=[1.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25])
    assert sampler.steps_per_epoch == 3
    for epoch in range(4):
        drawn = np.concatenate([sampler.batch(1 + 3 * epoch + step) for step in range(3)])
        assert len(drawn) == 5
        assert sum(place < 4 for place in drawn) in (2, 3)
