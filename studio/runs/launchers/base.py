"""What a launcher is: it starts a worker for an attempt somewhere and can say whether it lives. It reads no events.

Stopping is not here: the STOP file in the run's folder asks every worker, wherever it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

Handle = dict[str, Any]
"""What a worker is, as JSON that outlives the process that asked."""


class Launcher(Protocol):
    """Starts workers. `alive` raises rather than call a worker dead that it cannot see."""

    def warm(self) -> None:
        """Get ready to start workers quickly."""

    def submit(self, kind: str, folder: Path, attempt: int) -> Handle:
        """Start the worker of an attempt; asked again for the same attempt, the same worker's handle."""

    def alive(self, handle: Handle) -> bool:
        """Whether the worker still works."""

    def orphaned(self, handle: Handle) -> bool:
        """Whether nobody is left who could write the worker's exit record."""

    def kill(self, handle: Handle) -> None:
        """End the worker and all it started, at once, and wait until they are gone."""
