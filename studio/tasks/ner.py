"""Named entities: which parts of a text are names of people, places, products - whatever was marked in the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.data import spans
from studio.data.spans import Entity
from studio.data.tags import chunks
from studio.data.tokens import spaced, words_of
from studio.options import option
from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Role, Row, Rows, Task, tasks
from studio.tasks.heads import load_encoder
from studio.tasks.layers import HEADS, own_head
from studio.tasks.tokenheads import logits_of, overlap_of, token_classifier

if TYPE_CHECKING:
    import torch

    from studio.data.augment import Edit
    from studio.data.roles import Column, Suggestion

IGNORED = -100
_FEW = 5
"""Entities of a type below which it can hardly be learnt."""
_EXAMPLES = 5


@dataclass(frozen=True)
class NerOptions:
    """`overlap` is the share of a window that the next one repeats; `head` is what tells the tags (see
    `studio.tasks.layers`), `dropout` is that of the head."""

    overlap: float = option(0.25, low=0.0, high=0.5, step=0.05)
    head: str = option("linear", choices=HEADS)
    dropout: float = option(0.1, low=0.0, high=0.5, step=0.05)


class Ner(Task):
    """Entities of a few types in a text. Words get BIO tags; the answer is characters of the text."""

    key = "ner"
    order = 14
    result = "tags"
    auto_class = "AutoModel"
    peft_type = "TOKEN_CLS"
    main_metric = "entity_f1"
    cuts = False
    alterable: ClassVar[tuple[str, ...]] = ("text",)
    head: ClassVar[tuple[str, ...]] = ("classifier",)
    roles = (
        Role("text", ("text", "sentence", "content", "document", "文本", "句子", "内容", "正文")),
        Role("entities", ("entities", "spans", "label", "labels", "annotations", "实体", "标注")),
    )
    Options = NerOptions

    def problems(self, rows: Rows) -> list[Problem]:
        """Cells that cannot be read, no entity at all, rare types, entities that cut through words."""
        found = spans.problems(rows, "text", "entities")
        sound = [(number, row) for number, row in enumerate(rows, 1) if self.usable(row)]
        kinds: Counter[str] = Counter()
        cut: list[tuple[int, str]] = []
        count = 0
        for number, row in sound:
            text = row["text"] or ""
            entities = entities_of(row)
            kinds.update(one.type for one in entities)
            through = _through_words(text, entities)
            count += len(through)
            cut += [(number, text[one.start : one.end]) for one in through]
        if not kinds:
            return [*found, Problem("entities_none", "error", "columns.entities")]
        rare = sorted(kind for kind, times in kinds.items() if times < _FEW)
        if rare:
            values = {"types": rare[:_EXAMPLES], "wanted": _FEW}
            found.append(Problem("entities_rare", "warning", "columns.entities", len(rare), values=values))
        if cut:
            values = {"row": cut[0][0], "said": cut[0][1][:60]}
            found.append(Problem("entities_cut", "note", "columns.entities", count, tuple(cut[:_EXAMPLES]), values))
        return found

    def usable(self, row: Row) -> bool:
        text, cell = row.get("text"), row.get("entities")
        return bool((text or "").strip()) and bool((cell or "").strip()) and spans.read(text or "", cell).sound

    def altered(self, row: Row, edit: Edit) -> Row | None:
        """Words beside the entities are altered; the entities say what they said, wherever they come to stand."""
        text, entities = row.get("text") or "", entities_of(row)
        made, places = edit(text, [(one.start, one.end) for one in entities])
        moved = [Entity(start, end, one.type) for (start, end), one in zip(places, entities, strict=True)]
        return {**row, "text": made, "entities": spans.write(made, moved)} if made != text else None

    def truth(self, row: Row) -> str | None:
        """The entities as people read them: "Lisbon = place; Ana = person", "-" where there are none."""
        return None if not (row.get("entities") or "").strip() else spoken(row.get("text") or "", entities_of(row))

    def expected(self, row: Row) -> Any:
        """[[start, end, type], ...]; None where the row has no truth."""
        return [list(one) for one in entities_of(row)] if (row.get("entities") or "").strip() else None

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """A text and a column that marks parts of it."""
        from studio.data.roles import certain, texts_among

        marked = [column for column in columns if column["kind"] == "spans"]
        texts = texts_among(self, columns)
        if len(marked) != 1 or len(texts) != 1:
            return None
        return certain(self, {"text": str(texts[0]["name"]), "entities": str(marked[0]["name"])}, "marked_parts")

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """Each text with each column that marks parts."""
        from studio.data.roles import certain, texts_among

        return [
            certain(self, {"text": str(text["name"]), "entities": str(column["name"])}, "marked_parts")
            for column in columns
            if column["kind"] == "spans"
            for text in texts_among(self, columns)
        ]

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """The sorted types of the training rows, how far windows overlap, and a head that is not linear."""
        types = sorted({one.type for row in train for one in entities_of(row)})
        return {"types": types, "overlap": options.overlap, **own_head(options)}

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        outputs = 1 + 2 * len(facts["types"])
        model: torch.nn.Module = token_classifier()(
            load_encoder(folder), outputs, options.dropout, facts.get("head", "linear")
        )
        return model

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """Windows of the rows. `starts` and `ends` are a word's characters at its first token, 0 and 0 elsewhere;
        `labels` are its tag there, -100 elsewhere."""
        if not rows:
            return []
        texts = [row.get("text") or "" for row in rows]
        wide = [spaced(text) for text in texts]
        words = [_Words(text, places) for text, (_, places) in zip(texts, wide, strict=True)]
        tags = [word_tags(text, row, facts["types"]) for text, row in zip(texts, rows, strict=True)]
        cut = tokenizer(
            [text for text, _ in wide],
            truncation=True,
            max_length=max_length,
            stride=overlap_of(tokenizer, facts["overlap"], max_length),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        items: list[Item] = []
        for window, row in enumerate(cut["overflow_to_sample_mapping"]):
            first = words[row].first_tokens(cut["offset_mapping"][window], wide[row][0])
            item: Item = {
                "input_ids": list(cut["input_ids"][window]),
                "starts": [0 if word is None else words[row].spans[word].start for word in first],
                "ends": [0 if word is None else words[row].spans[word].end for word in first],
                "row": row,
            }
            given = tags[row]
            if given is not None:
                item["labels"] = [IGNORED if word is None else given[word] for word in first]
            items.append(item)
        return items

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        import torch

        logits, labels = logits_of(model, batch), batch["labels"]
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return int((batch["labels"] != IGNORED).sum())

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        """For each window {"words": [[start, end, tag, its probability], ...]}, and its loss where it has labels."""
        import torch

        with torch.no_grad():
            shares = torch.log_softmax(logits_of(model, batch), -1)
            best, tags = shares.max(-1)
            found = []
            for place in range(len(shares)):
                at = (batch["ends"][place] > 0).nonzero().flatten()
                parts = (batch["starts"][place, at], batch["ends"][place, at], tags[place, at], best[place, at].exp())
                words = [list(word) for word in zip(*(part.tolist() for part in parts), strict=True)]
                item: Prediction = {"words": words}
                if "labels" in batch:
                    labels = batch["labels"][place]
                    known = (labels != IGNORED).nonzero().flatten()
                    item["loss"] = -float(shares[place, known, labels[known]].sum())
                    item["tokens"] = len(known)
                found.append(item)
        return found

    def combine(self, windows: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        """{"entities": [{"text", "type", "start", "end", "score"}, ...], "sure": mean probability of the
        words' tags} with the losses' sum; a word that two windows
        saw is taken from the one in which it stands further from the edge."""
        text, types = row.get("text") or "", facts["types"]
        words = merged([window["words"] for window in windows])
        sure = sum(word[3] for word in words) / len(words) if words else 1.0
        found: Prediction = {"entities": decoded(text, words, types), "sure": sure}
        if all("loss" in window for window in windows):
            found["loss"] = sum(window["loss"] for window in windows)
            found["tokens"] = sum(window["tokens"] for window in windows)
        return found


class _Words:
    """The words of a text, and where they begin in the text with blanks between characters of unspaced scripts."""

    def __init__(self, text: str, places: Sequence[int]) -> None:
        self.spans = words_of(text)
        numbers = {span.start: number for number, span in enumerate(self.spans)}
        self._at = {wide: numbers[place] for wide, place in enumerate(places) if place in numbers}

    def first_tokens(self, offsets: Sequence[tuple[int, int]], wide: str) -> list[int | None]:
        """For each token the word that it is the first token of, or None.

        Of several at the same character the last counts: some tokenizers put a mark for "a word begins" before it.
        """
        found: list[int | None] = []
        at: dict[int, int] = {}
        for token, (start, end) in enumerate(offsets):
            while start < end and wide[start].isspace():
                start += 1
            word = self._at.get(start) if start < end else None
            if word in at:
                found[at[word]] = None
            if word is not None:
                at[word] = token
            found.append(word)
        return found


def entities_of(row: Row) -> list[Entity]:
    """The entities of a row by role, none where it has no readable truth."""
    return spans.read(row.get("text") or "", row.get("entities")).entities


def spoken(text: str, entities: Sequence[Any]) -> str:
    """Entities as a line of text; each begins with (start, end, type)."""
    return "; ".join(f"{text[start:end]} = {kind}" for start, end, kind, *_ in entities) or "-"


def word_tags(text: str, row: Row, types: Sequence[str]) -> list[int] | None:
    """A tag a word: 0 outside, 1 + 2t at the beginning of an entity of type t, 2 + 2t inside. None without a truth.

    Types that the training rows do not have are outside.
    """
    if not (row.get("entities") or "").strip():
        return None
    numbers = {kind: number for number, kind in enumerate(types)}
    words = words_of(text)
    tags = [0] * len(words)
    for one in entities_of(row):
        inside = [place for place, word in enumerate(words) if word.start < one.end and one.start < word.end]
        if one.type in numbers:
            for place in inside:
                tags[place] = 2 * numbers[one.type] + (1 if place == inside[0] else 2)
    return tags


def merged(windows: Sequence[Sequence[Sequence[Any]]]) -> list[Sequence[Any]]:
    """The words of all windows once each, in order; of two the one further from the edge of its window."""
    best: dict[int, tuple[float, Sequence[Any]]] = {}
    for number, words in enumerate(windows):
        for place, word in enumerate(words):
            left = place if number else float("inf")
            right = len(words) - 1 - place if number < len(windows) - 1 else float("inf")
            room = min(left, right)
            if word[0] not in best or room > best[word[0]][0]:
                best[word[0]] = (room, word)
    return [best[start][1] for start in sorted(best)]


def decoded(text: str, words: Sequence[Sequence[Any]], types: Sequence[str]) -> list[dict[str, Any]]:
    """The entities that words (start, end, tag, probability) make, each with the mean probability of its words."""
    marks = [("O", "") if not tag else ("B" if tag % 2 else "I", types[(tag - 1) // 2]) for _, _, tag, _ in words]
    found = []
    for chunk in chunks(marks):
        part = words[chunk.start : chunk.end]
        start, end = part[0][0], part[-1][1]
        score = sum(word[3] for word in part) / len(part)
        found.append(
            {"text": text[start:end], "type": chunk.type, "start": start, "end": end, "score": round(score, 6)}
        )
    return found


def _through_words(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """Entities with an end that is no word's."""
    if not entities:
        return []
    words = words_of(text)
    starts, ends = {word.start for word in words}, {word.end for word in words}
    return [one for one in entities if one.start not in starts or one.end not in ends]


tasks.register(Ner())
