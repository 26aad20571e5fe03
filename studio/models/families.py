"""The model families the studio opens, by `model_type`: only code shipped with transformers, of three kinds.

A family that is not listed is refused: some families run code or fetch files that a config names.
"""

from __future__ import annotations

ENCODER = (
    "albert",
    "bert",
    "camembert",
    "deberta",
    "deberta-v2",
    "distilbert",
    "electra",
    "ernie",
    "modernbert",
    "mpnet",
    "roberta",
    "roformer",
    "xlm-roberta",
    "xlm-roberta-xl",
)
DECODER = (
    "bloom",
    "falcon",
    "gemma",
    "gemma2",
    "gemma3_text",
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "granite",
    "llama",
    "mistral",
    "olmo",
    "olmo2",
    "opt",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "smollm3",
    "stablelm",
    "starcoder2",
)
SEQ2SEQ = ("bart", "m2m_100", "marian", "mbart", "mt5", "pegasus", "t5", "umt5")

KINDS: dict[str, str] = {
    **dict.fromkeys(ENCODER, "encoder"),
    **dict.fromkeys(DECODER, "decoder"),
    **dict.fromkeys(SEQ2SEQ, "seq2seq"),
}
"""model_type -> "encoder", "decoder" or "seq2seq"."""

OFFSET_POSITIONS = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet")
"""Families whose position table begins after the pad id, so that two of its rows hold no token."""
