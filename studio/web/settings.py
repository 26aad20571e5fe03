"""What a run was started with, as titles and values in words of one language."""

from __future__ import annotations

from typing import Any

from studio.methods.base import methods
from studio.models.earlier import is_run, lineage
from studio.options import Option, options_of
from studio.runs.view import RunView
from studio.spec import SPLITS, Spec
from studio.tasks.base import tasks
from studio.training.language import KEY as LANGUAGE
from studio.training.options import TrainingOptions
from studio.web.describe import method_title, model_title
from studio.words import has, say
from studio.workspace import Workspace

Part = dict[str, Any]
"""{"title", "rows": [[name, value]]}."""


def shown_settings(spec: Spec, view: RunView, language: str, workspace: Workspace | None = None) -> list[Part]:
    """The run's spec: what it learnt from, how, and every option by group."""

    def t(code: str, **values: Any) -> str:
        return say(code, language, **values)

    split = t("web.settings.shares", validation=_percent(spec.split.validation), test=_percent(spec.split.test))
    preset = f"web.train.preset_{spec.preset}"
    about = [
        [t("web.col.data"), view.data_name or spec.data],
        [t("web.settings.task"), t(f"task.{spec.task}.title")],
        *([t(f"role.{spec.task}.{role}"), column] for role, column in spec.columns.items() if column),
        [t("web.settings.split"), split],
        *([[t("web.data.split_how"), _way(spec, language)]] if spec.split.how != SPLITS[0] else []),
        [t("web.data.seed"), str(spec.seed)],
        [t("web.col.model"), model_title(spec.model, language, workspace)],
    ]
    chain = []
    if workspace and is_run(spec.model):
        chain = [model_title(one, language, workspace) for one in lineage(workspace, spec.model)]
    elif spec.options.get("training", {}).get(LANGUAGE):
        before = model_title(spec.model, language, workspace)
        chain = [say("web.model_spoken", language, model=before), t(f"task.{spec.task}.title")]
    if chain:
        about.append([t("web.settings.lineage"), " → ".join(chain)])
    if spec.model:
        about.append([t("web.col.method"), method_title(spec.method, language)])
        about.append([t("web.train.preset"), t(preset) if has(preset) else spec.preset])
    return [{"title": t("web.settings.about"), "rows": about}, *_options(spec, language)]


def _way(spec: Spec, language: str) -> str:
    way = say(f"split.{spec.split.how}", language)
    return f"{way}: {spec.split.column}" if spec.split.column else way


def _options(spec: Spec, language: str) -> list[Part]:
    task = tasks.get(spec.task)
    declared: dict[str, tuple[str, type]] = {
        "training": (say("web.train.advanced_training", language), TrainingOptions),
        "task": (
            say("web.train.advanced_task", language, title=say(f"task.{task.key}.title", language)),
            task.Options,
        ),
    }
    if spec.method in methods.keys():
        title = say("web.train.advanced_method", language, title=method_title(spec.method, language))
        declared["method"] = (title, methods.get(spec.method).Options)
    parts = []
    for group, (title, options) in declared.items():
        known = {item.name: item for item in options_of(options, group)}
        rows = [_row(known.get(name), name, value, language) for name, value in spec.options.get(group, {}).items()]
        if rows:
            parts.append({"title": title, "rows": rows})
    return parts


def _row(item: Option | None, name: str, value: Any, language: str) -> list[str]:
    """One option; by its bare name where a newer or older studio declared it."""
    if item is None:
        return [name, str(value)]
    code = f"{item.code}_{str(value).replace('-', '_')}"
    if item.kind == "bool":
        shown = say("web.settings.on" if value else "web.settings.off", language)
    elif item.kind == "choice" and has(code):
        shown = say(code, language)
    else:
        shown = f"{value:g}" if isinstance(value, float) else str(value)
    return [say(item.code, language), shown or "–"]


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
