"""The catalogue of hub models: what the data file says holds together, and a picker offers what fits a task."""

from __future__ import annotations

import pytest

from studio.models.catalogue import card, fits, list_models, offered, place, remember
from studio.models.known import known
from studio.tasks.base import tasks


@pytest.mark.parametrize("model", known().values(), ids=lambda model: model.title)
def test_the_facts_of_a_known_model_hold_together(model, workspace):
    assert place(workspace, model.id).parent == workspace.models
    assert model.embedding_parameters == model.vocabulary * model.hidden
    assert model.embedding_parameters < model.parameters
    assert 1.9 < model.bytes / model.parameters < 4.5, "16 or 32 bits a number"
    assert model.hidden % model.heads == 0
    assert model.licence
    assert model.languages
    assert not model.on_disk


def test_every_task_is_offered_its_models_and_the_starters_come_first(workspace):
    here = list_models(workspace)
    everything = offered(workspace)
    assert everything[: len(here)] == here
    for task in tasks:
        fitting = [item for item in everything if fits(task, item)]
        assert {item.kind for item in fitting} <= set(task.models), task.key
        assert any(item.id in known() for item in fitting), f"{task.key} has no model of the hub"
    chat = [item.id for item in everything if fits(tasks.get("chat"), item)]
    assert chat[0] == "starter:smollm2"
    assert "hub:Qwen/Qwen2.5-0.5B-Instruct" in chat
    assert "hub:openai-community/gpt2" not in chat, "it has no chat template"


def test_a_card_that_was_looked_at_is_remembered(workspace):
    import dataclasses

    seen = dataclasses.replace(known()["hub:FacebookAI/roberta-base"], id="hub:org/own", title="org/own")
    remember(workspace, seen)
    assert card(workspace, "hub:org/own") == seen
    (workspace.models / ".seen-hub--org--own.json").write_text("{}")
    with pytest.raises(Exception, match="not on this machine yet"):
        card(workspace, "hub:org/own")
    assert [item.id for item in list_models(workspace) if item.id.startswith("hub:")] == []
