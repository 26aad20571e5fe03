"""Rows that look mislabelled: what a simple model says of rows it has not learnt from, and what a run's model said of
its test rows.

Out-of-fold confidence of TF-IDF with logistic regression, judged as confident learning does (Northcutt et al. 2021,
"Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70): a row is doubted when another label is at
least as sure as it is on average in the rows that carry it. Nothing here changes a label.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studio.data.split import normalised
from studio.errors import UserError
from studio.evaluation.metrics import score
from studio.evaluation.ngrams import ANALYSERS
from studio.evaluation.tfidf import Tfidf

FOLDS = 5
MOST_ROWS = 20_000
"""Rows that are judged; of more, an even sample."""
MOST_LABELS = 100
MOST = 200
"""Rows that are listed, the surest first."""
FEWEST = 40
_RARE = FOLDS
"""Rows of a label below which a fold may have none to learn from: such a label is neither doubted nor suggested."""
_SURE = 0.5
"""How much surer than of the given label the run's model has to be, to doubt a row all by itself."""
Scores = Mapping[str, float]
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Doubt:
    """A row (its place from 0 among the rows judged), what it is called and what it may be; `sure` and `given` are the
    probabilities of the two. `by` is "words" (the simple model), "run" (the run's model) or "both"."""

    place: int
    label: str
    suggested: str
    sure: float
    given: float
    by: str = "words"

    @property
    def margin(self) -> float:
        return self.sure - self.given

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Judged:
    """The doubted rows, the surest first; `analyser` and `quality` are those of the simple model: which n-grams, and
    its macro F1 on the rows it had not learnt from."""

    doubts: list[Doubt]
    analyser: str
    quality: float


def doubted(texts: Sequence[str], labels: Sequence[str], run: Mapping[int, Scores], tell: Tell) -> Judged:
    """Which rows look mislabelled. `run` has the run's scores by place, of rows it was not trained on.

    `tell(done, total)` hears folds. Raises UserError (`doubts_few`, `doubts_labels`).
    """
    counts = Counter(labels)
    common = {label for label, rows in counts.items() if rows >= _RARE}
    if len(common) < 2 or len(texts) < FEWEST:
        raise UserError("doubts_few", rows=len(texts), labels=len(common), wanted=FEWEST, each=_RARE)
    if len(counts) > MOST_LABELS:
        raise UserError("doubts_labels", labels=len(counts), most=MOST_LABELS)
    scores, analyser = _out_of_fold(texts, labels, tell)
    answers = [{"label": max(one, key=one.__getitem__)} for one in scores]
    quality = score("labels", answers, labels, {"labels": sorted(counts)})["macro_f1"]
    by_words = {doubt.place: doubt for doubt in _confident(dict(enumerate(scores)), labels, common)}
    by_run = {doubt.place: doubt for doubt in _confident(run, labels, common)}
    found = []
    for place, doubt in by_words.items():
        said = max(run[place], key=run[place].__getitem__) if place in run else None
        if said is None:
            found.append(doubt)
        elif said == doubt.suggested:
            both = [(one.sure, one.given) for one in (doubt, by_run.get(place, doubt))]
            sure, given = (sum(pair) / 2 for pair in zip(*both, strict=True))
            found.append(Doubt(place, doubt.label, doubt.suggested, sure, given, "both"))
        elif said != doubt.label:
            found.append(doubt)
        # Else the better of the two models says that the label is right.
    for place, doubt in by_run.items():
        if place not in by_words and doubt.margin >= _SURE:
            found.append(Doubt(place, doubt.label, doubt.suggested, doubt.sure, doubt.given, "run"))
    order = ("both", "run", "words")
    return Judged(sorted(found, key=lambda one: (order.index(one.by) > 0, -one.margin, one.place)), analyser, quality)


def _confident(scores: Mapping[int, Scores], labels: Sequence[str], common: set[str]) -> list[Doubt]:
    """Rows of which another label is at least as sure as on average where it is given, and surer than their own."""
    sums: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for place, one in scores.items():
        sums[labels[place]] += one.get(labels[place], 0.0)  # type: ignore[assignment]
        counts[labels[place]] += 1
    usual = {label: sums[label] / counts[label] for label in counts}
    found = []
    for place, one in scores.items():
        given = labels[place]
        if given not in common:
            continue
        able = [label for label in common & set(usual) if label != given and one.get(label, 0.0) >= usual[label]]
        if able:
            other = max(sorted(able), key=lambda label: one[label])
            if one[other] > one.get(given, 0.0):
                found.append(Doubt(place, given, other, round(one[other], 4), round(one.get(given, 0.0), 4)))
    return found


def _out_of_fold(texts: Sequence[str], labels: Sequence[str], tell: Tell) -> tuple[list[Scores], str]:
    """The scores of each row by a model that has not seen it, nor a copy of it; and which n-grams did better."""
    folds = [_fold(text) for text in texts]
    known = sorted(set(labels))
    scores: list[Scores] = [{} for _ in texts]
    analyser = ""
    for fold in range(FOLDS):
        asked = [place for place, mine in enumerate(folds) if mine == fold]
        learnt = [place for place, mine in enumerate(folds) if mine != fold]
        if not asked:
            continue
        best = None
        for kind in (analyser,) if analyser else ANALYSERS:
            model = Tfidf.of([texts[p] for p in learnt], [labels[p] for p in learnt], known, kind)
            answers = model.predict([texts[p] for p in asked]) if model else []
            truths = [labels[p] for p in asked]
            value = score("labels", answers, truths, {"labels": known})["macro_f1"] if answers else -1.0
            if answers and (best is None or value > best[0]):
                best = value, kind, answers
        if best is not None:
            analyser = best[1]
            for place, answer in zip(asked, best[2], strict=True):
                scores[place] = answer["scores"]
        tell(fold + 1, FOLDS)
    even: Scores = dict.fromkeys(known, 1 / len(known))
    return [one or even for one in scores], analyser or ANALYSERS[0]


def _fold(text: str) -> int:
    """Copies of a text share a fold: one in the training rows would give its label away."""
    return hashlib.blake2b(normalised(text).encode("utf-8", "replace"), digest_size=4).digest()[0] % FOLDS
