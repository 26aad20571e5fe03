"""The two conversions, on tiny files made here in the formats of the real ones."""

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from safetensors.numpy import load_file
from spoken import check_spoken

from studio.errors import UserError
from studio.models.gguf_llama import convert_gguf
from studio.models.packed_e5 import convert_e5
from studio.models.starters import STARTERS
from studio.models.tryout import try_out

HIDDEN, LAYERS, WIDE, POSITIONS = 32, 2, 64, 16
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁the", "▁food", "t", "h", "e", "菜", "t", "<mask>"]
ROWS = 32  # the table is larger than the list of pieces, as in the real file


def four_bits(values: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The packed bytes of values, and the values that come out again."""
    blocks = values.reshape(-1, 32)
    scales = (np.abs(blocks).max(1) / 7).astype(np.float16)
    numbers = np.clip(np.round(blocks / scales[:, None].astype(np.float32)) + 8, 0, 15).astype(np.uint8)
    packed = b"".join(
        scale.tobytes() + (row[:16] | row[16:] << 4).tobytes() for scale, row in zip(scales, numbers, strict=True)
    )
    back = (numbers.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]
    return packed, back.reshape(values.shape)


def e5_file(path: Path) -> dict[str, np.ndarray]:
    """A tiny "E5S1" file; returns what each tensor has to be afterwards, by BertModel's names."""
    random = np.random.default_rng(0)
    tables = {"emb.word": (ROWS, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (2, HIDDEN)}
    names = {"emb.word": "embeddings.word_embeddings.weight", "emb.pos": "embeddings.position_embeddings.weight"}
    names |= {"emb.type": "embeddings.token_type_embeddings.weight"}
    norms = {"emb.ln": "embeddings.LayerNorm"}
    linears = {}
    for layer in range(LAYERS):
        start = f"encoder.layer.{layer}"
        shapes = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN), "ao": (HIDDEN, HIDDEN)}
        shapes |= {"fi": (WIDE, HIDDEN), "fo": (HIDDEN, WIDE)}
        targets = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value"}
        targets |= {"ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense"}
        linears |= {f"l{layer}.{part}": (shape, f"{start}.{targets[part]}") for part, shape in shapes.items()}
        norms |= {f"l{layer}.aln": f"{start}.attention.output.LayerNorm", f"l{layer}.oln": f"{start}.output.LayerNorm"}
    entries: list[tuple[str, int, int, bytes]] = []
    expected = {}

    def add(name: str, target: str, shape: tuple[int, ...], packed: bool) -> None:
        values = random.standard_normal(shape).astype(np.float32)
        data, back = four_bits(values) if packed else (values.tobytes(), values)
        entries.append((name, int(packed), values.size, data))
        expected[target] = back

    for name, shape in tables.items():
        add(name, names[name], shape, name == "emb.word")
    for name, target in norms.items():
        add(f"{name}.w", f"{target}.weight", (HIDDEN,), False)
        add(f"{name}.b", f"{target}.bias", (HIDDEN,), False)
    for name, (shape, target) in linears.items():
        add(f"{name}.w", f"{target}.weight", shape, True)
        add(f"{name}.b", f"{target}.bias", (shape[0],), False)
    path.write_bytes(_packed(entries))
    return expected


def _packed(entries: list[tuple[str, int, int, bytes]]) -> bytes:
    pieces = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, pieces)]).astype("<u4")
    head = b"E5S1\0\0\0\0" + struct.pack("<7if", HIDDEN, LAYERS, 4, WIDE, ROWS, POSITIONS, 2, 1e-12)
    head += struct.pack("<ii4iQ", 32, len(pieces), 0, 2, 1, 3, sum(map(len, pieces)))
    scores = np.array([0, 0, 0, 0, -3, -1, -1, -5, -5, -5, -2, -9, 0], "<f4")
    head += offsets.tobytes() + scores.tobytes() + b"".join(pieces) + struct.pack("<iI", 1, 5) + b"chars"
    table = struct.pack("<i", len(entries))
    size = len(head) + 4 + sum(2 + len(name) + 21 for name, *_ in entries)
    place = size
    for name, kind, count, data in entries:
        table += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, place, len(data))
        place += len(data)
    return head + table + b"".join(data for *_, data in entries)


def test_e5_weights_come_out_as_they_were_packed(tmp_path):
    expected = e5_file(tmp_path / "e5.bin")
    (tmp_path / "out").mkdir()
    convert_e5(tmp_path / "e5.bin", tmp_path / "out")
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6, err_msg=name)


def test_e5_becomes_a_model_and_a_tokenizer_that_open(tmp_path):
    from studio.models.card import read_card
    from studio.models.load import load_base, load_tokenizer

    e5_file(tmp_path / "e5.bin")
    folder = tmp_path / "out"
    folder.mkdir()
    convert_e5(tmp_path / "e5.bin", folder)
    model, tokenizer = load_base(folder), load_tokenizer(folder)
    assert read_card(folder, "x").vocabulary == ROWS
    assert tokenizer.convert_ids_to_tokens(tokenizer("The  FOOD".lower())["input_ids"]) == [
        "<s>",
        "▁the",
        "▁food",
        "</s>",
    ]
    # Full-width letters fold to plain ones (NFKC), a repeated piece keeps its first id, pairs have a double mark.
    assert tokenizer("ｔｈｅ")["input_ids"] == [0, 5, 2]
    assert tokenizer("t", "菜")["input_ids"] == [0, 4, 7, 2, 2, 4, 10, 2]
    assert tokenizer("ж")["input_ids"] == [0, 4, 3, 2]
    assert (tokenizer.pad_token_id, tokenizer.mask_token) == (1, "<mask>")
    assert model(**tokenizer(["the food"], return_tensors="pt")).last_hidden_state.shape == (1, 4, HIDDEN)


