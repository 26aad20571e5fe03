"""What the child process asks the Hugging Face hub with its own client: a search, a look at one model, its files.

Nothing here runs in the process that asked; see `studio.models.hub`, which starts the child.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio import child
from studio.errors import UserError
from studio.models import rules
from studio.models.card import Card, described
from studio.models.families import KINDS
from studio.models.hub import RESERVE, refused
from studio.models.known import known

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

SMALL = (
    *("config.json", "generation_config.json", "README.md", "chat_template.jinja"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "model.safetensors.index.json"),
)
ABOUT = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json")
"""The small files a look reads."""
MOST_FOUND = 20
_ASKED_FOR = 100
_REVISION_FILE = ".revision"
_DTYPE_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2}


def find(text: str, kinds: list[str]) -> list[dict[str, Any]]:
    """Public models whose name holds `text`, of these kinds, with safetensors, the most downloaded first."""
    from huggingface_hub import HfApi

    found = HfApi(token=False).list_models(
        search=text,
        filter="safetensors",
        sort="downloads",
        limit=_ASKED_FOR,
        expand=["safetensors", "config", "cardData", "downloads", "gated"],
        token=False,
    )
    lines = [line for information in found if (line := _line(information, kinds))]
    return lines[:MOST_FOUND]


def _line(information: ModelInfo, kinds: list[str]) -> dict[str, Any] | None:
    """One model of a search as the page lists it; None for what the studio would not open."""
    config = information.config or {}
    if KINDS.get(str(config.get("model_type", ""))) not in kinds:
        return None
    if information.safetensors is None or config.get("auto_map") or config.get("quantization_config"):
        return None
    counts = information.safetensors.parameters
    return {
        "id": f"hub:{information.id}",
        "title": information.id,
        "parameters": information.safetensors.total,
        "bytes": sum(count * _DTYPE_BYTES.get(kind, 1) for kind, count in counts.items()),
        "licence": _licence(information),
        "languages": _languages(information),
        "downloads": information.downloads or 0,
        "gated": bool(information.gated),
    }


def _licence(information: ModelInfo) -> str:
    about = information.card_data
    licence, name = getattr(about, "license", None), getattr(about, "license_name", None)
    return str(name if licence == "other" and name else licence or "")[:60]


def _languages(information: ModelInfo) -> list[str]:
    named = getattr(information.card_data, "language", None) or []
    return [str(code)[:20] for code in ([named] if isinstance(named, str) else named)][:100]


def look(name: str, folder: Path) -> dict[str, Any]:
    """The card of a model that stays on the hub: its config and the headers of its weights, by range requests.

    `folder` (empty) takes the small files. Raises UserError: `hub_no_safetensors`, those of the rules for folders.
    """
    from huggingface_hub import HfApi, snapshot_download

    api = HfApi(token=False)
    information = api.model_info(name, files_metadata=True, token=False)
    sizes = _sizes(information)
    if information.gated:
        return _from_outside(information, sizes).to_json()
    wanted = [path for path in (*ABOUT, "chat_template.jinja") if 0 < sizes.get(path, 0) <= rules.CONFIG_BYTES]
    snapshot_download(name, revision=information.sha, local_dir=folder, allow_patterns=wanted, token=False)
    config = rules.check_config(folder)
    if not any(all(part in sizes for part in parts) for parts in rules.TOKENIZERS):
        raise UserError("model_no_tokenizer", folder=name)
    weights = weight_names(sizes)
    if not weights:
        raise UserError("hub_no_safetensors", model=name)
    headers = api.get_safetensors_metadata(name, revision=information.sha, token=False)
    shapes = {
        tensor: tuple(entry.shape)
        for header in headers.files_metadata.values()
        for tensor, entry in header.tensors.items()
    }
    return dataclasses.replace(
        described(f"hub:{name}", folder, config, shapes, sum(sizes[path] for path in weights)),
        title=name,
        folder=None,
        licence=_licence(information),
        languages=tuple(_languages(information)),
        on_disk=False,
        revision=str(information.sha),
    ).to_json()


def _from_outside(information: ModelInfo, sizes: dict[str, int]) -> Card:
    """The card of a gated model: its files are closed, so its shape is taken from the known model nearest in size.

    Raises UserError (`hub_no_safetensors`, `model_family`) where even what is public says that it cannot be used.
    """
    name = str(information.id)
    family = str((information.config or {}).get("model_type", "-"))
    if family not in KINDS:
        raise UserError("model_family", folder=name, family=family, known=sorted(KINDS))
    weights = weight_names(sizes)
    if not weights or information.safetensors is None:
        raise UserError("hub_no_safetensors", model=name)
    own = known().get(f"hub:{name}")
    count = information.safetensors.total
    alike = [item for item in known().values() if item.kind == KINDS[family]]
    near = own or min(alike, key=lambda item: abs(item.parameters - count))
    return dataclasses.replace(
        near,
        id=f"hub:{name}",
        title=name,
        parameters=count,
        bytes=sum(sizes[path] for path in weights),
        model_type=family,
        licence=_licence(information),
        languages=tuple(_languages(information)),
        has_chat_template="chat_template" in str(information.config) or "chat_template.jinja" in sizes,
        gated=True,
        revision=str(information.sha),
        marks=own.marks if own else None,
        listed=False,
    )


def _sizes(information: ModelInfo) -> dict[str, int]:
    return {item.rfilename: int(item.size or 0) for item in information.siblings or []}


def weight_names(sizes: dict[str, int]) -> list[str]:
    """The safetensors files among a model's files: the one, or the parts."""
    return [path for path in sizes if path == "model.safetensors"] or [
        path for path in sizes if path.startswith("model-") and path.endswith(".safetensors") and "/" not in path
    ]


