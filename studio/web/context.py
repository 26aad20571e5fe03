"""What every tab needs to build itself: the desk, the inference process, the language, and who is asking."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import gradio as gr

from studio.errors import UserError
from studio.inference.client import InferenceClient
from studio.runs.desk import Desk
from studio.words import say
from studio.workspace import Workspace

Handler = TypeVar("Handler", bound=Callable[..., Any])
log = logging.getLogger(__name__)


@dataclass
class Page:
    """One page in one language. `parts` holds the components that the address may set, by name."""

    desk: Desk
    inference: InferenceClient
    language: str
    parts: dict[str, Any] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        return self.desk.workspace

    def t(self, code: str, **values: Any) -> str:
        """The words for `code` in the page's language."""
        return say(code, self.language, **values)

    def told(self, handler: Handler) -> Handler:
        """`handler` with its UserErrors shown in the page's language; a bug is logged and told without its innards.

        A generator stays one: Gradio looks at the function to know whether answers are streamed.
        """
        if inspect.isgeneratorfunction(handler):

            @functools.wraps(handler)
            def streaming(*args: Any, **keywords: Any) -> Any:
                with self._telling():
                    yield from handler(*args, **keywords)

            return streaming  # type: ignore[return-value]

        @functools.wraps(handler)
        def telling(*args: Any, **keywords: Any) -> Any:
            with self._telling():
                return handler(*args, **keywords)

        return telling  # type: ignore[return-value]

    def sentences(self, error: Exception) -> list[str]:
        """What happened, why, and what to do, in the page's language; a bug is logged and told without its innards."""
        if isinstance(error, UserError):
            return error.parts(self.language)
        log.error("a handler of the page failed", exc_info=error)
        return UserError("bug").parts(self.language)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(" ".join(self.sentences(error)), duration=12, print_exception=False) from None


def owner(request: gr.Request) -> str:
    """The id of the person behind a request. The gate lets nobody through without one; this is the second door."""
    if not request.username:
        raise UserError("not_logged_in")
    return str(request.username)
