"""Altered copies of training rows: labels kept, spans where they were, nothing of what is held back, capped, repeatable."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spoken import check_spoken

from studio.data import lexicon
from studio.data.augment import KINDS, SOURCED, Growth, applied, editor, grown, label_sizes, words_of
from studio.data.growing import previewed
from studio.data.importing import import_file
from studio.data.spans import Entity, read, write
from studio.data.split import normalised
from studio.errors import UserError
from studio.tasks.base import tasks
from studio.training.augmented import further_rows
from studio.training.options import TrainingOptions
from studio.training.rows import Table
from studio.workspace import Workspace

TASK = tasks.get("classification")
UNSOURCED = [kind for kind in KINDS if kind not in ("off", *SOURCED)]


class Always:
    """Fills in the same word everywhere; real models are in runs/test_filled_rows.py."""

    def candidates(self, text: str, places: Sequence[tuple[int, int]]) -> list[list[str]]:
        return [["elsewhere"] for _ in places]


TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from("the hotel Room was dirty 物流很快 ，包装 好 don't 2020 , . ( ) 👍".split()), max_size=12
    ).map(" ".join),
    st.sampled_from(["物流很快，包装也很好，但是客服一直没有回复我的问题！", "New York", "a", "好", " x  y "]),
)


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in WordNet's own form with two senses: dirty/unclean (adj), dog/hound (noun), and a name."""
    place = tmp_path_factory.mktemp("wordnet")
    licence = "  1 This is a licence line.  \n"
    data = {
        "noun": ["00000100 05 n 02 dog 0 hound 0 000 | an animal", "00000200 15 n 02 Paris 0 capital 0 000 | a city"],
        "adj": ["00000300 00 a 03 dirty 0 unclean(p) 1 very_dirty 0 000 | above average"],
        "verb": ["00000400 38 v 02 dog 0 chase 0 000 01 + 08 00 | go after"],
        "adv": [],
    }
    index = {
        "noun": ["dog n 1 0 1 42 00000100", "hound n 1 0 1 2 00000100", "capital n 1 0 1 2 00000200"],
        "adj": ["dirty a 1 1 & 1 9 00000300", "unclean a 1 1 & 1 8 00000300", "very_dirty a 1 0 1 0 00000300"],
        "verb": ["dog v 1 1 @ 1 1 00000400", "chase v 1 0 1 5 00000400"],
        "adv": [],
    }
    for part in lexicon.PARTS:
        (place / f"data.{part}").write_text(licence + "".join(line + " \n" for line in data[part]), "utf-8")
        (place / f"index.{part}").write_text(licence + "".join(line + "  \n" for line in index[part]), "utf-8")
    return place


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, kind=st.sampled_from([*UNSOURCED, "context"]), seed=st.integers(0, 999), cut=st.tuples(st.integers(0, 40), st.integers(0, 12)))  # fmt: skip
def test_spans_say_the_same_wherever_they_move(text: str, kind: str, seed: int, cut: tuple[int, int]):
    start = min(cut[0], len(text))
    span = (start, min(len(text), start + cut[1]))
    spans = [span] if span[0] < span[1] else []
    made, moved = editor(kind, 0.3, random.Random(seed), Always())(text, spans)
    assert [made[a:b] for a, b in moved] == [text[a:b] for a, b in spans]
    assert (made, moved) == editor(kind, 0.3, random.Random(seed), Always())(text, spans), (
        "the same seed, the same copy"
    )
    if text.strip():
        assert made.strip(), "no text is emptied"


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=3, max_size=14),
    kind=st.sampled_from([kind for kind in KINDS if kind != "synonyms"]),
    copies=st.integers(1, 3),
    most=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_only_training_rows_grow_with_their_labels_and_up_to_the_cap(texts: list[str], kind: str, copies: int, most: int, seed: int):  # fmt: skip
    rows = [{"text": text, "label": "ab"[number % 2]} for number, text in enumerate(texts)]
    third = len(rows) // 3
    held, train = rows[:third], rows[third:]
    before = [dict(row) for row in rows]
    found = grown(TASK, train, held, Growth(kind, copies, 0.2, most), seed)
    assert rows == before, "no row is changed in place"
    said = {normalised(row["text"]) for row in rows}
    for place, made in found:
        assert made["label"] == train[place]["label"]
        assert normalised(made["text"] or "") not in said, "no copy says what any row says, held back or not"
    assert max(Counter(place for place, _ in found).values(), default=0) <= copies
    if kind == "off":
        assert found == []
    if most:
        counts = Counter(row["label"] for row in train)
        total = counts + Counter(made["label"] for _, made in found)
        assert all(total[label] <= max(most, counts[label]) for label in total)


