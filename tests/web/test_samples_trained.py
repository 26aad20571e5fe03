"""A sample trained from its card is data that the Train tab knows how to use; a choice of one's own stays."""

from __future__ import annotations

from studio.data.samples import list_samples
from studio.data.use import Use, save_use, saved_use
from studio.inference.client import InferenceClient
from studio.spec import Split
from studio.web.context import Page
from studio.web.tabs.choose import data_sets


def test_its_columns_count_as_confirmed_unless_others_were(analyst, site):
    desk = site[0]
    sample = next(one for one in list_samples() if one.key == "few_rows")
    made = analyst.post("/api/samples/few_rows/train", json={"nonce": "one press"}).json()
    kept = saved_use(desk.workspace, "local", made["data"])
    assert kept is not None
    assert (kept.task, kept.columns) == (sample.task, dict(sample.columns))
    page = Page(desk, InferenceClient(desk.workspace), "en")
    assert made["data"] in [version for _, version in data_sets(page, ready=True)]
    own = Use(sample.task, dict(sample.columns), Split(0.2, 0.2, 5))
    save_use(desk.workspace, "local", made["data"], own)
    assert analyst.post("/api/samples/few_rows/train", json={"nonce": "another"}).json()["data"] == made["data"]
    assert saved_use(desk.workspace, "local", made["data"]) == own
