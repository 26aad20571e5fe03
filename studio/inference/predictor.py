"""The one path from a saved run to its answers: report, playground and file prediction all go through here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.inference.adapters import at_strength, base_only
from studio.inference.kinds.base import Answerer, Progress, answerers
from studio.inference.settings import ChatSettings
from studio.inference.sharing import Shared, weights_of
from studio.methods.base import methods
from studio.options import read_options
from studio.tasks.base import Prediction, Row, Task, tasks

if TYPE_CHECKING:
    import torch

    from studio.evaluation.baseline import Baseline
    from studio.inference.generation import Piece

BATCH_ROWS = 32
BATCH_TOKENS = 4096
SIMPLE_ROWS = 500


class Predictor:
    """A tuned model with its tokenizer and task, ready to answer.

    `columns` maps roles to the column names of the data it was tuned on.
    """

    whole_rows = True
    """It reads rows by role."""

    def __init__(self, about: Mapping[str, Any], model: torch.nn.Module, tokenizer: Any, facts: dict[str, Any]) -> None:
        self.about = about
        self.task: Task = tasks.get(str(about["task"]))
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.facts = facts
        self.max_length = int(about.get("max_length") or 256)
        self.columns: dict[str, str] = dict(about.get("columns") or {})

    @staticmethod
    def load(run_dir: Path, device: str = "cpu", shared: Shared | None = None) -> Predictor:
        """The run's tuned model. Raises UserError (`model_gone`, `base_gone`, `model_unreadable`)."""
        from safetensors import SafetensorError

        from studio.models.load import load_tokenizer

        folder = run_dir / "model"
        about, facts = read_saved(run_dir)
        task, method = tasks.get(about["task"]), methods.get(about["method"])
        base = base_folder(run_dir, about)
        options, _ = read_options(task.Options, "task", about.get("options", {}).get("task", {}))
        try:
            model = method.load(method.open(lambda: task.load(str(base), facts, options)), str(folder))
            tokenizer = load_tokenizer(folder)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise UserError("model_unreadable", run=run_dir.name, reason=f"{error}"[:200]) from error
        if shared is not None:
            shared.join(str(base), model)
        return Predictor(about, model.to(device), tokenizer, facts)

    @staticmethod
    def load_base(run_dir: Path, device: str = "cpu", shared: Shared | None = None) -> Predictor:
        """The model as it was before tuning, with the run's tokenizer and template; only for tasks whose base answers
        by itself (chat). An adapter's base is had from the tuned model, see `chat`. Raises UserError (`base_gone`)."""
        from studio.models.load import load_tokenizer

        about, facts = read_saved(run_dir)
        base, task = named_base(about), tasks.get(about["task"])
        model = task.load(str(base), facts, read_options(task.Options, "task", {})[0])
        if shared is not None:
            shared.join(str(base), model)
        return Predictor(about, model.to(device), load_tokenizer(run_dir / "model"), facts)

    @staticmethod
    def load_simple(run_dir: Path, key: str) -> SimplePredictor:
        """A simple model of the run (majority, rules, tfidf). Raises UserError (`model_gone`)."""
        from studio.evaluation.baseline import FOLDER, load

        try:
            return SimplePredictor(load(run_dir / FOLDER / key), run_dir)
        except FileNotFoundError as error:
            raise UserError("model_gone", run=run_dir.name) from error

    @property
    def context(self) -> int:
        """How many earlier rows of a conversation it reads before a text."""
        return int(self.facts.get("context", 0))

    def parts(self) -> dict[int, int]:
        """Bytes by storage, so that shared weights are counted once."""
        return weights_of(self.model)

    def predict(self, rows: Sequence[str | Row]) -> list[Prediction]:
        """An answer a row, in order. Texts stand for rows with nothing but the question."""
        return last(self.steps(rows))

    def steps(self, rows: Sequence[str | Row]) -> Iterator[Progress]:
        """The same a step at a time, as the task's kind answers: a batch of a classifier, a token of a chat model."""
        return self.answerer.steps(self, [as_row(row, self.task) for row in rows])

    @property
    def answerer(self) -> Answerer:
        """How the task's result kind answers."""
        return answerers.get(self.task.result)

    def read(self, rows: Sequence[Row]) -> Iterator[Progress]:
        """Encode, sort by length, read batch after batch: short texts are never padded to a long one's length."""
        import torch

        from studio.training.batching import collate, combined, owners

        truths = self.task.truth_roles
        questions = [{role: text for role, text in row.items() if role not in truths} for row in rows]
        items = self.task.encode(questions, self.tokenizer, self.facts, self.max_length)
        lengths = [len(item["input_ids"]) for item in items]
        answers: list[Prediction] = [{} for _ in items]
        count = 0
        for places in batches(lengths, BATCH_ROWS, BATCH_TOKENS):
            taken = [items[place] for place in places]
            batch = collate(taken, self.tokenizer.pad_token_id or 0, str(self._device), self.task.blanks)
            with torch.inference_mode():
                found = self.task.read(self.model, batch, self.facts)
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
            count += len(places)
            if count < len(items):
                yield count * len(rows) // len(items), None
        yield len(rows), combined(self.task, questions, owners(items), answers, self.facts)

    def chat(
        self, messages: Sequence[Mapping[str, str]], settings: ChatSettings, use_base: bool = False
    ) -> Iterator[Piece]:
        """The answer to a conversation, streamed. `use_base` switches the adapter off for this answer alone.

        Raises UserError (`chat_not_possible`, `chat_messages`, `prompt_too_long`).
        """
        from studio.inference.generation import stop_ids, stream

        if not self.task.kind.conversational or (use_base and not self.knows_base):
            raise UserError("chat_not_possible", task=self.task.key, method=str(self.about["method"]))
        prompt = self.prompt(checked_messages(messages))
        within = self.base_only if use_base else None
        return stream(self.model, self.tokenizer, prompt, settings, stop_ids(self.model, self.tokenizer), within)

    def next_scores(self, messages: Sequence[Mapping[str, str]]) -> list[float]:
        """Scores (logits) of the token after the prompt, by token id: two copies of a model are compared by them."""
        import torch

        from studio.inference.generation import Steps

        scores: list[float] = (
            Steps(self.model, torch.tensor([self.prompt(checked_messages(messages))])).logits[0].tolist()
        )
        return scores

    def prompt(self, messages: list[dict[str, str]]) -> list[int]:
        """Token ids, rendered by the template stored with the model, up to where the answer begins."""
        from studio.tasks.chat import render

        text = render(self.tokenizer, messages, open_answer=True)
        # The template writes the beginning-of-text token itself; adding special tokens would double it.
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    @property
    def base_could(self) -> bool:
        """Whether the base could do the task before tuning, so that its answers are worth showing."""
        return not self.facts.get("untaught")

    @property
    def knows_base(self) -> bool:
        """Whether the base's answers can be had by switching the adapter off."""
        return hasattr(self.model, "disable_adapter")

    @cached_property
    def base_only(self) -> Callable[[], AbstractContextManager[None]]:
        """Makes contexts in which the adapter is off; only where the predictor knows its base."""
        return base_only(self.model)

    @cached_property
    def at_strength(self) -> Callable[[float], AbstractContextManager[None]] | None:
        """Makes contexts in which the tuning counts by a share, 0 to 1; None for a model that has no such thing."""
        return at_strength(self.model)

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device


