"""Translation and summarisation: labels of their own width, each family's own start, languages told, pairs checked."""

import pytest
import torch
from spoken import check_problem
from tiny_seq2seq import FAMILIES, pairs, seq2seq_folder, tokenizer_of

from studio.methods.base import methods
from studio.models.load import load_tokenizer
from studio.tasks.base import tasks
from studio.tasks.causal import IGNORED
from studio.tasks.languages import guess_language, is_spaced, model_code
from studio.tasks.seq2seq import encode_targets, opening, settle_languages, shifted
from studio.training.batching import collate

TRANSLATE, SUMMARISE = tasks.get("translation"), tasks.get("summarisation")
FACTS = {"source_language": "en", "target_language": "zh"}
PLAIN = TRANSLATE.Options(label_smoothing=0.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_that_of_transformers(tmp_path, family):
    folder = seq2seq_folder(tmp_path / "m", family)
    tokenizer = load_tokenizer(folder)
    model = TRANSLATE.load(str(folder), FACTS, PLAIN).eval()
    rows = [*pairs(3), {"source": "cat", "target": "一只大红猫看小鱼。"}]
    items = TRANSLATE.encode(rows, tokenizer, FACTS, 32)
    batch = collate(items, tokenizer.pad_token_id, "cpu")
    assert batch["labels"].shape != batch["input_ids"].shape
    theirs = model(**batch).loss
    ours = TRANSLATE.loss(model, batch, PLAIN) / TRANSLATE.weight(batch)
    assert torch.allclose(ours, theirs, rtol=1e-4)
    read = TRANSLATE.read(model, batch, FACTS)
    assert sum(row["tokens"] for row in read) == TRANSLATE.weight(batch)
    alone = TRANSLATE.read(model, collate(items[3:], tokenizer.pad_token_id, "cpu"), FACTS)[0]
    assert alone["loss"] == pytest.approx(read[3]["loss"], rel=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_begins_as_the_family_begins(tmp_path, family):
    tokenizer = tokenizer_of(family)
    model = TRANSLATE.load(str(seq2seq_folder(tmp_path / "m", family)), FACTS, PLAIN)
    assert opening(model, tokenizer) == {"t5": [0], "mt5": [0], "marian": [0], "bart": [1, 3], "mbart": [1]}[family]
    labels = torch.tensor([[5, 6, 1], [7, 1, IGNORED]])
    moved = shifted(model, labels)
    assert moved[:, 1:].tolist() == [[5, 6], [7, 1]]
    assert bool((moved >= 0).all())


def test_answers_end_with_their_mark_even_when_cut():
    tokenizer = tokenizer_of()
    found = encode_targets(tokenizer, ["猫看鱼。", "", "大红猫看小红鱼。"], 6)
    assert all(ids[-1] == tokenizer.eos_token_id for ids in found)
    assert [len(ids) for ids in found] == [5, 1, 6]
    bare = tokenizer_of()
    bare.backend_tokenizer.post_processor = None
    assert encode_targets(bare, ["猫看鱼。", "大红猫看小红鱼。"], 6) == [found[0], found[2]]


def test_rows_without_an_answer_have_no_labels():
    items = TRANSLATE.encode([{"source": "cat"}, {"source": "dog", "target": "狗"}], tokenizer_of(), FACTS, 16)
    assert ["labels" in item for item in items] == [False, True]
    assert TRANSLATE.encode([], tokenizer_of(), FACTS, 16) == []


@pytest.mark.parametrize("key", ["full", "lora", "last_layers"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_method_learns_to_translate_and_comes_back(tmp_path, key, family):
    folder, method = seq2seq_folder(tmp_path / "m", family), methods.get(key)
    tokenizer = load_tokenizer(folder)
    batch = collate(TRANSLATE.encode(pairs(8), tokenizer, FACTS, 32), tokenizer.pad_token_id, "cpu")
    torch.manual_seed(0)
    model = method.prepare(TRANSLATE.load(str(folder), FACTS, PLAIN), TRANSLATE.peft_type, method.Options()).eval()
    moving = [part for part in model.parameters() if part.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=0.02)
    before = TRANSLATE.loss(model, batch, PLAIN).item()
    for _ in range(8):
        TRANSLATE.loss(model, batch, PLAIN).backward()
        assert all(part.grad is not None for part in moving)
        optimizer.step()
        optimizer.zero_grad()
    after = TRANSLATE.loss(model, batch, PLAIN).item()
    assert after < 0.9 * before
    method.save(model, str(tmp_path / "tuned"))
    again = method.load(TRANSLATE.load(str(folder), FACTS, PLAIN), str(tmp_path / "tuned"))
    assert TRANSLATE.loss(again, batch, PLAIN).item() == pytest.approx(after, rel=1e-5)


def test_languages_are_told_by_script_and_words():
    assert guess_language(["Where is the station?", "I like it."]) == "en"
    assert guess_language(["车站在哪里？", "我喜欢。"]) == "zh"
    assert guess_language(["駅はどこですか。"]) == "ja"
    assert guess_language(["Wo ist der Bahnhof? Das ist nicht weit."]) == "de"
    assert guess_language(["Où est la gare ? Je ne sais pas."]) == "fr"
    assert guess_language(["Где вокзал и что это?"]) == "ru"
    assert guess_language(["Де вокзал і що це? Це не є так."]) == "uk"
    assert guess_language(["این کتاب است که"]) == "fa"
    assert guess_language(["هذا الكتاب من هنا في"]) == "ar"
    assert guess_language(["역은 어디입니까"]) == "ko"
    assert guess_language(["12 + 3", ""]) == guess_language(["xyzzy"]) == ""
    assert not is_spaced("zh")
    assert is_spaced("en")
    rows = [{"source": "the cat is red", "target": "猫是红的"}]
    assert TRANSLATE.facts(rows, TRANSLATE.Options()) == FACTS
    assert TRANSLATE.facts(rows, TRANSLATE.Options(target_language="ja"))["target_language"] == "ja"
    assert SUMMARISE.facts([{"document": "长文", "summary": "短文"}], SUMMARISE.Options())["target_language"] == "zh"


class Multilingual:
    """The two attributes by which NLLB's and mBART's tokenizers are told languages."""

    def __init__(self, codes):
        self.extra_special_tokens = codes
        self.src_lang = self.tgt_lang = codes[0]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["deu_Latn", "eng_Latn", "zho_Hans", "zho_Hant"], ("eng_Latn", "zho_Hans")),
        (["de_DE", "en_XX", "zh_CN"], ("en_XX", "zh_CN")),
        (["__de__", "__en__", "__zh__"], ("__en__", "__zh__")),
        (["deu_Latn", "fra_Latn"], ("deu_Latn", "deu_Latn")),
    ],
)
def test_a_multilingual_tokenizer_is_told_the_languages(codes, expected):
    tokenizer = Multilingual(codes)
    settle_languages(tokenizer, FACTS)
    assert (tokenizer.src_lang, tokenizer.tgt_lang) == expected
    assert model_code(tokenizer, "") == ""


def test_a_real_tokenizer_of_nllbs_kind_writes_the_language_before_the_answer():
    from transformers import NllbTokenizer

    vocabulary = {
        token: place for place, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "▁", "c", "a", "t", "猫"])
    }
    tokenizer = NllbTokenizer(vocab=vocabulary, merges=[], src_lang="eng_Latn", tgt_lang="fra_Latn")
    item = TRANSLATE.encode([{"source": "cat", "target": "猫"}], tokenizer, FACTS, 16)[0]
    chinese, english = tokenizer.convert_tokens_to_ids(["zho_Hans", "eng_Latn"])
    assert item["input_ids"][0] == english
    assert item["labels"][0] == chinese
    assert item["labels"][-1] == tokenizer.eos_token_id


