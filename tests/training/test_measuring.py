"""Measuring a small real model: the numbers are there, grow with the length, and make a plan."""

from __future__ import annotations

import pytest
from tiny_training import machine, reviews, save_encoder

from studio.training.measured import Measured
from studio.training.measuring import Wanted, measure


@pytest.mark.parametrize("method", ["full", "lora", "head"])
def test_longer_rows_cost_more_and_the_record_survives_json(tmp_path, method):
    folder = save_encoder(tmp_path / "model")
    rows = [{"text": row["text"], "label": row["label"]} for row in reviews(24)]
    groups = [[{**row, "text": " ".join([row["text"]] * times)} for row in rows[:8]] for times in (1, 3, 6)]
    options = {"training": {"max_length": 64}}
    found = measure(Wanted(str(folder), "local:tiny", "classification", method, options, groups), machine())
    assert found.lengths == tuple(sorted(set(found.lengths)))
    assert len(found.lengths) == 3
    assert found.lengths[-1] <= 64
    assert all(value > 0 for value in (*found.learn, *found.read, found.fixed))
    assert found.learning([found.lengths[0]]) == pytest.approx(found.learn[0])
    assert found.reading([found.lengths[-1] * 2]) == pytest.approx(2 * found.read[-1])
    assert Measured.from_json(found.to_json()) == found
    with pytest.raises(TypeError):
        Measured.from_json({"wheels": 4})
