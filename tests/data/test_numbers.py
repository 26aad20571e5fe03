"""Numbers as people write them, and sentences about a column that is none or says too little."""

from __future__ import annotations

import pytest

from studio.data.numbers import are_numbers, digits_of, number_problems, parse, scale_of, spoken


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("3", 3.0),
        (" -0.5 ", -0.5),
        ("−2", -2.0),
        ("3,5", 3.5),
        ("1,234", 1234.0),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("４．５", 4.5),
        ("85 %", 85.0),
        ("1e3", 1000.0),
        ("", None),
        (None, None),
        ("nan", None),
        ("1e999", None),
        ("12 kg", None),
        ("4/5", None),
        ("五", None),
        ("1,2,3", None),
    ],
)
def test_a_cell_is_a_number_or_none(cell, value):
    assert parse(cell) == value


def problems_of(cells, **more):
    return {one.code: one for one in number_problems([{"number": cell} for cell in cells], "number", **more)}


def test_what_is_no_number_is_named_by_its_row():
    found = problems_of(["1", "2", None, "great", "3", "12 kg", "4"])
    problem = found["numbers_unreadable"]
    assert (problem.count, problem.values, problem.severity) == (2, {"row": 4, "cell": "great"}, "warning")
    assert problem.examples == ((4, "great"), (6, "12 kg"))
    assert "Row 4" in problem.text("en")
    assert "第 4 行" in problem.text("zh")
    none = problems_of(["很好", "一般"])
    assert [(one.code, one.severity, one.values["row"]) for one in none.values()] == [("numbers_none", "error", 1)]
    assert problems_of([None, " "]) == {}


def test_one_number_only_teaches_nothing():
    found = problems_of([None, *["3.0"] * 9])
    assert list(found) == ["numbers_same"]
    assert found["numbers_same"].severity == "error"
    assert "Row 2 holds 3.0" in found["numbers_same"].text("en")


def test_commas_that_could_mean_either_and_numbers_far_off_are_told():
    found = problems_of(["1,234", "2000", "3000", "4000"])
    assert found["numbers_comma"].values == {"row": 1, "cell": "1,234", "read": 1234.0}
    far = problems_of([*(str(number % 7) for number in range(200)), "9999"])
    assert (far["numbers_far"].values["row"], far["numbers_far"].values["cell"]) == (201, "9999")
    # A long tail is no slip.
    assert "numbers_far" not in problems_of([str(1.3**number) for number in range(40)])


def test_few_different_numbers_may_be_names():
    assert problems_of(["1", "2", "1", "2"])["numbers_few"].values == {"numbers": [1.0, 2.0]}
    assert "numbers_few" not in problems_of(["1", "2", "1", "2"], classes=False)


def test_the_scale_and_the_decimals_worth_showing():
    assert scale_of([1.0, 3.0]) == {"mean": 2.0, "scale": 1.0, "low": 1.0, "high": 3.0, "digits": 1}
    assert scale_of([5.0, 5.0])["scale"] == 1.0
    assert [digits_of(scale) for scale in (25_000.0, 12.0, 2.9, 0.3, 0.0004)] == [0, 0, 1, 2, 5]
    assert [spoken(value, 1) for value in (2.345, -0.04, -1.26)] == ["2.3", "0.0", "-1.3"]
    assert are_numbers(["1", "2,5"])
    assert not are_numbers([])
    assert not are_numbers(["1", "x"])