NAMES = ["Ana", "New York", "王明", "EU's", "北京"]
MARKED = st.lists(
    st.lists(
        st.one_of(st.sampled_from(NAMES), st.sampled_from("met in the a, . 来到 了 昨天 ， 👍 don't".split())),
        max_size=9,
    ),
    min_size=4,
    max_size=9,
)


def marked(words: list[str], gap: str) -> dict[str, str | None]:
    """A row of these words with the names among them marked."""
    text, found = "", []
    for word in words:
        text += gap if text else ""
        if word in NAMES:
            found.append(Entity(len(text), len(text) + len(word), f"T{NAMES.index(word) % 2}"))
        text += word
    return {"text": text, "entities": write(text, found)}


def said(row: Mapping[str, str | None]) -> list[tuple[str, str]]:
    reading = read(row["text"] or "", row["entities"])
    assert reading.faults == [], "the marks are where the cell says, in the words it says"
    return [((row["text"] or "")[one.start : one.end], one.type) for one in reading.entities]


@settings(max_examples=120, deadline=None)
@given(
    made=MARKED,
    gap=st.sampled_from([" ", ""]),
    kind=st.sampled_from([*UNSOURCED, "context"]),
    seed=st.integers(0, 99),
)
def test_named_entities_keep_their_words_and_types_in_every_copy(made: list[list[str]], gap: str, kind: str, seed: int):
    task, rows = tasks.get("ner"), [marked(["Ana", *words, "saw", "him"], gap) for words in made]
    for place, copy in grown(task, rows, [], Growth(kind, 2, 0.4), seed, Always()):
        assert copy["text"] != rows[place]["text"]
        assert said(copy) == said(rows[place])
        assert task.usable(copy)


def test_every_task_that_is_augmented_keeps_its_truth():
    text = "the hotel room was dirty and the staff refused to help us on monday"
    rows: dict[str, dict[str, str | None]] = {
        "classification": {"text": text, "label": "bad"},
        "multilabel": {"text": text, "labels": "dirt|staff"},
        "regression": {"text": text, "score": "1.5"},
        "ner": {"text": text, "entities": write(text, [Entity(4, 14, "place")])},
        "qa": {"question": "what was dirty there", "context": text, "answers": "hotel room"},
    }
    assert {task.key for task in tasks if task.alterable} == rows.keys(), "others have no text that may change alone"
    for key, row in rows.items():
        task = tasks.get(key)
        row = {role.key: row.get(role.key, row.get("score")) for role in task.roles if role.required}
        ((_, copy),) = grown(task, [row], [], Growth("swap"), 3)
        assert task.truth(copy) == task.truth(row)
        assert {name for name in row if copy[name] != row[name]} - {"entities"} == set(task.alterable)


def test_each_kind_does_what_it_is_called():
    text = "the hotel room was dirty and the staff refused to help"
    made = {kind: editor(kind, 0.2, random.Random(5))(text)[0] for kind in UNSOURCED}
    assert sorted(made["swap"].split()) == sorted(text.split())
    assert len(made["delete"].split()) == len(text.split()) - 2
    assert "".join(letter for letter in made["insert"] if letter.isalnum()) == text.replace(" ", "")
    assert made["case"] != text
    assert made["case"].lower() == text
    assert len(made["keyboard"]) == len(text)
    assert sum(a != b for a, b in zip(made["keyboard"], text, strict=True)) == 2
    chinese = "物流很快，包装也很好！"
    assert [chinese[a:b] for a, b in words_of(chinese)] == ["物流", "很快", "包装", "也", "很", "好"]
    assert editor("case", 0.9, random.Random(1))(chinese)[0] == "物流很快,包装也很好!"
    for kind in ("insert", "swap", "delete", "keyboard"):
        assert editor(kind, 0.2, random.Random(1))(chinese)[0] != chinese


def test_changes_move_the_spans_behind_them():
    assert applied("a bb c", [(0, 1, "xyz"), (5, 6, "")], [(2, 4)]) == ("xyz bb ", [(4, 6)])


