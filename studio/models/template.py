"""A chat template rendered without transformers, in a limited child, to show people what the model will see.

A template is a program of strangers: Jinja's sandbox blocks its reach, the child's limits its appetite. Training and
answering use the tokenizer's own rendering; a test holds the two together.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from studio import child
from studio.errors import UserError
from studio.models import rules

SECONDS = 2
MEMORY = 400_000_000
MOST_CHARACTERS = 200_000
PLAIN = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
)
"""ChatML, for a model that is not on disk yet."""


def template_of(folder: Path) -> tuple[str, dict[str, str]]:
    """The template of a model folder and the special tokens it may name. Raises UserError (`chat_template_missing`)."""
    path = folder / "tokenizer_config.json"
    config = rules.read_json(path) if path.is_file() else {}
    own = folder / "chat_template.jinja"
    text: Any = None
    if not own.is_file():
        text = config.get("chat_template")
    elif own.stat().st_size <= rules.CONFIG_BYTES:
        text = own.read_text(encoding="utf-8")
    if isinstance(text, list):  # several templates by name; the one without tools is meant
        text = {part.get("name"): part.get("template") for part in text if isinstance(part, dict)}.get("default")
    if not isinstance(text, str) or not text:
        raise UserError("chat_template_missing", model=folder.name)
    tokens = {}
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        token = config.get(name)
        tokens[name] = str(token.get("content", "")) if isinstance(token, dict) else str(token or "")
    return text, tokens


def render_rows(folder: Path | None, conversations: list[list[dict[str, str]]]) -> list[str]:
    """Each conversation as the text the model reads; with no folder, in the plain form.

    Raises UserError (`chat_template_refused`) when the template fails, takes too long or grows too large.
    """
    text, tokens = (PLAIN, {}) if folder is None else template_of(folder)
    request = json.dumps({"template": text, "tokens": tokens, "conversations": conversations})
    roles = ", ".join(message["role"] for messages in conversations for message in messages)[:80]
    try:
        done = subprocess.run(
            child.command("studio.models.template"),
            input=request,
            capture_output=True,
            text=True,
            timeout=SECONDS * 5,
            env=child.environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError("chat_template_refused", roles=roles, reason=f"{SECONDS} s") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError("chat_template_refused", roles=roles, reason=reason[:200])
    shown: list[str] = json.loads(done.stdout)
    return shown


def _environment() -> Any:
    """Jinja as transformers sets it up for chat templates: the same sandbox, tags, filter and functions."""
    from datetime import datetime

    from jinja2 import nodes
    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks answers for training; a reader sees only what stands inside."""

        tags = {"generation"}

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return list(parser.parse_statements(("name:endgeneration",), drop_needle=True))

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def to_json(value: Any, ensure_ascii: bool = False, **settings: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **settings)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _render(request: dict[str, Any]) -> list[str]:
    template = _environment().from_string(request["template"])
    shown = []
    for messages in request["conversations"]:
        text = template.render(messages=messages, add_generation_prompt=False, **request["tokens"])
        shown.append(text[:MOST_CHARACTERS])
    return shown


def _main() -> None:
    child.limit(memory=MEMORY, seconds=SECONDS)
    json.dump(_render(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    _main()
