"""The card of a model: what can be said about it without loading it, read from its config and weight headers."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.models import rules
from studio.models.families import KINDS, OFFSET_POSITIONS
from studio.models.marks import Marks, read_marks

CARD_FILE = "card.json"
_EMBEDDINGS = ("word_embeddings.weight", "embed_tokens.weight", "wte.weight", "shared.weight", "tok_embeddings.weight")


@dataclass(frozen=True)
class Card:
    """A model as a picker shows it and a plan needs it.

    `parameters` counts the numbers, `embedding_parameters` those of its word table; `bytes` is the size on disk, or
    of the download while `on_disk` is false. `kind` is "encoder", "decoder" or "seq2seq". `licence` is an SPDX-like
    word or "" when unknown; `languages` are codes such as "en", ("multi",) for many. `note` is the catalogue code of
    a sentence that belongs beside the title, or ""; `prefix` goes before every text ("query: " for e5). `gated`: its
    owner asks everyone to accept terms before it can be fetched. `marks` are its padding, begin and end tokens, None
    where nothing on this machine says them. `listed`: these facts are the studio's own list's, which
    nobody checked against the model's page.
    """

    id: str
    title: str
    folder: str | None
    parameters: int
    embedding_parameters: int
    bytes: int
    kind: str
    model_type: str
    hidden: int
    layers: int
    heads: int
    vocabulary: int
    max_positions: int
    licence: str = ""
    languages: tuple[str, ...] = ()
    on_disk: bool = True
    has_chat_template: bool = False
    note: str = ""
    prefix: str = ""
    revision: str = ""
    intermediate: int = 0
    gated: bool = False
    marks: Marks | None = None
    listed: bool = False

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(raw: dict[str, Any]) -> Card:
        """Back again. Raises TypeError for unknown or missing fields."""
        marks = Marks(**raw["marks"]) if raw.get("marks") else None
        return Card(**{**raw, "languages": tuple(raw.get("languages", ())), "marks": marks})


def read_card(folder: Path, model_id: str) -> Card:
    """The card of a folder of weights. Imports no torch and reads no weights.

    Raises UserError when the folder breaks a rule: no folder, no config, an adapter alone, code, a quantised or
    unknown family, no tokenizer, pickle weights only, damaged weights.
    """
    config = rules.check_folder(folder)
    files = rules.weight_files(folder)
    return described(model_id, folder, config, rules.shapes(files), sum(path.stat().st_size for path in files))


def described(model_id: str, folder: Path, config: dict[str, Any], tensors: rules.Shapes, size: int) -> Card:
    """The card from a checked config, all tensors' shapes and the bytes they take; `folder` has the small files."""
    published = _published(folder)
    readme = _readme(folder)
    family = str(config["model_type"])
    table = max((math.prod(shape) for name, shape in tensors.items() if name.endswith(_EMBEDDINGS)), default=0)
    return Card(
        id=model_id,
        title=published.get("title") or folder.name,
        folder=str(folder),
        parameters=sum(math.prod(shape) for shape in tensors.values()),
        embedding_parameters=table,
        bytes=size,
        kind=KINDS[family],
        model_type=family,
        hidden=_number(config, "hidden_size", "d_model", "n_embd", "dim"),
        layers=_layers(config, KINDS[family]),
        heads=_number(config, "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"),
        vocabulary=_number(config, "vocab_size"),
        max_positions=_positions(config, family),
        licence=published.get("licence") or readme.get("license", ""),
        languages=tuple(published.get("languages") or readme.get("language", "").split()),
        has_chat_template=_has_chat_template(folder),
        note=published.get("note", ""),
        prefix=published.get("prefix", ""),
        revision=published.get("revision", ""),
        intermediate=_number(config, "intermediate_size", "d_ff", "n_inner", "hidden_dim", "ffn_dim"),
        marks=read_marks(folder, family),
    )


def _published(folder: Path) -> dict[str, Any]:
    """What the studio itself wrote beside the weights when it fetched them."""
    path = folder / CARD_FILE
    return rules.read_json(path) if path.is_file() else {}


def _number(config: dict[str, Any], *names: str) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return 0


def _layers(config: dict[str, Any], kind: str) -> int:
    """All layers, those of both sides of an encoder-decoder: each keeps activations and costs time."""
    one = _number(config, "num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers")
    if kind != "seq2seq":
        return one
    first = _number(config, "encoder_layers", "num_layers") or one
    return first + (_number(config, "decoder_layers", "num_decoder_layers") or first)


def _positions(config: dict[str, Any], family: str) -> int:
    """The longest text in tokens; 0 when the family has no such bound (T5 counts relative distances)."""
    count = _number(config, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
    return count - 2 if family in OFFSET_POSITIONS and count > 2 else count


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    path = folder / "tokenizer_config.json"
    return path.is_file() and bool(rules.read_json(path).get("chat_template"))


def _readme(folder: Path) -> dict[str, str]:
    """`license` and `language` from a README's front matter, read line by line: it is not ours, so no YAML parser."""
    path = folder / "README.md"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", errors="replace") as handle:
        parts = handle.read(20_000).split("---")
    if len(parts) < 3 or parts[0].strip():
        return {}
    found = {}
    for key in ("license", "language"):
        match = re.search(rf"^{key}:[ \t]*(.*(?:\n[ \t]*- .*)*)", parts[1], re.MULTILINE)
        if match:
            words = re.findall(r"[\w.+-]*\w", match.group(1))
            found[key] = " ".join(word.lstrip("-") for word in words[:100])
    return found
