"""Language models: candidates for a hidden word, or how a text goes on; the download is a whole model."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.inference.kinds.base import Answerer, Progress, answerers
from studio.tasks.base import Prediction, Row, Rows, Task

if TYPE_CHECKING:
    import torch

    from studio.inference.pool import Pool
    from studio.inference.predictor import Predictor

CANDIDATES = 5
GOES_ON = 60
"""Tokens with which a text is continued in the playground."""
_SAMPLE_TOKENS, _SAMPLE_PROMPT = 24, 48
_ROWS = 8
_BLANK = re.compile(r"\[MASK\]|<mask>|_{3,}|＿{2,}|□+", re.IGNORECASE)
Within = Callable[[], AbstractContextManager[None]] | None


def is_masked(task: Task) -> bool:
    """Whether words are hidden, rather than foretold from left to right."""
    return task.peft_type == "MASKED_LM"


class Reader:
    """A predictor that only scores: how surprised the model is by each row."""

    key = "base"
    whole_rows = True

    def __init__(self, predictor: Predictor, within: Within = None) -> None:
        self._predictor, self._within = predictor, within or contextlib.nullcontext
        self.tokenizer, self.max_length = predictor.tokenizer, predictor.max_length
        self.bytes = 0 if within else sum(self.parts().values())

    def parts(self) -> dict[int, int]:
        """Bytes by storage."""
        return self._predictor.parts()

    def predict(self, rows: Sequence[Row], /) -> list[Prediction]:
        """{"loss", "tokens"} of each row."""
        with self._within():
            return next(found for _, found in self._predictor.read(rows) if found is not None)


def base_of(tuned: Predictor, base: Path) -> Reader | None:
    """The base of a tuned model; None where it had no head for this: what random weights say is no score."""
    from studio.inference.predictor import Predictor

    if not tuned.base_could:
        return None
    if tuned.knows_base:
        return Reader(tuned, tuned.base_only)
    device = str(next(tuned.model.parameters()).device)
    model = tuned.task.load(str(base), tuned.facts, tuned.task.Options()).to(device)
    return Reader(Predictor(tuned.about, model, tuned.tokenizer, tuned.facts))


def fill(
    model: torch.nn.Module, tokenizer: Any, text: str, most: int, length: int, within: Within = None
) -> Prediction:
    """The likeliest tokens for each blank ([MASK] or ___) of a text: {"text" with the first ones put in, "fills":
    [[{"token", "share"}]], "parts": what stands between the blanks}."""
    import torch

    parts = _BLANK.split(text)
    if len(parts) == 1:
        return {"text": text, "fills": [], "parts": parts}
    ids = tokenizer(tokenizer.mask_token.join(parts), truncation=True, max_length=length, return_tensors="pt")
    device = next(model.parameters()).device
    shown = {name: ids[name].to(device) for name in ("input_ids", "attention_mask")}
    with torch.inference_mode(), (within or contextlib.nullcontext)():
        logits = model(**shown).logits[0].float()
    places = (shown["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
    fills = []
    for place in places:
        shares, tokens = torch.softmax(logits[place], -1).topk(most)
        fills.append(
            [
                {"token": tokenizer.decode([token]).strip(), "share": round(share, 6)}
                for token, share in zip(tokens.tolist(), shares.tolist(), strict=True)
            ]
        )
    best = [found[0]["token"] for found in fills] + ["…"] * (len(parts) - 1 - len(fills))
    whole = "".join(part + word for part, word in zip(parts, [*best, ""], strict=True))
    return {"text": whole, "fills": fills, "parts": parts}


def go_on(
    model: torch.nn.Module, tokenizer: Any, texts: Sequence[str], most: int, length: int, within: Within = None
) -> Iterator[list[str] | None]:
    """The likeliest continuation of each text, together; None after each token, then the continuations."""
    from studio.inference.generation import answer_batch, stop_ids

    prompts = [_opened(tokenizer, text)[-length:] for text in texts]
    return answer_batch(model, tokenizer, prompts, most, stop_ids(model, tokenizer), within)


def _opened(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a beginning: with the mark a model begins with, without one that ends."""
    ids: list[int] = tokenizer(text)["input_ids"]
    if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id:
        ids = ids[:-1]
    return ids or [tokenizer.bos_token_id or tokenizer.eos_token_id or 0]


