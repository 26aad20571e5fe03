"""Handlers of the page: errors are spoken in its language, generators stay generators."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import gradio as gr
import pytest

from studio.errors import UserError
from studio.web.context import Page
from studio.words import say


@pytest.fixture
def page() -> Page:
    return Page(SimpleNamespace(workspace=None), SimpleNamespace(), "zh")  # type: ignore[arg-type]


def test_a_streaming_handler_streams(page):
    @page.told
    def count(most: int):
        yield from range(most)

    assert inspect.isgeneratorfunction(count)
    assert list(count(3)) == [0, 1, 2]


def test_an_error_is_spoken_in_the_pages_language(page):
    @page.told
    def plain():
        raise UserError("text_empty")

    @page.told
    def streaming():
        yield 1
        raise UserError("text_empty")

    for call in (plain, lambda: list(streaming())):
        with pytest.raises(gr.Error) as caught:
            call()
        assert "输入框为空" in str(caught.value.message)


def test_a_bug_tells_nothing_of_its_innards(page, caplog):
    @page.told
    def broken():
        raise KeyError("secret")

    with pytest.raises(gr.Error) as caught:
        broken()
    assert caught.value.message == say("error.bug", "zh")
    assert "secret" in caplog.text
