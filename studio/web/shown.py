"""What an island of the playground shows while something is asked of a model, and where that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from studio.inference.client import Stages
from studio.web.context import Page

Shown = dict[str, Any]


def shown(page: Page, work: Stages, onto: Callable[[Shown | None], Any] = lambda value: value) -> Iterator[Any]:
    """What an island shows one after the other: {"working"}, what is waited for; in the end what `work` returns, or
    {"error"}, the sentences why there is nothing. `onto` puts each among what else the handler hands over."""
    try:
        while True:
            yield onto({"working": page.t(f"web.play.stage.{next(work)}")})
    except StopIteration as end:
        yield onto(end.value)
    except Exception as error:
        # Where the answer would stand, and until the next question: a notice in a corner goes away unread.
        yield onto({"error": page.sentences(error)})
