"""Personal data in texts is masked, hashed or replaced; the same value always becomes the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.data.privacy import HOW, redacted
from studio.data.steps.base import TextStep, steps
from studio.options import option


@dataclass(frozen=True)
class Options:
    columns: tuple[str, ...] = option((), of="columns")
    redact_as: str = option("mask", choices=HOW)


class Redact(TextStep):
    key = "redact"
    order = 90
    family = "privacy"
    Options = Options

    def edit(self, text: str, options: Any, found: Any) -> str:
        return redacted(text, options.redact_as)


steps.register(Redact())
