"""Faulty copies of texts: seeded, readable, never empty, in scripts with and without spaces."""

from __future__ import annotations

import pytest

from studio.evaluation.noise import KINDS, noisy

ENGLISH = ["The parcel arrived two days late and the box was crushed on one side.", "ok", "No."] * 20
CHINESE = ["外卖到得很晚，汤都凉了，但是味道还不错。", "好"] * 20


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("texts", [ENGLISH, CHINESE])
def test_a_copy_is_seeded_faulty_and_never_empty(kind, texts):
    copy = noisy(texts, kind, 1)
    assert copy == noisy(texts, kind, 1)
    assert len(copy) == len(texts)
    assert all(text.strip() for text in copy)
    if (kind, texts) != ("case", CHINESE):
        assert copy != noisy(texts, kind, 2)
        assert sum(a != b for a, b in zip(copy, texts, strict=True)) > len(texts) / 6
    else:
        assert copy == texts, "Chinese has no capitals"


def test_each_kind_does_what_it_says():
    text = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima"
    words = text.split()
    assert noisy([text], "case", 1)[0].lower() == text
    assert noisy([text], "case", 1)[0] != text or noisy([text], "case", 2)[0] != text
    dropped = noisy([text], "dropped", 1)[0].split()
    assert set(dropped) < set(words)
    assert sorted(noisy([text], "swapped", 1)[0].split()) == sorted(words)
    typed = noisy([text], "typos", 3)[0].split()
    assert len(typed) == len(words)
    assert [a[0] for a in typed] == [a[0] for a in words]
    assert 0 < sum(a != b for a, b in zip(typed, words, strict=True)) < len(words) / 2
