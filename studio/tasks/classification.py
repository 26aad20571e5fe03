"""Text classification: one label a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

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

_EXAMPLES = 3


@dataclass(frozen=True)
class LabelOptions:
    """`class_weights` gives rare labels the same say as common ones, `oversample` draws their rows more often (see
    `studio.tasks.uneven`), `focal_gamma` is that of the focal loss (0: cross-entropy); `head` is what tells the labels
    (see `studio.tasks.layers`), `dropout` is that of the head. `label_smoothing` is the share of the truth that is
    spread over all labels (Szegedy et al. 2016): on few rows a model that is kept from being too sure is right more
    often, see RESULTS.md of the benchmarks."""

    class_weights: bool = option(False)
    oversample: float = option(0.0, low=0.0, high=1.0, step=0.25)
    focal_gamma: float = option(0.0, low=0.0, high=5.0, step=0.5)
    label_smoothing: float = option(0.1, low=0.0, high=0.3, step=0.05)
    head: str = option("linear", choices=HEADS)
    dropout: float = option(0.1, low=0.0, high=0.5, step=0.05)


@dataclass(frozen=True)
class ClassificationOptions(LabelOptions):
    """`windows`: how many windows of a text too long for one are read at most (1: the rest is cut away); `context`: how
    many earlier rows of the same conversation or document are read before the text."""

    windows: int = option(4, low=1, high=64, step=1)
    context: int = option(0, low=0, high=MOST, step=1)


class Classification(Task):
    """Which of a few labels belongs to a text."""

    key = "classification"
    order = 10
    result = "labels"
    auto_class = "AutoModel"
    peft_type = "SEQ_CLS"
    main_metric = "macro_f1"
    one_window = True
    alterable: ClassVar[tuple[str, ...]] = ("text",)
    head: ClassVar[tuple[str, ...]] = ("classifier",)
    roles: ClassVar[tuple[Role, ...]] = (
        Role(
            "text",
            ("text", "sentence", "review", "message", "content", "body", "comment", "utterance", "ticket", "question")
            + ("文本", "内容", "评论", "评价", "正文", "句子", "留言"),
        ),
        Role(
            "label",
            ("label", "category", "class", "sentiment", "intent", "target", "topic", "team", "tag", "rating")
            + ("标签", "类别", "分类", "情感", "意图", "主题"),
        ),
    )
    grouping: ClassVar[tuple[Role, ...]] = GROUPING
    Options: ClassVar[type[LabelOptions]] = ClassificationOptions

    def ties(self, row: Row) -> list[str]:
        return ties_of(row)

    def problems(self, rows: Rows) -> list[Problem]:
        """No label at all, only one, or nearly as many labels as rows (then the column is no label)."""
        counts = Counter(row.get("label") for row in rows if row.get("label"))
        if not counts:
            return [Problem("labels_none", "error", "columns.label")]
        if len(counts) == 1:
            label = next(iter(counts))
            return [Problem("labels_one", "error", "columns.label", counts[label], values={"label": label})]
        found = []
        if len(counts) > 20 and len(counts) > sum(counts.values()) / 3:
            shown = tuple((number + 1, str(row["label"])) for number, row in enumerate(rows[:_EXAMPLES]))
            values = {"labels": len(counts), "rows": sum(counts.values())}
            found.append(Problem("labels_too_many", "error", "columns.label", len(counts), shown, values))
        return found

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """The sorted labels of the training rows, how many windows of a text are read at most, how many earlier rows
        before it, a head that is not linear, and each label's weight in the loss where weights were asked for."""
        counts = Counter(str(row["label"]) for row in train if row.get("label"))
        windows_read = getattr(options, "windows", 1)
        facts: dict[str, Any] = {"labels": sorted(counts), "windows": windows_read, **own_head(options)}
        facts |= asked_context(options)
        if options.class_weights:
            total = sum(counts.values())
            facts["class_weights"] = [total / (len(counts) * counts[label]) for label in facts["labels"]]
        return facts

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        import torch

        encoder = load_encoder(folder)
        model: torch.nn.Module = pooled_classifier()(
            encoder, len(facts["labels"]), options.dropout, facts.get("head", "linear")
        )
        if "class_weights" in facts:
            model.class_weights.copy_(torch.tensor(facts["class_weights"]))  # type: ignore[operator]
        return model

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        places = {label: place for place, label in enumerate(facts["labels"])}
        items: list[Item] = []
        for row, parts in zip(rows, read_texts(rows, tokenizer, facts, max_length), strict=True):
            label = row.get("label")
            truth = {"labels": places[str(label)]} if label in places else {}
            items += [{**item, **truth} for item in parts]
        return items

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        import torch

        logits, labels = self._logits(model, batch).float(), batch["labels"]
        each: torch.Tensor = torch.nn.functional.cross_entropy(
            logits, labels, reduction="none", label_smoothing=options.label_smoothing
        )
        # The weight of a row is that of its label, also for the share of the truth that is spread over the others.
        each = each * core_of(model).class_weights[labels]
        if options.focal_gamma:
            each = each * focal(logits.softmax(-1).gather(1, labels.unsqueeze(1)).squeeze(1), options.focal_gamma)
        total: torch.Tensor = each.sum()
        return total

    def pulls(self, labels: Sequence[Any], share: float) -> list[float]:
        counts = Counter(labels)
        return [pull(counts[label], share) for label in labels]

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return len(batch["labels"])

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        import torch

        with torch.no_grad():
            shares = torch.softmax(self._logits(model, batch).float(), -1).cpu()
        labels = facts["labels"]
        return [
            {"label": labels[int(row.argmax())], "scores": dict(zip(labels, row.tolist(), strict=True))}
            for row in shares
        ]

    def combine(self, found: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        scores = mean_scores(found)
        return {"label": max(scores, key=lambda label: scores[label]), "scores": scores}

    @staticmethod
    def _logits(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        logits: torch.Tensor = model(**inputs_of(batch)).logits
        return logits


tasks.register(Classification())
