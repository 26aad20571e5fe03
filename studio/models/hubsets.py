"""What the child process asks the hub about data sets: which files one has, by configuration and split; and for these.

Plain tables only (Parquet, CSV, JSON Lines): no script of a data set is fetched, let alone run. Where a data set is a
script, the hub's own conversion of it to Parquet is read. See `studio.models.hub`, which starts the child.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.models.hub import RESERVE

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo

READ = (".parquet", ".csv", ".tsv", ".jsonl", ".json")
_BESIDE = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "package.json")
_PACKED = ".gz"
_CONVERTED = "refs/convert/parquet"
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_WORD = re.compile(r"[a-z]+")
_MOST = 200
"""Configurations that are named."""
Files = dict[str, dict[str, list[str]]]
"""Configuration -> split -> paths."""


def look(name: str, token: str) -> dict[str, Any]:
    """{"revision", "configs": [{"name", "splits": [{"name", "files", "bytes"}]}], "licence"} of a data set. Raises
    UserError (`hub_gated`, `set_no_files`) and what the client raises."""
    information, files = _listed(name, token)
    sizes = _sizes(information)
    configs = [
        {"name": config, "splits": [_told(split, paths, sizes) for split, paths in splits.items()]}
        for config, splits in list(files.items())[:_MOST]
    ]
    licence = getattr(information.card_data, "license", None) or ""
    return {"revision": information.sha, "configs": configs, "licence": str(licence)[:60]}


def fetch(name: str, folder: Path, request: Mapping[str, Any], token: str) -> dict[str, Any]:
    """The files of `config` and `split` ("": all splits) into `folder`; `request` also has "total", a file that takes
    the number of bytes to come, and "most", the bytes allowed. {"revision", "files": [[split, path in the folder]]}.

    Raises UserError as `look`, and `set_part_unknown`, `set_large`, `disk_space`, `set_damaged`.
    """
    from huggingface_hub import hf_hub_download

    information, files = _listed(name, token)
    config, split = str(request["config"]), str(request["split"])
    splits = files.get(config) or {}
    wanted = {part: paths for part, paths in splits.items() if split in ("", part)}
    if not wanted:
        raise UserError("set_part_unknown", name=name, part=f"{config}/{split}", known=_named(files))
    sizes = _sizes(information)
    size = sum(sizes[path] for paths in wanted.values() for path in paths)
    if size > int(request["most"]):
        raise UserError("set_large", name=name, size=round(size / 10**6), limit=int(request["most"]) // 10**6)
    Path(str(request["total"])).write_text(str(size))
    free = shutil.disk_usage(folder).free
    if free < size + RESERVE:
        raise UserError("disk_space", model=name, needed=(size + RESERVE) // 10**6, free=free // 10**6)
    sums = {item.rfilename: getattr(item.lfs, "sha256", "") for item in information.siblings or []}
    brought = []
    for part, paths in wanted.items():
        for path in paths:
            revision = str(information.sha)
            hf_hub_download(name, path, repo_type="dataset", revision=revision, local_dir=folder, token=token or False)
            if sums.get(path) and _sha256(folder / path) != sums[path]:
                raise UserError("set_damaged", name=name, file=path)
            brought.append([part, path])
    return {"revision": information.sha, "files": brought}


def _listed(name: str, token: str) -> tuple[DatasetInfo, Files]:
    """What the hub says of a data set, and its files that can be read."""
    from huggingface_hub import HfApi

    given: str | bool = token or False
    api = HfApi(token=given)
    information = api.dataset_info(name, files_metadata=True, token=given)
    if information.gated and not token:
        raise UserError("hub_gated", model=name)
    found = grouped(list(_sizes(information)), getattr(information.card_data, "configs", None) or [])
    if not found and any(item.rfilename.endswith(".py") for item in information.siblings or []):
        information = api.dataset_info(name, revision=_CONVERTED, files_metadata=True, token=given)
        found = grouped(list(_sizes(information)), [])
    if not found:
        raise UserError("set_no_files", name=name, formats=list(READ))
    return information, found


def _sizes(information: DatasetInfo) -> dict[str, int]:
    """Bytes of the files that can be read; a path that leads out of its folder is none of them."""
    sizes = {item.rfilename: int(item.size or 0) for item in information.siblings or []}
    return {path: size for path, size in sizes.items() if _readable(path)}


def _readable(path: str) -> bool:
    parts = path.split("/")
    plain = parts[-1].lower().removesuffix(_PACKED)
    safe = all(part and not part.startswith(".") and "\\" not in part and "\0" not in part for part in parts)
    return safe and plain.endswith(READ) and plain not in _BESIDE


def grouped(paths: Sequence[str], configs: Sequence[Any]) -> Files:
    """Paths by configuration and split: as the data set's card says it (`configs`), else by their names."""
    found: Files = {}
    for config in configs:
        if isinstance(config, Mapping):
            splits = {split: files for split, files in _declared(config, paths).items() if files}
            if splits:
                found[str(config.get("config_name") or "default")] = splits
    if found:
        return found
    for path in sorted(paths):
        config, split = _place(path)
        found.setdefault(config, {}).setdefault(split, []).append(path)
    order = list(_SPLITS)
    return {
        config: dict(sorted(splits.items(), key=lambda item: order.index(item[0]) if item[0] in order else 9))
        for config, splits in found.items()
    }


def _declared(config: Mapping[str, Any], paths: Sequence[str]) -> dict[str, list[str]]:
    """Split -> paths of a configuration on the card: `data_files` is a pattern, patterns, or {"split", "path"} each."""
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

    named, folder = config.get("data_files") or [], str(config.get("data_dir") or "").strip("/")
    found: dict[str, list[str]] = {}
    for entry in named if isinstance(named, list) else [named]:
        split, wanted = (entry.get("split"), entry.get("path")) if isinstance(entry, Mapping) else ("train", entry)
        patterns = [str(one).removeprefix("./") for one in (wanted if isinstance(wanted, list) else [wanted]) if one]
        patterns = [f"{folder}/{one}" if folder and not one.startswith(folder) else one for one in patterns]
        if patterns:
            hits = list(filter_repo_objects(sorted(paths), allow_patterns=patterns))
            found.setdefault(str(split or "train"), []).extend(hits)
    if not named and folder:
        for path in sorted(paths):
            if path.startswith(folder + "/"):
                found.setdefault(_place(path)[1], []).append(path)
    return found


def _place(path: str) -> tuple[str, str]:
    """(configuration, split) that a path speaks of: `plain_text/train-00000-of-00001.parquet`."""
    *folders, file = path.lower().split("/")
    split = next((name for part in [file, *reversed(folders)] if (name := _split(part))), "")
    kept = [one for one in path.split("/")[:-1] if not _split(one.lower()) and one.lower() != "data"]
    return (kept[0] if kept else "default"), split or "train"


def _split(part: str) -> str:
    words = set(_WORD.findall(part))
    return next((name for name, known in _SPLITS.items() if words & set(known)), "")


def _told(split: str, paths: Sequence[str], sizes: Mapping[str, int]) -> dict[str, Any]:
    return {"name": split, "files": len(paths), "bytes": sum(sizes[path] for path in paths)}


def _named(files: Files) -> list[str]:
    return [f"{config}/{split}" for config, splits in files.items() for split in splits][:12]


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
