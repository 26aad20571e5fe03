"""What the columns are for: the task and roles a data set suggests, with the reason. Unsure means a question.

A guess is sure only when nothing else in the file fits as well; a wrong choice made silently costs a person a whole
training, a question costs a click.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.data.joining import FILE
from studio.data.labelsets import are_lists
from studio.data.numbers import are_numbers
from studio.data.store import DataVersion
from studio.tasks.base import Task, tasks
from studio.tasks.earlier import THREAD, TURN

Column = Mapping[str, Any]
_TARGET_NAMES = frozenset("label labels target class y 标签 类别".split())
"""Headers that mean "this is what to predict" and nothing else."""
_MACHINERY = frozenset(
    "split fold source lang language locale set subset dataset version date year index idx id".split()
)
"""Headers of columns that describe rows for machines; they are never the text or the target by themselves."""
_SURELY_TEXT = 3.0
"""How many times longer than every other text a column has to be to be the text without asking."""


@dataclass(frozen=True)
class Suggestion:
    """`columns` maps roles to columns as far as they are certain. `code` names the reason (`data.reason.*`) when
    sure, else the question (`data.question.*`) whose answers are `alternatives`, complete suggestions each."""

    task: str | None
    columns: dict[str, str]
    sure: bool
    code: str
    values: dict[str, Any] = field(default_factory=dict)
    alternatives: tuple[Suggestion, ...] = ()


def suggest(version: DataVersion) -> Suggestion:
    """The suggestion for a data version, from its profile alone."""
    return suggest_for(version.profile()["columns"])


def suggest_for(columns: Sequence[Column]) -> Suggestion:
    """`suggest` for the columns of a profile."""
    grouping = grouped(columns)
    rest = [column for column in columns if str(column["name"]) not in grouping.values()]
    found = _guessed(rest)
    options = tuple(_beside(option, grouping) for option in found.alternatives)
    return dataclasses.replace(_beside(found, grouping), alternatives=options)


def grouped(columns: Sequence[Column]) -> dict[str, str]:
    """The columns that say which rows belong together and in what order, where their headers say so and several rows
    share a name: {"thread": column, "turn": column}, or {}."""
    rows = {plain_header(column): column for column in columns if column["kind"] not in ("empty", "constant", "chat")}
    named = [rows[name] for name in THREAD.names if name in rows and _recurs(rows[name])]
    if len(named) != 1:
        return {}
    turn = next((rows[name] for name in TURN.names if name in rows and _counts(rows[name])), None)
    found = {"thread": str(named[0]["name"])}
    return found if turn is None else {**found, "turn": str(turn["name"])}


def _recurs(column: Column) -> bool:
    """Whether rows share values, as the rows of a conversation do: most of the commonest ones occur twice or more."""
    top = column.get("top") or [("", 0)]
    return bool(top[len(top) // 2][1] > 1)


def _counts(column: Column) -> bool:
    return column["kind"] in ("number", "id", "date") or (column["kind"] == "label" and are_numbers(column["examples"]))


def _beside(found: Suggestion, grouping: dict[str, str]) -> Suggestion:
    """The suggestion with the grouping columns, where its task has such roles."""
    if not grouping or not found.task or not tasks.get(found.task).grouping:
        return found
    return dataclasses.replace(found, columns={**found.columns, **grouping})


def _guessed(columns: Sequence[Column]) -> Suggestion:
    known = [column for column in columns if column["kind"] not in ("empty", "constant")]
    # What only one task's data look like comes first, then the forms that many files have.
    for guess in (*(task.guess for task in tasks), _conversations, _instructions, _labels):
        found = guess(known)
        if found is not None:
            return _with_offers(found, known)
    return _with_offers(_one_value(columns, known) or _nothing_fits(known), known)


def _with_offers(found: Suggestion, columns: Sequence[Column]) -> Suggestion:
    """A question with what else the columns could mean to any task among its answers; a sure guess as it is."""
    if found.sure:
        return found
    known = [(option.task, option.columns) for option in found.alternatives]
    more = [offer for task in tasks for offer in task.offers(columns) if (offer.task, offer.columns) not in known]
    return dataclasses.replace(found, alternatives=(*found.alternatives, *more)) if more else found


def columns_for(columns: Sequence[Column], task: Task) -> dict[str, str]:
    """Roles to columns as far as they can be guessed for a task that a person has chosen by hand."""
    found = suggest_for(columns)
    if found.task == task.key:
        return dict(found.columns)
    grouping = grouped(columns) if task.grouping else {}
    rest = [column for column in columns if str(column["name"]) not in grouping.values()]
    return {**_columns_for(rest, found, task), **grouping}


def _columns_for(columns: Sequence[Column], found: Suggestion, task: Task) -> dict[str, str]:
    known = [column for column in columns if column["kind"] not in ("empty", "constant")]
    options = [option.columns for option in found.alternatives if option.task == task.key]
    # What another task is sure of says nothing of what this one could make of the columns.
    options = options or [offer.columns for offer in task.offers(known)]
    if options:
        return {role: name for role, name in options[0].items() if all(one.get(role) == name for one in options)}
    texts = of_kind(known, "text") or of_kind(known, "label")
    if not any(role.key == "text" for role in task.asked) or not texts:
        return {}
    text = _obvious_text(task, texts) or max(texts, key=lambda column: float(column["mean_length"]))
    return {"text": str(text["name"])}


def _one_value(columns: Sequence[Column], known: Sequence[Column]) -> Suggestion | None:
    """One text and a column that holds the same everywhere: labels of which there is only one. Where it can be nothing
    else it is taken, so that the finding about its labels says the rest."""
    task, texts = _task("labels"), of_kind(known, "text")
    same = of_kind(columns, "constant")
    named = [column for column in same if plain_header(column) in _TARGET_NAMES]
    others = [column for column in known if column not in texts and plain_header(column) not in _MACHINERY]
    if task is None or len(texts) != 1 or not same or (others and not named):
        return None
    text = str(texts[0]["name"])
    options = [certain(task, {"text": text, "label": str(one["name"])}, "one_label", labels=1) for one in named or same]
    taken = options[0].columns
    value = next(str(one["top"][0][0])[:60] for one in same if one["name"] == taken["label"])
    told = {"text": text, "column": taken["label"], "value": value}
    return Suggestion(task.key, dict(taken), False, "data.question.one_value", told, tuple(options))


def _task(result: str) -> Task | None:
    return next((task for task in tasks if task.result == result), None)


def _names(task: Task, role: str) -> tuple[str, ...]:
    return next(item.names for item in task.roles if item.key == role)


def plain_header(column: Column) -> str:
    """A column's header as header words are compared: lower case, "_" for spaces and hyphens."""
    return str(column["name"]).strip().lower().replace("-", "_").replace(" ", "_")


