"""Pair classification: one label for two texts, such as whether one follows from, answers or repeats the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studio.tasks.base import Item, Role, Row, Rows, tasks
from studio.tasks.classification import Classification, LabelOptions
from studio.tasks.pairs import FIRST, SECOND, beside, encode_pairs, joined, pair_of, pair_ties, text_pairs
from studio.tasks.regression import may_be_amount

if TYPE_CHECKING:
    from studio.data.roles import Column, Suggestion

_TARGETS = frozenset(
    "label labels class category target y gold_label is_duplicate duplicate match entailment relation".split()
    + "标签 类别 关系".split()
)


class PairClassification(Classification):
    """A cross-encoder: both texts are read at once, so that each word of one is held against the other's."""

    key = "pair_classification"
    order = 18
    one_window = False
    alterable = ()
    grouping = ()
    roles = (
        FIRST,
        SECOND,
        Role("label", tuple(sorted(_TARGETS))),
    )
    Options = LabelOptions

    def question(self, row: Row) -> str:
        return joined(row)

    def preview(self, row: Row) -> str:
        return beside(row)

    def ties(self, row: Row) -> list[str]:
        return pair_ties(row)

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """Sure of a pair by its headers beside one column of labels and none of numbers, or one that is named a label.
        Numbers that may be scores as well are a question."""
        from studio.data.roles import Suggestion, certain, of_kind, plain_header

        pair = pair_of(columns)
        if pair is None:
            return None
        rest = [column for column in columns if str(column["name"]) not in pair]
        labels, numbers = of_kind(rest, "label"), of_kind(rest, "number")
        named = [column for column in labels if plain_header(column) in _TARGETS]
        chosen = named if len(labels) > 1 or numbers else labels
        if len(chosen) != 1 or chosen[0]["several"]:
            return None
        roles = {"first": pair[0], "second": pair[1]}
        label = str(chosen[0]["name"])
        found = certain(self, {**roles, "label": label}, "pair_label", labels=chosen[0]["distinct"])
        if not may_be_amount(chosen[0]):
            return found
        score = certain(tasks.get("similarity"), {**roles, "score": label}, "pair_score")
        told = {**roles, "label": label, "different": chosen[0]["distinct"]}
        return Suggestion(None, {}, False, "data.question.score_or_label", told, (score, found))

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """Every pair of texts beside each column of labels."""
        from studio.data.roles import certain, of_kind

        labels = of_kind(columns, "label")
        return [
            certain(
                self,
                {"first": one, "second": other, "label": str(column["name"])},
                "pair_label",
                labels=column["distinct"],
            )
            for one, other in text_pairs(columns)
            for column in labels
            if str(column["name"]) not in (one, other)
        ]

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        places = {label: place for place, label in enumerate(facts["labels"])}
        items = encode_pairs(rows, tokenizer, facts.get("prefix", ""), max_length)
        for row, item in zip(rows, items, strict=True):
            if row.get("label") in places:
                item["labels"] = places[str(row["label"])]
        return items


tasks.register(PairClassification())
