"""The training loop: one optimizer step after another, told as events, stoppable, resumable bit for bit.

It knows tasks only through `loss`, `weight` and a `validate` callable. A step's loss is the sum over its rows divided
by their total weight, however many micro-batches they were computed in.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any

import psutil

from studio.child import is_full
from studio.events import Caution, Checkpoint, Emit, Eval, Note, Phase, Sample, Step
from studio.training.adversarial import Attack
from studio.training.batching import BELOW, collate, micro_batches
from studio.training.bottom import given
from studio.training.checkpoints import (
    Snapshot,
    check_fit,
    everyones_chance,
    optimizer_tensors,
    restore_chance,
    restore_optimizer,
    restore_weights,
)
from studio.training.job import Asked, Job, Outcome, Score, Stop
from studio.training.memory import planned
from studio.training.optimizer import make_optimizer
from studio.training.packing import packed
from studio.training.precision import learning_format, number_format, width
from studio.training.schedule import is_better, rate_at

if TYPE_CHECKING:
    import torch

_WISHES = (None, "best", "stop")
"""From the least to the most urgent: where processes hear different ones, all follow that."""
_RANK_DRAWS = 1 << 16
"""No process has so many micro-batches in a step: each draws its own chance."""
_CHECKPOINT_SECONDS = 45.0
_CHECKPOINT_SHARE = 0.05
"""At most this share of the time goes into checkpoints when their rhythm is left to the studio."""


class Loop:
    """One run of the loop over a job; the numbers that a checkpoint must hold are its fields."""

    def __init__(self, job: Job, emit: Emit) -> None:
        self.job, self._emit = job, emit
        self.step = 0
        self.best: tuple[float, float] | None = None
        self.best_step = 0
        self.waited = 0
        self.elapsed = 0.0
        self.changed: dict[str, tuple[Any, Any]] = {}
        """What is another setting than the one the checkpoint was written in: name -> (then, now)."""
        self._unscored = False
        self._unsaved = ""
        self._sampler = job.sampler()
        self._trainable = {name: part for name, part in job.model.named_parameters() if part.requires_grad}
        self._names = {id(part): name for name, part in self._trainable.items()}
        self._optimizer = make_optimizer(job, self._trainable)
        kind = job.options.adversarial
        sized = (job.options.adversarial_size, job.options.adversarial_steps)
        self._attack = Attack(job.model, kind, *sized) if kind != "off" else None
        self._process = psutil.Process()
        self._saved_at, self._saving_took, self._saved_step = time.monotonic(), 0.0, 0

    def resume(self) -> int:
        """Continue from the newest sound checkpoint, naming each damaged one. Returns its step, 0 for none."""
        snapshot, skipped = self.job.checkpoints.newest()
        if snapshot is not None:
            try:
                self._restore(snapshot)
            except ValueError as error:
                # Sound files that do not fit this model: the library or the method has changed since.
                self._emit(Caution("timeline.checkpoint_unfit", {"step": snapshot.step, "reason": str(error)[:80]}))
        for name, damage in skipped:
            values = {"checkpoint": name, "file": damage.file}
            self._emit(Caution(f"timeline.damage_{damage.code}", values, step=self.step))
        if self.job.ranks.first:
            self.job.checkpoints.forget_after(self.step)
        return self.step

    def _restore(self, snapshot: Snapshot) -> None:
        check_fit(self._trainable, snapshot)
        restore_weights(self._trainable, snapshot.weights)
        restore_optimizer(self._optimizer, self._names, snapshot.optimizer)
        restore_chance(self.job.ranks, snapshot)
        self.step = self._saved_step = snapshot.step
        best = snapshot.state["best"]
        self.best = (float(best[0]), float(best[1])) if best else None
        self.best_step, self.waited = int(snapshot.state["best_step"]), int(snapshot.state["waited"])
        self.elapsed = float(snapshot.state["elapsed"])
        self._unscored = bool(snapshot.state.get("unscored"))
        # Older checkpoints do not say how much was computed at once: it was what the run had planned.
        plain = {**dataclasses.asdict(planned(self.job.options)), "processes": 1}
        before = {**plain, **snapshot.state.get("setting", {})}
        self.changed = {
            name: (before.get(name), now) for name, now in self.job.setting.items() if before.get(name) != now
        }

    def run(self, should_stop: Stop) -> Outcome:
        """Train until the planned end, a wish to stop, no more gain, or a number that is not finite."""
        job = self.job
        job.learning()
        job.ranks.same(list(self._trainable.values()))
        if self._over():
            return self._outcome("early")  # it had ended when it was interrupted
        while self.step < job.steps or self._unscored:
            job.beside()
            wish = _WISHES[int(job.ranks.most(_WISHES.index(should_stop())))]
            if wish is not None:
                self.save()
                return self._outcome(wish)
            # A step whose evaluation was interrupted is scored first, as it would have been without the stop.
            if not self._unscored:
                if not self._advance():
                    return self._outcome("non-finite")
                self._unscored = self.step in job.eval_steps
            try:
                enough = self._unscored and self._evaluate()
            except Asked:
                self.save()
                return self._outcome("stop")
            self._unscored = False
            if enough:
                self.save()
                return self._outcome("early")
            if job.ranks.most(job.ranks.first and self._due()):
                self.save()
        if self._saved_step != self.step:
            self.save()
        return self._outcome("finished")

    def _outcome(self, reason: str) -> Outcome:
        return Outcome(reason, self.step, self.best_step, self.best[0] if self.best else None)

    def _advance(self) -> bool:
        """One optimizer step. False, with nothing changed, when loss or gradient norm is not finite."""
        import torch

        start = time.monotonic()
        job, step = self.job, self.step + 1
        rows = self._sampler.batch(step)
        share = rate_at(step, job.steps, job.options)
        for group in self._optimizer.param_groups:
            group["lr"] = group["top"] * share
        loss = self._gradients(rows)
        norm = float("nan")
        if math.isfinite(loss):
            norm = float(torch.nn.utils.clip_grad_norm_(list(self._trainable.values()), job.options.max_grad_norm))
        sound = math.isfinite(norm)
        if sound:
            self._optimizer.step()
            self.step = step
        self._optimizer.zero_grad(set_to_none=True)
        took = time.monotonic() - start
        self.elapsed += took
        self._emit(
            Step(
                step,
                step / self._sampler.steps_per_epoch,
                loss if math.isfinite(loss) else None,
                job.options.learning_rate * share,
                norm if sound else None,
                len(rows) / max(took, 1e-9),
                self._memory(),
            )
        )
        return sound

    def _gradients(self, rows: Any) -> float:
        """Fill the gradients for these rows; returns the mean loss (gradients are partial when it is not finite)."""
        import torch

        job = self.job
        lengths = job.train.lengths
        batches = [
            collate(job.train.take(part), job.pad_id, job.device, job.task.blanks)
            for part in micro_batches(job.ranks.part(rows, lengths), lengths, job.micro_batch, job.micro_tokens)
        ]
        if job.packs:
            batches = [packed(batch) for batch in batches]
        if job.task.draws:
            for number, batch in enumerate(batches):
                place = job.ranks.rank * _RANK_DRAWS + number
                batch["draw"] = torch.tensor([job.seed, self.step + 1, place])
        total = max(job.ranks.summed(sum(job.task.weight(batch) for batch in batches)), 1)
        summed = 0.0
        for batch in batches:
            below = batch.pop(BELOW, None)

            def loss_of(batch: dict[str, torch.Tensor] = batch, below: torch.Tensor | None = below) -> torch.Tensor:
                with given(job.bottom, below), learning_format(job.autocast, job.device, width(batch)):
                    return job.task.loss(job.model, batch, job.task_options) / total

            if self._attack is not None:
                value = self._attack.accumulate(loss_of, batch["attention_mask"])
            else:
                value = learn(loss_of())
            summed += value
            if not math.isfinite(value):
                break
        return job.ranks.sum_gradients(list(self._trainable.values()), summed)

    def _evaluate(self) -> bool:
        """Score the validation rows; True when training should end early. Keeps the best weights where asked."""
        job = self.job
        score = job.ranks.by_first(lambda: validated(job, self._emit))
        if self.step < job.steps:
            self._emit(Phase("training", self.step, job.steps))
        found = (score.main, score.loss)
        better = math.isfinite(score.loss) and is_better(found, self.best, job.task.lower_is_better, score.tie)
        self._emit(Eval(self.step, score.loss, score.metrics, best=better))
        if score.samples:
            self._emit(Sample(self.step, score.samples))
        if better:
            self.best, self.best_step, self.waited = found, self.step, 0
            if job.options.keep_best and job.ranks.first:
                self._write(Snapshot(self.step, self._weights(), state={"score": list(found)}), best=True)
        else:
            self.waited += 1
        return self._over()

    def _over(self) -> bool:
        return 0 < self.job.options.patience <= self.waited and self.step < self.job.steps

    def _due(self) -> bool:
        every = self.job.options.checkpoint_every
        if every:
            return self.step % every == 0 and self.step != self._saved_step
        rhythm = max(_CHECKPOINT_SECONDS, self._saving_took / _CHECKPOINT_SHARE)
        return time.monotonic() - self._saved_at >= rhythm

    def save(self) -> None:
        """Write a checkpoint from which `resume` continues exactly."""
        tensors, chance = everyones_chance(self.job.ranks)
        state = {
            **chance,
            "best": self.best,
            "best_step": self.best_step,
            "waited": self.waited,
            "elapsed": self.elapsed,
            "unscored": self._unscored,
            "setting": self.job.setting,
        }

        def write() -> bool:
            moments = optimizer_tensors(self._optimizer, self._names)
            return self._write(Snapshot(self.step, self._weights(), moments, tensors, state))

        if self.step and self.job.ranks.by_first(write):
            self._saved_step = self.step

    def _write(self, snapshot: Snapshot, *, best: bool = False) -> bool:
        """Save and say so; a full disk is said and survived, since the run itself can go on."""
        start = time.monotonic()
        try:
            self.job.checkpoints.save(snapshot, best=best)
        except OSError as error:
            self._tell_unsaved(error)
            return False
        finally:
            self._saved_at = time.monotonic()
            self._saving_took = self._saved_at - start
        if self._unsaved:
            self._unsaved = ""
            self._emit(Note("timeline.saving_again", {"step": snapshot.step}, step=self.step))
        self._emit(Checkpoint(snapshot.step, best=best))
        return True

    def _tell_unsaved(self, error: OSError) -> None:
        """Once, not at each checkpoint that is due, until one can be written again or the reason is another."""
        reason = error.strerror or str(error)
        if reason == self._unsaved:
            return
        self._unsaved = reason
        code, values = ("saving_paused", {}) if is_full(error) else ("checkpoint_unsaved", {"reason": reason})
        self._emit(Caution(f"timeline.{code}", values, step=self.step))

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: part.detach().cpu().contiguous() for name, part in self._trainable.items()}

    def _memory(self) -> int:
        if self.job.device.startswith("cuda"):
            import torch

            return int(torch.cuda.memory_reserved())
        return int(self._process.memory_info().rss)

    def restore_best(self) -> bool:
        """Put the best weights back; False when the last ones are the best or none were kept."""
        if not self.job.options.keep_best or self.best_step in (0, self.step):
            return False
        snapshot, _ = self.job.checkpoints.newest(best=True)
        if snapshot is None or snapshot.step != self.best_step:
            return False
        restore_weights(self._trainable, snapshot.weights)
        return True


def learn(loss: torch.Tensor) -> float:
    """Add a loss's gradients unless it is not finite; returns its value."""
    value = float(loss.detach())
    if math.isfinite(value):
        loss.backward()  # type: ignore[no-untyped-call]
    return value


def validated(job: Job, emit: Emit) -> Score:
    """The validation score, told as a phase; the model is back in training mode afterwards. May raise Asked."""
    emit(Phase("evaluating"))
    job.model.eval()
    try:
        with number_format(job.autocast, job.device):
            return job.validate(job.model)
    finally:
        job.learning()
