"""The shipped samples are varied, rightly labelled and neither trivial nor hopeless for a word counter.

Every ``*.toml`` beside the samples may describe some of them; all are checked here.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "samples"
SEEDS = (0, 1, 2)
LANGUAGES = {"en", "zh"}


def described() -> dict[str, dict]:
    """Every sample described in a TOML file of the folder, by key."""
    found: dict[str, dict] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for key, about in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert key not in found, f"{path.name} describes {key!r} a second time"
            found[key] = about
    return found


SAMPLES = described()
CLEAN = [key for key in SAMPLES if key != "messy"]
COUNTED = [key for key in CLEAN if SAMPLES[key]["task"] == "classification"]


def raw_rows(key: str) -> list[dict]:
    path = FOLDER / SAMPLES[key]["file"]
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    encoding, delimiter = ("cp1252", ";") if key == "messy" else ("utf-8-sig", ",")
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def texts_of(key: str) -> list[str]:
    """What a person wrote in each row; for a chat, the user's turns, as the answers may follow a set form."""
    rows = raw_rows(key)
    if SAMPLES[key]["task"] == "chat":
        return ["\n".join(m["content"] for m in row["messages"] if m["role"] == "user") for row in rows]
    return [row[SAMPLES[key]["columns"]["text"]] for row in rows]


def labels_of(key: str) -> list[str]:
    return [row[SAMPLES[key]["columns"]["label"]] for row in raw_rows(key)]


def shingles(text: str) -> set[str]:
    text = " ".join(text.lower().split())
    return {text[i : i + 5] for i in range(max(1, len(text) - 4))}


def near_duplicates(texts: list[str]) -> list[tuple[str, str]]:
    """The rows that are nearly the same as an earlier row, each with that row."""
    sets = [shingles(text) for text in texts]
    found = []
    for i, mine in enumerate(sets):
        for j, other in enumerate(sets[:i]):
            if min(len(mine), len(other)) < 0.8 * max(len(mine), len(other)):
                continue
            if len(mine & other) >= 0.8 * len(mine | other):
                found.append((texts[i], texts[j]))
                break
    return found


def sequences(text: str, language: str) -> set[str]:
    """All 5-word sequences of a text; for Chinese, all 12-character ones."""
    if language == "zh":
        joined = "".join(re.findall(r"\w", text.lower()))
        return {joined[i : i + 12] for i in range(len(joined) - 11)}
    words = re.findall(r"[\w'’]+", text.lower())
    return {" ".join(words[i : i + 5]) for i in range(len(words) - 4)}


def test_some_samples_are_described():
    assert {"help_desk", "hotel_reviews", "few_rows", "messy"} <= SAMPLES.keys(), f"described: {sorted(SAMPLES)}"


@pytest.mark.parametrize("key", SAMPLES)
def test_description_is_complete(key):
    about = SAMPLES[key]
    assert (FOLDER / about["file"]).is_file(), f"{about['file']} is missing"
    assert about["task"] in {"classification", "chat"}, f"task is {about['task']!r}"
    assert about["language"] in LANGUAGES, f"language is {about['language']!r}"
    assert 0 < about["minutes"] <= 30, f"minutes is {about['minutes']}"
    for field in ("title", "blurb"):
        assert about[field].keys() >= LANGUAGES, f"{field} speaks {sorted(about[field])}"
        assert all(text.strip() for text in about[field].values()), f"{field} has an empty text"


@pytest.mark.parametrize("key", SAMPLES)
def test_row_count(key):
    count = len(raw_rows(key))
    assert 150 <= count <= 400, f"{key} has {count} rows"
    assert count == SAMPLES[key]["rows"], f"{key} has {count} rows and declares {SAMPLES[key]['rows']}"


@pytest.mark.parametrize("key", CLEAN)
def test_no_row_is_blank(key):
    blank = [i for i, text in enumerate(texts_of(key)) if not text.strip()]
    assert not blank, f"{key}: rows {blank} have no text"


