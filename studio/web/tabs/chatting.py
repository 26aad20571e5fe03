"""The chat widgets of the playground: the tuned model, and beside it the base it was tuned from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import UserError
from studio.inference.adapters import can_be_turned_down
from studio.inference.settings import MOST_TOKENS, ChatSettings
from studio.web.context import Page
from studio.web.tabs import bounds

PACE = 0.1
"""Seconds between two updates of the page while an answer streams; more often only costs."""
Talking = list[dict[str, str]]


@dataclass
class Talk:
    """What the rest of the tab may set."""

    message: gr.Textbox


def build(page: Page, run: gr.Dropdown) -> Talk:
    """Draw the widgets into the current Blocks context and wire them to the chosen run."""
    with gr.Row():
        before = gr.Chatbot(label=page.t("web.play.before"), height=380, elem_id="chat-before", buttons=["copy"])
        after = gr.Chatbot(label=page.t("web.play.after"), height=380, elem_id="chat-after", buttons=["copy"])
    with gr.Row(equal_height=True):
        message = gr.Textbox(
            label=page.t("web.play.text"),
            lines=2,
            max_lines=12,
            max_length=bounds.TEXT,
            elem_id="chat-message",
            scale=5,
        )
        send = gr.Button(page.t("web.play.send"), variant="primary", elem_id="chat-send", min_width=100)
        stop = gr.Button(page.t("web.play.stop"), elem_id="chat-stop", min_width=80)
        clear = gr.Button(page.t("web.play.clear"), elem_id="chat-clear", min_width=80)
    system, *chosen_settings = _settings(page)

    @page.told
    def talk(
        chosen: str | None, said: str, left: Talking, right: Talking, instruction: str, strength: Any, *settings: float
    ) -> Iterator[tuple[Any, Any, Any]]:
        if not chosen:
            return
        if not said or not said.strip():
            raise UserError("text_empty")
        bounds.bounded(said, bounds.TEXT)
        instruction = bounds.bounded(instruction, bounds.LINES)
        sides = {"tuned": _talking(right), "base": _talking(left)}
        for talking in sides.values():
            bounds.bounded("".join(message["content"] for message in talking), bounds.TALK)
        share = strength / 100 if can_be_turned_down(page.desk.folder(chosen)) else 1.0
        yield from _stream(page, chosen, said, sides, instruction, (share, *settings))

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
    inputs = [run, message, before, after, system, page.parts["play_strength"], *chosen_settings]
    # One event for both ways of sending, so that a second message waits for the first answer's end.
    sending = gr.on(
        [send.click, message.submit],
        talk,
        inputs,
        [before, after, message],
        trigger_mode="once",
        concurrency_id="chat",
        concurrency_limit=4,
        **quiet,
    )
    stop.click(None, None, None, cancels=[sending], api_visibility="private")
    for emptied in (clear.click, run.change):
        emptied(lambda: ([], []), None, [before, after], cancels=[sending], api_visibility="private")
    return Talk(message)


def _settings(page: Page) -> list[Any]:
    """The instruction before the talk, then how answers are drawn: most tokens, temperature, top-p."""
    with gr.Accordion(page.t("web.play.settings"), open=False):
        system = gr.Textbox(
            label=page.t("web.play.system"), info=page.t("web.play.system_info"), lines=2, max_length=bounds.LINES
        )
        with gr.Row():
            tokens = gr.Slider(8, MOST_TOKENS, 200, step=8, label=page.t("web.play.tokens"))
            temperature = gr.Slider(
                0.0, 2.0, 0.0, step=0.1, label=page.t("web.play.temperature"), info=page.t("web.play.temperature_info")
            )
            top_p = gr.Slider(
                0.05, 1.0, 0.95, step=0.05, label=page.t("web.play.top_p"), info=page.t("web.play.top_p_info")
            )
    return [system, tokens, temperature, top_p]


def _stream(
    page: Page, run: str, said: str, sides: dict[str, Talking], instruction: str, settings: tuple[float, ...]
) -> Iterator[tuple[Any, Any, Any]]:
    """Both answers as they grow; `settings` are strength, tokens, temperature and top-p. Every side keeps its own
    conversation, so that each answers what it said before."""
    strength, tokens, temperature, top_p = settings
    chosen = ChatSettings(max_new_tokens=int(tokens), temperature=float(temperature), top_p=float(top_p))
    opening = [{"role": "system", "content": instruction}] if instruction.strip() else []
    heard = {side: [*talking, {"role": "user", "content": said}] for side, talking in sides.items()}
    texts = dict.fromkeys(sides, "")
    shown, first = 0.0, True
    asked = {side: opening + messages for side, messages in heard.items()}
    # Leaving this loop early closes the connection, which cancels the answer.
    for bit in page.inference.chat(page.desk.folder(run), asked, chosen, tuple(sides), strength):
        if bit.side:
            texts[bit.side] += bit.text
        if time.monotonic() - shown >= PACE:
            shown = time.monotonic()
            yield *_both(heard, texts), "" if first else gr.skip()
            first = False
    yield *_both(heard, texts), "" if first else gr.skip()


def _both(heard: dict[str, Talking], texts: dict[str, str]) -> tuple[Talking, Talking]:
    def whole(side: str) -> Talking:
        return [*heard[side], {"role": "assistant", "content": texts[side]}]

    return whole("base"), whole("tuned")


def _talking(history: Any) -> Talking:
    """Gradio's history as plain role and content; its content may be a list of parts."""
    plain = []
    for message in history or []:
        content = message["content"]
        if not isinstance(content, str):
            content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
        plain.append({"role": message["role"], "content": content})
    return plain