def fetch(name: str, folder: Path, total: Path, token: str) -> dict[str, Any]:
    """The small files first, so that a model that breaks a rule is refused before its weights are fetched.

    `folder` may hold what an earlier, broken attempt brought: a file of the same revision goes on where it ended.
    `total` is a file that takes the number of bytes to come. Raises UserError: `hub_gated`, `disk_space`,
    `hub_no_safetensors`, `hub_damaged`, and those of the rules for model folders.
    """
    from huggingface_hub import HfApi, snapshot_download

    given: str | bool = token or False
    information = HfApi(token=given).model_info(name, files_metadata=True, token=given)
    if information.gated and not token:
        raise UserError("hub_gated", model=name)
    sizes = _sizes(information)
    weights = weight_names(sizes)
    small = [path for path in SMALL if path in sizes and sizes[path] <= rules.TOKENIZER_BYTES]
    _same_revision(folder, str(information.sha))
    wanted = sum(sizes[path] for path in [*small, *weights])
    total.write_text(str(wanted))
    free = shutil.disk_usage(folder).free
    here = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    if free + here < wanted + RESERVE:
        raise UserError("disk_space", model=name, needed=(wanted + RESERVE) // 10**6, free=free // 10**6)
    snapshot_download(name, revision=information.sha, local_dir=folder, allow_patterns=small, token=given)
    rules.check_folder(folder)
    if not weights:
        raise UserError("hub_no_safetensors", model=name)
    sums = {item.rfilename: getattr(item.lfs, "sha256", "") for item in information.siblings or []}
    for path in weights:
        _take(name, path, folder, str(information.sha), sizes[path], str(sums.get(path) or ""), given)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    (folder / _REVISION_FILE).unlink()
    return {"id": f"hub:{name}", "title": name, "revision": information.sha, "hub_id": name}


def _same_revision(folder: Path, revision: str) -> None:
    """Empty the folder of what belongs to another revision, and write down which one this is."""
    mark = folder / _REVISION_FILE
    if not mark.is_file() or mark.read_text("utf-8") != revision:
        shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        mark.write_text(revision, "utf-8")


def _take(name: str, path: str, folder: Path, revision: str, size: int, sha256: str, token: str | bool) -> None:
    """One file of weights, from where an earlier attempt ended. Raises UserError (`hub_damaged`).

    `hf_hub_download` starts anew after every end of its process, so the client's own transfer below it is used.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    whole, part = folder / path, folder / f"{path}.part"
    if whole.is_file():
        return
    with part.open("ab") as sink:
        done = sink.tell()
        if done > size:
            sink.truncate(0)
            done = 0
        url = hf_hub_url(name, path, revision=revision)
        http_get(url, sink, resume_size=done, headers=build_hf_headers(token=token), expected_size=size)
    if sha256 and _sha256(part) != sha256:
        part.unlink()
        raise UserError("hub_damaged", model=name, file=path)
    os.rename(part, whole)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from: the client says "not in the cache" of a file it was refused."""
    while error is not None:
        yield error
        error = error.__cause__


def explained(name: str, error: Exception, token: bool, host: str) -> UserError:
    """The error a person can act on. Classes are told by name: the library's own sit on several others'."""
    chain = list(_causes(error))
    kinds = {kind.__name__ for link in chain for kind in type(link).__mro__}
    status = next((found for link in chain if (found := getattr(getattr(link, "response", None), "status_code", 0))), 0)
    if isinstance(error, UserError):
        return error
    if kinds & {"OfflineModeIsEnabled"}:
        return UserError("hub_offline", model=name)
    if token and (status == 403 or kinds & {"GatedRepoError"}):
        return UserError("hub_no_access", model=name, host=host)
    if token and status == 401:
        return UserError("hub_token_refused", host=host)
    if kinds & {"GatedRepoError"}:
        return UserError("hub_gated", model=name)
    if kinds & {"RepositoryNotFoundError", "HFValidationError", "RevisionNotFoundError"}:
        return UserError("hub_not_found", model=name, host=host)
    if any(child.is_full(link) for link in chain):
        return UserError("disk_full_download", package=name)
    if status >= 400:
        return refused(name, status, host)
    if kinds & {"TransportError", "TimeoutException", "ConnectionError", "LocalEntryNotFoundError", "HfHubHTTPError"}:
        return UserError("hub_unreachable", model=name, host=host)
    return UserError("hub_failed", model=name, reason=f"{type(error).__name__}: {error}"[:200])
