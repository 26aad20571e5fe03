"""Where the files shipped with the studio lie: inside the wheel, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path


def assets() -> Path:
    """The assets folder."""
    packed = Path(__file__).parent / "_assets"
    return packed if packed.is_dir() else Path(__file__).parent.parent / "assets"
