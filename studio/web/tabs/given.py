"""What the Train tab's form was filled in for: the data, how it is used, and perhaps an earlier run's settings.

It travels with the page, so that what starts is what was shown, whatever is saved for that data meanwhile.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from studio.data.use import Use
from studio.errors import UserError
from studio.spec import Spec, Split

LONGEST = 200_000


@dataclass(frozen=True)
class Given:
    """`data` is a data version; `settings` those of an earlier run on it, when the form was opened with them."""

    data: str
    use: Use
    settings: Spec | None = None

    def dumps(self) -> str:
        """As the page keeps it."""
        settings = self.settings.to_json() if self.settings else None
        return json.dumps({"data": self.data, "use": self.use.to_json(), "settings": settings}, ensure_ascii=False)


def read(raw: Any) -> Given | None:
    """What a page sent back; None when nothing was filled in. Raises UserError (`request_unreadable`)."""
    if not raw:
        return None
    try:
        if len(raw) > LONGEST:
            raise ValueError(len(raw))
        sent = json.loads(raw)
        settings = Spec.from_json(sent["settings"]) if sent["settings"] else None
        return Given(str(sent["data"]), _use(sent["use"]), settings)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, UserError) as error:
        raise UserError("request_unreadable") from error


def read_for(raw: Any, version: str) -> Given:
    """The same, when it is about `version`. Raises UserError (`form_behind`) while it is about other data."""
    found = read(raw)
    if found is None or found.data != version:
        raise UserError("form_behind")
    return found


def _use(sent: dict[str, Any]) -> Use:
    """Only what a Use can be: text to text, and a split of numbers; the check of the draft judges them."""
    columns = {str(role): str(column) for role, column in dict(sent["columns"]).items()}
    return Use(str(sent["task"]), columns, Split.sent(sent["split"]))
