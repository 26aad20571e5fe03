"""Labels: bars in the playground, descriptions and keyword rules below them; label counts on the Data tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from studio.data.queries import label_counts
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.tasks.base import tasks
from studio.web.context import Page
from studio.web.kinds.base import Face, More, faces, label_chart, word_chart
from studio.web.tabs import bounds
from studio.web.tabs.answerfile import has_model
from studio.web.tabs.rules import rules_of, save_rules

MOST_BARS = 20
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}


class LabelFace(Face):
    """One of a few labels."""

    key = "labels"

    def more(self, page: Page, run: gr.Dropdown) -> More:
        with gr.Column(visible=False, elem_id="play-labels") as column:
            with gr.Accordion(page.t("web.play.descriptions"), open=False, elem_id="play-descriptions") as guessing:
                descriptions = gr.Textbox(
                    label=page.t("web.play.descriptions"), show_label=False, lines=4, max_length=bounds.LINES
                )
            with gr.Accordion(page.t("web.play.rules"), open=False):
                rules = gr.Textbox(
                    label=page.t("web.play.rules"),
                    show_label=False,
                    lines=6,
                    max_length=bounds.RULES,
                    elem_id="play-rules",
                )
                keep = gr.Button(page.t("web.play.rules_save"), size="sm", elem_id="play-rules-save")
                scored = gr.Markdown(elem_id="play-rules-score")

        @page.told
        def keep_rules(chosen: str | None, text: str) -> str:
            return told_edit(page, chosen, text) if chosen else ""

        keep.click(keep_rules, [run, rules], scored, **QUIET)
        return More(column, [descriptions], [rules, scored, descriptions, guessing])

    def filled(self, page: Page, folder: Path) -> list[Any]:
        rules, descriptions = rules_of(folder)
        # Nobody guesses from label names about pairs, or without a model.
        alone = has_model(folder) and len(tasks.get(page.desk.get(folder.name).task).asked) == 1
        return [rules, "", descriptions, gr.Accordion(visible=alone)]

    def describe(self, inputs: list[Any]) -> dict[str, str]:
        return described(bounds.bounded(inputs[0] or "", bounds.LINES))

    def charts(self, page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
        counts = label_counts(version, use.columns["label"], MOST_BARS) if "label" in use.columns else []
        return [label_chart(page, counts), *word_chart(page, version, use)] if counts else []


def told_edit(page: Page, run: str, rules: str) -> str:
    """Keep edited rules, and say what that did to their score."""
    text = bounds.bounded(rules, bounds.RULES)
    edited = save_rules(page.workspace, page.desk.folder(run), page.desk.spec(run), text)
    if edited.now is None:
        return page.t("web.play.rules_saved")
    before = "–" if edited.before is None else f"{edited.before:.3f}"
    metric = page.t(f"metric.{edited.metric}")
    return page.t("web.play.rules_scored", metric=metric, score=f"{edited.now:.3f}", before=before, rows=edited.rows)


def described(text: str) -> dict[str, str]:
    """Lines of "label: description" by label."""
    pairs = (line.partition(":") for line in (text or "").replace("：", ":").splitlines())
    return {label.strip(): told.strip() for label, colon, told in pairs if colon and told.strip()}


faces.register(LabelFace())
