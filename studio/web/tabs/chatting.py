"""The chat widgets of the playground: the tuned model, and beside it the base it was tuned from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import UserError
from studio.inference.adapters import can_be_turned_down
from studio.inference.client import Bit
from studio.inference.settings import MOST_TOKENS, ChatSettings
from studio.web.context import Page
from studio.web.island import island
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
        # One below the other where both would be too narrow to read.
        look: dict[str, Any] = {"height": 380, "min_width": 320, "buttons": ["copy"]}
        before = gr.Chatbot(label=page.t("web.play.before"), elem_id="chat-before", **look)
        after = gr.Chatbot(label=page.t("web.play.after"), elem_id="chat-after", **look)
    with gr.Row(equal_height=True):
        message = gr.Textbox(
            label=page.t("web.play.text"),
            lines=2,
            max_lines=12,
            max_length=bounds.TEXT,
            elem_id="chat-message",
            scale=5,
            min_width=280,
        )
        send = gr.Button(page.t("web.play.send"), variant="primary", elem_id="chat-send", min_width=100)
        stop = gr.Button(page.t("web.play.stop"), elem_id="chat-stop", min_width=80)
        clear = gr.Button(page.t("web.play.clear"), elem_id="chat-clear", min_width=80)
    state = island("talking", elem_id="chat-state")
    system, *chosen_settings = _settings(page)

    @page.told
    def talk(
        chosen: str | None, said: str, left: Talking, right: Talking, instruction: str, *settings: float
    ) -> Iterator[tuple[Any, ...]]:
        if not chosen:
            return
        if not said or not said.strip():
            raise UserError("text_empty")
        bounds.bounded(said, bounds.TEXT)
        instruction = bounds.bounded(instruction, bounds.LINES)
        sides = {"tuned": _talking(right), "base": _talking(left)}
        for talking in sides.values():
            bounds.bounded("".join(message["content"] for message in talking), bounds.TALK)
        try:
            yield from _stream(page, chosen, said, sides, instruction, settings)
        except Exception as error:
            # The message goes back into its box; why there is no answer stays below the talk.
            yield sides["base"], sides["tuned"], said, {"error": page.sentences(error)}

    # The talk says itself what is waited for; Gradio would lay a bare word over it.
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    inputs = [run, message, before, after, system, *chosen_settings, page.parts["play_strength"]]
    # One event for both ways of sending, so that a second message waits for the first answer's end.
    sending = gr.on(
        [send.click, message.submit],
        talk,
        inputs,
        [before, after, message, state],
        trigger_mode="once",
        concurrency_id="chat",
        concurrency_limit=4,
        **quiet,
    )
    told = "() => window.dispatchEvent(new Event('studio:talked'))"
    sending.then(None, None, None, js=told)
    stop.click(None, None, None, js=told, cancels=[sending], api_visibility="private")
    for emptied in (clear.click, run.change):
        emptied(lambda: ([], [], None), None, [before, after, state], cancels=[sending], api_visibility="private")
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
) -> Iterator[tuple[Any, ...]]:
    """Both answers as they grow, the emptied box, and what the line below the talk says; `settings` are tokens,
    temperature, top-p and strength. Every side keeps its own conversation, so that each answers what it said before."""
    tokens, temperature, top_p, percent = settings
    strength = percent / 100 if can_be_turned_down(page.desk.folder(run)) else 1.0
    chosen = ChatSettings(max_new_tokens=int(tokens), temperature=float(temperature), top_p=float(top_p))
    opening = [{"role": "system", "content": instruction}] if instruction.strip() else []
    heard = {side: [*talking, {"role": "user", "content": said}] for side, talking in sides.items()}
    texts = dict.fromkeys(sides, "")
    shown, ends = 0.0, []
    asked = {side: opening + messages for side, messages in heard.items()}
    stage = "answering"
    # Leaving this loop early closes the connection, which cancels the answer.
    for bit in page.inference.chat(page.desk.folder(run), asked, chosen, tuple(sides), strength):
        if bit.side:
            texts[bit.side] += bit.text
        if bit.reason:
            ends.append(_ended(page, bit))
        stage = bit.stage or stage
        if bit.stage or time.monotonic() - shown >= PACE:
            shown = time.monotonic()
            yield *_both(heard, texts), "", {"working": page.t(f"web.play.stage.{stage}")}
    yield *_both(heard, texts), "", {"ends": ends}


def _ended(page: Page, bit: Bit) -> dict[str, Any]:
    """How one side's answer ended; that it ended by itself need not be said."""
    told = page.t(f"playground.reason.{bit.reason}") if bit.reason != "end" else ""
    side = page.t("web.play.after" if bit.side == "tuned" else "web.play.before")
    return {"side": side, "tokens": bit.tokens, "seconds": bit.seconds, "told": told}


def _both(heard: dict[str, Talking], texts: dict[str, str]) -> tuple[Talking, Talking]:
    def whole(side: str) -> Talking:
        return [*heard[side], {"role": "assistant", "content": texts[side]}] if texts[side] else heard[side]

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
