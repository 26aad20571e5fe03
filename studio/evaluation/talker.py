"""A chat model as the report needs it: the losses of known answers, and its own answers to the same prompts.

The tuned model and the one before tuning are asked in the same way; of an adapter, both are one set of weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from studio.evaluation.untuned import by_length
from studio.tasks.base import Prediction, Row, Rows

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor

_PROMPT_TOKENS = 512
Progress = Callable[[int, int], None]


class Talker:
    """Asks `predictor`, or its base when `use_base` (then the predictor has to know its base)."""

    def __init__(self, predictor: Predictor, use_base: bool = False) -> None:
        if use_base and not predictor.knows_base:
            raise ValueError("this predictor holds no base beside its own weights")
        self._predictor = predictor
        self._within: Callable[[], Any] | None = predictor.base_only if use_base else None

    @property
    def bytes(self) -> int:
        """Of all weights held."""
        return sum(self._predictor.parts().values())

    def losses(self, rows: Rows, progress: Progress | None = None) -> list[Prediction]:
        """{"loss": summed over the answer's tokens, "tokens"} a row; 0 tokens where the cut left no answer."""
        from studio.training.batching import collate

        asked = self._predictor
        items = asked.task.encode(rows, asked.tokenizer, asked.facts, asked.max_length)
        found: list[Prediction] = [{"loss": 0.0, "tokens": 0} for _ in rows]
        known = [place for place, item in enumerate(items) if any(label >= 0 for label in item.get("labels", ())[1:])]
        device = str(next(asked.model.parameters()).device)
        done = 0
        for batch in by_length([len(items[place]["input_ids"]) for place in known]):
            places = [known[number] for number in batch]
            tensors = collate(
                [items[place] for place in places], asked.tokenizer.pad_token_id or 0, device, asked.task.blanks
            )
            with self._within() if self._within else contextlib.nullcontext():
                answers = asked.task.read(asked.model, tensors, asked.facts)
            for place, answer in zip(places, answers, strict=True):
                found[place] = answer
            done += len(places)
            if progress:
                progress(done, len(known))
        return found

    def answers(self, rows: Sequence[Row], most_tokens: int, progress: Progress | None = None) -> list[str]:
        """The likeliest answer to what stands before the last answer of each row, at most `most_tokens` long."""
        from studio.inference.generation import answer_batch, stop_ids
        from studio.tasks.chat import messages_of, prompt_of, render

        if not rows:
            return []
        asked, prompts = self._predictor, []
        for row in rows:
            text = render(asked.tokenizer, prompt_of(messages_of(row))[0], open_answer=True)
            prompts.append(asked.tokenizer(text, add_special_tokens=False)["input_ids"][-_PROMPT_TOKENS:])
        stops = stop_ids(asked.model, asked.tokenizer)
        found: list[str] = []
        steps = answer_batch(asked.model, asked.tokenizer, prompts, most_tokens, stops, self._within)
        for number, texts in enumerate(steps, start=1):
            found = texts if texts is not None else found
            if progress:
                progress(min(number, most_tokens), most_tokens)
        return found
