"""Scores of written answers against known ones: BLEU, chrF, ROUGE and how long they are, all from sums over rows.

BLEU and chrF count with sacrebleu (13a words, Chinese and other unspaced writing by character) and are those of the
whole set, 0 to 1. ROUGE is the mean F1 over rows (Lin 2004), of lower-case words without stemming, of single
characters where writing has no spaces.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

METRICS = ("bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "length_ratio")
_ORDERS = 4
_CHARACTERS = 6
_BETA = 2.0
_CHRF = 2 + 2 * _ORDERS
_ROUGE = _CHRF + 3 * _CHARACTERS
TALLIES = _ROUGE + 3 + 3
"""Numbers of a row: those of BLEU and chrF, ROUGE-1, 2 and L, words written and known, and one for the row."""
_MOST_WORDS = 2000
"""Words of one text that ROUGE reads: the longest common sequence takes the product of both lengths."""
_ALONE = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]"
_TOKEN = re.compile(rf"{_ALONE}|(?:(?!{_ALONE})[^\W_])+")
Floats = npt.NDArray[np.float64]


def tallies_of(answers: Sequence[str], truths: Sequence[str], language: str = "") -> Floats:
    """What each row adds, (rows, TALLIES), from whose sums all scores follow. Raises ValueError when answers and truths
    differ in number."""
    if len(answers) != len(truths):
        raise ValueError("answers and truths differ in number")
    if not answers:
        return np.zeros((0, TALLIES))
    bleu, chrf = _sacrebleu(language)
    tokens = [(words_of(answer), words_of(truth)) for answer, truth in zip(answers, truths, strict=True)]
    return np.concatenate(
        [
            np.array(bleu._extract_corpus_statistics(list(answers), [list(truths)]), np.float64),
            np.array(chrf._extract_corpus_statistics(list(answers), [list(truths)]), np.float64),
            np.array([_rouge(one, other) for one, other in tokens], np.float64),
            np.array([(len(one), len(other), 1) for one, other in tokens], np.float64),
        ],
        axis=1,
    )


@cache
def _sacrebleu(language: str) -> tuple[Any, Any]:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    tokenize = {"zh": "zh", "ja": "char", "th": "char"}.get(language, "13a")
    return BLEU(tokenize=tokenize), CHRF(char_order=_CHARACTERS, word_order=0, beta=int(_BETA))


def of_sums(sums: Floats) -> dict[str, Floats]:
    """All metrics, each (draws,) and 0 to 1 but for the ratio of lengths, from sums of tallies (draws, TALLIES)."""
    rouge, (written, known, rows) = sums[:, _ROUGE : _ROUGE + 3], sums[:, _ROUGE + 3 :].T
    means = rouge / np.maximum(rows, 1)[:, None]
    return {
        "bleu": _bleu(sums[:, :_CHRF]),
        "chrf": _chrf(sums[:, _CHRF:_ROUGE]),
        "rouge_1": means[:, 0],
        "rouge_2": means[:, 1],
        "rouge_l": means[:, 2],
        "length_ratio": written / np.maximum(known, 1),
    }


def _bleu(sums: Floats) -> Floats:
    """BLEU (Papineni et al. 2002) with sacrebleu's "exp" smoothing from sums (draws, 10): lengths written and known,
    n-grams shared, n-grams written."""
    written, known = sums[:, 0], sums[:, 1]
    shared, had = sums[:, 2 : 2 + _ORDERS], sums[:, 2 + _ORDERS :]
    smooth = 2.0 ** np.cumsum((shared == 0) & (had > 0), axis=1)
    shares = np.where(shared > 0, shared, 1 / smooth) / np.maximum(had, 1)
    mean = np.exp(np.log(np.maximum(shares, 1e-300)).mean(1))
    brevity = np.exp(np.minimum(0.0, 1 - known / np.maximum(written, 1e-9)))
    return np.asarray(np.where((shared.sum(1) > 0) & (had > 0).all(1), brevity * mean, 0.0))


def _chrf(sums: Floats) -> Floats:
    """chrF (Popović 2015) from sums (draws, 18): for each order n-grams written, known and shared."""
    parts = sums.reshape(len(sums), _CHARACTERS, 3)
    written, known, shared = parts[..., 0], parts[..., 1], parts[..., 2]
    there = (written > 0) & (known > 0)
    orders = np.maximum(there.sum(1), 1)
    precision = np.where(there, shared / np.maximum(written, 1), 0).sum(1) / orders
    recall = np.where(there, shared / np.maximum(known, 1), 0).sum(1) / orders
    weighed = _BETA**2 * precision + recall
    return np.asarray((1 + _BETA**2) * precision * recall / np.where(weighed > 0, weighed, 1))


def words_of(text: str) -> list[str]:
    """Lower-case words, single characters where writing has no spaces."""
    return _TOKEN.findall(text.lower())[:_MOST_WORDS]


def _rouge(answer: list[str], truth: list[str]) -> tuple[float, float, float]:
    pairs = Counter(zip(answer, answer[1:], strict=False)), Counter(zip(truth, truth[1:], strict=False))
    return (
        _f1((Counter(answer) & Counter(truth)).total(), len(answer), len(truth)),
        _f1((pairs[0] & pairs[1]).total(), len(answer) - 1, len(truth) - 1),
        _f1(_longest_common(answer, truth), len(answer), len(truth)),
    )


def _f1(shared: int, written: int, known: int) -> float:
    return 2 * shared / (written + known) if shared else 0.0


def _longest_common(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence, row by row as bit vectors (Hyyrö 2004): a book takes no minute."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        both = row & places.get(word, 0)
        row = ((row + both) | (row - both)) & full
    return len(one) - row.bit_count()
