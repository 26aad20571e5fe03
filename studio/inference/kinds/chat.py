"""Chat: answers written token by token; the download is a whole causal model with its template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.inference.kinds.base import Answerer, Progress, answerers
from studio.inference.settings import MOST_TOKENS
from studio.tasks.base import Prediction, Row

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor

CHAT_ROWS = 8
_TRIED = 3


class ChatAnswerer(Answerer):
    """Writes the likeliest answer to the prompt of every row, several at a time."""

    key = "chat"
    snippet = "chat.txt"
    program = """
import json, runpy, sys
import torch
torch.set_num_threads(1)
made = runpy.run_path(sys.argv[1])
found = []
for question in json.load(sys.stdin):
    tokens = made["tokenizer"].apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    made["predict"](question, 2)
    with torch.inference_mode():
        found.append(dict(enumerate(made["model"](**tokens).logits[0, -1].tolist())))
json.dump(found, sys.stdout)
"""

    def steps(self, predictor: Predictor, rows: Sequence[Row]) -> Iterator[Progress]:
        from studio.inference.generation import answer_batch, stop_ids
        from studio.inference.predictor import BATCH_TOKENS, batches
        from studio.tasks.chat import messages_of, prompt_of

        prompts = [predictor.prompt(prompt_of(messages_of(row))[0]) for row in rows]
        stops = stop_ids(predictor.model, predictor.tokenizer)
        answers: list[Prediction] = [{} for _ in rows]
        count = 0
        for places in batches([len(prompt) for prompt in prompts], CHAT_ROWS, BATCH_TOKENS):
            batch = [prompts[place] for place in places]
            for texts in answer_batch(predictor.model, predictor.tokenizer, batch, MOST_TOKENS, stops):
                if texts is None:
                    yield count, None
                    continue
                for place, text in zip(places, texts, strict=True):
                    answers[place] = {"text": text}
            count += len(places)
            if count < len(rows):
                yield count, None
        yield len(rows), answers

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's text."""
        return {"answer": prediction.get("text", "")}

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        from studio.inference.generation import stop_ids

        core.generation_config.eos_token_id = sorted(stop_ids(core, predictor.tokenizer))
        core.generation_config.pad_token_id = predictor.tokenizer.pad_token_id
        core.save_pretrained(folder)

    def questions(self, rows: Sequence[Row]) -> list[Any]:
        texts = super().questions(rows)[:_TRIED]
        return [[{"role": "user", "content": text[:500]}] for text in texts]

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        """The scores of the token after the prompt, by token id."""
        return {str(place): score for place, score in enumerate(predictor.next_scores(question))}


answerers.register(ChatAnswerer())
