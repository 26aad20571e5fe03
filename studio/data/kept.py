"""What the doctor found, as it lies beside a version: {"told", "facts", "alike", "asked"} (see `doctor.examining`)."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.data.store import DataVersion
from studio.files import write_whole

log = logging.getLogger(__name__)
DOCTOR = 3
"""Part of the name under which findings are kept: a doctor that finds differently looks again."""


def kept(version: DataVersion, task: str, columns: Mapping[str, str]) -> dict[str, Any] | None:
    """What was kept for this use, or None while the doctor has not looked."""
    try:
        raw = json.loads(kept_path(version, task, columns).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return raw if isinstance(raw, dict) and {"told", "facts", "alike", "asked"} <= raw.keys() else None


def keep(version: DataVersion, task: str, columns: Mapping[str, str], found: dict[str, Any]) -> None:
    """Keep it; a full disk is no error, the doctor only looks again."""
    try:
        write_whole(kept_path(version, task, columns), json.dumps(found, ensure_ascii=False))
    except OSError as error:
        log.warning("the findings of %s were not kept: %s", version.version, error)


def kept_path(version: DataVersion, task: str, columns: Mapping[str, str]) -> Path:
    """Where what is found for this use is kept."""
    asked = json.dumps([DOCTOR, task, sorted(columns.items())]).encode()
    return version.folder / f"doctor-{hashlib.sha256(asked).hexdigest()[:16]}.json"
