"""A tiny encoder that knows a mask token, with or without a masked language head of its own."""

from __future__ import annotations

from pathlib import Path

WORDS = "good great fine lovely fresh warm the soup room staff was very and a bed it we had".split()
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


def encoder_with_mask(folder: Path, family: str = "bert", head: bool = True) -> Path:
    """An encoder that knows a mask token, with or without a masked language head of its own."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, PreTrainedTokenizerFast

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    raw = Tokenizer(models.WordLevel({word: place for place, word in enumerate([*marks, *WORDS])}, "[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), marks, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, **named)
    torch.manual_seed(3)
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48} if family == "distilbert" else SIZES
    if family == "modernbert":
        sizes = {**SIZES, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    config = AutoConfig.for_model(family, **sizes, vocab_size=len(tokenizer), max_position_embeddings=66)
    (AutoModelForMaskedLM if head else AutoModel).from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