def of_kind(columns: Sequence[Column], *kinds: str) -> list[Column]:
    """The columns of these kinds, without those that describe rows for machines."""
    return [column for column in columns if column["kind"] in kinds and plain_header(column) not in _MACHINERY]


def _conversations(columns: Sequence[Column]) -> Suggestion | None:
    """Columns whose cells are conversations."""
    task, found = _task("chat"), of_kind(columns, "chat")
    if task is None or not found:
        return None
    names = [str(column["name"]) for column in found]
    options = [certain(task, {"messages": name}, "conversations") for name in names]
    return options[0] if len(options) == 1 else _ask("which_messages", options, task, ("messages",), columns=names)


def _instructions(columns: Sequence[Column]) -> Suggestion | None:
    """Alpaca and prompt + completion by their header words; any further text column makes it a question."""
    task = _task("chat")
    if task is None:
        return None
    # Short recurring answers ("yes", "no") count as text here: the headers say what they are.
    texts = {plain_header(column): str(column["name"]) for column in of_kind(columns, "text", "label", "number")}
    asked = next((name for name in _names(task, "instruction") if name in texts), None)
    extra = next((name for name in _names(task, "input") if name in texts), None)
    answer = next((name for name in _names(task, "output") if name in texts), None)
    if asked is None and extra is not None:
        asked, extra = extra, None
    if asked is None or answer is None:
        return None
    chosen = {"instruction": texts[asked], "output": texts[answer]}
    if extra is not None:
        chosen["input"] = texts[extra]
    rest = [column for column in of_kind(columns, "text", "label") if str(column["name"]) not in chosen.values()]
    made = certain(task, chosen, "instructions")
    # "context" beside a question is a passage to read, not an Alpaca input: the answer may be a span of it.
    if rest or extra == "context":
        others = [str(column["name"]) for column in rest] or [texts["context"]]
        return _ask("instructions_and_more", [made], task, tuple(chosen), rest=others)
    answers = next(column for column in columns if str(column["name"]) == chosen["output"])
    labels = _task("labels")
    if answers["kind"] == "label" and labels is not None and extra is None:
        pair = {"text": chosen["instruction"], "label": chosen["output"]}
        both = (certain(labels, pair, "one_label", labels=answers["distinct"]), made)
        return Suggestion(
            None, {}, False, "data.question.answers_recur", {**chosen, "labels": answers["distinct"]}, both
        )
    return made