@pytest.mark.parametrize(
    "spoil", [lambda d: b"GGUF" + d[4:], lambda d: d[:60], lambda d: d[:-40], lambda d: d[:40] + b"\xff" * 8 + d[48:]]
)
def test_another_file_is_refused(tmp_path, spoil):
    e5_file(tmp_path / "e5.bin")
    (tmp_path / "e5.bin").write_bytes(spoil((tmp_path / "e5.bin").read_bytes()))
    with pytest.raises(UserError) as caught:
        convert_e5(tmp_path / "e5.bin", tmp_path)
    check_spoken(caught.value, "conversion_wrong", model="e5.bin", reason=re.compile(r"\w{5}"))


def gguf_file(path: Path, architecture: str = "llama") -> dict[str, np.ndarray]:
    """A tiny Llama as GGUF, its rotary rows interleaved as that format has them; returns transformers' layout."""
    from gguf import GGUFWriter
    from tokenizers import pre_tokenizers

    heads, groups, size = 4, 2, 8
    hidden, wide = heads * size, 64
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "the"]
    writer = GGUFWriter(str(path), architecture)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(wide)
    writer.add_block_count(1)
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_context_length(64)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges(["t h", "th e"])
    for name, number in {"bos": 1, "eos": 2, "unk": 0, "pad": 2}.items():
        getattr(writer, f"add_{name}_token_id")(number)
    writer.add_chat_template("{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}")
    random = np.random.default_rng(1)
    expected = {}

    def add(name: str, target: str, shape: tuple[int, ...], pairs: int = 0) -> None:
        values = random.standard_normal(shape).astype(np.float32)
        expected[target] = values
        if pairs:
            halves = values.reshape(pairs, 2, shape[0] // pairs // 2, shape[1])
            values = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(shape))
        writer.add_tensor(name, values)

    add("token_embd.weight", "model.embed_tokens.weight", (len(tokens), hidden))
    add("output_norm.weight", "model.norm.weight", (hidden,))
    layer = "model.layers.0"
    add("blk.0.attn_norm.weight", f"{layer}.input_layernorm.weight", (hidden,))
    add("blk.0.ffn_norm.weight", f"{layer}.post_attention_layernorm.weight", (hidden,))
    add("blk.0.attn_q.weight", f"{layer}.self_attn.q_proj.weight", (hidden, hidden), heads)
    add("blk.0.attn_k.weight", f"{layer}.self_attn.k_proj.weight", (groups * size, hidden), groups)
    add("blk.0.attn_v.weight", f"{layer}.self_attn.v_proj.weight", (groups * size, hidden))
    add("blk.0.attn_output.weight", f"{layer}.self_attn.o_proj.weight", (hidden, hidden))
    add("blk.0.ffn_gate.weight", f"{layer}.mlp.gate_proj.weight", (wide, hidden))
    add("blk.0.ffn_up.weight", f"{layer}.mlp.up_proj.weight", (wide, hidden))
    add("blk.0.ffn_down.weight", f"{layer}.mlp.down_proj.weight", (hidden, wide))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


def test_gguf_weights_and_settings(tmp_path):
    expected = gguf_file(tmp_path / "m.gguf")
    folder = tmp_path / "out"
    folder.mkdir()
    convert_gguf(tmp_path / "m.gguf", folder)
    found = load_file(folder / "model.safetensors")
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    config = json.loads((folder / "config.json").read_text())
    assert (config["rms_norm_eps"], config["rope_theta"], config["num_key_value_heads"]) == (1e-5, 100000.0, 2)


def test_gguf_becomes_a_chat_model_whose_padding_is_not_its_end(tmp_path):
    from studio.models.card import read_card
    from studio.models.load import load_base, load_tokenizer

    gguf_file(tmp_path / "m.gguf")
    folder = tmp_path / "out"
    folder.mkdir()
    convert_gguf(tmp_path / "m.gguf", folder)
    tokenizer, model = load_tokenizer(folder), load_base(folder, "AutoModelForCausalLM")
    assert read_card(folder, "x").has_chat_template
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|endoftext|>", "<|im_end|>")
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id
    # Digits stand one by one, merges apply, special tokens inside a text are found.
    assert tokenizer.tokenize("the12<|im_end|>") == ["the", "1", "2", "<|im_end|>"]
    assert tokenizer.decode(tokenizer("the 菜 42")["input_ids"]) == "the 菜 42"
    assert (
        tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False) == "<|im_start|>x<|im_end|>"
    )
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_another_architecture_is_refused(tmp_path):
    gguf_file(tmp_path / "m.gguf", "qwen2")
    with pytest.raises(UserError) as caught:
        convert_gguf(tmp_path / "m.gguf", tmp_path)
    check_spoken(caught.value, "conversion_wrong", model="m.gguf", reason="qwen2/gpt2")


def test_a_model_that_answers_nonsense_does_not_pass_its_try_out(tmp_path):
    """Random weights, as a conversion that put them in the wrong places would leave behind."""
    encoder, decoder = tiny_models.encoder_folder(tmp_path / "bert"), tiny_models.decoder_folder(tmp_path / "llama")
    with pytest.raises(UserError) as caught:
        try_out(STARTERS["minilm"], encoder)
    check_spoken(caught.value, "conversion_wrong", model="starter:minilm", reason=re.compile("'.+' = '.+'"))
    with pytest.raises(UserError) as caught:
        try_out(STARTERS["smollm2"], decoder)
    # Whatever it wrote can be seen, line breaks too.
    check_spoken(caught.value, "conversion_wrong", model="starter:smollm2", reason=re.compile("^'.+'$"))
