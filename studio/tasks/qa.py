"""Extractive question answering: which part of a passage answers a question, and whether any part does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from studio.data import answers
from studio.options import option
from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Role, Row, Rows, Task, tasks
from studio.tasks.heads import load_encoder
from studio.tasks.tokenheads import logits_of, overlap_of, token_classifier

if TYPE_CHECKING:
    import torch

    from studio.data.roles import Column, Suggestion

_QUESTION_SHARE = 0.5
"""Of a window, the most that a question takes; what is longer is read without its end."""
_ENDS = 20
"""Likeliest beginnings and ends of a window that are paired."""
_KEPT = 10
"""Likeliest answers of a window that are kept."""
_LONGER = 1.5
"""How much longer than any answer of the training rows an answer may be."""


@dataclass(frozen=True)
class QaOptions:
    """`overlap` is the share of a window that the next one repeats; `dropout` is that of the head."""

    overlap: float = option(0.35, low=0.0, high=0.5, step=0.05)
    dropout: float = option(0.1, low=0.0, high=0.5, step=0.05)


class Qa(Task):
    """The words of a passage that answer a question; where the data has questions without an answer, none as well."""

    key = "qa"
    order = 16
    result = "span"
    auto_class = "AutoModel"
    peft_type = "QUESTION_ANS"
    main_metric = "answer_f1"
    head: ClassVar[tuple[str, ...]] = ("classifier",)
    roles = (
        Role("context", ("context", "passage", "paragraph", "document", "上下文", "段落", "文章", "原文")),
        Role("question", ("question", "query", "问题", "提问")),
        Role("answers", ("answers", "answer", "答案")),
    )
    bare = "question"
    Options = QaOptions

    def problems(self, rows: Rows) -> list[Problem]:
        """Cells that cannot be read, answers that do not stand in their passage, nothing to learn at all."""
        found = answers.problems(rows, "context", "answers")
        if not any(self.usable(row) for row in rows):
            return [*found, Problem("answers_none", "error", "columns.answers")]
        return found

    def usable(self, row: Row) -> bool:
        return super().usable(row) and read_answers(row).sound

    def question(self, row: Row) -> str:
        """The question and, below it, the passage: only together do they ask anything."""
        return f"{' '.join((row.get('question') or '').split())}\n\n{row.get('context') or ''}"

    def preview(self, row: Row) -> str:
        return row.get("question") or ""

    def ties(self, row: Row) -> list[str]:
        """A passage is never divided: a model tested on one it has learnt would only have to remember."""
        return [self.question(row), row.get("context") or ""]

    def truth(self, row: Row) -> str | None:
        """The first answer, "-" where the passage has none."""
        if not (row.get("answers") or "").strip():
            return None
        found = read_answers(row)
        return found.answers[0].text if found.answers else "-"

    def expected(self, row: Row) -> Any:
        """The texts of all right answers, none where the passage does not answer; None where the row has no truth."""
        return [one.text for one in read_answers(row).answers] if (row.get("answers") or "").strip() else None

    def guess(self, columns: Sequence[Column]) -> Suggestion | None:
        """A passage, a question, and answers with their places."""
        from studio.data.roles import passage_answers

        return passage_answers(self, columns)

    def offers(self, columns: Sequence[Column]) -> list[Suggestion]:
        """The same by header words alone: the answer may well be a part of the passage."""
        from studio.data.roles import passage_answers

        found = passage_answers(self, columns, placed=False)
        return [found] if found is not None else []

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        """Whether there are questions without an answer, the longest answer in characters, how far windows overlap, and
        by how much "no answer" has to be likelier than the best answer to be given (0 until it is settled)."""
        read = [read_answers(row) for row in train]
        longest = max((len(one.text) for found in read for one in found.answers), default=0)
        return {
            "no_answer": any(found.impossible for found in read),
            "longest": max(20, int(_LONGER * longest)),
            "overlap": options.overlap,
            "margin": 0.0,
        }

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        model: torch.nn.Module = token_classifier()(load_encoder(folder), 2, options.dropout)
        return model

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        """Windows of the passages, each behind its question. `starts` and `ends` are the characters of a token of the
        passage, 0 and 0 elsewhere; `labels` are the answer's first and last token, the window's first where it does
        not hold the answer."""
        if not rows:
            return []
        contexts = [row.get("context") or "" for row in rows]
        asked = _questions(rows, tokenizer, int(_QUESTION_SHARE * max_length))
        cut = tokenizer(
            asked,
            contexts,
            truncation="only_second",
            max_length=max_length,
            stride=overlap_of(tokenizer, facts["overlap"] * (1 - _QUESTION_SHARE), max_length, pair=True),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        truths = [read_answers(row) if (row.get("answers") or "").strip() else None for row in rows]
        items: list[Item] = []
        for window, row in enumerate(cut["overflow_to_sample_mapping"]):
            parts, offsets = cut.sequence_ids(window), cut["offset_mapping"][window]
            told = [
                _narrow(contexts[row], *place) if part == 1 else (0, 0)
                for part, place in zip(parts, offsets, strict=True)
            ]
            item: Item = {
                "input_ids": list(cut["input_ids"][window]),
                "starts": [start for start, _ in told],
                "ends": [end for _, end in told],
                "row": row,
            }
            truth = truths[row]
            if truth is not None:
                item["labels"] = _labels(told, truth)
            items.append(item)
        return items

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        import torch

        losses: torch.Tensor = _losses(_scores(model, batch), batch).sum()
        return torch.as_tensor(losses)

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return len(batch["labels"])

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        """For each window {"spans": [[score, start, end], ...] the likeliest first, "none": the score of no answer},
        scores as logits, and its loss where it has labels."""
        import torch

        with torch.no_grad():
            scores = _scores(model, batch)
            losses = _losses(scores, batch).tolist() if "labels" in batch else []
            starts, ends = scores.unbind(-1)
            most = min(_ENDS, starts.shape[1])
            first, last = starts.topk(most), ends.topk(most)
            found = []
            for place in range(len(scores)):
                spans = _pairs(
                    (first.values[place].tolist(), first.indices[place].tolist()),
                    (last.values[place].tolist(), last.indices[place].tolist()),
                    (batch["starts"][place].tolist(), batch["ends"][place].tolist()),
                    facts["longest"],
                )
                item: Prediction = {"spans": spans, "none": float(scores[place, 0].sum())}
                if losses:
                    item["loss"], item["tokens"] = losses[place], 1
                found.append(item)
        return found

    def combine(self, windows: Sequence[Prediction], row: Row, facts: dict[str, Any]) -> Prediction:
        """{"answer", "start", "end", "score", "no_answer", "margin", "others"}: the likeliest part of all windows ("" and
        0, 0 for none), its probability among the likeliest ones, that of no answer (None where the data has no such
        question), by how much (in logits) no answer is ahead, and the next three; the losses' sum."""
        text = row.get("context") or ""
        best: dict[tuple[int, int], float] = {}
        for score, start, end in (span for window in windows for span in window["spans"]):
            best[start, end] = max(score, best.get((start, end), -math.inf))
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:_KEPT]
        none = min(window["none"] for window in windows)
        found = _answer(text, ranked, none, facts)
        if all("loss" in window for window in windows):
            found["loss"] = sum(window["loss"] for window in windows)
            found["tokens"] = sum(window["tokens"] for window in windows)
        return found


