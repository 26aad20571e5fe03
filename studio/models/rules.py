"""What a model folder has to be before anything of it is loaded: plain files of a known family, and no code.

Only the standard library is used here and only small JSON files and safetensors headers are read, so that a hostile
folder meets no library that could be talked into more.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

from studio.errors import UserError
from studio.models.families import KINDS

CONFIG_BYTES = 2_000_000
TOKENIZER_BYTES = 50_000_000
HEADER_BYTES = 50_000_000
PICKLES = (".bin", ".pt", ".pt2", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack", ".joblib")
TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
JSON_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "processor_config.json",
    "preprocessor_config.json",
)
CODE_KEYS = ("auto_map", "trust_remote_code", "custom_pipelines", "custom_generate", "auto_mapping")
_ITEM_BYTES = {
    **{"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4},
    **{"F16": 2, "BF16": 2, "I16": 2, "U16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1, "BOOL": 1},
}
Shapes = dict[str, tuple[int, ...]]


def check_folder(folder: Path) -> dict[str, Any]:
    """The folder's config.json, once every rule holds. Raises UserError naming the first rule that does not."""
    config = check_config(folder)
    _check_tokenizer(folder)
    return config


def check_config(folder: Path) -> dict[str, Any]:
    """The rules that its small JSON files alone can break. Raises UserError like `check_folder`."""
    if not folder.is_dir():
        raise UserError("model_no_folder", folder=str(folder))
    if not (folder / "config.json").is_file():
        code = "model_is_adapter" if (folder / "adapter_config.json").is_file() else "model_no_config"
        raise UserError(code, folder=str(folder))
    config = _code_free(folder)["config.json"]
    if config.get("quantization_config"):
        raise UserError("model_quantized", folder=str(folder))
    family = str(config.get("model_type", "-"))
    if family not in KINDS:
        raise UserError("model_family", folder=str(folder), family=family, known=sorted(KINDS))
    return config


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON object. Raises UserError (`model_file_unreadable`) for any other content, or a huge file."""
    try:
        if path.stat().st_size > CONFIG_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes")
        raw = json.loads(path.read_text("utf-8"))
        if not isinstance(raw, dict):
            raise ValueError("not an object")
        return raw
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            "model_file_unreadable", folder=str(path.parent), file=path.name, reason=str(error)[:120]
        ) from error


def check_tokenizer(folder: Path) -> None:
    """The rules that hold for a tokenizer alone, as it lies beside an adapter. Raises UserError like `check_folder`."""
    _code_free(folder)
    _check_tokenizer(folder)


def _code_free(folder: Path) -> dict[str, dict[str, Any]]:
    """The folder's small JSON files, none of which names code."""
    configs = {name: read_json(folder / name) for name in JSON_FILES if (folder / name).is_file()}
    for name, config in configs.items():
        _refuse_code(folder, name, config)
    return configs


def _refuse_code(folder: Path, name: str, config: Any) -> None:
    """Walk the whole config: code hides in nested parts as well."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            for key, value in part.items():
                if key in CODE_KEYS and value:
                    raise UserError("model_has_code", folder=str(folder), file=name, key=key)
                if key.strip("_").startswith("attn_implementation") and "/" in str(value):
                    raise UserError("model_has_code", folder=str(folder), file=name, key=key)
                waiting.append(value)


def _check_tokenizer(folder: Path) -> None:
    if not any(all((folder / name).is_file() for name in names) for names in TOKENIZERS):
        raise UserError("model_no_tokenizer", folder=str(folder))
    for name in ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt"):
        size = (folder / name).stat().st_size if (folder / name).is_file() else 0
        if size > TOKENIZER_BYTES:
            raise UserError(
                "model_tokenizer_huge",
                folder=str(folder),
                file=name,
                size=size // 10**6,
                limit=TOKENIZER_BYTES // 10**6,
            )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights: the one file, or those its index names.

    Raises UserError: `model_pickle_only`, `model_no_weights`, `model_weights_damaged` (a part is missing).
    """
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        size = index.stat().st_size
        try:
            parts = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values())) if size < 5e7 else []
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            parts = []
        for part in parts or ["-"]:
            if Path(str(part)).name != part or not (folder / str(part)).is_file():
                raise UserError("model_weights_damaged", folder=str(folder), file=part)
        return [folder / part for part in parts]
    pickles = sorted(item.name for item in folder.iterdir() if item.suffix in PICKLES and item.is_file())
    if pickles:
        raise UserError("model_pickle_only", folder=str(folder), file=pickles[0])
    raise UserError("model_no_weights", folder=str(folder))


def shapes(files: list[Path]) -> Shapes:
    """Name -> shape of every tensor, from the headers. Raises UserError (`model_weights_damaged`) for a cut file."""
    found: Shapes = {}
    for path in files:
        try:
            found.update(_header(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error, RecursionError) as error:
            raise UserError("model_weights_damaged", folder=str(path.parent), file=path.name) from error
    return found


def _header(path: Path) -> Shapes:
    size = os.path.getsize(path)
    with path.open("rb") as handle:
        (length,) = struct.unpack("<Q", handle.read(8))
        if length > min(HEADER_BYTES, size - 8):
            raise ValueError("header longer than the file")
        header = json.loads(handle.read(length))
    found: Shapes = {}
    end = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        shape = tuple(int(side) for side in entry["shape"])
        count = 1
        for side in shape:
            count *= side
        begin, stop = entry["data_offsets"]
        if min(shape, default=0) < 0 or stop - begin != count * _ITEM_BYTES[entry["dtype"]]:
            raise ValueError("shape and bytes disagree")
        end = max(end, stop)
        found[name] = shape
    if not found or 8 + length + end != size:
        raise ValueError("file and header disagree")
    return found
