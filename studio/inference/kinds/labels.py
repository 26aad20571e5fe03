"""Labels: the label, how sure, and a probability of each; the download is an encoder and a small head."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.inference.kinds.base import Answerer, answerers
from studio.tasks.base import Row, tasks
from studio.tasks.earlier import marks_of
from studio.tasks.pairs import gap_of
from studio.tasks.windows import overlap

if TYPE_CHECKING:
    from studio.inference.pool import Pool
    from studio.inference.predictor import Predictor


class LabelAnswerer(Answerer):
    """Reads batches; before tuning, the base guesses from label names."""

    key = "labels"
    snippet = "labels.txt"
    truths = ("predicted_label",)
    simple_snippet = "simple.txt"
    program = """
import json, runpy, sys
import torch
torch.set_num_threads(1)
made = runpy.run_path(sys.argv[1])
json.dump([made["predict"](question) for question in json.load(sys.stdin)], sys.stdout)
"""

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Label, confidence and a probability a label."""
        scores: dict[str, float] = prediction.get("scores", {})
        cells: dict[str, Any] = {"predicted_label": prediction["label"]}
        if scores:
            cells["confidence"] = round(scores[prediction["label"]], 6)
            cells |= {f"probability_{label}": round(score, 6) for label, score in scores.items()}
        return cells

    def before(
        self, run_dir: Path, pool: Pool, rows: Sequence[str | Row], descriptions: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        from studio.inference.before import Encoder
        from studio.inference.predictor import read_saved

        if len(tasks.get(str(read_saved(run_dir)[0]["task"])).asked) > 1:
            return []
        try:
            with pool.use(run_dir, "untuned") as held:
                encoder: Encoder = held  # type: ignore[assignment]
                return [{"key": "untuned", "predictions": encoder.guess(rows, descriptions)}]
        except UserError as error:
            if error.code != "base_gone":
                raise
            return []

    def script(self, predictor: Predictor, snippet: str) -> str:
        return with_context(with_head(snippet, predictor.facts.get("head", "linear")), predictor.facts)

    def write(self, predictor: Predictor, core: Any, folder: Path) -> None:
        about: dict[str, Any] = {"labels": predictor.facts["labels"]}
        if len(predictor.task.asked) > 1:
            about["gap"] = gap_of(predictor.tokenizer)
        write_pooled(predictor, core, folder, about)

    def numbers(self, predictor: Predictor, question: Any) -> dict[str, float]:
        scores: dict[str, float] = predictor.predict([question])[0]["scores"]
        return scores


_LAYERS = Path(__file__).parents[1] / "snippets"
_LINEAR = {
    'head["weight"] @ vector + head["bias"]': ("", "outputs(hidden, vector)"),
    'head["weight"][0] @ vector + head["bias"][0]': ("", "outputs(hidden, vector)[0]"),
    'hidden @ head["weight"].T + head["bias"]': ("_tokens", "outputs(hidden)"),
}
"""How snippets compute a linear head, of a text or of each token: the layers of another head, and what stands there."""
_BEFORE = "@torch.inference_mode()"


def with_head(script: str, head: str) -> str:
    """A `predict.py` for a linear head as one for another head: what that computes goes in instead."""
    if head == "linear":
        return script
    linear = next(one for one in _LINEAR if one in script)
    of_what, instead = _LINEAR[linear]
    layers = (_LAYERS / f"head_{head}{of_what}.txt").read_text("utf-8")
    return script.replace(linear, instead).replace(_BEFORE, f"{layers}\n{_BEFORE}", 1)


_ALONE = (
    ("def predict(text):", "def predict(question):"),
    ("def numbers(text):", "def numbers(question):"),
    ("numbers(text)", "numbers(question)"),
    ("predict(text)", "predict(question)"),
    ('    room = {"truncation"', '    text, lines = parted(question)\n    room = {"truncation"'),
    ("texts = list(question.values()) if isinstance(question, dict) else [question]", "texts = [parted(question)[0]]"),
    (
        "hidden = encoder(**{name: torch.tensor([part[place]]) for name, part in coded.items()}).last_hidden_state[0]",
        'part, before = behind(coded["input_ids"][place], lines if len(coded["input_ids"]) == 1 else [])\n'
        "        ids = torch.tensor([part])\n"
        "        hidden = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]",
    ),
    (
        "    for part in parts:\n        ids",
        "    for part in parts:\n        part, before = behind(part, lines if len(parts) == 1 else [])\n        ids",
    ),
    ("vector = hidden.mean(0)", "vector = hidden[before:].mean(0)"),
    ('" ".join(sys.argv[1:])', '{"text": sys.argv[1], "earlier": "\\n".join(sys.argv[2:])}'),
    ('predict.py "your text" ["the second text"]', 'predict.py "your text" ["an earlier text" "the one after it" ...]'),
    ('predict.py "your text" -', 'predict.py "your text" ["an earlier text" "the one after it" ...] -'),
    ("{role: text} of two texts", '{"text": text, "earlier": those before it, a line each}'),
    (_BEFORE, "{functions}" + _BEFORE),
)
"""How snippets read a text alone, and what stands there where earlier rows are read before it."""


def with_context(script: str, facts: Mapping[str, Any]) -> str:
    """A `predict.py` for texts alone as one that reads earlier texts as well, where the model does."""
    if not facts.get("context"):
        return script
    for alone, instead in _ALONE:
        script = script.replace(alone, instead, 1)
    return script.replace("{functions}", (_LAYERS / "context.txt").read_text("utf-8"))


def write_pooled(predictor: Predictor, core: Any, folder: Path, about: dict[str, Any]) -> None:
    """A pooled encoder with its head: its own folder of weights, head.safetensors, and labels.json, which says
    how texts are read besides what `about` says."""
    from safetensors.torch import save_file

    from studio.tasks.heads import pooling_of

    core.base_model.save_pretrained(folder)
    head = {name: tensor.detach().cpu().contiguous() for name, tensor in core.classifier.state_dict().items()}
    save_file(head, str(folder / "head.safetensors"), {"format": "pt"})
    windows = predictor.facts.get("windows", 1)
    facts = {
        **about,
        "prefix": predictor.facts.get("prefix", ""),
        "max_length": predictor.max_length,
        "windows": windows,
        "stride": overlap(predictor.tokenizer, predictor.max_length) if windows > 1 else 0,
        "pooling": pooling_of(core.config),
    }
    if predictor.context:
        facts |= {"context": predictor.context, **marks_of(predictor.tokenizer)}
    (folder / "labels.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")


answerers.register(LabelAnswerer())