def _labels(columns: Sequence[Column]) -> Suggestion | None:
    """One text and one column of few recurring values."""
    task = _task("labels")
    texts, labels = of_kind(columns, "text"), of_kind(columns, "label")
    if task is None or not labels:
        return None
    # The column that says which file a row came from is the label only where nothing else can be: one file a label.
    labels = [column for column in labels if column["name"] != FILE] or labels
    if not texts and len(labels) > 1:
        texts, labels = _short_texts(task, labels)
    if not texts or not labels:
        return None
    text_choices = _narrow(texts, _obvious_text(task, texts))
    label_choices = _narrow(labels, _obvious_label(labels))
    options = [
        certain(task, {"text": str(text["name"]), "label": str(label["name"])}, "one_label", labels=label["distinct"])
        for text in text_choices
        for label in label_choices
    ]
    if len(label_choices) > 1 and len(text_choices) > 1:
        names = [str(column["name"]) for column in (*text_choices, *label_choices)]
        return _ask("which_both", options, task, ("text", "label"), columns=names)
    if len(label_choices) > 1:
        return _ask("which_label", options, task, ("label",), columns=[str(label["name"]) for label in label_choices])
    if len(text_choices) > 1:
        return _ask("which_text", options, task, ("text",), columns=[str(text["name"]) for text in text_choices])
    if label_choices[0]["several"]:
        name, mark = str(label_choices[0]["name"]), label_choices[0]["several"]
        return _ask("several_labels", options, task, ("label",), column=name, mark=mark)
    return options[0]


def _short_texts(task: Task, labels: list[Column]) -> tuple[list[Column], list[Column]]:
    """Texts that recur so often that they look like labels are told from them by the header alone."""
    named = [column for column in labels if plain_header(column) in _names(task, "text")]
    return named, [column for column in labels if column not in named]


def _narrow(columns: list[Column], obvious: Column | None) -> list[Column]:
    return columns if obvious is None else [obvious]


def _obvious_text(task: Task, texts: list[Column]) -> Column | None:
    """The only text, the only one named so, or one far longer than all others."""
    named = [column for column in texts if plain_header(column) in _names(task, "text")]
    for few in (texts, named):
        if len(few) == 1 and (few is texts or all(_longer(few[0], other) for other in texts if other is not few[0])):
            return few[0]
    for column in texts:
        if all(column["mean_length"] > _SURELY_TEXT * other["mean_length"] for other in texts if other is not column):
            return column
    return None


def _longer(column: Column, other: Column) -> bool:
    return bool(column["mean_length"] > other["mean_length"])


def _obvious_label(labels: list[Column]) -> Column | None:
    """The only candidate, or the only one whose header can mean nothing else."""
    if len(labels) == 1:
        return labels[0]
    named = [column for column in labels if plain_header(column) in _TARGET_NAMES]
    return named[0] if len(named) == 1 else None


def _nothing_fits(columns: Sequence[Column]) -> Suggestion:
    """No task is plain: a question, with what could be meant."""
    texts = of_kind(columns, "text")
    names = [str(column["name"]) for column in texts]
    chat, labels = _task("chat"), _task("labels")
    if len(texts) == 2 and chat is not None:
        both = [certain(chat, {"instruction": a, "output": b}, "instructions") for a, b in (names, names[::-1])]
        return Suggestion(
            None, {}, False, "data.question.two_texts", {"first": names[0], "second": names[1]}, tuple(both)
        )
    if len(texts) == 1 and labels is not None:
        # Any other column that repeats itself at all might be the label after all.
        others = [column for column in columns if column is not texts[0] and column["distinct"] >= 2]
        options = [
            certain(labels, {"text": names[0], "label": str(one["name"])}, "one_label", labels=one["distinct"])
            for one in others
            if one["kind"] in ("number", "text", "date")
        ]
        return Suggestion(None, {}, False, "data.question.no_label", {"text": names[0]}, tuple(options))
    code = "many_texts" if texts else "no_text"
    return Suggestion(None, {}, False, f"data.question.{code}", {"columns": names})


def texts_among(task: Task, columns: Sequence[Column]) -> list[Column]:
    """The columns that may be the text a task reads: the obvious one, else all that hold texts."""
    texts = [column for column in of_kind(columns, "text") if not are_lists(column)]
    return _narrow(texts, _obvious_text(task, texts)) if texts else []


def certain(task: Task, chosen: dict[str, str], reason: str, **values: Any) -> Suggestion:
    return Suggestion(task.key, chosen, True, f"data.reason.{reason}", {**chosen, **values})


def _ask(question: str, options: list[Suggestion], task: Task, asked: tuple[str, ...], **values: Any) -> Suggestion:
    """A question about the roles `asked`; only the other ones are filled in."""
    kept = {role: column for role, column in options[0].columns.items() if role not in asked}
    code = f"data.question.{question}"
    return Suggestion(task.key, kept, False, code, {**options[0].columns, **values}, tuple(options))
