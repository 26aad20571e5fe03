"""Written texts: what an encoder-decoder makes of each row; the download is a whole model that writes by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.inference.kinds.base import Answerer, Progress, answerers
from studio.inference.settings import BEAMS, MOST_BEAMS
from studio.inference.writing import BATCH_ANSWERS, WriteSettings, write_batch
from studio.tasks.base import Prediction, Row, Rows, Task

if TYPE_CHECKING:
    import torch

    from studio.inference.pool import Pool
    from studio.inference.predictor import Predictor

_TRIED = 3
_BATCH_TOKENS = 4096
Within = Callable[[], AbstractContextManager[None]] | None


def write_rows(
    task: Task,
    model: torch.nn.Module,
    tokenizer: Any,
    rows: Rows,
    facts: dict[str, Any],
    settings: WriteSettings,
    max_length: int = 512,
    within: Within = None,
) -> Iterator[tuple[int, list[str] | None]]:
    """The answers to rows, several at a time, as (rows done, None) after each token, then (rows, texts)."""
    from studio.inference.predictor import batches

    asked = [{role: text for role, text in row.items() if role not in task.truth_roles} for row in rows]
    sources = [item["input_ids"] for item in task.encode(asked, tokenizer, facts, max_length)]
    found: list[Any] = [""] * len(sources)
    count = 0
    for places in batches([len(source) for source in sources], max(1, BATCH_ANSWERS // settings.beams), _BATCH_TOKENS):
        for texts in write_batch(model, tokenizer, [sources[place] for place in places], settings, within):
            if texts is None:
                yield count, None
                continue
            for place, text in zip(places, texts, strict=True):
                found[place] = text
        count += len(places)
        if count < len(sources):
            yield count, None
    yield len(sources), found


class Writer:
    """The base of a tuned model as it wrote before: its adapter switched off, or a model of its own."""

    key = "base"
    whole_rows = True
    bytes = 0

    def __init__(self, predictor: Predictor, within: Within = None) -> None:
        self._predictor, self._within = predictor, within

    def predict(self, rows: Sequence[Row], /) -> list[Prediction]:
        """{"text"} of each row."""
        return [{"text": text} for text in _last(_written(self._predictor, rows, WriteSettings(), self._within))]


def base_of(tuned: Predictor, base: Path) -> Writer | None:
    """None where the base had learnt nothing."""
    from studio.inference.predictor import Predictor

    if not tuned.base_could:
        return None
    if tuned.knows_base:
        return Writer(tuned, tuned.base_only)
    device = str(next(tuned.model.parameters()).device)
    model = tuned.task.load(str(base), tuned.facts, tuned.task.Options()).to(device)
    return Writer(Predictor(tuned.about, model, tuned.tokenizer, tuned.facts))


class TextAnswerer(Answerer):
    """Writes greedily unless a row asks for beams."""

    key = "text"
    snippet = "written.txt"
    truths = ("answer",)

    def steps(self, predictor: Predictor, rows: Sequence[Row]) -> Iterator[Progress]:
        for count, texts in _written(predictor, rows, settings_of(rows)):
            yield count, None if texts is None else [{"text": text} for text in texts]

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's text."""
        return {"answer": prediction.get("text", "")}

    def before(
        self, run_dir: Path, pool: Pool, rows: Sequence[str | Row], descriptions: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """What the base writes, where it had learnt to."""
        from studio.inference.predictor import as_row

        with pool.use(run_dir, "tuned") as held:
            tuned: Predictor = held  # type: ignore[assignment]
            whole = [as_row(row, tuned.task) for row in rows]
            if not tuned.base_could:
                return []
            if tuned.knows_base:
                texts = _last(_written(tuned, whole, settings_of(whole), tuned.base_only))
                return [{"key": "base", "predictions": [{"text": text} for text in texts]}]
        try:
            with pool.use(run_dir, "base") as held:
                base: Predictor = held  # type: ignore[assignment]
                return [{"key": "base", "predictions": base.predict(whole)}]
        except UserError as error:
            if error.code != "base_gone":
                raise
            return []

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        from studio.inference.writing import room

        core.save_pretrained(folder)
        facts = {
            "prefix": _prompt(predictor),
            "start": _opening(predictor),
            "max_length": predictor.max_length,
            "most": room(predictor.model, len(_opening(predictor))),
            "source_language": getattr(predictor.tokenizer, "src_lang", ""),
            "target_language": getattr(predictor.tokenizer, "tgt_lang", ""),
        }
        (folder / "writing.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")

    def questions(self, rows: Sequence[Row]) -> list[Any]:
        return [text[:500] for text in super().questions(rows)[:_TRIED]]

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        """Scores of the first word, by token id."""
        from studio.inference.writing import first_scores

        rows = [{predictor.task.bare_role: str(question)}]
        item = predictor.task.encode(rows, predictor.tokenizer, predictor.facts, predictor.max_length)[0]
        scores = first_scores(predictor.model, predictor.tokenizer, item["input_ids"])
        return {str(place): score for place, score in enumerate(scores)}


def _prompt(predictor: Predictor) -> str:
    from studio.tasks.seq2seq import Seq2Seq

    task = predictor.task
    return task.prompt(predictor.tokenizer, predictor.facts) if isinstance(task, Seq2Seq) else ""


def _opening(predictor: Predictor) -> list[int]:
    from studio.tasks.seq2seq import opening

    return opening(predictor.model, predictor.tokenizer)


def settings_of(rows: Sequence[Row]) -> WriteSettings:
    """What the first row asks for; rows of one question ask for the same."""
    asked = str((rows[0].get(BEAMS) if rows else None) or "1")
    return WriteSettings(beams=min(max(int(asked), 1), MOST_BEAMS) if asked.isdigit() else 1)


def _written(
    predictor: Predictor, rows: Rows, settings: WriteSettings, within: Within = None
) -> Iterator[tuple[int, list[str] | None]]:
    asked = (predictor.task, predictor.model, predictor.tokenizer, rows, predictor.facts)
    return write_rows(*asked, settings, predictor.max_length, within)


def _last(steps: Iterator[tuple[int, list[str] | None]]) -> list[str]:
    return next(texts for _, texts in steps if texts is not None)


answerers.register(TextAnswerer())
