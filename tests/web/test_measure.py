""" "Measure it" on a report: the same run without the technique is asked for over the page's own route."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "runs"))
from test_draft import USE, animals, know_machine, model  # noqa: E402, F401

from studio.runs.draft import draft  # noqa: E402
from studio.runs.techniques import twins, used_by  # noqa: E402
from studio.web.report import _technique  # noqa: E402


@pytest.mark.parametrize("kind", ["mixed", "swap"])
def test_augmentation_is_measured_by_the_same_run_without_it(site, analyst, model, kind):  # noqa: F811
    desk, _ = site
    know_machine(desk.workspace, 16 * 10**9)
    options = {"training": {"augment": kind, "augment_most": 40}}
    made = draft(desk.workspace, animals(desk.workspace, kind), use=USE, model=model, method="head", options=options)
    run = desk.submit(made.spec, key=kind)
    reply = analyst.post(f"/api/runs/{run}/without", json={"technique": "augment", "nonce": f"measure {kind}"})
    assert reply.status_code == 200, reply.text
    other = reply.json()["run"]
    asked, wanted = desk.spec(other), made.spec
    assert asked.options["training"] == {**wanted.options["training"], "augment": "off"}
    assert (asked.seed, asked.split, asked.columns, asked.model) == (
        wanted.seed,
        wanted.split,
        wanted.columns,
        wanted.model,
    )
    view = desk.get(run)
    assert [twin.id for twin in twins(desk, view, made.spec, "augment")] == [other]
    (one,) = [_technique(desk, view, used, "en") for used in used_by(made.spec)]
    assert one["run"] == other, "the card leads to the run that measures it"
    again = analyst.post(f"/api/runs/{run}/without", json={"technique": "augment", "nonce": f"measure {kind}"})
    assert again.json()["run"] == other, "a press that is sent twice starts one run"
