"""Tiny encoder-decoders of several families with a tokenizer over whole words and single Chinese characters."""

from __future__ import annotations

from pathlib import Path

ENGLISH = "the cat dog bird sees eats likes a red big small fish".split()
CHINESE = list("猫狗鸟看吃爱红大小鱼一只。")
MARKS = ["<pad>", "</s>", "<unk>", "<s>"]
PAIRS = {"cat": "猫", "dog": "狗", "bird": "鸟", "fish": "鱼", "sees": "看", "eats": "吃", "likes": "爱", "red": "红", "big": "大", "small": "小"}  # fmt: skip
FAMILIES = ("t5", "mt5", "bart", "marian", "mbart")


def sizes(family: str) -> dict[str, object]:
    if family in ("t5", "mt5"):
        return {"d_model": 32, "d_ff": 48, "d_kv": 16, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}  # fmt: skip
    sides = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 48))}  # fmt: skip
    start = {"decoder_start_token_id": {"bart": 1, "marian": 0}[family]} if family != "mbart" else {}
    ends = {"forced_eos_token_id": None, "bos_token_id": 3, "pad_token_id": 0, "eos_token_id": 1}
    return {"d_model": 32, **sides, **start, **ends, "max_position_embeddings": 64, "init_std": 0.2}


def tokenizer_of(family: str = "t5"):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [*MARKS, *ENGLISH, *CHINESE]
    raw = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, "<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Split(Regex("[\u4e00-\u9fff。]"), "isolated")]
    )
    raw.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    form = "<s> $A </s>" if family == "bart" else "$A </s>"
    raw.post_processor = processors.TemplateProcessing(form, special_tokens=[("</s>", 1), ("<s>", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", bos_token="<s>")  # fmt: skip


def seq2seq_folder(folder: Path, family: str = "t5", seed: int = 0) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    tokenizer = tokenizer_of(family)
    torch.manual_seed(seed)
    config = AutoConfig.for_model(family, vocab_size=len(tokenizer), **sizes(family))
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def pairs(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Little sentences and their word-by-word translations."""
    import random

    chance = random.Random(seed)
    beasts, verbs, looks = "cat dog bird fish".split(), "sees eats likes".split(), "red big small".split()
    rows = []
    for _ in range(count):
        words = [chance.choice(looks), chance.choice(beasts), chance.choice(verbs), chance.choice(beasts)]
        rows.append({"source": "the " + " ".join(words), "target": "".join(PAIRS[word] for word in words) + "。"})
    return rows
