"""Language models: candidates for a hidden word, or how a text goes on."""

from __future__ import annotations

from typing import Any

from studio.tasks.base import Row, Task
from studio.web.kinds.base import Face, faces


class TokenFace(Face):
    """What the model puts in or adds."""

    key = "tokens"

    def example(self, task: Task, row: Row) -> dict[str, Any]:
        """A text with one of its longer words left blank, or the first half of one."""
        text = task.question(row)[:400]
        if task.peft_type == "MASKED_LM":
            blank, word = _blanked(text)
            return {"text": blank, "truth": word}
        half = max(1, len(text) // 2)
        cut = text.rfind(" ", 0, half)
        half = cut if cut > half // 2 else half
        return {"text": text[:half].rstrip(), "truth": text[half:].strip()}


def _blanked(text: str) -> tuple[str, str]:
    """The text with its longest word replaced by a blank, and that word; a character where writing has no spaces."""
    words = [word for word in text.split() if word.isalpha() and word.isascii()]
    if words:
        word = max(words, key=len)
        return text.replace(word, "[MASK]", 1), word
    place = next((number for number in range(len(text) // 2, len(text)) if text[number].isalpha()), 0)
    return text[:place] + "[MASK]" + text[place + 1 :], text[place : place + 1]


faces.register(TokenFace())
