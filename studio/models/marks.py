"""Which tokens a model pads with, begins and ends with, told from its small files alone: no torch, no transformers.

Training asks the loaded tokenizer (`studio.models.load.guard_padding`); a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.models import rules

PADS = ("<pad>", "[PAD]", "<|pad|>", "<|endoftext|>", "<|finetune_right_pad_id|>", "<|PAD_TOKEN|>", "<unk>")
"""Tokens that can pad where a model has none but its end mark, the best first."""
_BRACKETS = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
_ANGLES = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
_NO_START = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
_GPT = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
DEFAULTS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("bert", "distilbert", "electra", "roformer", "deberta", "deberta-v2"), _BRACKETS),
    **dict.fromkeys(("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "bart", "mbart"), _ANGLES),
    "mpnet": {**_ANGLES, "unk_token": "[UNK]"},
    **dict.fromkeys(("t5", "mt5", "umt5", "marian", "pegasus"), _NO_START),
    "gpt2": _GPT,
}
"""What the tokenizer class of a family says by itself (transformers 5.23) where a model's files are silent."""
_GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""Classes that have no such say."""


@dataclass(frozen=True)
class Marks:
    """`own_pad` is the model's own padding token, `pad` the one the studio pads with ("" where only the whole
    tokenizer can tell), `begin` and `end` what it writes around a text; "" for none."""

    own_pad: str
    pad: str
    begin: str
    end: str


def read_marks(folder: Path, family: str) -> Marks:
    """The marks of a model folder, or of the small files of one that is not here yet. Raises UserError
    (`model_file_unreadable`)."""
    named = _named(folder, family)
    end, own = named.get("eos_token", ""), named.get("pad_token", "")
    pad = own if own and own != end else _other(folder, end, named.get("unk_token", ""), own)
    begin = named.get("bos_token") or named.get("cls_token", "")
    return Marks(own, pad, begin, end or named.get("sep_token", ""))


def default_marks(family: str) -> Marks | None:
    """The marks of a family whose tokenizer class settles them; None where each model says its own."""
    named = DEFAULTS.get(family, {})
    if not named.get("pad_token"):
        return None
    begin, end = named.get("bos_token") or named.get("cls_token", ""), named.get("eos_token") or named.get("sep_token")
    return Marks(named["pad_token"], named["pad_token"], begin, end or "")


def _named(folder: Path, family: str) -> dict[str, str]:
    """Role -> token: the tokenizer's config before the map of special tokens before what its class says."""
    files = [rules.read_json(path) if (path := folder / name).is_file() else {} for name in _FILES]
    found = {}
    for role in ("pad_token", "bos_token", "eos_token", "unk_token", "cls_token", "sep_token"):
        said = [file[role] for file in files if role in file]
        if said:
            found[role] = _text(said[0])
        elif files[0].get("tokenizer_class") not in _GENERIC:
            found[role] = DEFAULTS.get(family, {}).get(role, "")
    return found


_FILES = ("tokenizer_config.json", "special_tokens_map.json")


def _text(token: Any) -> str:
    """A token as the files write it: plain, or an object with its content; null is none."""
    return str(token.get("content") or "") if isinstance(token, dict) else str(token or "")


def _other(folder: Path, end: str, unknown: str, own: str) -> str:
    """What pads instead of the end mark; "" where the vocabulary is not here to ask."""
    vocabularies = [path for name in _VOCABULARIES if (path := folder / name).is_file()]
    config = folder / "tokenizer_config.json"
    added = rules.read_json(config).get("added_tokens_decoder") if config.is_file() else None
    listed = {_text(token) for token in added.values()} if isinstance(added, dict) else set()
    contents = [path.read_bytes() for path in vocabularies if path.stat().st_size <= rules.TOKENIZER_BYTES]
    for token in (*PADS, unknown):
        quoted = f'"{token}"'.encode()
        if token and token != end and (token in listed or any(quoted in content for content in contents)):
            return token
    return (own or end) if contents else ""


_VOCABULARIES = ("tokenizer.json", "vocab.json")
