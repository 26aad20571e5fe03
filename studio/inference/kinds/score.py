"""Numbers: one a row; the download is an encoder, a head of one output, and the scale it was standardised by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.inference.kinds.base import Answerer, answerers
from studio.inference.kinds.labels import with_context, with_head, write_pooled

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor


class ScoreAnswerer(Answerer):
    """Reads batches."""

    key = "score"
    snippet = "score.txt"
    truths = ("predicted_number",)
    simple_snippet = "simple_score.txt"

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The number with more decimals than are shown."""
        return {"predicted_number": round(prediction["score"], prediction["digits"] + 4)}

    def script(self, predictor: Predictor, snippet: str) -> str:
        return with_context(with_head(snippet, predictor.facts.get("head", "linear")), predictor.facts)

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        write_pooled(predictor, core, folder, {name: predictor.facts[name] for name in ("mean", "scale")})

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        return {"score": float(predictor.predict([question])[0]["score"])}


answerers.register(ScoreAnswerer())