@pytest.mark.parametrize("key", COUNTED)
def test_labels_are_as_declared(key):
    counts = Counter(labels_of(key))
    declared = SAMPLES[key].get("labels", list(counts))
    assert set(counts) == set(declared), f"{key} has the labels {sorted(counts)}"
    assert len(counts) >= 2, f"{key} has {len(counts)} label"
    assert min(counts.values()) >= 12, f"{key}: rows a label {dict(counts)}"


@pytest.mark.parametrize("key", [key for key in SAMPLES if SAMPLES[key]["task"] == "chat"])
def test_chat_turns_are_in_order(key):
    for i, row in enumerate(raw_rows(key)):
        roles = [message["role"] for message in row["messages"]]
        talk = roles[1:] if roles[0] == "system" else roles
        assert talk == ["user", "assistant"] * max(1, len(talk) // 2), f"{key}: row {i} has the roles {roles}"


@pytest.mark.parametrize("key", CLEAN)
def test_near_duplicates_are_rare(key):
    texts = texts_of(key)
    found = near_duplicates(texts)
    assert len(found) < 0.01 * len(texts), f"{key}: {len(found)} of {len(texts)} rows, such as {found[:3]}"


@pytest.mark.parametrize("key", CLEAN)
def test_no_sequence_is_common(key):
    texts = texts_of(key)
    rows_with: dict[str, int] = defaultdict(int)
    for text in texts:
        for sequence in sequences(text, SAMPLES[key]["language"]):
            rows_with[sequence] += 1
    common = {sequence: n for sequence, n in rows_with.items() if n > 0.01 * len(texts)}
    assert not common, f"{key}: in more than 1 % of {len(texts)} rows: {common}"


@pytest.mark.parametrize("key", CLEAN)
def test_lengths_are_spread(key):
    short, long = np.percentile([len(text) for text in texts_of(key)], [5, 95])
    assert long / short > 5, f"{key}: 5th percentile {short:.0f}, 95th {long:.0f}, ratio {long / short:.2f}"


def word_counter_f1(texts: list[str], labels: list[str], seed: int) -> float:
    """Test macro-F1 of TF-IDF and logistic regression, the better kind of token chosen on validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline

    x, y = np.array(texts, dtype=object), np.array(labels)
    train, rest = train_test_split(np.arange(len(y)), test_size=0.30, random_state=seed, stratify=y)
    valid, test = train_test_split(rest, test_size=0.5, random_state=seed, stratify=y[rest])
    tries = []
    for kind in ({"analyzer": "word", "ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (2, 5)}):
        for strength in (1, 10):
            model = make_pipeline(
                TfidfVectorizer(sublinear_tf=True, **kind),
                LogisticRegression(C=strength, class_weight="balanced", max_iter=2000),
            ).fit(x[train], y[train])
            tries.append([f1_score(y[part], model.predict(x[part]), average="macro") for part in (valid, test)])
    return max(tries, key=lambda scores: scores[0])[1]


@pytest.mark.parametrize("key", COUNTED)
def test_word_counter_is_neither_lost_nor_perfect(key):
    scores = [word_counter_f1(texts_of(key), labels_of(key), seed) for seed in SEEDS]
    mean = float(np.mean(scores))
    assert 0.55 <= mean <= 0.85, f"{key}: mean macro-F1 {mean:.3f}, by seed {[round(s, 3) for s in scores]}"


def tidy_label(label: str) -> str:
    """The label meant by one of the spellings in the messy sample, or nothing."""
    known = {"pos": "positive", "neg": "negative", "neu": "neutral", "nue": "neutral"}
    return known.get(label.strip().lower()[:3], "")


class TestMessyFaults:
    """The faults planted in the messy sample are there, and three classes survive the cleaning."""

    def test_not_utf8(self):
        data = (FOLDER / SAMPLES["messy"]["file"]).read_bytes()
        with pytest.raises(UnicodeDecodeError):
            data.decode("utf-8")
        written = set(data.decode("cp1252"))
        assert set("“”–€é") <= written, f"not in the file: {set('“”–€é') - written}"

    def test_semicolons(self):
        head = (FOLDER / SAMPLES["messy"]["file"]).read_text(encoding="cp1252").splitlines()[0]
        assert head == "id;comment;sentiment;remarks", f"the first line is {head!r}"

    def test_every_row_has_all_columns(self):
        rows = raw_rows("messy")
        wrong = [row for row in rows if None in row or None in row.values()]
        assert not wrong, f"rows with too many or too few cells: {wrong}"

    def test_delimiter_and_line_break_inside_cells(self):
        texts = texts_of("messy")
        assert any(";" in text for text in texts), "no semicolon inside a comment"
        assert any("\n" in text for text in texts), "no line break inside a comment"

    def test_stray_ids_with_leading_zeros(self):
        rows = raw_rows("messy")
        ids = [row["id"] for row in rows]
        assert "00123" in ids, f"ids such as {ids[:5]}"
        assert ids.count("") >= 2, f"{ids.count('')} blank ids"

    def test_empty_column(self):
        rows = raw_rows("messy")
        filled = [row["remarks"] for row in rows if row["remarks"]]
        assert not filled, f"the empty column holds {filled}"

    def test_blank_cells(self):
        texts, labels = texts_of("messy"), labels_of("messy")
        assert texts.count("") >= 2, f"{texts.count('')} blank comments"
        assert labels.count("") >= 2, f"{labels.count('')} blank labels"

    def test_exact_duplicates(self):
        rows = raw_rows("messy")
        repeats = len(rows) - len({tuple(row.values()) for row in rows})
        assert 0.06 <= repeats / len(rows) <= 0.10, f"{repeats} of {len(rows)} rows repeat an earlier one"

    def test_label_spellings(self):
        labels = labels_of("messy")
        wanted = {"Positive", "positive", "positive ", "POSITIVE", "postive"}
        assert wanted <= set(labels), f"missing spellings: {wanted - set(labels)}"

    def test_html(self):
        texts = texts_of("messy")
        assert sum(bool(re.search(r"&\w+;", text)) for text in texts) >= 3, "fewer than 3 comments with an entity"
        assert sum(bool(re.search(r"</?[a-z]+>", text)) for text in texts) >= 3, "fewer than 3 comments with a tag"

    def test_same_text_with_two_labels(self):
        texts, labels = texts_of("messy"), labels_of("messy")
        seen = defaultdict(set)
        for text, label in zip(texts, labels, strict=True):
            if text and tidy_label(label):
                seen[text].add(tidy_label(label))
        torn = [text for text, given in seen.items() if len(given) > 1]
        assert len(torn) >= 3, f"texts with more than one label: {torn}"

    def test_words_for_nothing(self):
        texts, labels = texts_of("messy"), labels_of("messy")
        assert {"NA", "null"} <= set(texts), "no comment NA or null"
        assert {"NA", "null"} <= set(labels), "no label NA or null"

    def test_fictional_contacts(self):
        texts = texts_of("messy")
        mails = re.findall(r"[\w.]+@([\w.]+\w)", " ".join(texts))
        phones = re.findall(r"\b555-\d{4}\b", " ".join(texts))
        assert set(mails) == {"example.com"}, f"mail domains {mails}"
        assert {phone[:6] for phone in phones} == {"555-01"}, f"telephone numbers {phones}"

    def test_one_very_long_row(self):
        texts = texts_of("messy")
        lengths = sorted(map(len, texts))
        assert lengths[-1] > 2000 > 1000 > lengths[-2], f"the longest comments have {lengths[-2:]} characters"

    def test_three_classes_survive_cleaning(self):
        texts, labels = texts_of("messy"), labels_of("messy")
        good: dict[str, set[str]] = defaultdict(set)
        for text, label in zip(texts, labels, strict=True):
            if text.strip() and text not in {"NA", "N/A", "null", "&nbsp;"} and tidy_label(label):
                good[text].add(tidy_label(label))
        counts = Counter(given.copy().pop() for given in good.values() if len(given) == 1)
        assert set(counts) == {"negative", "neutral", "positive"}, f"classes {dict(counts)}"
        assert sum(counts.values()) >= 150, f"{sum(counts.values())} rows are left"
        assert min(counts.values()) >= 40, f"rows a class {dict(counts)}"
