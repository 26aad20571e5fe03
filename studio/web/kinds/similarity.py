"""Scores of pairs: a gauge, and a box that finds the nearest rows of the run's own data to any text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data.store import DataVersion, find_version
from studio.data.use import Use
from studio.errors import UserError
from studio.inference.client import Stages
from studio.web.context import Page
from studio.web.island import island
from studio.web.kinds.base import Face, More, faces
from studio.web.kinds.score import number_chart
from studio.web.shown import shown
from studio.web.tabs import bounds
from studio.web.tabs.answerfile import has_model

HITS = 10
_LONGEST = 600
ASKING: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class SimilarityFace(Face):
    """A number a pair."""

    key = "similarity"

    def charts(self, page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
        return [number_chart(page, version, use.columns["score"])] if "score" in use.columns else []

    def more(self, page: Page, run: gr.Dropdown) -> More:
        with gr.Column(visible=False, elem_id="play-nearest") as column:
            with gr.Row(equal_height=True):
                box = gr.Textbox(
                    label=page.t("web.play.search"),
                    info=page.t("web.play.search_help"),
                    lines=1,
                    max_lines=4,
                    max_length=bounds.TEXT,
                    scale=5,
                    min_width=280,
                    elem_id="play-search",
                )
                go = gr.Button(page.t("web.play.search_go"), scale=1, min_width=110, elem_id="play-search-go")
            hits = island("hits", elem_id="play-hits")

        @page.told
        def search(chosen: str | None, text: str) -> Iterator[dict[str, Any] | None]:
            yield from searched(page, chosen, text)

        gr.on([go.click, box.submit], search, [run, box], hits, concurrency_id="predict", concurrency_limit=4, **ASKING)
        return More(column, [], [box, go, hits])

    def filled(self, page: Page, folder: Path) -> list[Any]:
        """Simple models put no text anywhere, so a run of them alone has nothing to search with."""
        there = has_model(folder)
        return [
            gr.Textbox(value="", visible=there),
            gr.Button(page.t("web.play.search_go"), visible=there),
            None,
        ]


def searched(page: Page, run: str | None, text: str) -> Iterator[dict[str, Any] | None]:
    """What is waited for, then what was found or why nothing was. Raises UserError (`text_empty`, `text_long`)."""
    asked = bounds.bounded(text, bounds.TEXT).strip()
    if not run:
        return
    if not asked:
        raise UserError("text_empty")
    yield from shown(page, _searching(page, run, asked))


def _searching(page: Page, run: str, asked: str) -> Stages:
    data = find_version(page.workspace, page.desk.spec(run).data).rows_path
    found = yield from page.inference.searching(page.desk.folder(run), data, asked, HITS)
    hits = [{**hit, "text": hit["text"][:_LONGEST]} for hit in found["hits"]]
    return {**found, "hits": hits, "asked": asked}


faces.register(SimilarityFace())
