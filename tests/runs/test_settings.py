"""Settings as words."""

import pytest

from studio.errors import UserError
from studio.runs.settings import read_settings
from studio.spec import Split


def test_groups_are_found():
    words = ["epochs=3", "training.batch_size=8", "rank=4", "column.text=a=b", "split.test=0.3", "seed=7", "name=x y"]
    found = read_settings(words, "classification", "lora")
    assert found.options == {"training": {"epochs": "3", "batch_size": "8"}, "method": {"rank": "4"}}
    assert found.columns == {"text": "a=b"}
    assert found.name == "x y"
    assert found.split_of(Split()) == Split(0.15, 0.3, 7)


@pytest.mark.parametrize("word", ["epochs", "=3", "split.test=many"])
def test_unreadable(word):
    with pytest.raises(UserError) as caught:
        read_settings([word], "classification", "lora")
    assert caught.value.code == "setting_unreadable"


@pytest.mark.parametrize("word", ["epoch=3", "task.rank=3", "split.train=1", "nowhere.epochs=1", "rank=3"])
def test_unknown(word):
    with pytest.raises(UserError) as caught:
        read_settings([word], "classification", "full")
    assert caught.value.code == "setting_unknown"
    assert "training.epochs" in caught.value.values["known"]