def test_synonyms_are_those_of_the_commonest_sense(wordnet: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WNSEARCHDIR", str(wordnet))
    assert lexicon.folder() == wordnet
    words = lexicon.Lexicon(wordnet)
    assert words.synonyms("dog") == ("hound",), "the noun was counted more often than the verb"
    assert (words.synonyms("Dirty"), words.synonyms("DIRTY")) == (("Unclean",), ("UNCLEAN",))
    assert words.synonyms("capital") == words.synonyms("the") == words.synonyms("zzz") == ()
    assert words.coverage(["dirty", "the", "capital"]) == pytest.approx(0.5)
    assert editor("synonyms", 0.5, random.Random(1), words)("a dirty, wet dog")[0] == "a unclean, wet hound"


@pytest.mark.skipif(not (Path(lexicon.PLACES[0]) / "data.noun").is_file(), reason="WordNet is not installed")
def test_the_real_wordnet_knows_everyday_words():
    words = lexicon.read(Path(lexicon.PLACES[0]))
    assert "unclean" in words.synonyms("dirty")
    assert 0.2 < words.coverage("the hotel room was dirty and the staff refused to help us".split()) < 0.9


def table_of(rows: list[dict[str, str]]) -> Table:
    places = list(range(len(rows)))
    return Table(rows, places, {"train": places[:20], "validation": places[20:25], "test": places[25:]})


def test_a_run_adds_copies_to_the_training_part_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    rows = [{"text": f"message number {n} about the kettle", "label": "ab"[n % 2]} for n in range(30)]
    table = table_of(rows)
    parts = {name: table.part(name) for name in ("train", "validation", "test")}
    options = TrainingOptions(augment="mixed", augment_copies=2, augment_share=0.3)
    more = further_rows(TASK, table, options, 7)
    assert 20 < len(more) <= 40
    assert more == further_rows(TASK, table, options, 7), "a resumed run learns the same rows"
    assert more != further_rows(TASK, table, options, 8)
    assert {name: table.part(name) for name in parts} == parts
    assert further_rows(TASK, table, TrainingOptions(), 7) == []
    uneven = table_of([{**row, "label": "a" if n % 5 else "b"} for n, row in enumerate(rows)])
    assert sorted(label_sizes(TASK, uneven.part("train"))) == [4, 16]
    capped = further_rows(TASK, uneven, TrainingOptions(augment="mixed", augment_copies=3, augment_most=10), 7)
    assert Counter(row["label"] for row in capped) == {"b": 6}, "the rare label gains, the common one has enough"
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))
    monkeypatch.setattr(lexicon, "PLACES", ())
    with pytest.raises(UserError) as caught:
        further_rows(TASK, table, TrainingOptions(augment="synonyms"), 7)
    check_spoken(caught.value, "lexicon_gone", lexicon="Princeton WordNet")


def test_a_preview_counts_what_a_run_would_add(tmp_path: Path, wordnet: Path, monkeypatch: pytest.MonkeyPatch):
    workspace = Workspace.open(tmp_path / "home")
    lines = "".join(f"a dirty dog number {n} barked,{'yes' if n % 2 else 'no'}\n" for n in range(80))
    (tmp_path / "a.csv").write_text("text,label\n" + lines, "utf-8")
    version = import_file(workspace, "ann", tmp_path / "a.csv", "a.csv")
    monkeypatch.setenv("WNSEARCHDIR", str(wordnet))
    lexicon.read.cache_clear()
    job = {
        "source": str(version.folder), "task": "classification", "columns": {"text": "text", "label": "label"},
        "split": {"validation": 0.2, "test": 0.2, "seed": 1}, "seed": 1,
        "growth": {"kind": "synonyms", "copies": 1, "share": 0.1, "most": 0},
    }  # fmt: skip
    told = previewed(job)
    lexicon.read.cache_clear()
    assert (told["train"], told["rows"], told["exact"]) == (48, 48, True)
    assert len(told["pairs"]) == 8
    assert all(pair["before"] != pair["after"] and pair["label"] in ("yes", "no") for pair in told["pairs"])
    assert 0.3 < told["coverage"] < 1
    with pytest.raises(UserError) as caught:
        previewed({**job, "source": str(tmp_path / "d-0")})
    assert caught.value.code == "data_unknown"