def shown_of(task: Task, model: torch.nn.Module, tokenizer: Any, rows: Rows, tell: Callable[[], None]) -> list[str]:
    """Each row as the model sees it in part and completes it, for the samples of an evaluation."""
    texts = [task.question(row) for row in rows]
    if is_masked(task):
        return [_guessed(task, model, tokenizer, row, tell) for row in rows]
    begun = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        begun.append(tokenizer.decode(ids[: max(1, min(len(ids) // 2, _SAMPLE_PROMPT))], skip_special_tokens=True))
    found: list[str] = [""] * len(begun)
    if begun:
        for step in go_on(model, tokenizer, begun, _SAMPLE_TOKENS, 512):
            tell()
            found = list(step) if step is not None else found
    return [f"{before} → {after}" for before, after in zip(begun, found, strict=True)]


def _guessed(task: Task, model: Any, tokenizer: Any, row: Row, tell: Callable[[], None]) -> str:
    """The row with its hidden words in brackets, as the model guesses them."""
    import torch

    from studio.tasks.masks import chosen, hide

    tell()
    item = task.encode([row], tokenizer, {}, 64)[0]
    ids = torch.tensor([item["input_ids"]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor([item["labels"]])}
    masked = hide(batch, tokenizer.mask_token_id, len(tokenizer))
    device = next(model.parameters()).device
    with torch.inference_mode():
        seen = {"input_ids": masked.input_ids, "attention_mask": batch["attention_mask"]}
        said = model(**{name: part.to(device) for name, part in seen.items()}).logits[0].argmax(-1).cpu()
    places = chosen(batch)[0]
    pieces: list[str] = []
    special = set(tokenizer.all_special_ids)
    for place, token in enumerate(item["input_ids"]):
        if places[place]:
            pieces.append(f"[{tokenizer.decode([int(said[place])]).strip()}]")
        elif token not in special:
            pieces.append(tokenizer.convert_ids_to_tokens(token))
    return str(tokenizer.convert_tokens_to_string(pieces))


class TokenAnswerer(Answerer):
    """Fills the blanks of a text, or continues it."""

    key = "tokens"
    snippet = "language.txt"

    def steps(self, predictor: Predictor, rows: Sequence[Row]) -> Iterator[Progress]:
        return _complete(predictor, rows)

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The text completed."""
        return {"answer": prediction.get("text", "")}

    def before(
        self, run_dir: Path, pool: Pool, rows: Sequence[str | Row], descriptions: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        from studio.inference.predictor import as_row

        with pool.use(run_dir, "tuned") as held:
            tuned: Predictor = held  # type: ignore[assignment]
            whole = [as_row(row, tuned.task) for row in rows]
            if not tuned.base_could:
                return []
            if tuned.knows_base:
                return [{"key": "base", "predictions": _last(_complete(tuned, whole, tuned.base_only))}]
        try:
            with pool.use(run_dir, "base") as held:
                base: Predictor = held  # type: ignore[assignment]
                return [{"key": "base", "predictions": base.predict(whole)}]
        except UserError as error:
            if error.code != "base_gone":
                raise
            return []

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        core.save_pretrained(folder)
        (folder / "reading.json").write_text(json.dumps({"max_length": predictor.max_length}, indent=1), "utf-8")

    def questions(self, rows: Sequence[Row]) -> list[Any]:
        return [text[:500] for text in super().questions(rows)[:3]]

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        """Scores at the last token of a text, by token id."""
        import torch

        ids = predictor.tokenizer(str(question), truncation=True, max_length=predictor.max_length)["input_ids"]
        seen = torch.tensor([ids or [0]], device=next(predictor.model.parameters()).device)
        with torch.inference_mode():
            scores = predictor.model(input_ids=seen, attention_mask=torch.ones_like(seen)).logits[0, -1].tolist()
        return {str(place): score for place, score in enumerate(scores)}


def _complete(predictor: Predictor, rows: Sequence[Row], within: Within = None) -> Iterator[Progress]:
    """Every row completed, one at a time where words are hidden, several together where texts go on."""
    texts = [predictor.task.question(row) for row in rows]
    model, tokenizer, length = predictor.model, predictor.tokenizer, predictor.max_length
    found: list[Prediction] = []
    if is_masked(predictor.task):
        for count, text in enumerate(texts, 1):
            found.append(fill(model, tokenizer, text, CANDIDATES, length, within))
            if count < len(texts):
                yield count, None
    else:
        for start in range(0, len(texts), _ROWS):
            some = texts[start : start + _ROWS]
            for step in go_on(model, tokenizer, some, GOES_ON, length, within):
                if step is None:
                    yield len(found), None
                else:
                    found += [{"text": after, "begun": text} for text, after in zip(some, step, strict=True)]
    yield len(texts), found


def _last(steps: Iterator[Progress]) -> list[Prediction]:
    return next(found for _, found in steps if found is not None)


answerers.register(TokenAnswerer())
