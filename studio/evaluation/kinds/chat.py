"""Judges the answers of a conversation by their loss; the report puts ten answers before and after side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.evaluation.kinds.base import Facts, Judge, Progress, Report, judges
from studio.evaluation.metrics import of_losses
from studio.events import Emit
from studio.tasks.base import Prediction, Rows, Task

if TYPE_CHECKING:
    import torch

    from studio.evaluation.baseline import Baseline
    from studio.evaluation.exam import Exam

ANSWER_TOKENS = 48
_PROMPT_TOKENS = 512


class ChatJudge(Judge):
    """Predictions are {"loss", "tokens"} when scored, {"text"} when written."""

    key = "chat"
    metrics = ("loss", "perplexity")
    answers_exam = False

    def score(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> dict[str, float]:
        return of_losses([answer["loss"] for answer in answers], [answer["tokens"] for answer in answers])

    def mean_loss(self, answers: Sequence[Prediction], expected: Sequence[Any], facts: Facts) -> float:
        """Cross-entropy a token."""
        tokens = sum(answer["tokens"] for answer in answers)
        return float(sum(answer["loss"] for answer in answers) / max(tokens, 1))

    def shown(self, answer: Prediction) -> str:
        return str(answer["text"])

    def numbers(self, answer: Prediction) -> list[float]:
        return [answer["loss"] / max(answer["tokens"], 1)]

    def generate(
        self, task: Task, model: torch.nn.Module, tokenizer: Any, rows: Rows, facts: Facts, tell: Callable[[], None]
    ) -> list[str]:
        """The likeliest answers to what stands before the last answer, at most `ANSWER_TOKENS` tokens each."""
        from studio.inference.generation import answer_batch, stop_ids
        from studio.tasks.chat import messages_of, prompt_of, render

        prompts = []
        for row in rows:
            text = render(tokenizer, prompt_of(messages_of(row))[0], open_answer=True)
            prompts.append(tokenizer(text, add_special_tokens=False)["input_ids"][-_PROMPT_TOKENS:])
        found: Sequence[str] = [""] * len(prompts)
        if prompts:
            for texts in answer_batch(model, tokenizer, prompts, ANSWER_TOKENS, stop_ids(model, tokenizer)):
                tell()
                found = texts if texts is not None else found
        return list(found)

    def untuned(self, task: Task, tuned: Any, base: Path, facts: dict[str, Any], emit: Emit) -> Any:
        """The base as a model of its own, where the tuned one does not hold it."""
        if tuned.knows_base:
            return None
        from studio.inference.predictor import Predictor

        device = str(next(tuned.model.parameters()).device)
        return Predictor(tuned.about, task.load(str(base), facts, task.Options()).to(device), tuned.tokenizer, facts)

    def report(
        self,
        run_dir: Path,
        exam: Exam,
        simple: Mapping[str, Baseline],
        tuned: Any,
        untuned: Any,
        progress: Progress | None,
    ) -> tuple[Report, list[dict[str, Any]]]:
        from studio.evaluation.chat_report import chat_report

        return chat_report(run_dir, exam, tuned, untuned, progress)


judges.register(ChatJudge())
