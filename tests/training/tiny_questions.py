"""Tiny questions about texts, and an encoder with a pair of marks around two texts that knows their words."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tiny_training import BAD, GOOD, PLAIN

sys.path.append(str(Path(__file__).parents[1] / "models"))
from tiny_models import encoder_folder, write_word_piece  # noqa: E402


def rows_of(count: int, length: int = 12, none: float = 0.0, seed: int = 0) -> list[dict[str, str | None]]:
    """What was good, or bad: the two words of that kind that stand in a text of other words."""
    dice, rows = random.Random(seed), []
    for _ in range(count):
        asked, kind, other = dice.choice([("good", GOOD, BAD), ("bad", BAD, GOOD)])
        words = dice.choices([word for word in PLAIN if word != "room"], k=length)
        words.insert(dice.randrange(length), dice.choice(other))
        answer = "" if dice.random() < none else " ".join(dice.choices(kind, k=2))
        if answer:
            words.insert(dice.randrange(length), answer)
        context = " ".join(words)
        start = str(context.index(answer)) if answer else None
        rows.append(
            {"question": f"was it {asked}", "context": context, "answers": answer or None, "answer_start": start}
        )
    return rows


def encoder(folder: Path, family: str = "bert", letters: str = "") -> Path:
    """A BERT of two layers with a pair of marks around two texts; it knows the words of the rows, or `letters`."""
    import torch
    from transformers import AutoConfig, AutoModel

    encoder_folder(folder)
    known = [*"[PAD] [UNK] [CLS] [SEP] [MASK]".split(), *GOOD, *BAD, *PLAIN, "good", "bad", *letters, "？", "，", "。"]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(known)), "utf-8")
    write_word_piece(folder)
    sizes: dict[str, object] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    if family == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    elif family == "roberta":
        sizes |= {"type_vocab_size": 1, "pad_token_id": 0}
    torch.manual_seed(0)
    more = {"max_position_embeddings": 80, "initializer_range": 0.2, "intermediate_size": 64}
    config = AutoConfig.for_model(family, **sizes, **more, vocab_size=len(dict.fromkeys(known)))
    AutoModel.from_config(config).save_pretrained(folder)
    return folder
