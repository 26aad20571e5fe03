"""What there was before tuning, for tasks whose base has no head: the simple models, and the untuned model guessing
from label names. The output of a head that was never trained is not an answer and is never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.evaluation.baseline import best, load_all
from studio.evaluation.untuned import Untuned, embedder
from studio.inference.kinds.base import answerers
from studio.inference.predictor import as_row, named_base, read_saved
from studio.inference.sharing import Shared, weights_of
from studio.methods.base import methods
from studio.tasks.base import Prediction, Row, Task, tasks

if TYPE_CHECKING:
    import torch

    from studio.inference.pool import Pool
    from studio.inference.predictor import SimplePredictor


def answer(
    run_dir: Path, pool: Pool, rows: Sequence[str | Row], descriptions: Mapping[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """{"answers": [{"key", "predictions"}]}: the best simple model (by validation; every one when the run has no
    neural model), rules a person edited, and what the kind lets the base say untuned where it is on disk.

    `descriptions` replace label names in the untuned guess.
    """
    found: list[dict[str, Any]] = []
    simple = load_all(run_dir)
    tuned = (run_dir / "model" / "studio.json").is_file()
    for key in simple:
        # Who has edited the rules wants to see what they say now, the best or not.
        if not tuned or key == best(simple) or getattr(simple[key], "by_hand", False):
            with pool.use(run_dir, key) as held:
                model: SimplePredictor = held  # type: ignore[assignment]
                found.append({"key": key, "predictions": model.predict(rows)})
    if tuned:
        kind = tasks.get(read_saved(run_dir)[0]["task"]).result
        found += answerers.get(kind).before(run_dir, pool, rows, descriptions)
    return {"answers": found}


class Encoder:
    """The base of a run as it was before tuning, used as an encoder: texts are compared with label names."""

    def __init__(self, model: torch.nn.Module, guess: Untuned, task: Task) -> None:
        self._model, self._task = model, task
        self._guess = guess

    @staticmethod
    def load(run_dir: Path, device: str = "cpu", shared: Shared | None = None) -> Encoder:
        """Raises UserError (`model_gone`, `base_gone`)."""
        from studio.models.load import load_tokenizer

        about, facts = read_saved(run_dir)
        base, task = named_base(about), tasks.get(about["task"])
        # Loaded the way the tuned model was, so that its weights have the same names and can be shared with it.
        model: Any = methods.get(str(about["method"])).open(lambda: task.load(str(base), facts, task.Options()))
        if shared is not None:
            shared.join(str(base), model)
        model = model.to(device).eval()
        length = int(about.get("max_length") or 256)
        embed = embedder(model.base_model, load_tokenizer(base), facts.get("prefix", ""), length)
        return Encoder(model, Untuned(embed, facts["labels"]), task)

    def parts(self) -> dict[int, int]:
        """Bytes by storage."""
        return weights_of(self._model)

    def guess(self, rows: Sequence[str | Row], descriptions: Mapping[str, str]) -> list[Prediction]:
        """The label whose name, or description where there is one, is closest in meaning to each text."""
        self._guess.describe(descriptions)
        return self._guess.predict([self._task.question(as_row(row, self._task)) for row in rows])
