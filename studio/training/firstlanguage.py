"""The first phase of a run that learns the language of its training texts: language modelling on them, whose weights
become the run's own base. It has checkpoints of its own and goes on from them; what it made is there whole or not.

Of the validation rows it reads the texts, to say what it brought, and learns nothing from them.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.events import Caution, Emit, Event, Failed, Note, Phase, Step
from studio.files import system_errors, to_disk
from studio.spec import Spec
from studio.tasks.base import Row, Rows, Task, tasks
from studio.tasks.heads import core_of, quietly
from studio.training import assemble, settling
from studio.training.batching import Items
from studio.training.checkpoints import Checkpoints
from studio.training.encoding import Coder, labelled
from studio.training.job import Asked, Job, Stop, interruptible
from studio.training.language import KEY, PHASE, Lesson, language_method, refused
from studio.training.loop import Loop
from studio.training.memory import current
from studio.training.precision import number_format
from studio.training.preparing import CHECKPOINTS, fingerprint, telling
from studio.training.rows import Inputs, Table, scored_places
from studio.training.validation import Validation

if TYPE_CHECKING:
    import torch

FOLDER = "language"
"""In the run's folder, while the phase lasts."""
MARK = "language.json"
"""In the base that was made: what it was made with."""
_WEIGHTS = (".safetensors", ".safetensors.index.json")
_HIGHEST = 50.0
"""Mean loss beyond which a perplexity is no number worth telling."""


def wanted(spec: Spec) -> bool:
    """Whether the run learns the language first."""
    return bool(spec.options.get("training", {}).get(KEY))


def learnt(run_dir: Path) -> Path | None:
    """The base that an attempt has made; None before."""
    folder = run_dir / assemble.SCRATCH_BASE
    return folder if (folder / MARK).is_file() else None


@dataclass
class _Lesson:
    """The loop's job, what scores it, and what is needed to save what it made."""

    job: Job
    judge: Validation
    base: Path
    texts: int


def learn_language(run_dir: Path, spec: Spec, inputs: Inputs, table: Table, emit: Emit, stop: Stop) -> Path | None:
    """The folder of the base with the language learnt; None where numbers were not finite, which is told.

    Raises Asked on a wish to stop, with what was learnt kept for the next attempt, and UserError.
    """
    if done := learnt(run_dir):
        return done
    ranks = inputs.ranks
    heard = ranks.heard(stop)
    lesson = ranks.in_turn(lambda: _prepared(run_dir, spec, inputs, table, emit, heard))
    job = lesson.job
    ranks.own_chance(spec.seed)
    before = ranks.by_first(lambda: _perplexity(lesson)) if job.task.knows(job.model) else None
    loop = Loop(job, _teller(emit, job.steps))
    step = loop.resume()
    if step:
        emit(Note("timeline.language_resumed", {"done": step, "steps": job.steps}))
    emit(Phase(PHASE, step, job.steps))
    outcome = loop.run(stop)
    if outcome.reason in ("stop", "best"):
        # There is no model for the task yet, so "the best so far" can only be kept for the next attempt.
        emit(Note("timeline.language_stopped", {"done": outcome.step, "steps": job.steps}))
        raise Asked
    if outcome.reason == "non-finite":
        values = {"step": outcome.step + 1, "rate": job.options.learning_rate}
        emit(Failed("non_finite", values, kind="non-finite"))
        return None
    after = ranks.by_first(lambda: _perplexity(lesson))
    made = ranks.by_first(lambda: _written(run_dir, lesson, before, after))
    told: dict[str, Any] = {"texts": lesson.texts, "task_code": f"task.{job.task.key}.title", "after": f"{after:.1f}"}
    if before is None:
        emit(Note("timeline.language_learnt_new", told))
    else:
        emit(Note("timeline.language_learnt", {**told, "before": f"{before:.1f}"}))
    del job.model
    gc.collect()
    return made


def texts_of(task: Task, rows: Rows) -> list[Row]:
    """What a model reads of the rows, each text once, as rows of a language task."""
    texts = dict.fromkeys(task.whole(row).strip() for row in rows)
    return [{"text": text} for text in texts if text]


