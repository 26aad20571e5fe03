"""Label sets: the labels above their thresholds, and a probability of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.inference.kinds.base import Answerer, answerers
from studio.inference.kinds.labels import with_context, with_head, write_pooled
from studio.tasks.multilabel import THRESHOLD

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor


class MultiLabelAnswerer(Answerer):
    """Reads batches."""

    key = "multilabel"
    snippet = "multilabel.txt"
    truths = ("predicted_labels",)
    simple_snippet = "simple_multilabel.txt"

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        scores = {f"probability_{label}": round(share, 6) for label, share in prediction["scores"].items()}
        return {"predicted_labels": ";".join(prediction["labels"]), **scores}

    def script(self, predictor: Predictor, snippet: str) -> str:
        return with_context(with_head(snippet, predictor.facts.get("head", "linear")), predictor.facts)

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        labels, tuned = predictor.facts["labels"], predictor.facts.get("thresholds", {})
        bounds = {label: tuned.get(label, THRESHOLD) for label in labels}
        write_pooled(predictor, core, folder, {"labels": labels, "thresholds": bounds})

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        scores: dict[str, float] = predictor.predict([question])[0]["scores"]
        return scores


answerers.register(MultiLabelAnswerer())
