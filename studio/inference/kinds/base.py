"""How a result kind answers: row by row, as cells of a file, and as a download that stands alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from studio.registry import Registry
from studio.tasks.base import Prediction, Row

if TYPE_CHECKING:
    from studio.inference.pool import Pool
    from studio.inference.predictor import Predictor

Progress = tuple[int, "list[Prediction] | None"]
"""Rows answered so far, and all answers in the order of the rows once the last is there."""
TRY = """
import json, runpy, sys
import torch
torch.set_num_threads(1)
made = runpy.run_path(sys.argv[1])
json.dump([made["numbers"](question) for question in json.load(sys.stdin)], sys.stdout)
"""


class Answerer(ABC):
    """Answers of one kind. The download's `predict.py` is the text of `snippet`, a file in `inference/snippets`."""

    key: ClassVar[str]
    snippet: ClassVar[str]
    program: ClassVar[str] = TRY
    """Run in a fresh Python with the path of `predict.py`, questions as JSON on its input: a {name: number} for each
    on its output, to be compared with `numbers`. The default calls `numbers(question)` of `predict.py`."""
    truths: ClassVar[tuple[str, ...]] = ()
    """Names of cells that say what the task's truth roles say, in the order of these: from answers that somebody has
    corrected, a model can learn."""
    simple_snippet: ClassVar[str] = ""
    """The same for the kind's simple models, needing numpy alone; where empty, they cannot be downloaded."""

    def steps(self, predictor: Predictor, rows: Sequence[Row]) -> Iterator[Progress]:
        """The answers to rows a step at a time; read from encoded rows by default, a batch a step."""
        return predictor.read(rows)

    @abstractmethod
    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """A prediction as named cells of a file of answers, the same names for every row of a model."""

    def before(
        self, run_dir: Path, pool: Pool, rows: Sequence[str | Row], descriptions: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """[{"key", "predictions"}] of what the base says untuned, for the playground."""
        return []

    # ---- the download

    def script(self, predictor: Predictor, snippet: str) -> str:
        """The text of `predict.py` for this model, from that of the kind's snippet."""
        return snippet

    @abstractmethod
    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        """Weights of `core` (merged) and all that `predict.py` reads besides tokenizer and snippet."""

    def questions(self, rows: Sequence[Row]) -> list[Any]:
        """Questions of held-out rows (the truth left out) as `predict.py` is asked them: texts, or rows by role where
        there are several roles."""
        return [next(iter(row.values())) or "" if len(row) == 1 else dict(row) for row in rows]

    @abstractmethod
    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        """The original's answer to one of those questions as numbers, to compare the download with."""


answerers: Registry[Answerer] = Registry("answerer", "studio.inference.kinds")
