"""What there was before tuning, for tasks whose base has no head: the simple models, and the untuned model guessing
from label names. The output of a head that was never trained is not an answer and is never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.evaluation.baseline import best, load_all
from studio.inference.predictor import BATCH_ROWS, BATCH_TOKENS, as_row, batches, named_base, pad_right, read_saved
from studio.inference.sharing import Shared, weights_of
from studio.tasks.base import Prediction, Row, tasks

if TYPE_CHECKING:
    import torch

    from studio.inference.pool import Pool

SHARPNESS = 20.0
"""By how much similarities (-1 to 1) are spread before they become shares: what sentence encoders were trained with."""


def answer(
    run_dir: Path, pool: Pool, rows: Sequence[str | Row], descriptions: Mapping[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """{"answers": [{"key", "predictions"}]}: the best simple model (by validation; every one when the run has no
    neural model), rules a person edited, and "untuned" where the run's base is an encoder on disk.

    `descriptions` replace label names in the untuned guess.
    """
    found: list[dict[str, Any]] = []
    simple = load_all(run_dir)
    tuned = (run_dir / "model" / "studio.json").is_file()
    for key in simple:
        # Editing rules by hand takes their validation score away, which tells that somebody wants to try them.
        if not tuned or key == best(simple) or (key == "rules" and simple[key].validation is None):
            with pool.use(run_dir, key) as held:
                found.append({"key": key, "predictions": held.predict(rows)})  # type: ignore[attr-defined]
    if tuned and tasks.get(read_saved(run_dir)[0]["task"]).result == "labels":
        try:
            with pool.use(run_dir, "untuned") as held:
                found.append({"key": "untuned", "predictions": held.guess(rows, descriptions)})  # type: ignore[attr-defined]
        except UserError as error:
            if error.code != "base_gone":
                raise
    return {"answers": found}


class Untuned:
    """The base of a run as it was before tuning, used as an encoder: texts are compared with label names."""

    def __init__(self, about: Mapping[str, Any], model: torch.nn.Module, tokenizer: Any, facts: dict[str, Any]) -> None:
        self.task = tasks.get(str(about["task"]))
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.facts = facts
        self.max_length = int(about.get("max_length") or 256)

    @staticmethod
    def load(run_dir: Path, device: str = "cpu", shared: Shared | None = None) -> Untuned:
        """Raises UserError (`model_gone`, `base_gone`)."""
        from studio.models.load import load_tokenizer

        about, facts = read_saved(run_dir)
        base, task = named_base(about), tasks.get(about["task"])
        model = task.load(str(base), facts, task.Options())
        if shared is not None:
            shared.join(str(base), model)
        return Untuned(about, model.to(device), load_tokenizer(base), facts)

    def parts(self) -> dict[int, int]:
        """Bytes by storage."""
        return weights_of(self.model)

    def guess(self, rows: Sequence[str | Row], descriptions: Mapping[str, str]) -> list[Prediction]:
        """The label whose name or description is closest in meaning to each text; scores are shares of closeness."""
        import torch

        labels: list[str] = self.facts["labels"]
        names = self._vectors([descriptions.get(label, "").strip() or label for label in labels])
        texts = self._vectors([as_row(row, self.task).get(self.task.roles[0].key) or "" for row in rows])
        shares = torch.softmax(SHARPNESS * (texts @ names.T), -1)
        return [
            {"label": labels[int(row.argmax())], "scores": dict(zip(labels, row.tolist(), strict=True))}
            for row in shares
        ]

    def _vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """One vector of length 1 a text, (texts, hidden)."""
        import torch

        role = self.task.roles[0].key
        items = self.task.encode([{role: text} for text in texts], self.tokenizer, self.facts, self.max_length)
        device = next(self.model.parameters()).device
        found: dict[int, torch.Tensor] = {}
        for places in batches([len(item["input_ids"]) for item in items], BATCH_ROWS, BATCH_TOKENS):
            batch = pad_right([items[place]["input_ids"] for place in places], self.tokenizer.pad_token_id or 0)
            with torch.inference_mode():
                pooled = self.model.pooled(**{name: part.to(device) for name, part in batch.items()})  # type: ignore[operator]
            found |= dict(zip(places, torch.nn.functional.normalize(pooled.float().cpu(), dim=-1), strict=True))
        return torch.stack([found[place] for place in range(len(texts))])
