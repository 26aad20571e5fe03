"""Answers from a text: where they stand and how sure; the download is an encoder, a head and the rule of a word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.data import tokens
from studio.inference.kinds.base import Answerer, answerers
from studio.inference.kinds.labels import with_head
from studio.tasks import passages

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor


class SpanAnswerer(Answerer):
    """Reads batches of windows."""

    key = "spans"
    snippet = "spans.txt"
    truths = ("predicted_answer", "answer_start")

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, "" for none, its first and its last character, and its probability; how likely the text holds no
        answer, where the model was taught so; and how many tokens of a very long question were not read."""
        found: dict[str, Any] = {"predicted_answer": prediction["text"]}
        found |= {"answer_start": prediction["start"], "answer_end": prediction["end"]}
        if "score" in prediction:
            found["answer_score"] = round(float(prediction["score"]), 6)
        if "none" in prediction:
            found["no_answer_score"] = round(float(prediction["none"]), 6)
        if "question_cut" in prediction:
            found["question_tokens_unread"] = int(prediction["question_cut"])
        return found

    def script(self, predictor: Predictor, snippet: str) -> str:
        return with_head(snippet, predictor.facts.get("head", "linear"))

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        from safetensors.torch import save_file

        core.base_model.save_pretrained(folder)
        head = {name: tensor.detach().cpu().contiguous() for name, tensor in core.qa_outputs.state_dict().items()}
        save_file(head, str(folder / "head.safetensors"), {"format": "pt"})
        facts, length = predictor.facts, predictor.max_length
        about = {
            "max_length": length,
            "stride": passages.overlap(predictor.tokenizer, facts["overlap"], length),
            "question_tokens": passages.longest_question(length),
            "longest": facts["longest"],
            "unanswerable": facts["unanswerable"],
            "threshold": facts["threshold"],
            "two_sided": bool(core.two_sided),
        }
        (folder / "answers.json").write_text(json.dumps(about, ensure_ascii=False, indent=1), "utf-8")
        shutil.copy(str(tokens.__file__), folder / "words.py")

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        """Probabilities of the answer and of none, where it was taught."""
        found = predictor.predict([question])[0]
        return {"score": float(found["score"]), "none": float(found.get("none", 0.0))}


answerers.register(SpanAnswerer())