def test_only_english_t5_models_get_their_words_of_command():
    from transformers import T5Tokenizer

    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁a", -1.0)]
    tokenizer = T5Tokenizer(vocab=vocabulary, extra_ids=0)
    assert TRANSLATE.prompt(tokenizer, FACTS) == "translate English to Chinese: "
    assert SUMMARISE.prompt(tokenizer, {}) == "summarize: "
    assert TRANSLATE.prompt(tokenizer, {"target_language": "zh"}) == ""
    assert TRANSLATE.prompt(tokenizer_of(), FACTS) == SUMMARISE.prompt(tokenizer_of(), {}) == ""


def test_columns_that_are_no_pairs_are_said():
    same = [{"source": "cat", "target": "cat"}] * 3
    some = [*pairs(15), {"source": "OK", "target": "OK"}]
    check_problem(TRANSLATE.problems([{"source": "x"}]), "pairs_none", "error", "columns.target")
    check_problem(TRANSLATE.problems(same), "pairs_same", "error", "columns.target", count=3)
    check_problem(TRANSLATE.problems(some), "pairs_copied", "warning", "columns.target", count=1, rows=16)
    assert TRANSLATE.problems(pairs(5)) == []
    assert TRANSLATE.ties({"source": "a", "target": "b"}) == ["a", "b"]
