"""Keyword rules: each keyword found in a text is one vote for a label. Learnt from the training split, meant to be
read and edited by people; the labels' names and the rules' order are all there is to it."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.errors import UserError
from studio.evaluation.baseline import FOLDER, Baseline, Question, load
from studio.evaluation.ngrams import normalise
from studio.tasks.base import Prediction

MOST_RULES = 500
LONGEST_KEYWORD = 80
_EACH, _ALL_LEARNT = 8, 200
_LEAST_TEXTS = 3
# One-sided z of "this word belongs to this label": 1.64 keeps one chance find in twenty out.
_SURE = 1.64
# Texts, drawn by chance, and characters of each, from which keywords are learnt.
_TEXTS, _READ = 5_000, 500
# How far from the label's own share towards 1 the share of the label among texts with the keyword has to be.
_CLEAR = 0.4
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
# Scripts written without spaces: parts of 2 to 4 characters stand in for words there.
_UNSPACED = re.compile("[\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\u0e00-\u0e7f]+")
Rule = dict[str, str]
Floats = npt.NDArray[np.float64]


class Rules(Baseline):
    """`rules` is a list of {"keyword", "label"}; no vote at all gives `otherwise`, a tie goes to the earlier rule."""

    key = "rules"

    def __init__(
        self, labels: Sequence[str], rules: Sequence[Mapping[str, str]], otherwise: str, shares: Mapping[str, float]
    ) -> None:
        super().__init__(labels)
        self.rules: list[Rule] = [{"keyword": rule["keyword"], "label": rule["label"]} for rule in rules]
        self.otherwise = otherwise
        self.shares = dict(shares)
        self.by_hand = False
        """Whether a person has edited them; they are then never learnt anew."""

    @staticmethod
    def fit(texts: Sequence[str], truths: Sequence[str], labels: Sequence[str], seed: int = 13) -> Rules:
        counts = Counter(truths)
        shares = {label: counts[label] / len(truths) for label in labels}
        # Files are often sorted by label: the first rows would be of one or two of them.
        read = sorted(random.Random(seed).sample(range(len(texts)), min(_TEXTS, len(texts))))
        learnt = _learn([texts[place] for place in read], [truths[place] for place in read], labels)
        made = Rules(labels, learnt, max(labels, key=lambda label: shares[label]), shares)
        made.rows = len(read)
        return made

    def predict(self, texts: Sequence[Question], /) -> list[Prediction]:
        return [self._answer(normalise(text or "")) for text in texts]

    def _answer(self, text: str) -> Prediction:
        votes = Counter(rule["label"] for rule in self.rules if found(rule["keyword"], text))
        # max keeps the first of equals, and a Counter keeps the order in which rules voted.
        label = max(votes, key=lambda name: votes[name]) if votes else self.otherwise
        total = sum(votes.values()) + 1
        scores = {name: (votes[name] + self.shares.get(name, 0.0)) / total for name in self.labels}
        return {"label": label, "scores": scores}

    def matched(self, text: str) -> list[Rule]:
        """The rules that vote on a text, for showing why."""
        plain = normalise(text)
        return [rule for rule in self.rules if found(rule["keyword"], plain)]

    def edited(self, rules: Sequence[Mapping[str, Any]], otherwise: str = "") -> Rules:
        """A copy with other rules, not scored yet. Raises UserError (`rules_label`, `rules_keyword`, `rules_many`)."""
        if len(rules) > MOST_RULES:
            raise UserError("rules_many", count=len(rules), most=MOST_RULES)
        for number, rule in enumerate(rules, start=1):
            keyword, label = str(rule.get("keyword") or ""), str(rule.get("label") or "")
            if not normalise(keyword) or len(keyword) > LONGEST_KEYWORD:
                raise UserError("rules_keyword", number=number, keyword=keyword[:40], most=LONGEST_KEYWORD)
            if label not in self.labels:
                raise UserError("rules_label", number=number, keyword=keyword, label=label[:40], labels=self.labels)
        if otherwise and otherwise not in self.labels:
            raise UserError("rules_label", number=0, keyword="-", label=otherwise[:40], labels=self.labels)
        clean = [{"keyword": str(rule["keyword"]).strip(), "label": str(rule["label"])} for rule in rules]
        made = Rules(self.labels, clean, otherwise or self.otherwise, self.shares)
        made.by_hand = True
        return made

    def _write(self, folder: Path) -> dict[str, Any]:
        return {"rules": self.rules, "otherwise": self.otherwise, "shares": self.shares, "by_hand": self.by_hand}

    @classmethod
    def _read(cls, folder: Path, facts: Mapping[str, Any]) -> Rules:
        made = Rules(facts["labels"], facts["rules"], facts["otherwise"], facts["shares"])
        made.by_hand = bool(facts.get("by_hand"))
        return made


def rules_by_hand(run_dir: Path) -> Rules | None:
    """The rules of a run as a person edited them; None where nobody has."""
    try:
        model = load(run_dir / FOLDER / Rules.key)
    except FileNotFoundError:
        return None
    return model if isinstance(model, Rules) and model.by_hand else None


def with_edits(run_dir: Path, models: Mapping[str, Baseline]) -> dict[str, Baseline]:
    """`models` with the rules that a person has edited in place of those that were learnt."""
    kept = rules_by_hand(run_dir)
    if kept is None or Rules.key not in models or kept.labels != models[Rules.key].labels:
        return dict(models)
    return {**models, Rules.key: kept}


def found(keyword: str, text: str) -> bool:
    """Whether `keyword` stands in the normalised `text`: as whole words, or anywhere in unspaced scripts."""
    plain, pattern = _pattern(keyword)
    # The plain search is many times faster and says no to nearly every pair.
    return plain in text and (pattern is None or pattern.search(text) is not None)


@lru_cache(maxsize=4 * MOST_RULES)
def _pattern(keyword: str) -> tuple[str, re.Pattern[str] | None]:
    plain = normalise(keyword)
    if _UNSPACED.search(plain):
        return plain, None
    return plain, re.compile(rf"(?<!\w){re.escape(plain)}(?!\w)")


def _learn(texts: Sequence[str], truths: Sequence[str], labels: Sequence[str]) -> list[Rule]:
    """Keywords by how surely they belong to one label: the log-odds with an informed prior of Monroe et al. (2008),
    counted in texts. A keyword inside another one of its label is left out, and one keyword serves one label."""
    held = [_candidates(normalise(text[:_READ])) for text in texts]
    least = _LEAST_TEXTS if len(texts) >= 60 else 2
    often = {word: count for word, count in Counter(chain.from_iterable(held)).items() if count >= least}
    words = sorted(set(often) - _fragments(often))
    if not words:
        return []
    row, column = ({name: number for number, name in enumerate(names)} for names in (words, labels))
    counts = np.zeros((len(words), len(labels)))
    for found_words, truth in zip(held, truths, strict=True):
        counts[[row[word] for word in found_words if word in row], column[truth]] += 1
    texts_of = np.array([truths.count(label) for label in labels], np.float64)
    scores = _certainty(counts, texts_of, len(texts))
    # A rule people believe: most texts with the keyword belong to its label, however rare the label is.
    share = texts_of / len(texts)
    scores[counts / counts.sum(axis=1, keepdims=True) < share + _CLEAR * (1 - share)] = -np.inf
    return _choose(words, scores, labels)


def _choose(words: Sequence[str], scores: Floats, labels: Sequence[str]) -> list[Rule]:
    """The surest few keywords of every label, the surest first."""
    each = max(2, min(_EACH, _ALL_LEARNT // len(labels)))
    rules: list[tuple[float, Rule]] = []
    for number, label in enumerate(labels):
        chosen: list[str] = []
        for candidate in np.argsort(-scores[:, number], kind="stable"):
            word, sure = words[candidate], float(scores[candidate, number])
            if sure < _SURE or len(chosen) == each:
                break
            if scores[candidate].argmax() == number and not any(word in one or one in word for one in chosen):
                chosen.append(word)
                rules.append((sure, {"keyword": word, "label": label}))
    return [rule for _, rule in sorted(rules, key=lambda item: -item[0])]


def _certainty(counts: Floats, texts_of: Floats, total: int) -> Floats:
    """z [words, labels] of the log-odds that a text of the label holds the word, against all other texts."""
    everywhere = counts.sum(axis=1, keepdims=True)
    # A word of every text tells nothing, but must not divide by nothing either.
    prior = np.minimum(everywhere / total, 1 - 1e-9)
    inside, outside = counts + prior, everywhere - counts + prior
    without_in = np.maximum(texts_of - counts, 0) + 1 - prior
    without_out = np.maximum(total - texts_of - (everywhere - counts), 0) + 1 - prior
    odds = np.log(inside / without_in) - np.log(outside / without_out)
    sure: Floats = odds / np.sqrt(1 / inside + 1 / outside + 1 / without_in + 1 / without_out)
    return sure


def _fragments(often: Mapping[str, int]) -> set[str]:
    """Parts of unspaced words that hardly ever stand alone, such as two of the three characters of a word."""
    return {
        part
        for word, count in often.items()
        if len(word) > 2 and _UNSPACED.fullmatch(word)
        for part in (word[:-1], word[1:])
        if count >= 0.8 * often.get(part, 2 * count)
    }


def _candidates(text: str) -> set[str]:
    spaced = _UNSPACED.sub(" ", text)
    words = {word for word in _WORD.findall(spaced) if len(word) > 1}
    for run in _UNSPACED.findall(text):
        words.update(run[start : start + size] for size in (2, 3, 4) for start in range(len(run) - size + 1))
    return words
