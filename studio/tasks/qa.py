"""Questions about a text whose answer is a part of it, or none: extractive question answering, as in SQuAD."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.data import answers
from studio.options import option
from studio.problem import Problem
from studio.tasks import passages
from studio.tasks.base import Item, Prediction, Role, Row, Rows, Task, tasks
from studio.tasks.layers import HEADS, own_head
from studio.tasks.spanheads import load_finder
from studio.tasks.tokenheads import logits_of

if TYPE_CHECKING:
    import torch

    from studio.data.roles import Column, Suggestion

CANDIDATES = 5
"""Parts of a window that are kept, the likeliest first."""
OTHERS = 2
"""Further candidates that an answer names."""
_EXAMPLES = 5
_LONG_QUESTION = 100
"""Estimated tokens from which on a question may be cut."""
_FEW = 20
"""Questions without an answer below which the model can hardly learn when there is none."""
_ROOM = 1.25
"""How many times longer than the longest answer it has seen an answer may be."""
_UNLIKELY = -1e30


@dataclass(frozen=True)
class QaOptions:
    """`overlap` is the share of a window that the next one repeats; `longest` the most characters of an answer, 0 for
    somewhat more than the longest of the training rows; `head` is what tells where an answer begins and ends (see
    `studio.tasks.layers`; only a linear one can have come with the model), `dropout` is that of the head."""

    overlap: float = option(0.33, low=0.0, high=0.5, step=0.01)
    longest: int = option(0, low=0, high=2000, step=10)
    head: str = option("linear", choices=HEADS)
    dropout: float = option(0.1, low=0.0, high=0.5, step=0.05)


class Qa(Task):
    """A start and an end for each answer; windows over long passages; "no answer" where the data have it."""

    key = "qa"
    order = 13
    result = "spans"
    auto_class = "AutoModel"
    peft_type = "QUESTION_ANS"
    main_metric = "answer_f1"
    cuts = False
    head: ClassVar[tuple[str, ...]] = ("qa_outputs",)
    truths: ClassVar[tuple[str, ...]] = ("answers", "start", "impossible")
    blanks: ClassVar[Mapping[str, int]] = {"starts": passages.NOWHERE, "ends": passages.NOWHERE}
    alterable: ClassVar[tuple[str, ...]] = ("question",)
    roles = (
        Role("question", ("question", "query", "question_text", "query_text", "问题", "提问", "查询")),
        Role(
            "context",
            ("context", "passage", "paragraph", "document", "article", "text", "context_text")
            + ("上下文", "段落", "文章", "原文", "篇章", "材料", "文本"),
        ),
        Role("answers", ("answers", "answer", "answer_text", "答案", "回答"), blank=True),
        Role(
            "start",
            ("answer_start", "start", "answer_starts", "start_position", "start_char")
            + ("起始位置", "答案位置", "开始位置", "答案起始位置", "答案起点"),
            required=False,
        ),
        Role("impossible", ("is_impossible", "impossible", "unanswerable", "无答案", "不可回答"), required=False),
    )
    Options = QaOptions

    def problems(self, rows: Rows) -> list[Problem]:
        """Answers that cannot be read or do not stand in their text, those that were found elsewhere, rows without an
        answer, questions that may be cut."""
        told = answers.problems(rows)
        found = [
            Problem(code, _severity(code, count, len(rows)), "columns.answers", count, tuple(shown), values)
            for code, (count, shown, values) in told.items()
        ]
        sound = [(number, row) for number, row in enumerate(rows, 1) if self.usable(row)]
        none = [(number, row) for number, row in sound if not answers.reading_of(row).answers]
        if none and len(none) == len(sound):
            return [*found, _about("answers_none", "error", none)]
        if none:
            found.append(_about("answers_empty", "note", none))
        if 0 < len(none) < _FEW:
            found.append(_about("answers_empty_few", "warning", none, wanted=_FEW))
        long = [(number, row) for number, row in sound if _tokens(row.get("question") or "") > _LONG_QUESTION]
        if long:
            found.append(_about("question_long", "note", long))
        return found

    def usable(self, row: Row) -> bool:
        texts = (row.get("question"), row.get("context"))
        return all((text or "").strip() for text in texts) and "answers" in row and answers.reading_of(row).sound

    def question(self, row: Row) -> str:
        """The question and, below it, the text."""
        return f"{row.get('question') or ''}\n{row.get('context') or ''}".strip("\n")

    def preview(self, row: Row) -> str:
        return f"{' '.join((row.get('question') or '').split())} ↔ {' '.join((row.get('context') or '').split())}"[:240]

    def ties(self, row: Row) -> list[str]:
        """Questions about one text stay in one part of the split: elsewhere it would be known already."""
        return [self.question(row), row.get("context") or ""]

    def truth(self, row: Row) -> str | None:
        """The answers as people read them, "-" for none."""
        expected = self.expected(row)
        return None if expected is None else " | ".join(dict.fromkeys(text for text, _ in expected)) or "-"

    def expected(self, row: Row) -> list[list[Any]] | None:
        """[[text, start], ...], none for a question without an answer; None where the row has no readable truth."""
        if "answers" not in row:
            return None
        found = answers.reading_of(row)
        return [list(one) for one in found.answers] if found.sound else None

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """A question, a text and an answer by their headers, where a column says the answer's place, or that there is
        none, or the answers' own form does. An answer without a place may as well be written freely."""
        from studio.data.roles import certain

        chosen = self._named(columns)
        if chosen is None:
            return None
        cells = next(column["examples"] for column in columns if str(column["name"]) == chosen["answers"])
        if not ({"start", "impossible"} & set(chosen) or answers.looks_like_answers(cells)):
            return None
        return certain(self, chosen, "answer_spans")

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """The same by the headers alone."""
        from studio.data.roles import certain

        chosen = self._named(columns)
        return [] if chosen is None else [certain(self, chosen, "answer_spans")]

    def _named(self, columns: Sequence[Column]) -> dict[str, str] | None:
        """Roles to columns by their headers, of each the first word that one has; None where a required one lacks."""
        from studio.data.roles import plain_header

        known = {plain_header(column): str(column["name"]) for column in reversed(columns)}
        chosen: dict[str, str] = {}
        for role in self.roles:
            name = next((known[name] for name in role.names if name in known), None)
            if name is not None and name not in chosen.values():
                chosen[role.key] = name
            elif role.required:
                return None
        return chosen

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """Whether some questions have no answer, the most characters of one, how far windows overlap, and a head that
        is not linear."""
        found = [self.expected(row) or [] for row in train]
        longest = max((len(text) for one in found for text, start in one if start >= 0), default=40)
        return {
            "unanswerable": any(not one for one in found),
            "longest": options.longest or math.ceil(_ROOM * longest),
            "overlap": options.overlap,
            "threshold": 0.5,
            **own_head(options),
        }

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        return load_finder(folder, options.dropout, facts.get("head", "linear"))

    def knows(self, model: torch.nn.Module) -> bool:
        """Whether the model came with a head for answers."""
        return bool(getattr(model, "taught", False))

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """Windows of the rows, see `passages.encode`. `labels` are the tokens with which the row's first answer begins
        and ends; of a window that does not hold it, and of a question without one, twice the first token."""
        questions, texts = ([row.get(role) or "" for row in rows] for role in ("question", "context"))
        items = passages.encode(questions, texts, tokenizer, facts["overlap"], max_length)
        truths = [self.expected(row) for row in rows]
        for item in items:
            truth = truths[item["row"]]
            if truth is not None:
                text, start = truth[0] if truth else ("", -1)
                item["labels"] = passages.labels(item, start, start + len(text)) if start >= 0 else [0, 0]
        return items

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        """The mean of both ends' cross-entropies, over the tokens where an answer may begin, or end, and the first."""
        return _losses(logits_of(model, batch), batch).sum()

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return len(batch["labels"])

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        """For each window {"spans": [[start, end, score], ...] in characters, the likeliest first; "none": the score of
        no answer here; "all": the logarithm of the sum of all parts' exponentials; "question_cut"}, and its loss."""
        import torch

        with torch.no_grad():
            scores = logits_of(model, batch)
            starts, ends = batch["starts"][:, :, None], batch["ends"][:, None, :]
            long = ends - starts
            fits = (starts >= 0) & (ends >= 0) & (long > 0) & (long <= facts["longest"])
            parts = (scores[:, :, None, 0] + scores[:, None, :, 1]).masked_fill(~fits, _UNLIKELY).flatten(1)
            best, places = parts.topk(min(CANDIDATES, parts.shape[1]), dim=1)
            everything, none = parts.logsumexp(1), scores[:, 0].sum(1)
            width = scores.shape[1]
            losses = _losses(scores, batch).tolist() if "labels" in batch else None
            begin, finish = batch["starts"].tolist(), batch["ends"].tolist()
            found = []
            for place in range(len(scores)):
                spans = [
                    [begin[place][at // width], finish[place][at % width], score]
                    for at, score in zip(places[place].tolist(), best[place].tolist(), strict=True)
                    if score > _UNLIKELY / 2
                ]
                item: Prediction = {"spans": spans, "none": float(none[place]), "all": float(everything[place])}
                item["question_cut"] = int(batch["question_cut"][place])
                if losses is not None:
                    item["loss"] = losses[place]
                found.append(item)
        return found

    def combine(self, windows: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        """{"text", "start", "end", "score", "others": [{"text", "start", "end", "score"}], "question_cut"}: the part
        with the highest score of all windows and its probability within its own, "" and -1 for no answer. Where the
        data have questions without one also "none", its probability against the best part (that there is nowhere one
        is said by the window that is least sure of it), and "threshold", from which on it is the answer."""
        context, best = row.get("context") or "", _candidates(windows)
        parts = [
            {"text": context[start:end], "start": start, "end": end, "score": share} for _, start, end, share in best
        ]
        found: Prediction = {"text": "", "start": -1, "end": -1, "score": 0.0}
        if parts:
            found = dict(parts[0])
        found["others"] = parts[1 : 1 + OTHERS]
        found["question_cut"] = max(window["question_cut"] for window in windows)
        if facts["unanswerable"]:
            gap = min(window["none"] for window in windows) - (best[0][0] if best else _UNLIKELY)
            found["none"] = 1.0 if gap > 30 else 1 / (1 + math.exp(-max(gap, -500.0)))
            found["threshold"] = facts["threshold"]
            found["likeliest"] = dict(parts[0]) if parts else None
            if found["none"] >= facts["threshold"]:
                found |= {"text": "", "start": -1, "end": -1, "score": found["none"], "others": []}
        if all("loss" in window for window in windows):
            found["loss"], found["windows"] = sum(window["loss"] for window in windows), len(windows)
        return found


def _losses(scores: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The loss of each window, (B,)."""
    import torch

    total: Any = 0.0
    for side, name in enumerate(("starts", "ends")):
        allowed = batch[name] >= 0
        allowed[:, 0] = True
        masked = scores[:, :, side].masked_fill(~allowed, _UNLIKELY)
        total = total + torch.nn.functional.cross_entropy(masked, batch["labels"][:, side], reduction="none") / 2
    losses: torch.Tensor = total
    return losses


def _candidates(windows: Sequence[Prediction]) -> list[tuple[float, int, int, float]]:
    """(score, start, end, probability) of the likeliest parts of all windows, none overlapping a likelier one."""
    told = [
        (score, start, end, math.exp(min(0.0, score - _together(window["all"], window["none"]))))
        for window in windows
        for start, end, score in window["spans"]
    ]
    kept: list[tuple[float, int, int, float]] = []
    for one in sorted(told, key=lambda part: (-part[0], part[1], part[2])):
        if all(one[2] <= other[1] or other[2] <= one[1] for other in kept):
            kept.append(one)
    return kept


def _together(one: float, other: float) -> float:
    """The logarithm of the sum of two exponentials."""
    high, low = max(one, other), min(one, other)
    return high + math.log1p(math.exp(max(low - high, -700.0)))


def _tokens(text: str) -> int:
    from studio.data.checks import estimated_tokens

    return estimated_tokens(text)


def _about(code: str, severity: str, rows: Sequence[tuple[int, Row]], **values: Any) -> Problem:
    shown = tuple((number, (row.get("question") or "")[:160]) for number, row in rows[:_EXAMPLES])
    field = "columns.question" if code == "question_long" else "columns.answers"
    return Problem(code, severity, field, len(rows), shown, {"row": rows[0][0], **values})


def _severity(code: str, count: int, rows: int) -> str:
    if code not in answers.LEFT_OUT:
        return "note"
    return "error" if count == rows else "warning"


tasks.register(Qa())
