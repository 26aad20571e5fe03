"""Regression on text: a number a text, such as a rating, a price or a severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.data.numbers import are_numbers, number_problems, parse, scale_of
from studio.options import option
from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Role, Row, Rows, Task, tasks
from studio.tasks.earlier import GROUPING, MOST, asked_context, read_texts, ties_of
from studio.tasks.heads import inputs_of, load_encoder, pooled_classifier
from studio.tasks.layers import HEADS, own_head
from studio.tasks.pairs import pair_of

if TYPE_CHECKING:
    import torch

    from studio.data.roles import Column, Suggestion

_CLASSES = 5
"""As many different whole numbers, or more, may be amounts as well as names of classes; two or three are names."""
FEWEST = 3
"""As many may be amounts where somebody says that they are."""
_NAMES = frozenset("label labels class category 标签 类别 分类".split())
"""Headers of numbers that are names of classes."""


@dataclass(frozen=True)
class RegressionOptions:
    """`head` is what tells the number (see `studio.tasks.layers`), `dropout` is that of the head; `windows` how many
    windows of a too long text are read at most (1: the rest is cut away), `context` how many earlier rows of the same
    conversation or document before it."""

    head: str = option("linear", choices=HEADS)
    dropout: float = option(0.1, low=0.0, high=0.5, step=0.05)
    windows: int = option(4, low=1, high=64, step=1)
    context: int = option(0, low=0, high=MOST, step=1)


class Regression(Task):
    """Which number belongs to a text. It is standardised inside and shown in the unit of the data."""

    key = "regression"
    order = 14
    result = "score"
    auto_class = "AutoModel"
    peft_type = "SEQ_CLS"
    main_metric = "rmse"
    lower_is_better = True
    one_window = True
    alterable: ClassVar[tuple[str, ...]] = ("text",)
    head: ClassVar[tuple[str, ...]] = ("classifier",)
    roles = (
        Role(
            "text",
            ("text", "sentence", "review", "message", "content", "body", "comment", "description", "essay")
            + ("文本", "内容", "评论", "评价", "正文", "句子", "描述", "作文"),
        ),
        Role(
            "number",
            ("number", "rating", "score", "stars", "grade", "value", "price", "target", "y")
            + ("评分", "分数", "得分", "星级", "价格", "数值"),
        ),
    )
    grouping = GROUPING
    Options = RegressionOptions

    def ties(self, row: Row) -> list[str]:
        return ties_of(row)

    def problems(self, rows: Rows) -> list[Problem]:
        """Cells that are no numbers, one number only, and more; see `number_problems`."""
        return number_problems(rows, "number")

    def usable(self, row: Row) -> bool:
        return bool((row.get("text") or "").strip()) and self.expected(row) is not None

    def truth(self, row: Row) -> str | None:
        return None if self.expected(row) is None else str(row["number"]).strip()

    def expected(self, row: Row) -> float | None:
        return parse(row.get("number"))

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """Sure of one text beside one column of numbers whose header means an amount. Numbers that may as well be
        classes, or that stand beside a column of labels, are a question."""
        from studio.data.roles import certain, of_kind, plain_header, texts_among

        texts = texts_among(self, columns)
        amounts = [column for column in of_kind(columns, "number") if self._named(column)]
        labels = of_kind(columns, "label")
        if len(texts) != 1 or pair_of(columns) or any(column["several"] for column in labels):
            return None
        text = str(texts[0]["name"])
        if not labels and len(amounts) == 1:
            return certain(self, {"text": text, "number": str(amounts[0]["name"])}, "one_number")
        either = [column for column in labels if may_be_amount(column)]
        if len(labels) == 1 and len(either) == 1 and not amounts:
            return self._asked(text, either[0], either[0], "number_or_label")
        if len(labels) == 1 and len(amounts) == 1 and plain_header(labels[0]) not in _NAMES:
            return self._asked(text, amounts[0], labels[0], "number_beside_label")
        return None

    def _asked(self, text: str, amount: Column, label: Column, code: str) -> Suggestion:
        """A question whose answers are the number as an amount and the label as a class; the likelier comes first."""
        from studio.data.roles import Suggestion, certain

        amount_name, label_name = str(amount["name"]), str(label["name"])
        classes = tasks.get("classification")
        both = [
            certain(self, {"text": text, "number": amount_name}, "one_number"),
            certain(classes, {"text": text, "label": label_name}, "one_label", labels=label["distinct"]),
        ]
        told = {"text": text, "number": amount_name, "label": label_name, "different": label["distinct"]}
        return Suggestion(None, {}, False, f"data.question.{code}", told, tuple(both))

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """Every column of numbers beside each text; the number of a pair belongs to both its texts."""
        from studio.data.roles import certain, of_kind, texts_among

        if pair_of(columns):
            return []
        amounts = [
            column
            for column in of_kind(columns, "number", "label", "id")
            if column["kind"] == "number"
            or (column["kind"] == "label" and may_be_amount(column, FEWEST))
            or (column["kind"] == "id" and self._named(column) and are_numbers(column["examples"]))
        ]
        return [
            certain(self, {"text": str(text["name"]), "number": str(column["name"])}, "one_number")
            for column in amounts
            for text in texts_among(self, columns)
        ]

    def _named(self, column: Column) -> bool:
        from studio.data.roles import plain_header

        names = next(role.names for role in self.roles if role.key == "number")
        return plain_header(column) in names

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """Mean and spread of the training numbers, by which they are standardised, their range, how many decimals are
        worth showing, how many windows of a text are read at most, earlier rows before it, and a head that is not
        linear."""
        scale = scale_of([value for row in train if (value := self.expected(row)) is not None])
        return {**scale, "windows": options.windows, **own_head(options), **asked_context(options)}

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        model: torch.nn.Module = pooled_classifier()(
            load_encoder(folder), 1, options.dropout, facts.get("head", "linear")
        )
        return model

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """`labels` is the standardised number."""
        items: list[Item] = []
        for row, parts in zip(rows, read_texts(rows, tokenizer, facts, max_length), strict=True):
            value = self.expected(row)
            truth = {} if value is None else {"labels": (value - facts["mean"]) / facts["scale"]}
            items += [{**item, **truth} for item in parts]
        return items

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        """Squared error of standardised numbers."""
        said = model(**inputs_of(batch)).logits[:, 0].float()
        loss: torch.Tensor = ((said - batch["labels"]) ** 2).sum()
        return loss

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return len(batch["labels"])

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        import torch

        with torch.no_grad():
            said = model(**inputs_of(batch)).logits[:, 0].double().cpu().tolist()
        return [scored(facts["mean"] + facts["scale"] * value, facts) for value in said]

    def combine(self, found: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        return scored(sum(one["score"] for one in found) / len(found), facts)


def may_be_amount(column: Column, fewest: int = _CLASSES) -> bool:
    """Whether a column of few recurring values holds numbers that may be amounts: `fewest` different ones, and a header
    that does not say "class"."""
    from studio.data.roles import plain_header

    values = [str(value) for value, _ in column["top"]]
    return column["distinct"] >= fewest and plain_header(column) not in _NAMES and are_numbers(values)


def scored(value: float, facts: Mapping[str, Any], **more: Any) -> Prediction:
    """{"score", "low", "high", "digits"}: a number, the range seen in training, and the decimals worth showing."""
    return {"score": value, **{name: facts[name] for name in ("low", "high", "digits")}, **more}


tasks.register(Regression())
