"""How a model's tokenizer cuts one text, and where jieba finds the words of a Chinese one: a limited child does it, so
that neither a tokenizer nor a dictionary is loaded where the page is answered."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio import child
from studio.errors import UserError
from studio.models import coverage, rules

MOST_CHARACTERS = 2_000
"""Characters of the text that are cut."""
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Piece:
    """A token: the part of the text it stands for ("" for a mark that the model adds), its own spelling in the
    vocabulary, whether the model adds it, and whether it learnt it. `part` is "2/3" for the second of three tokens that
    stand for one character together, "" for others."""

    text: str
    token: str
    added: bool
    known: bool
    part: str = ""


@dataclass(frozen=True)
class Cut:
    """Tokens in their order, and the words of a text with Chinese in it (none for others)."""

    pieces: tuple[Piece, ...]
    words: tuple[str, ...]


def cut(folder: Path, text: str) -> Cut:
    """The first MOST_CHARACTERS of `text` as the tokenizer in `folder` cuts them. Raises UserError where the folder has
    no usable tokenizer."""
    rules.check_tokenizer(folder)
    return _asked(str(folder), coverage.changed(folder), text[:MOST_CHARACTERS])


@lru_cache(maxsize=64)
def _asked(folder: str, when: int, text: str) -> Cut:
    """`when` is part of the key: another tokenizer in the same place is asked anew."""
    try:
        done = subprocess.run(
            child.command("studio.models.pieces"),
            input=json.dumps({"folder": folder, "text": text}),
            capture_output=True,
            text=True,
            timeout=2 * coverage.SECONDS,
            env=child.environment(TOKENIZERS_PARALLELISM="false"),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        reason = f"{2 * coverage.SECONDS} s"
        raise UserError("model_tokenizer_fails", folder=folder, reason=reason) from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [child.end_of(done.returncode)])[-1]
        raise UserError("model_tokenizer_fails", folder=folder, reason=reason[:200])
    told = json.loads(done.stdout)
    return Cut(tuple(Piece(*piece) for piece in told["pieces"]), tuple(told["words"]))


def _pieces(tokenizer: Any, text: str) -> list[tuple[str, str, bool, bool, str]]:
    encoding, unknown = tokenizer.encode(text), coverage.Unknown(tokenizer)
    shares = Counter(span for span in encoding.offsets if span[0] < span[1])
    seen: Counter[tuple[int, int]] = Counter()
    found = []
    for number, token, span, mark in zip(
        encoding.ids, encoding.tokens, encoding.offsets, encoding.special_tokens_mask, strict=True
    ):
        seen[span] += 1
        known = bool(mark) or not unknown(number)
        part = f"{seen[span]}/{shares[span]}" if shares[span] > 1 and not known else ""
        found.append((text[slice(*span)], token, bool(mark), known, part))
    return found


def _words(text: str) -> list[str]:
    """The words, Chinese ones as jieba finds them; a text without Chinese is not asked about."""
    if not _CHINESE.search(text):
        return []
    # By itself jieba cuts accented words to pieces.
    from studio.data.augment import words_of

    return [text[start:end] for start, end in words_of(text)]


def _main() -> None:
    child.limit(memory=coverage.MEMORY, seconds=coverage.SECONDS)
    request = json.load(sys.stdin)
    tokenizer = coverage.open_tokenizer(Path(request["folder"]))
    json.dump({"pieces": _pieces(tokenizer, request["text"]), "words": _words(request["text"])}, sys.stdout)


if __name__ == "__main__":
    _main()
