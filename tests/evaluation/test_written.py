"""Scores of written answers: equal to sacrebleu's, to ROUGE worked out by hand, in both languages; intervals that hold."""

import random

import pytest
from sacrebleu.metrics import BLEU, CHRF

from studio.evaluation.memory import Copy, Lead, Memory, lead_sentence
from studio.evaluation.written import METRICS, of_sums, tallies_of, words_of


def scores(answers, truths, language="en"):
    """All metrics of a set of answers."""
    return {
        name: float(values[0]) for name, values in of_sums(tallies_of(answers, truths, language).sum(0)[None]).items()
    }


ENGLISH = (
    ["the cat sat on the mat", "a dog barked loudly at night", "he went home", ""],
    ["the cat sat on a mat", "the dog barked at night", "she walked home slowly in the rain", "nothing"],
)
CHINESE = (["我喜欢你。", "他在这里吃饭", "今天天气很好"], ["我喜欢你。", "他在那里吃饭。", "今天的天气不错"])


@pytest.mark.parametrize(("pair", "language", "tokenize"), [(ENGLISH, "en", "13a"), (CHINESE, "zh", "zh")])
def test_whole_and_row_scores_are_sacrebleus(pair, language, tokenize):
    answers, truths = pair
    bleu, chrf = BLEU(tokenize=tokenize), CHRF()
    found = scores(answers, truths, language)
    assert found["bleu"] == pytest.approx(bleu.corpus_score(answers, [truths]).score / 100, abs=1e-9)
    assert found["chrf"] == pytest.approx(chrf.corpus_score(answers, [truths]).score / 100, abs=1e-9)
    each = of_sums(tallies_of(answers, truths, language))
    for place, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
        assert each["chrf"][place] == pytest.approx(chrf.corpus_score([answer], [[truth]]).score / 100, abs=1e-9)
        assert each["bleu"][place] == pytest.approx(bleu.corpus_score([answer], [[truth]]).score / 100, abs=1e-9)


def test_random_answers_score_as_sacrebleu_says():
    chance = random.Random(1)
    for _ in range(20):
        answers, truths = (
            [" ".join(chance.choices("a b c d e", k=chance.randint(0, 9))) for _ in range(4)] for _ in "12"
        )
        if not any(truths):
            continue
        found = scores(answers, truths)
        assert found["bleu"] == pytest.approx(BLEU().corpus_score(answers, [truths]).score / 100, abs=1e-9)
        assert found["chrf"] == pytest.approx(CHRF().corpus_score(answers, [truths]).score / 100, abs=1e-9)


def test_rouge_by_hand():
    found = scores(["police killed the gunman"], ["police kill the gunman"], "en")
    assert found["rouge_1"] == pytest.approx(3 / 4)
    assert found["rouge_2"] == pytest.approx(1 / 3)
    assert found["rouge_l"] == pytest.approx(3 / 4)
    # Lin 2004: the order counts for L.
    assert scores(["the gunman kill police"], ["police kill the gunman"], "en")["rouge_l"] == pytest.approx(1 / 2)
    chinese = scores(["天气好"], ["天气很好"], "zh")
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
    perfect = scores(CHINESE[1], CHINESE[1], "zh")
    assert [perfect[name] for name in METRICS] == pytest.approx([1] * 6)
    empty = scores(["", ""], ["one two", "three"], "en")
    assert [empty[name] for name in METRICS] == [0] * 6
    with pytest.raises(ValueError, match="differ"):
        tallies_of(["a"], [])
    assert tallies_of([], []).sum() == 0


def test_the_lead_is_the_first_sentence_in_both_languages():
    assert lead_sentence("It rains. It pours.\nMore") == "It rains."
    assert lead_sentence("今天下雨。明天晴。") == "今天下雨。"
    assert lead_sentence("Version 2.5 is out! See it") == "Version 2.5 is out!"
    assert lead_sentence("no stop at all") == "no stop at all"
    assert lead_sentence(" ") == ""


def said(model, texts):
    return [answer["text"] for answer in model.predict(texts)]


def test_the_nearest_known_text_answers(tmp_path):
    texts = ["where is the station", "i like tea", "the cat eats fish"]
    memory = Memory.fit(texts, ["车站在哪里", "我喜欢茶", "猫吃鱼"])
    asked = ["where is a station", "cat and fish", "xyzzy", ""]
    assert said(memory, asked) == ["车站在哪里", "猫吃鱼", "", ""]
    assert said(Memory.fit(["车站在哪里", "我喜欢茶"], ["station", "tea"]), ["我爱喝茶"]) == ["tea"]
    memory.save(tmp_path / "nearest")
    assert memory.bytes > 0
    again = Memory._read(tmp_path / "nearest", {"answers": ["车站在哪里", "我喜欢茶", "猫吃鱼"]})
    assert said(again, asked) == said(memory, asked)


def test_the_text_and_its_first_sentence_are_models_too():
    assert said(Copy(), ["One. Two.", None]) == ["One. Two.", ""]
    assert said(Lead(), ["One. Two.", "一。二。"]) == ["One.", "一。"]
