"""Entities: what is marked and how sure; the download is an encoder, a head and the rule of what a word is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.data import tokens
from studio.inference.kinds.base import Answerer, answerers
from studio.inference.kinds.labels import with_head
from studio.tasks.ner import merged
from studio.tasks.tokenheads import overlap_of

if TYPE_CHECKING:
    from studio.inference.predictor import Predictor


class TagAnswerer(Answerer):
    """Reads batches of windows."""

    key = "tags"
    snippet = "tags.txt"
    truths = ("predicted_entities",)

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The entities as JSON, as they can be imported again."""
        return {"predicted_entities": json.dumps(prediction["entities"], ensure_ascii=False)}

    def script(self, predictor: Predictor, snippet: str) -> str:
        return with_head(snippet, predictor.facts.get("head", "linear"))

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        from safetensors.torch import save_file

        core.base_model.save_pretrained(folder)
        head = {name: tensor.detach().cpu().contiguous() for name, tensor in core.classifier.state_dict().items()}
        save_file(head, str(folder / "head.safetensors"), {"format": "pt"})
        stride = overlap_of(predictor.tokenizer, predictor.facts["overlap"], predictor.max_length)
        about = {"types": predictor.facts["types"], "max_length": predictor.max_length, "stride": stride}
        (folder / "types.json").write_text(json.dumps(about, ensure_ascii=False, indent=1), "utf-8")
        shutil.copy(str(tokens.__file__), folder / "words.py")

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        """The probability of each word's tag, by the place where the word begins."""
        import torch

        from studio.training.batching import collate

        task, tokenizer = predictor.task, predictor.tokenizer
        items = task.encode([{"text": str(question)}], tokenizer, predictor.facts, predictor.max_length)
        device = str(next(predictor.model.parameters()).device)
        with torch.inference_mode():
            batch = collate(items, tokenizer.pad_token_id or 0, device, task.blanks)
            windows = task.read(predictor.model, batch, predictor.facts)
        return {str(word[0]): float(word[3]) for word in merged([window["words"] for window in windows])}


answerers.register(TagAnswerer())
