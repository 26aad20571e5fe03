"""From the one pinned file of 4-bit multilingual E5 weights (magic "E5S1") to a plain transformers folder.

Runs in the conversion child only, after the file's hash was checked; it needs numpy and tokenizers, not torch. All
numbers are little endian: a header, the pieces of a Unigram tokenizer with their scores, a character map that is not
needed (it is NFKC), and the table of tensors.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.errors import UserError

_MAGIC = b"E5S1"
_BLOCK = 32
"""Weights that share one scale: float16 scale, then 16 bytes; low nibbles are values 0-15, high ones 16-31."""
_FLOAT, _FOUR_BITS = 0, 1
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Header:
    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    bos: int
    eos: int
    pad: int
    unknown: int
    pieces: list[str]
    scores: list[float]


class _Cursor:
    """Reads numbers one after the other. Raises UserError (`conversion_wrong`) behind the end."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.place = 0

    def take(self, pattern: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + pattern, self.data, self.place)
        self.place += struct.calcsize("<" + pattern)
        return values

    def array(self, kind: str, count: int) -> Array:
        found = np.frombuffer(self.data, dtype=kind, count=count, offset=self.place)
        self.place += found.nbytes
        return found


def convert_e5(source: Path, folder: Path) -> None:
    """Write config.json, model.safetensors (float32) and the tokenizer into `folder`.

    Raises UserError (`conversion_wrong`) when the file is not the one that was meant.
    """
    from safetensors.numpy import save_file

    data = memoryview(source.read_bytes())
    cursor = _Cursor(data)
    try:
        if bytes(data[:4]) != _MAGIC:
            raise ValueError("magic")
        header = _header(cursor)
        tensors = {_name(name): values for name, values in _tensors(cursor, data, header)}
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise UserError("conversion_wrong", model=source.name, reason=str(error)[:120]) from error
    save_file(tensors, str(folder / "model.safetensors"), {"format": "pt"})
    _write_config(header, folder)
    _write_tokenizer(header, folder)


def _header(cursor: _Cursor) -> _Header:
    cursor.place = 8
    sizes = cursor.take("7i")
    (epsilon,) = cursor.take("f")
    block, count = cursor.take("2i")
    if block != _BLOCK or not 0 < count <= 10**6:
        raise ValueError(f"block of {block}, {count} pieces")
    bos, eos, pad, unknown = cursor.take("4i")
    (length,) = cursor.take("Q")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = bytes(cursor.array("u1", length))
    pieces = [blob[start:stop].decode("utf-8") for start, stop in zip(offsets, offsets[1:], strict=False)]
    _, map_length = cursor.take("iI")
    cursor.place += map_length
    hidden, layers, heads, intermediate, vocabulary, positions, types = sizes
    return _Header(
        hidden=hidden,
        layers=layers,
        heads=heads,
        intermediate=intermediate,
        vocabulary=vocabulary,
        positions=positions,
        types=types,
        # The file keeps float32; six digits give back the number that was meant.
        epsilon=float(f"{epsilon:.6g}"),
        bos=bos,
        eos=eos,
        pad=pad,
        unknown=unknown,
        pieces=pieces,
        scores=scores,
    )


def _tensors(cursor: _Cursor, data: memoryview, header: _Header) -> Iterator[tuple[str, Array]]:
    """Every tensor by the file's own name, as float32 in the shape BertModel gives it."""
    (count,) = cursor.take("i")
    for _ in range(count):
        (length,) = cursor.take("H")
        name = bytes(cursor.array("u1", length)).decode("ascii")
        kind, size, start, stored = cursor.take("BIQQ")
        values = _values(data[start : start + stored], kind, size)
        yield name, values.reshape(_shape(name, header))


def _values(stored: memoryview, kind: int, size: int) -> Array:
    if kind == _FLOAT:
        return np.frombuffer(stored, dtype="<f4", count=size).copy()
    if kind != _FOUR_BITS or size % _BLOCK:
        raise ValueError(f"tensor kind {kind}")
    blocks = np.frombuffer(stored, dtype=[("scale", "<f2"), ("nibbles", "u1", 16)], count=size // _BLOCK)
    values = np.empty((len(blocks), _BLOCK), np.float32)
    values[:, :16] = blocks["nibbles"] & 15
    values[:, 16:] = blocks["nibbles"] >> 4
    values -= 8
    values *= blocks["scale"].astype(np.float32)[:, None]
    return values.reshape(-1)


def _shape(name: str, header: _Header) -> tuple[int, ...]:
    tables = {"emb.word": header.vocabulary, "emb.pos": header.positions, "emb.type": header.types}
    if name in tables:
        return (tables[name], header.hidden)
    part = name.split(".")[1]
    if not name.endswith(".w") or part.endswith("ln"):
        return (-1,)
    return (header.intermediate if part == "fi" else header.hidden, -1)


_TABLES = {"emb.word": "word_embeddings", "emb.pos": "position_embeddings", "emb.type": "token_type_embeddings"}
_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def _name(name: str) -> str:
    """The name BertModel gives to the tensor called `name` in the file."""
    if name in _TABLES:
        return f"embeddings.{_TABLES[name]}.weight"
    layer, part, end = name.split(".")
    kind = {"w": "weight", "b": "bias"}[end]
    if (layer, part) == ("emb", "ln"):
        return f"embeddings.LayerNorm.{kind}"
    return f"encoder.layer.{int(layer.removeprefix('l'))}.{_PARTS[part]}.{kind}"


def _write_config(header: _Header, folder: Path) -> None:
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": header.hidden,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "intermediate_size": header.intermediate,
        "vocab_size": header.vocabulary,
        "max_position_embeddings": header.positions,
        "type_vocab_size": header.types,
        "layer_norm_eps": header.epsilon,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "pad_token_id": header.pad,
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), "utf-8")


def _write_tokenizer(header: _Header, folder: Path) -> None:
    """Unigram with NFKC and folded white space: `<s> a </s>`, pairs `<s> a </s> </s> b </s>`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    vocabulary = list(zip(_unique(header.pieces), header.scores, strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=header.unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    names = {key: vocabulary[place][0] for key, place in _special(header).items()}
    start, end = names["bos_token"], names["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, header.bos), (end, header.eos)],
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names.values()])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": header.positions,
        "model_input_names": ["input_ids", "attention_mask"],
        "cls_token": start,
        "sep_token": end,
        **names,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, ensure_ascii=False, indent=2), "utf-8")


def _special(header: _Header) -> dict[str, int]:
    found = {
        "bos_token": header.bos,
        "pad_token": header.pad,
        "eos_token": header.eos,
        "unk_token": header.unknown,
    }
    if "<mask>" in header.pieces:
        found["mask_token"] = header.pieces.index("<mask>")
    return found


def _unique(pieces: list[str]) -> list[str]:
    """The pieces, a repeated one under a stand-in that no text contains: two ids cannot share a name."""
    seen: set[str] = set()
    found = []
    for place, piece in enumerate(pieces):
        found.append(f"<unused{place}>" if piece in seen else piece)
        seen.add(piece)
    return found
