"""The one kind of exception that is meant for people; everything else is a bug."""

from __future__ import annotations

from typing import Any

from studio.words import say_parts


class UserError(Exception):
    """Something a person can mend. `code` names an entry `error.<code>` of the catalogue; `values` fill it.

    The entry has three sentences: what happened (with the value seen), why, and what to do.
    """

    def __init__(self, code: str, /, **values: Any) -> None:
        self.code = code
        self.values = values
        super().__init__(self.text())

    def parts(self, language: str = "en") -> list[str]:
        """The sentences what / why / what to do in `language`."""
        return say_parts(f"error.{self.code}", language, **self.values)

    def text(self, language: str = "en") -> str:
        """All three sentences as one line."""
        return " ".join(self.parts(language))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.code, self.values))


def _rebuild(code: str, values: dict[str, Any]) -> UserError:
    return UserError(code, **values)
