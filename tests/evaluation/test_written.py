"""Scores of written answers: equal to sacrebleu's, to ROUGE worked out by hand, in both languages; intervals that hold."""

import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from studio.evaluation.memory import Nearest, lead_sentence
from studio.evaluation.written import METRICS, count, difference, intervals, row_scores, scores, words_of

ENGLISH = (
    ["the cat sat on the mat", "a dog barked loudly at night", "he went home", ""],
    ["the cat sat on a mat", "the dog barked at night", "she walked home slowly in the rain", "nothing"],
)
CHINESE = (["我喜欢你。", "他在这里吃饭", "今天天气很好"], ["我喜欢你。", "他在那里吃饭。", "今天的天气不错"])


@pytest.mark.parametrize(("pair", "language", "tokenize"), [(ENGLISH, "en", "13a"), (CHINESE, "zh", "zh")])
def test_whole_and_row_scores_are_sacrebleus(pair, language, tokenize):
    answers, truths = pair
    counted = count(answers, truths, language)
    bleu, chrf = BLEU(tokenize=tokenize), CHRF()
    found = scores(counted)
    assert found["bleu"] == pytest.approx(bleu.corpus_score(answers, [truths]).score / 100, abs=1e-9)
    assert found["chrf"] == pytest.approx(chrf.corpus_score(answers, [truths]).score / 100, abs=1e-9)
    each = row_scores(counted, "chrf")
    for place, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
        assert each[place] == pytest.approx(chrf.corpus_score([answer], [[truth]]).score / 100, abs=1e-9)
        assert row_scores(counted, "bleu")[place] == pytest.approx(
            bleu.corpus_score([answer], [[truth]]).score / 100, abs=1e-9
        )


def test_random_answers_score_as_sacrebleu_says():
    chance = random.Random(1)
    for _ in range(20):
        answers, truths = (
            [" ".join(chance.choices("a b c d e", k=chance.randint(0, 9))) for _ in range(4)] for _ in "12"
        )
        if not any(truths):
            continue
        found = scores(count(answers, truths, "en"))
        assert found["bleu"] == pytest.approx(BLEU().corpus_score(answers, [truths]).score / 100, abs=1e-9)
        assert found["chrf"] == pytest.approx(CHRF().corpus_score(answers, [truths]).score / 100, abs=1e-9)


def test_rouge_by_hand():
    found = scores(count(["police killed the gunman"], ["police kill the gunman"], "en"))
    assert found["rouge_1"] == pytest.approx(3 / 4)
    assert found["rouge_2"] == pytest.approx(1 / 3)
    assert found["rouge_l"] == pytest.approx(3 / 4)
    # Lin 2004: the order counts for L.
    assert scores(count(["the gunman kill police"], ["police kill the gunman"], "en"))["rouge_l"] == pytest.approx(
        1 / 2
    )
    chinese = scores(count(["天气好"], ["天气很好"], "zh"))
    assert chinese["rouge_1"] == pytest.approx(2 * 3 / 7)
    assert chinese["rouge_2"] == pytest.approx(2 * 1 / 5)
    assert words_of("GPU卡 is_fast") == ["gpu", "卡", "is", "fast"]


def test_the_longest_common_sequence_is_right():
    from studio.evaluation.written import _longest_common

    def slowly(one, other):
        table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
        for i, a in enumerate(one, 1):
            for j, b in enumerate(other, 1):
                table[i][j] = table[i - 1][j - 1] + 1 if a == b else max(table[i - 1][j], table[i][j - 1])
        return table[-1][-1]

    chance = random.Random(2)
    for _ in range(200):
        one, other = (chance.choices("abcd", k=chance.randint(0, 12)) for _ in "12")
        assert _longest_common(one, other) == slowly(one, other)


def test_perfect_and_empty_answers():
    perfect = scores(count(CHINESE[1], CHINESE[1], "zh"))
    assert [perfect[name] for name in METRICS] == pytest.approx([1] * 6)
    empty = scores(count(["", ""], ["one two", "three"], "en"))
    assert [empty[name] for name in METRICS] == [0] * 6
    with pytest.raises(ValueError, match="differ"):
        count(["a"], [], "en")


def test_intervals_hold_the_score_and_a_clear_difference_is_seen():
    truths = [f"the {word} number {place} is here today" for place, word in enumerate("abcdefghij" * 6)]
    good = [text.replace("today", "now") for text in truths]
    poor = [text.split()[0] for text in truths]
    ours, theirs = count(good, truths, "en"), count(poor, truths, "en")
    for name, (low, high) in intervals(ours, 3).items():
        assert low <= scores(ours)[name] <= high
    assert intervals(ours, 3) == intervals(ours, 3)
    for metric in ("bleu", "chrf", "rouge_l"):
        assert difference(metric, ours, theirs).kind == "higher"
        assert difference(metric, ours, ours).kind == "unclear"
    with pytest.raises(ValueError, match="different length"):
        difference("bleu", ours, count(["a"], ["a"], "en"))


def test_the_lead_is_the_first_sentence_in_both_languages():
    assert lead_sentence("It rains. It pours.\nMore") == "It rains."
    assert lead_sentence("今天下雨。明天晴。") == "今天下雨。"
    assert lead_sentence("Version 2.5 is out! See it") == "Version 2.5 is out!"
    assert lead_sentence("no stop at all") == "no stop at all"
    assert lead_sentence(" ") == ""


def test_the_nearest_known_text_answers():
    texts = ["where is the station", "i like tea", "the cat eats fish"]
    memory = Nearest(texts, ["车站在哪里", "我喜欢茶", "猫吃鱼"])
    assert memory.answers(["where is a station", "cat and fish", "xyzzy", ""]) == ["车站在哪里", "猫吃鱼", "", ""]
    chinese = Nearest(["车站在哪里", "我喜欢茶"], ["station", "tea"])
    assert chinese.answers(["我爱喝茶"]) == ["tea"]
    assert memory.bytes > 0
    assert np.isclose(len(Nearest(["a"], ["b"]).answers(["a"])), 1)