class SimplePredictor:
    """A simple model as a predictor: counting words, no network."""

    context = 0
    """It reads the text alone."""

    def __init__(self, baseline: Baseline, run_dir: Path) -> None:
        spec = json.loads((run_dir / "spec.json").read_text("utf-8"))
        self.task: Task = tasks.get(spec["task"])
        self.columns: dict[str, str] = dict(spec["columns"])
        self.baseline = baseline

    @property
    def answerer(self) -> Answerer:
        """How the task's result kind answers."""
        return answerers.get(self.task.result)

    def parts(self) -> dict[int, int]:
        return {id(self): int(self.baseline.bytes)}

    def predict(self, rows: Sequence[str | Row]) -> list[Prediction]:
        """An answer a row, in order."""
        return last(self.steps(rows))

    def steps(self, rows: Sequence[str | Row]) -> Iterator[Progress]:
        """The same, some hundred rows a step."""
        whole = [as_row(row, self.task) for row in rows]
        answers: list[Prediction] = []
        for start in range(0, len(whole), SIMPLE_ROWS):
            answers += self.baseline.answer(self.task, whole[start : start + SIMPLE_ROWS])
            if len(answers) < len(whole):
                yield len(answers), None
        yield len(whole), answers


def read_saved(run_dir: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """studio.json and facts.json of a run's model. Raises UserError (`model_gone`, `model_unreadable`)."""
    folder = run_dir / "model"
    if not (folder / "studio.json").is_file():
        raise UserError("model_gone", run=run_dir.name)
    try:
        about = json.loads((folder / "studio.json").read_text("utf-8"))
        return about, json.loads((folder / "facts.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("model_unreadable", run=run_dir.name, reason=f"{error}"[:200]) from error


def base_folder(run_dir: Path, about: Mapping[str, Any]) -> Path:
    """Where the weights below the run's own lie: the run's model itself when it is whole, else the base it names.

    Raises UserError (`base_gone`).
    """
    if not methods.get(str(about["method"])).adapter and (run_dir / "model" / "model.safetensors").is_file():
        return run_dir / "model"
    return named_base(about)


def named_base(about: Mapping[str, Any]) -> Path:
    """The folder of the base a run was tuned from. Raises UserError (`base_gone`)."""
    folder = Path(str(about.get("base_folder", "")))
    if not (folder / "config.json").is_file():
        raise UserError("base_gone", base=str(about.get("base", folder.name)), folder=str(folder))
    return folder


def as_row(row: str | Row, task: Task) -> Row:
    """A row by role; a plain text is the question."""
    if isinstance(row, str):
        return {task.bare_role: row}
    return {str(role): None if text is None else str(text) for role, text in row.items()}


def checked_messages(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The conversation as plain role and content, ending with the user. Raises UserError (`chat_messages`)."""
    whole = [{"role": str(said.get("role")), "content": str(said.get("content") or "")} for said in messages]
    roles = [said["role"] for said in whole]
    if not whole or roles[-1] != "user" or not set(roles) <= {"system", "user", "assistant"}:
        raise UserError("chat_messages", roles=roles)
    return [said for said in whole if said["role"] != "system" or said["content"].strip()]


def batches(lengths: Sequence[int], rows: int, tokens: int) -> list[list[int]]:
    """Places of similar length together, the longest first (memory is known at once), within rows and tokens."""
    found: list[list[int]] = []
    longest = 0
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if not found or len(found[-1]) >= rows or (len(found[-1]) + 1) * longest > tokens:
            found.append([])
            longest = lengths[place]
        found[-1].append(place)
    return found


def last(steps: Iterator[Progress]) -> list[Prediction]:
    """The answers at the end of the steps."""
    return next(answers for _, answers in steps if answers is not None)
