"""Scores of pairs: one a row, the untuned cosine before it, and the texts of the data that are nearest to any text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.inference.kinds.base import Answerer, answerers
from studio.inference.kinds.labels import write_pooled
from studio.tasks.base import Row

if TYPE_CHECKING:
    from studio.inference.pool import Pool
    from studio.inference.predictor import Predictor


class SimilarityAnswerer(Answerer):
    """Reads batches."""

    key = "similarity"
    snippet = "similarity.txt"
    truths = ("predicted_score",)
    simple_snippet = "simple_similarity.txt"

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The score with more decimals than are shown, and the cosine."""
        score = round(prediction["score"], prediction["digits"] + 4)
        return {"predicted_score": score, "cosine": round(prediction["cosine"], 6)}

    def before(
        self, run_dir: Path, pool: Pool, rows: Sequence[str | Row], descriptions: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """The encoder's own cosine, on the line to the scores that the report found."""
        from studio.evaluation.kinds.similarity import on_line

        line = _untuned_line(run_dir)
        if line is None:
            return []
        try:
            with pool.use(run_dir, "base") as held:
                base: Predictor = held  # type: ignore[assignment]
                return [{"key": "cosine", "predictions": on_line(base.predict(rows), *line)}]
        except UserError as error:
            if error.code != "base_gone":
                raise
            return []

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        """The emphasis of dimensions goes with the head."""
        from safetensors.torch import load_file, save_file

        write_pooled(predictor, core, folder, {name: predictor.facts[name] for name in ("mean", "scale")})
        file = str(folder / "head.safetensors")
        emphasis = core.emphasis.weight.detach().cpu().contiguous()
        save_file({**load_file(file), "emphasis": emphasis}, file, {"format": "pt"})

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        return {"score": float(predictor.predict([question])[0]["score"])}


def _untuned_line(run_dir: Path) -> tuple[float, float] | None:
    try:
        line = json.loads((run_dir / "report.json").read_text("utf-8"))["untuned"]
        return float(line["slope"]), float(line["offset"])
    except (OSError, ValueError, KeyError):
        return None


answerers.register(SimilarityAnswerer())
