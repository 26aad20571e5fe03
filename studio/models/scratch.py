"""A small encoder-decoder that has learnt nothing yet: made for a run from its own training rows.

For translation and summarisation there is no small pretrained model on a package index; this one trains a tokenizer
on the run's training texts and starts from random weights. What it can do afterwards, it learnt from those rows alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from studio.models.card import CARD_FILE, Card

SCRATCH_ID = "scratch:seq2seq"
MARKS = ("<pad>", "</s>", "<unk>", "<s>")
_VOCABULARY = 8000
_LEAST_VOCABULARY = 64
_HIDDEN, _LAYERS, _HEADS, _INNER, _POSITIONS = 256, 3, 4, 1024, 512
_CHARACTERS = 20_000_000
"""Characters of the training texts from which the tokenizer learns."""
_PIECE = 16

CARD = Card(
    id=SCRATCH_ID,
    title="Small encoder-decoder, from scratch",
    folder=None,
    parameters=_VOCABULARY * _HIDDEN
    + _LAYERS * (4 * _HIDDEN**2 + 2 * _HIDDEN * _INNER)
    + _LAYERS * (8 * _HIDDEN**2 + 2 * _HIDDEN * _INNER),
    embedding_parameters=_VOCABULARY * _HIDDEN,
    bytes=0,
    kind="seq2seq",
    model_type="marian",
    hidden=_HIDDEN,
    layers=2 * _LAYERS,
    heads=_HEADS,
    vocabulary=_VOCABULARY,
    max_positions=_POSITIONS,
    languages=("multi",),
    on_disk=True,
    note="note.scratch_seq2seq",
    intermediate=_INNER,
)
"""What is known before the run; the vocabulary becomes smaller where the texts hold fewer pieces."""


def is_scratch(model_id: str) -> bool:
    """Whether a model is made for each run instead of being fetched."""
    return model_id == SCRATCH_ID


def made_from_scratch(folder: Path) -> bool:
    """Whether the model in a folder is one that was made here and has learnt nothing."""
    card = folder / CARD_FILE
    return card.is_file() and json.loads(card.read_text("utf-8")).get("id") == SCRATCH_ID


def make(folder: Path, texts: Iterable[str], seed: int) -> Path:
    """A model folder with a tokenizer learnt from `texts` and random weights; the same for the same texts and seed.

    There whole or not at all: a folder with a card is one that was finished.
    """
    import torch
    from transformers import MarianConfig, MarianMTModel

    from studio.tasks.heads import quietly

    if (folder / CARD_FILE).is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = learn_tokenizer(texts)
    tokenizer.save_pretrained(str(folder))
    sides: dict[str, Any] = {}
    for side in ("encoder", "decoder"):
        sides |= {f"{side}_layers": _LAYERS, f"{side}_attention_heads": _HEADS, f"{side}_ffn_dim": _INNER}
    config = MarianConfig(
        vocab_size=len(tokenizer), d_model=_HIDDEN, **sides, max_position_embeddings=_POSITIONS, dropout=0.1,
        activation_function="gelu", scale_embedding=True, tie_word_embeddings=True, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0, forced_eos_token_id=None, bos_token_id=None, init_std=_HIDDEN**-0.5,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = MarianMTModel(config)
    quietly(lambda: model.save_pretrained(str(folder)))
    about = {"id": SCRATCH_ID, "title": CARD.title, "languages": list(CARD.languages), "note": CARD.note}
    (folder / CARD_FILE).write_text(json.dumps(about, ensure_ascii=False, indent=2), "utf-8")
    return folder


def learn_tokenizer(texts: Iterable[str]) -> Any:
    """A byte-pair tokenizer of at most 8000 pieces for whatever writing the texts are in.

    Not a unigram one: its trainer does not give the same pieces twice for the same texts.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    kept = list(_some(texts))
    raw = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    raw.normalizer = normalizers.NFC()
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Metaspace()
    letters = len({letter for text in kept for letter in text})
    trainer = trainers.BpeTrainer(
        vocab_size=max(min(_VOCABULARY, 2 * letters + sum(map(len, kept)) // 20), _LEAST_VOCABULARY),
        special_tokens=list(MARKS),
        max_token_length=_PIECE,
        show_progress=False,
    )
    raw.train_from_iterator(kept, trainer)
    raw.post_processor = processors.TemplateProcessing("$A </s>", "$A $B </s>", [("</s>", MARKS.index("</s>"))])
    kind: Any = PreTrainedTokenizerFast  # untyped in transformers
    return kind(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def _some(texts: Iterable[str]) -> Iterator[str]:
    left = _CHARACTERS
    for text in texts:
        if left <= 0:
            return
        yield text[:left]
        left -= len(text)
