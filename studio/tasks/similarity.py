"""Sentence pairs with a score: how alike two texts are. The tuned model also finds the nearest rows to any text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.data.numbers import number_problems, parse, scale_of
from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Role, Row, Rows, Task, tasks
from studio.tasks.heads import inputs_of, load_encoder
from studio.tasks.pairheads import pair_scorer
from studio.tasks.pairs import FIRST, SECOND, beside, encode_beside, joined, pair_of, pair_ties, text_pairs
from studio.tasks.regression import FEWEST, may_be_amount, scored

if TYPE_CHECKING:
    import torch

    from studio.data.roles import Column, Suggestion


@dataclass(frozen=True)
class SimilarityOptions:
    """There is nothing to choose: the head is a line from the cosine to the score."""


class Similarity(Task):
    """A bi-encoder: each text is read by itself, the score follows from the cosine of the two vectors."""

    key = "similarity"
    order = 16
    result = "similarity"
    auto_class = "AutoModel"
    peft_type = "SEQ_CLS"
    main_metric = "spearman"
    head: ClassVar[tuple[str, ...]] = ("classifier", "emphasis")
    roles = (
        FIRST,
        SECOND,
        Role(
            "score",
            ("score", "similarity", "similarity_score", "sim", "relatedness", "relatedness_score")
            + ("相似度", "得分", "分数", "评分", "相关度"),
        ),
    )
    Options = SimilarityOptions

    def problems(self, rows: Rows) -> list[Problem]:
        """Scores that are no numbers, one score only, and more; see `number_problems`."""
        return number_problems(rows, "score", classes=False)

    def usable(self, row: Row) -> bool:
        texts = (row.get("first"), row.get("second"))
        return all((text or "").strip() for text in texts) and self.expected(row) is not None

    def question(self, row: Row) -> str:
        return joined(row)

    def preview(self, row: Row) -> str:
        return beside(row)

    def ties(self, row: Row) -> list[str]:
        return pair_ties(row)

    def truth(self, row: Row) -> str | None:
        return None if self.expected(row) is None else str(row["score"]).strip()

    def expected(self, row: Row) -> float | None:
        return parse(row.get("score"))

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """Sure of a pair by its headers beside one column of numbers whose header means a score."""
        from studio.data.roles import certain, of_kind, plain_header

        pair = pair_of(columns)
        if pair is None:
            return None
        names = next(role.names for role in self.roles if role.key == "score")
        amounts = [
            column
            for column in of_kind(columns, "number", "label")
            if str(column["name"]) not in pair
            and plain_header(column) in names
            and (column["kind"] == "number" or may_be_amount(column))
        ]
        if len(amounts) != 1:
            return None
        return certain(self, {"first": pair[0], "second": pair[1], "score": str(amounts[0]["name"])}, "pair_score")

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """Every pair of texts beside each column of numbers."""
        from studio.data.roles import certain, of_kind

        numbers = [
            column
            for column in of_kind(columns, "number", "label")
            if column["kind"] == "number" or (column["kind"] == "label" and may_be_amount(column, FEWEST))
        ]
        return [
            certain(self, {"first": one, "second": other, "score": str(column["name"])}, "pair_score")
            for one, other in text_pairs(columns)
            for column in numbers
            if str(column["name"]) not in (one, other)
        ]

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """What standardises the training scores, and their range."""
        return scale_of([value for row in train if (value := self.expected(row)) is not None])

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        model: torch.nn.Module = pair_scorer()(load_encoder(folder))
        return model

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """Both texts one after the other, `cut` where the second begins; `labels` is the standardised score."""
        items = encode_beside(rows, tokenizer, facts.get("prefix", ""), max_length)
        for row, item in zip(rows, items, strict=True):
            if (value := self.expected(row)) is not None:
                item["labels"] = (value - facts["mean"]) / facts["scale"]
        return items

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        """Squared error of standardised scores."""
        said = model(**inputs_of(batch)).logits[:, 0].float()
        loss: torch.Tensor = ((said - batch["labels"]) ** 2).sum()
        return loss

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return len(batch["labels"])

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        """{"score", "low", "high", "digits", "cosine"} a row."""
        import torch

        with torch.no_grad():
            said = model(**inputs_of(batch)).logits.double().cpu().tolist()
        return [scored(facts["mean"] + facts["scale"] * value, facts, cosine=near) for value, near in said]


tasks.register(Similarity())
