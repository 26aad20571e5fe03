"""How well a model reads some texts, told by its tokenizer alone: no torch, no transformers.

A tokenizer file may be huge or hostile, so it is opened in a limited child process; what it said is remembered.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio import child
from studio.errors import UserError
from studio.models import rules

MOST_CHARACTERS = 20_000
"""Characters of one text that are looked at."""
SECONDS = 60
MEMORY = 2 * 2**30


@dataclass(frozen=True)
class Reading:
    """`share` of the texts' tokens the tokenizer knows, and `lengths`: tokens a text, special ones included."""

    share: float
    lengths: tuple[int, ...]


def read_texts(folder: Path, texts: Sequence[str]) -> Reading:
    """Both numbers from one look. Raises UserError where the folder has no usable tokenizer."""
    rules.check_tokenizer(folder)
    return _measured(str(folder), changed(folder), tuple(text[:MOST_CHARACTERS] for text in texts))


def changed(folder: Path) -> int:
    """When a tokenizer's files were changed last, in nanoseconds."""
    return max(path.stat().st_mtime_ns for path in folder.iterdir() if path.name in _FILES)


def token_lengths(folder: Path, texts: Sequence[str]) -> list[int]:
    """Tokens a text, with those the model puts around it. Raises UserError as `read_texts`."""
    return list(read_texts(folder, texts).lengths)


def reads_your_text(folder: Path, texts: Sequence[str]) -> float:
    """The share of the texts' tokens the model knows, 1.0 for no text. Raises UserError as `read_texts`.

    Not known are the unknown token, and tokens that hold only a part of a character's bytes: both mean that the
    model never learnt that character.
    """
    return read_texts(folder, texts).share


_FILES = {name for names in rules.TOKENIZERS for name in names}


@lru_cache(maxsize=32)
def _measured(folder: str, when: int, texts: tuple[str, ...]) -> Reading:
    """`when` is part of the key: another tokenizer in the same place is looked at anew."""
    try:
        done = subprocess.run(
            child.command("studio.models.coverage"),
            input=json.dumps({"folder": folder, "texts": texts}),
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
            env=child.environment(TOKENIZERS_PARALLELISM="false"),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError("model_tokenizer_fails", folder=folder, reason=f"{2 * SECONDS} s") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [child.end_of(done.returncode)])[-1]
        raise UserError("model_tokenizer_fails", folder=folder, reason=reason[:200])
    found = json.loads(done.stdout)
    return Reading(found["share"], tuple(found["lengths"]))


def open_tokenizer(folder: Path) -> Any:
    """A tokenizers.Tokenizer from whichever files the folder has."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    whole = folder / "tokenizer.json"
    if whole.is_file():
        tokenizer = Tokenizer.from_file(str(whole))
    elif (folder / "vocab.txt").is_file():
        settings = folder / "tokenizer_config.json"
        lower = rules.read_json(settings).get("do_lower_case", True) if settings.is_file() else True
        tokenizer = Tokenizer(models.WordPiece.from_file(str(folder / "vocab.txt"), unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=bool(lower))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        marks = [(name, tokenizer.token_to_id(name) or 0) for name in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = processors.BertProcessing(marks[1], marks[0])
    else:
        tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _measure(tokenizer: Any, texts: list[str]) -> dict[str, Any]:
    known = total = 0
    lengths = []
    unknown = Unknown(tokenizer)
    for encoding in tokenizer.encode_batch(texts):
        lengths.append(len(encoding.ids))
        own = [number for number, mark in zip(encoding.ids, encoding.special_tokens_mask, strict=True) if not mark]
        total += len(own)
        known += sum(not unknown(number) for number in own)
    return {"share": known / total if total else 1.0, "lengths": lengths}


class Unknown:
    """Whether a token id stands for something the model never learnt; each id is decided once."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        model = tokenizer.model
        named = getattr(model, "unk_token", None)
        self.unknown = tokenizer.token_to_id(named) if named else getattr(model, "unk_id", None)
        byte_level = any("ByteLevel" in repr(part) for part in (tokenizer.pre_tokenizer, tokenizer.decoder))
        self.bytes = _byte_of_character() if byte_level else {}
        self.decided: dict[int, bool] = {}

    def __call__(self, number: int) -> bool:
        if number not in self.decided:
            self.decided[number] = number == self.unknown or self._is_part(self.tokenizer.id_to_token(number) or "")
        return self.decided[number]

    def _is_part(self, token: str) -> bool:
        if not self.bytes:
            return len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        try:
            bytes(self.bytes[character] for character in token).decode("utf-8")
        except UnicodeDecodeError:
            return True
        except KeyError:  # a token added as plain text, outside the byte alphabet
            return False
        return False


def _byte_of_character() -> dict[str, int]:
    """The alphabet byte-level tokenizers write bytes in: printable ones as themselves, the rest from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [number for number in range(256) if number not in plain]
    return {chr(number): number for number in plain} | {chr(256 + place): number for place, number in enumerate(rest)}


def _main() -> None:
    child.limit(memory=MEMORY, seconds=SECONDS)
    request = json.load(sys.stdin)
    json.dump(_measure(open_tokenizer(Path(request["folder"])), request["texts"]), sys.stdout)


if __name__ == "__main__":
    _main()
