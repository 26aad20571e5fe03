"""What can be wrong with a column of labels: rare ones, uneven ones, one label spelt in several ways."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

from studio.problem import Problem

_EXAMPLES = 5
RARE = 5
"""Rows of a label below which it can hardly be learnt."""
UNEVEN = 20.0
"""How many times commoner than the rarest the commonest label may be."""
_ALIKE = 0.86
_COMPARED = 200
"""Labels up to which typing slips are looked for; beyond, names tend to be alike on purpose."""
_SHORTEST = 4
_SLIP = 0.1
"""A slip is at most this share as common as what was meant."""


def label_problems(labels: Sequence[tuple[int, str]], counts: Counter[str] | None = None) -> list[Problem]:
    """Problems of (row number, label) pairs, none blank. With `counts` of all rows, `labels` need only hold a few rows
    of each label for the examples."""
    counts = Counter(label for _, label in labels) if counts is None else counts
    if len(counts) < 2:
        return []
    found = _spelling(labels, counts)
    rare = [label for label, count in counts.items() if count < RARE]
    if rare:
        shown = _rows_of(labels, set(rare))
        values = {"labels": sorted(rare)[:_EXAMPLES], "wanted": RARE}
        found.append(Problem("labels_rare", "warning", "columns.label", len(rare), shown, values))
    (most, high), (least, low) = counts.most_common()[0], counts.most_common()[-1]
    if high > UNEVEN * low:
        values = {"most": most, "high": high, "least": least, "low": low}
        found.append(Problem("labels_uneven", "warning", "columns.label", len(counts), values=values))
    return found


def spelling_variants(counts: Counter[str]) -> dict[str, str]:
    """Wrong spelling -> what is meant: labels that differ by letter case, spaces, width or marks only, and rare ones
    one slip away from a common one."""
    meant: dict[str, str] = {}
    alike: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        alike[_bare(label)].append(label)
    for group in alike.values():
        best = max(group, key=lambda label: (counts[label], label))
        meant.update({label: best for label in group if label != best})
    # What is meant is as common as all its spellings together.
    united: Counter[str] = Counter()
    for label, count in counts.items():
        united[meant.get(label, label)] += count
    slips = _slips(united)
    # A spelling of a slip is a slip of the same label.
    return {**{label: slips.get(best, best) for label, best in meant.items()}, **slips}


def _spelling(labels: Sequence[tuple[int, str]], counts: Counter[str]) -> list[Problem]:
    meant = spelling_variants(counts)
    if not meant:
        return []
    pairs = [f"{wrong!r} = {right!r}" for wrong, right in sorted(meant.items())]
    rows = sum(counts[label] for label in meant)
    values = {"pairs": pairs[:_EXAMPLES], "labels": len(meant)}
    return [Problem("labels_spelling", "warning", "columns.label", rows, _rows_of(labels, set(meant)), values)]


def _bare(label: str) -> str:
    """The label without what the eye passes over; a label of marks only is left as it is."""
    text = unicodedata.normalize("NFKC", label).casefold()
    return re.sub(r"[\W_]+", "", text) or text.strip()


def _slips(counts: Counter[str]) -> dict[str, str]:
    if len(counts) > _COMPARED:
        return {}
    found = {}
    names = [label for label in counts if len(label) >= _SHORTEST]
    for label in names:
        common = [other for other in names if other != label and counts[label] <= _SLIP * counts[other]]
        near = difflib.get_close_matches(label.casefold(), [other.casefold() for other in common], n=1, cutoff=_ALIKE)
        if near:
            other = next(one for one in common if one.casefold() == near[0])
            # "level 1" and "level 2" are alike on purpose, and so are "known" and "unknown".
            same_digits = re.findall(r"\d", label) == re.findall(r"\d", other)
            inside = _bare(label) in _bare(other) or _bare(other) in _bare(label)
            if same_digits and not (inside and abs(len(label) - len(other)) > 1):
                found[label] = other
    return found


def _rows_of(labels: Sequence[tuple[int, str]], wanted: set[str]) -> tuple[tuple[int, str], ...]:
    return tuple((number, label) for number, label in labels if label in wanted)[:_EXAMPLES]
