"""From the one pinned GGUF file (a Llama with a byte-level tokenizer) to a plain transformers folder.

Runs in the conversion child only, after the file's hash was checked; it needs numpy, not torch. It is no general
GGUF reader: other architectures and tokenizers are refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from studio.errors import UserError

_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_CONTROL = 3


def convert_gguf(source: Path, folder: Path) -> None:
    """Write config.json, generation_config.json, model.safetensors (float32) and the tokenizer into `folder`.

    Raises UserError (`conversion_wrong`) when the file holds another kind of model.
    """
    from gguf import GGUFReader

    reader = GGUFReader(str(source))
    facts = {name: field for name, field in reader.fields.items()}
    kinds = (_read(facts, "general.architecture"), _read(facts, "tokenizer.ggml.model"))
    if kinds != ("llama", "gpt2"):
        raise UserError("conversion_wrong", model=source.name, reason="/".join(map(str, kinds)))
    _write_config(facts, folder)
    _write_weights(reader, facts, folder)
    _write_tokenizer(facts, folder)


def _read(facts: dict[str, Any], name: str) -> Any:
    return facts[name].contents()


def _write_config(facts: dict[str, Any], folder: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": _read(facts, "llama.embedding_length"),
        "intermediate_size": _read(facts, "llama.feed_forward_length"),
        "num_hidden_layers": _read(facts, "llama.block_count"),
        "num_attention_heads": _read(facts, "llama.attention.head_count"),
        "num_key_value_heads": _read(facts, "llama.attention.head_count_kv"),
        "max_position_embeddings": _read(facts, "llama.context_length"),
        # The file keeps float32; six digits give back the number that was meant (1e-05).
        "rms_norm_eps": float(f"{_read(facts, 'llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": _read(facts, "llama.rope.freq_base"),
        "vocab_size": _read(facts, "llama.vocab_size"),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        **_token_ids(facts),
    }
    _dump(folder / "config.json", config)
    _dump(folder / "generation_config.json", _token_ids(facts))


def _token_ids(facts: dict[str, Any]) -> dict[str, int]:
    """Padding is `<|endoftext|>`, not the file's `<|im_end|>`: padding that is also the end of every answer would be
    masked out by careless code, and a model that never sees its end mark never stops."""
    return {
        "bos_token_id": _read(facts, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _read(facts, "tokenizer.ggml.eos_token_id"),
        "pad_token_id": _read(facts, "tokenizer.ggml.unknown_token_id"),
    }


def _write_weights(reader: Any, facts: dict[str, Any], folder: Path) -> None:
    from gguf.quants import dequantize
    from safetensors.numpy import save_file

    heads = {
        "attn_q": _read(facts, "llama.attention.head_count"),
        "attn_k": _read(facts, "llama.attention.head_count_kv"),
    }
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for tensor in reader.tensors:
        weights = np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        parts = tensor.name.split(".")
        if parts[0] == "blk":
            name = f"model.layers.{parts[1]}.{_LAYER_NAMES[parts[2]]}.weight"
            weights = _unpaired(weights, heads[parts[2]]) if parts[2] in heads else weights
        else:
            name = f"{_TOP_NAMES[parts[0]]}.weight"
        tensors[name] = weights
    save_file(tensors, str(folder / "model.safetensors"), {"format": "pt"})


def _unpaired(weights: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """GGUF lays a rotary pair side by side, transformers in the two halves of a head: (out, in) rows put back."""
    shape = weights.shape
    pairs = weights.reshape(heads, shape[0] // heads // 2, 2, *shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(shape))


def _write_tokenizer(facts: dict[str, Any], folder: Path) -> None:
    """Byte-level BPE with digits one by one, as the family's own tokenizer.json has it."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens: list[str] = _read(facts, "tokenizer.ggml.tokens")
    kinds: list[int] = _read(facts, "tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ", 1)) for merge in _read(facts, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: place for place, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = _token_ids(facts)
    _dump(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[ids["bos_token_id"]],
            "eos_token": tokens[ids["eos_token_id"]],
            "pad_token": tokens[ids["pad_token_id"]],
            "unk_token": tokens[_read(facts, "tokenizer.ggml.unknown_token_id")],
            "additional_special_tokens": control[1:3],
            "model_max_length": _read(facts, "llama.context_length"),
            "clean_up_tokenization_spaces": False,
            "chat_template": _read(facts, "tokenizer.chat_template"),
        },
    )


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), "utf-8")