def _prepared(run_dir: Path, spec: Spec, inputs: Inputs, table: Table, emit: Emit, stop: Stop) -> _Lesson:
    """Tokenise the texts, load the seeded language model, and put the job together."""
    import torch

    task = tasks.get(spec.task)
    below = assemble.ground(run_dir, spec, inputs, table)
    if refused(task, below.card, inputs.hardware) is not None:
        raise UserError("language_refused", task=task.key, model=below.card.title)
    train = table.part("train")
    plan = Lesson(below.card, inputs.hardware, [1], len(train), len(table.split["validation"]))
    spoken, options = plan.task, plan.options(below.options)
    about = spoken.Options()
    facts = spoken.facts([], about)
    rows = texts_of(task, train)
    judged = texts_of(
        task, [table.rows[place] for place in scored_places(table.split["validation"], spoken, spec.seed)]
    )
    told = telling(PHASE, emit, stop)
    coder = Coder(run_dir, spec, below.base, spoken, below.tokenizer, facts, options.max_length, told)
    coder.total = len(rows) + len(judged)
    items, _ = labelled(coder.items(f"{FOLDER}-train", rows), spoken)
    scored = coder.items(f"{FOLDER}-validation", judged)
    if not len(items.lengths):
        raise UserError("answers_all_cut", tokens=options.max_length)
    settling.seed_everything(spec.seed)
    method = language_method()
    model = method.prepare(spoken.load(str(below.base), facts, about), spoken.peft_type, method.Options())
    autocast = inputs.hardware.precision if options.precision == "auto" else options.precision
    settling.settle(model, options, method, autocast)
    model = model.to(torch.device(inputs.hardware.device))
    fit = current(run_dir, below.options)
    lengths = items.lengths.tolist()
    options = dataclasses.replace(plan, lengths=lengths).options(below.options)
    if fit.gradient_checkpointing:
        settling.recompute(model)
    judge = Validation(
        spoken, facts, below.tokenizer, scored, judged, range(len(judged)), inputs.hardware.device, spec.seed,
        interruptible(lambda done, total: None, stop),
    )  # fmt: skip
    job = _job(run_dir, spec, inputs, spoken, model, items, options, min(options.micro_batch, fit.micro_batch), judge)
    job.pad_id, job.autocast = below.tokenizer.pad_token_id or 0, autocast
    return _Lesson(job, judge, below.base, len(rows))


def _job(
    run_dir: Path,
    spec: Spec,
    inputs: Inputs,
    task: Task,
    model: torch.nn.Module,
    items: Items,
    options: Any,
    micro_batch: int,
    judge: Validation,
) -> Job:
    each = -(-len(items.lengths) // options.batch_size)
    return Job(
        task=task,
        task_options=task.Options(),
        model=model,
        train=items,
        options=options,
        steps=max(1, math.ceil(options.epochs * each)),
        micro_batch=micro_batch,
        checkpoints=Checkpoints(run_dir / FOLDER / CHECKPOINTS, fingerprint(spec, options)),
        validate=judge,
        seed=spec.seed,
        device=inputs.hardware.device,
        ranks=inputs.ranks,
        setting={"micro_batch": micro_batch, "device": inputs.hardware.device},
    )


def _teller(emit: Emit, steps: int) -> Emit:
    """The loop's events as this phase's: its steps are not those of the run's curve."""

    def tell(event: Event) -> None:
        if isinstance(event, Step):
            emit(Phase(PHASE, event.step, steps))
        elif isinstance(event, (Note, Caution)):
            emit(dataclasses.replace(event, step=0))

    return tell


def _perplexity(lesson: _Lesson) -> float:
    """Of the validation rows' texts; the model is back in training mode afterwards."""
    job = lesson.job
    job.model.eval()
    try:
        with number_format(job.autocast, job.device):
            found = lesson.judge.read(job.model)
    finally:
        job.model.train()
    loss, tokens = (sum(one[name] for one in found) for name in ("loss", "tokens"))
    return math.exp(min(loss / max(tokens, 1), _HIGHEST))


def _written(run_dir: Path, lesson: _Lesson, before: float | None, after: float) -> Path:
    """The run's own base: what lay beside the weights as it was, and the weights that learnt. Raises OSError."""
    folder = run_dir / assemble.SCRATCH_BASE
    unfinished = folder.with_name(f"{folder.name}.new")
    for left in (unfinished, folder):
        shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    with system_errors(unfinished):
        for file in lesson.base.iterdir():
            if file.is_file() and not file.name.endswith(_WEIGHTS):
                shutil.copy(file, unfinished / file.name)
        plain = _plain(lesson)
        quietly(lambda: plain.save_pretrained(unfinished))
        told = {"task": lesson.job.task.key, "texts": lesson.texts, "before": before, "after": after}
        (unfinished / MARK).write_text(json.dumps(told), "utf-8")
    for file in unfinished.iterdir():
        to_disk(file)
    os.rename(unfinished, folder)
    to_disk(run_dir)
    shutil.rmtree(run_dir / FOLDER, ignore_errors=True)
    return folder


def _plain(lesson: _Lesson) -> Any:
    """The model as tasks load it: of one that writes all of it; of one that reads what lies below the language head,
    with the parts that head does without (a pooler) as they were."""
    from studio.models.load import load_base

    core: Any = core_of(lesson.job.model)
    if lesson.job.task.auto_class == "AutoModelForCausalLM":
        return core
    plain: Any = quietly(lambda: load_base(lesson.base))
    strange = plain.load_state_dict(_moved(core.base_model.state_dict()), strict=False).unexpected_keys
    if strange:
        raise UserError("tuned_weights_misfit", folder=str(lesson.base), part=strange[0])
    return plain


def _moved(weights: dict[str, Any]) -> dict[str, Any]:
    return {name: part.cpu() for name, part in weights.items()}
