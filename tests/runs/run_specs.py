"""Specs for tests of runs."""

from studio.spec import Spec


def a_spec(owner: str = "local", name: str = "") -> Spec:
    return Spec("d-1", {"text": "t", "label": "l"}, "classification", "starter:minilm", "full", owner=owner, name=name)