def read_answers(row: Row) -> answers.Reading:
    """What the answers of a row say of its passage."""
    return answers.read(row.get("context") or "", row.get("answers"))


def _questions(rows: Rows, tokenizer: Any, most: int) -> list[str]:
    """The questions, those longer than `most` tokens without their end."""
    asked = [(row.get("question") or "").strip() for row in rows]
    cut = tokenizer(asked, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return [
        text[: offsets[most - 1][1]] if len(offsets) > most else text
        for text, offsets in zip(asked, cut, strict=True)
    ]


def _narrow(text: str, start: int, end: int) -> tuple[int, int]:
    """The characters of the passage that a token covers, without blanks; (0, 0) where it covers nothing else."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else (0, 0)


def _labels(told: Sequence[tuple[int, int]], truth: answers.Reading) -> list[int]:
    """The tokens at which the first right answer begins and ends; 0 and 0 where the window does not hold all of it."""
    if not truth.answers:
        return [0, 0]
    start, end = truth.answers[0].start, truth.answers[0].start + len(truth.answers[0].text)
    first = next((place for place, (_, stop) in enumerate(told) if stop > start), None)
    last = next((place for place in reversed(range(len(told))) if told[place][1] and told[place][0] < end), None)
    if first is None or last is None or told[first][0] > start or told[last][1] < end or last < first:
        return [0, 0]
    return [first, last]


def _scores(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits of beginning and end (B, T, 2); only tokens of the passage and the first one can be either."""
    import torch

    possible = batch["ends"] > 0
    possible[:, 0] = True
    return logits_of(model, batch).masked_fill(~possible.unsqueeze(-1), torch.finfo(torch.float32).min / 4)


def _losses(scores: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Half the cross-entropy of beginning and end, (B,)."""
    import torch

    entropy = torch.nn.functional.cross_entropy
    return sum(entropy(scores[..., side], batch["labels"][:, side], reduction="none") for side in (0, 1)) / 2  # type: ignore[return-value]


def _pairs(
    first: tuple[list[float], list[int]],
    last: tuple[list[float], list[int]],
    told: tuple[list[int], list[int]],
    longest: int,
) -> list[list[Any]]:
    """[score, start, end] in characters of the likeliest beginnings with the likeliest ends behind them."""
    starts, ends = told
    found = [
        [one + other, starts[begin], ends[stop]]
        for one, begin in zip(*first, strict=True)
        for other, stop in zip(*last, strict=True)
        if ends[begin] and ends[stop] and begin <= stop and ends[stop] - starts[begin] <= longest
    ]
    return sorted(found, key=lambda span: -span[0])[:_KEPT]


def _answer(
    text: str, ranked: Sequence[tuple[tuple[int, int], float]], none: float, facts: dict[str, Any]
) -> Prediction:
    """The answer from the likeliest parts; where windows held none at all, no answer."""
    top = max([score for _, score in ranked] + ([none] if facts["no_answer"] else []), default=0.0)
    weights = [math.exp(score - top) for _, score in ranked]
    nothing = math.exp(none - top) if facts["no_answer"] else 0.0
    total = sum(weights) + nothing or 1.0
    parts = [
        {"text": text[start:end], "start": start, "end": end, "score": round(weight / total, 6)}
        for ((start, end), _), weight in zip(ranked, weights, strict=True)
    ]
    margin = none - ranked[0][1] if ranked else 0.0
    silent = not parts or (facts["no_answer"] and margin > facts["margin"])
    chosen = {"text": "", "start": 0, "end": 0, "score": round(nothing / total, 6)} if silent else parts[0]
    return {
        "answer": chosen["text"],
        "start": chosen["start"],
        "end": chosen["end"],
        "score": chosen["score"],
        "no_answer": round(nothing / total, 6) if facts["no_answer"] else None,
        "margin": round(margin, 6),
        "others": [part for part in parts if part is not chosen][:3],
    }


tasks.register(Qa())
