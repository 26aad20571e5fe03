"""Settings as words."""

import pytest
from spoken import check_spoken

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


def test_how_to_split_is_said_in_words_too():
    words = ["split.how=group", "split.column=who", "split.test=0.2"]
    found = read_settings(words, "classification", "lora").split_of(Split(seed=5))
    assert found == Split(0.15, 0.2, 5, "group", "who")
    assert read_settings(["split.how=random"], "classification", "").split_of(found) == Split(0.15, 0.2, 5, "random")
    with pytest.raises(UserError) as caught:
        read_settings(["split.how=fair"], "classification", "")
    assert caught.value.code == "unknown_key"
    with pytest.raises(UserError) as caught:
        read_settings(["split.column=who"], "classification", "").split_of(Split())
    check_spoken(caught.value, "split_how_missing", column="who", known=["group", "time", "given"])
