"""Who may look up what somebody else made: the one question through which every look-up of runs and data passes."""

from __future__ import annotations


def may_see(person: str | None, owner: str) -> bool:
    """Whether `person` (the id of who asks; None: a program of this machine) may look up what `owner` made.

    Everyone who is let into a workspace shares it, so the answer is yes; a workspace with private parts says no here.
    """
    return True
