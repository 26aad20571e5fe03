"""Multi-label classification: any number of labels a text, none included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.data.labelsets import are_lists, parse, written
from studio.options import option
from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Role, Row, Rows, Task, tasks
from studio.tasks.earlier import GROUPING, MOST, asked_context, read_texts, ties_of
from studio.tasks.heads import core_of, inputs_of, load_encoder, pooled_classifier
from studio.tasks.layers import HEADS, own_head
from studio.tasks.uneven import focal, pull
from studio.tasks.windows import mean_scores

if TYPE_CHECKING:
    import torch

    from studio.data.roles import Column, Suggestion

_EXAMPLES = 5
_HEAVIEST = 20.0
"""The most that one row of a rare label weighs."""
THRESHOLD = 0.5


@dataclass(frozen=True)
class MultiLabelOptions:
    """`class_weights` gives rare labels more say, `oversample` draws rows with rare labels more often (see
    `studio.tasks.uneven`), `focal_gamma` is that of the focal loss (0: cross-entropy); `head` is what tells the
    labels (see `studio.tasks.layers`), `dropout` is that of the head; `windows` how many
    windows of a text too long for one are read at most (1: the rest is cut away), `context` how many earlier rows
    of the same conversation or document before it."""

    class_weights: bool = option(False)
    oversample: float = option(0.0, low=0.0, high=1.0, step=0.25)
    focal_gamma: float = option(0.0, low=0.0, high=5.0, step=0.5)
    head: str = option("linear", choices=HEADS)
    dropout: float = option(0.1, low=0.0, high=0.5, step=0.05)
    windows: int = option(4, low=1, high=64, step=1)
    context: int = option(0, low=0, high=MOST, step=1)


class MultiLabel(Task):
    """Which of the labels belong to a text, each a question of its own."""

    key = "multilabel"
    order = 12
    result = "multilabel"
    auto_class = "AutoModel"
    peft_type = "SEQ_CLS"
    main_metric = "micro_f1"
    one_window = True
    alterable: ClassVar[tuple[str, ...]] = ("text",)
    head: ClassVar[tuple[str, ...]] = ("classifier",)
    roles = (
        Role("text", ("text", "sentence", "comment", "content", "body", "文本", "内容", "评论", "正文", "句子")),
        Role("labels", ("labels", "tags", "categories", "topics", "emotions", "genres", "标签", "类别", "主题")),
    )
    grouping = GROUPING
    Options = MultiLabelOptions

    def ties(self, row: Row) -> list[str]:
        return ties_of(row)

    def problems(self, rows: Rows) -> list[Problem]:
        """Cells that are no labels, no label at all, one only, and too many for the rows."""
        broken = [(number, str(row["labels"])[:160]) for number, row in enumerate(rows, 1) if _broken(row)]
        counts = Counter(label for row in rows for label in self.expected(row) or ())
        found = []
        if broken:
            values = {"row": broken[0][0], "cell": broken[0][1][:80]}
            shown = tuple(broken[:_EXAMPLES])
            found.append(Problem("labels_unreadable", "warning", "columns.labels", len(broken), shown, values))
        if not counts:
            return [*found, Problem("labels_none", "error", "columns.labels")]
        if len(counts) == 1 and all(self.expected(row) for row in rows if self.usable(row)):
            label = next(iter(counts))
            values = {"label": label}
            return [*found, Problem("labels_one", "error", "columns.labels", counts[label], values=values)]
        if len(counts) > 30 and len(counts) > len(rows) / 3:
            values = {"labels": len(counts), "rows": len(rows)}
            found.append(Problem("labels_too_many", "error", "columns.labels", len(counts), values=values))
        return found

    def usable(self, row: Row) -> bool:
        return bool((row.get("text") or "").strip()) and self.expected(row) is not None

    def truth(self, row: Row) -> str | None:
        labels = self.expected(row)
        return None if labels is None else written(sorted(labels))

    def expected(self, row: Row) -> list[str] | None:
        cell = row.get("labels")
        if cell is None or not cell.strip() or _broken(row):
            return None
        return parse(cell)

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """One text beside one column of lists; a column joined from columns of 0 and 1 is one."""
        from studio.data.roles import certain, texts_among

        lists = [column for column in columns if are_lists(column)]
        texts = [column for column in texts_among(self, columns) if column not in lists]
        if len(lists) != 1 or len(texts) != 1:
            return None
        chosen = {"text": str(texts[0]["name"]), "labels": str(lists[0]["name"])}
        return certain(self, chosen, "label_lists")

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """A column that joins labels with a mark, or holds lists, beside each text."""
        from studio.data.roles import certain, texts_among

        sets = [column for column in columns if are_lists(column) or column["several"] in tuple(";|")]
        return [
            certain(self, {"text": str(text["name"]), "labels": str(column["name"])}, "label_lists")
            for column in sets
            for text in texts_among(self, columns)
            if text is not column
        ]

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """The sorted labels of the training rows, how many windows of a text are read at most, how many earlier rows
        before it, a head that is not linear, and what a row of each label weighs where weights were asked for."""
        counts = Counter(label for row in train for label in self.expected(row) or ())
        facts: dict[str, Any] = {"labels": sorted(counts), "windows": options.windows, **own_head(options)}
        facts |= asked_context(options)
        if options.class_weights:
            total = len(train)
            weights = [(total - counts[label]) / counts[label] for label in facts["labels"]]
            facts["class_weights"] = [min(max(weight, 1.0), _HEAVIEST) for weight in weights]
        return facts

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        import torch

        model: torch.nn.Module = pooled_classifier()(
            load_encoder(folder), len(facts["labels"]), options.dropout, facts.get("head", "linear")
        )
        if "class_weights" in facts:
            model.class_weights.copy_(torch.tensor(facts["class_weights"]))  # type: ignore[operator]
        return model

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        items: list[Item] = []
        for row, parts in zip(rows, read_texts(rows, tokenizer, facts, max_length), strict=True):
            labels = self.expected(row)
            truth = {} if labels is None else {"labels": [float(label in labels) for label in facts["labels"]]}
            items += [{**item, **truth} for item in parts]
        return items

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        """Binary cross-entropy, averaged over the labels of a row."""
        import torch

        logits = model(**inputs_of(batch)).logits.float()
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, batch["labels"], pos_weight=core_of(model).class_weights, reduction="none"
        )
        if options.focal_gamma:
            # The probability of what is true of each label: that it belongs, or that it does not.
            each = each * focal(torch.sigmoid(logits * (2 * batch["labels"] - 1)), options.focal_gamma)
        loss: torch.Tensor = each.sum() / logits.shape[1]
        return loss

    def pulls(self, labels: Sequence[Any], share: float) -> list[float]:
        """A row counts by the rarest of its labels; one without labels as a row of the commonest."""
        counts = [int(sum(column)) for column in zip(*labels, strict=True)]
        drawn = [pull(count, share) if count else 0.0 for count in counts]
        common = min((one for one in drawn if one), default=1.0)
        return [max((one for one, mark in zip(drawn, row, strict=True) if mark), default=common) for row in labels]

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return len(batch["labels"])

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        import torch

        with torch.no_grad():
            shares = torch.sigmoid(model(**inputs_of(batch)).logits.float()).cpu().tolist()
        return [answer_of(dict(zip(facts["labels"], row, strict=True)), facts.get("thresholds")) for row in shares]

    def combine(self, found: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        return answer_of(mean_scores(found), facts.get("thresholds"))


def answer_of(scores: dict[str, float], thresholds: dict[str, float] | None) -> Prediction:
    """{"labels", "scores", "thresholds"}: every label whose probability reaches its threshold."""
    bounds = {label: (thresholds or {}).get(label, THRESHOLD) for label in scores}
    chosen = [label for label, share in scores.items() if share >= bounds[label]]
    return {"labels": chosen, "scores": scores, "thresholds": bounds}


def _broken(row: Row) -> bool:
    try:
        parse(row.get("labels") or "")
    except ValueError:
        return True
    return False


tasks.register(MultiLabel())
