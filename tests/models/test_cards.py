"""Cards: read from config and headers alone, and the refusal of every folder that breaks a rule."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models
from safetensors.torch import load_file, save_file

from studio import child
from studio.errors import UserError
from studio.models.card import Card, read_card
from studio.models.load import load_base, load_tokenizer

sys.path.append(str(Path(__file__).parents[1] / "tasks"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    return tiny_models.encoder_folder(tmp_path_factory.mktemp("models") / "small-bert")


@pytest.fixture
def folder(encoder, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(encoder, tmp_path / "small-bert"))


def test_the_card_says_what_the_loaded_model_is(encoder):
    card = read_card(encoder, "local:x")
    model = load_base(encoder)
    assert card.parameters == sum(value.numel() for value in model.parameters())
    assert card.embedding_parameters == model.embeddings.word_embeddings.weight.numel()
    assert card.bytes == (encoder / "model.safetensors").stat().st_size
    assert (card.kind, card.model_type, card.layers, card.heads, card.hidden) == ("encoder", "bert", 2, 2, 16)
    assert (card.vocabulary, card.max_positions, card.intermediate) == (model.config.vocab_size, 64, 24)
    assert (card.title, card.on_disk, card.has_chat_template, card.prefix) == ("small-bert", True, False, "")
    assert Card.from_json(json.loads(json.dumps(card.to_json()))) == card


@pytest.mark.parametrize("family", ["t5", "bart", "marian"])
def test_the_layers_of_both_sides_count(tmp_path, family):
    from tiny_seq2seq import seq2seq_folder

    folder = seq2seq_folder(tmp_path / family, family)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    sides = [
        config.get("encoder_layers") or config["num_layers"],
        config.get("decoder_layers") or config["num_decoder_layers"],
    ]
    assert read_card(folder, "local:x").layers == sum(sides) > sides[0]


def test_reading_a_card_needs_no_torch(encoder):
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from studio.models.card import read_card;"
            "read_card(Path(sys.argv[1]), 'x'); import studio.models.catalogue, studio.models.coverage;"
            "assert not {'torch', 'transformers', 'peft', 'datasets'} & set(sys.modules)",
            str(encoder),
        ],
        env=child.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr


def test_licence_and_languages_come_from_the_front_matter(folder):
    (folder / "README.md").write_text(
        "---\nlicense: mit\nlanguage:\n  - en\n  - zh\ntags:\n- x\n---\n# A model", "utf-8"
    )
    card = read_card(folder, "local:x")
    assert (card.licence, card.languages) == ("mit", ("en", "zh"))
    (folder / "README.md").write_text("# no front matter\nlicense: gpl", "utf-8")
    assert read_card(folder, "local:x").licence == ""


def test_what_the_studio_published_is_on_the_card(folder):
    (folder / "card.json").write_text(json.dumps({"title": "E5", "prefix": "query: ", "languages": ["multi"]}))
    card = read_card(folder, "starter:e5")
    assert (card.title, card.prefix, card.languages) == ("E5", "query: ", ("multi",))


def test_positions_behind_the_padding_are_not_counted(tmp_path):
    roberta = tiny_models.encoder_folder(tmp_path / "roberta", "roberta")
    assert read_card(roberta, "local:x").max_positions == 62


def test_sharded_weights_are_added_up(folder):
    whole = load_file(folder / "model.safetensors")
    expected = read_card(folder, "x").parameters
    (folder / "model.safetensors").unlink()
    names = sorted(whole)
    parts = {"model-00001-of-00002.safetensors": names[:5], "model-00002-of-00002.safetensors": names[5:]}
    for file, owned in parts.items():
        save_file({name: whole[name] for name in owned}, folder / file)
    index = {"weight_map": {name: file for file, owned in parts.items() for name in owned}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert read_card(folder, "x").parameters == expected
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(UserError, match="incomplete or damaged"):
        read_card(folder, "x")
    index["weight_map"][names[0]] = "../../elsewhere.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="elsewhere"):
        read_card(folder, "x")


def test_a_decoder_with_a_chat_template(tmp_path):
    card = read_card(tiny_models.decoder_folder(tmp_path / "llama"), "x")
    assert (card.kind, card.has_chat_template) == ("decoder", True)


def change(folder: Path, name: str, **values: object) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


REFUSED = {
    "model_no_config": lambda f: (f / "config.json").unlink(),
    "model_is_adapter": lambda f: (f / "config.json").rename(f / "adapter_config.json"),
    "model_file_unreadable": lambda f: (f / "config.json").write_text("[1, 2"),
    "model_has_code": lambda f: change(f, "config.json", auto_map={"AutoModel": "modeling_x.X"}),
    "model_quantized": lambda f: change(f, "config.json", quantization_config={"quant_method": "gptq"}),
    "model_family": lambda f: change(f, "config.json", model_type="lightglue"),
    "model_no_tokenizer": lambda f: [(f / name).unlink() for name in ("tokenizer.json", "vocab.txt")],
    "model_tokenizer_huge": lambda f: os.truncate(f / "tokenizer.json", 60_000_000),
    "model_pickle_only": lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
    "model_no_weights": lambda f: (f / "model.safetensors").unlink(),
    "model_weights_damaged": lambda f: os.truncate(f / "model.safetensors", 5_000),
    "model_no_folder": lambda f: shutil.rmtree(f),
}


@pytest.mark.parametrize("code", REFUSED)
def test_every_rule_has_its_sentence(folder, code):
    REFUSED[code](folder)
    with pytest.raises(UserError) as caught:
        read_card(folder, "local:x")
    assert caught.value.code == code
    for language in ("en", "zh"):
        parts = caught.value.parts(language)
        assert len(parts) == 3
        assert all(part and "{" not in part for part in parts)
        assert str(folder) in parts[0]


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("config.json", {"trust_remote_code": True}),
        ("config.json", {"custom_pipelines": {"x": {"impl": "evil.X"}}}),
        ("config.json", {"text_config": {"layers": [{"auto_map": {"AutoConfig": "evil.C"}}]}}),
        ("config.json", {"_attn_implementation": "someone/kernel"}),
        ("config.json", {"_attn_implementation_internal": "someone/kernel:fn"}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}}),
        ("generation_config.json", {"custom_generate": "someone/generate"}),
    ],
)
def test_code_is_refused_wherever_it_hides(folder, file, values):
    if not (folder / file).exists():
        (folder / file).write_text("{}")
    change(folder, file, **values)
    for read in (lambda: read_card(folder, "x"), lambda: load_base(folder), lambda: load_tokenizer(folder)):
        with pytest.raises(UserError, match="asks to run code"):
            read()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"\xff" * 8 + data[8:],
        lambda data: data[:8] + b"[" + data[9:],
        lambda data: data.replace(b'"F32"', b'"F64"', 1),
        lambda data: b"",
    ],
)
def test_damaged_headers_are_noticed_without_loading(folder, spoil):
    path = folder / "model.safetensors"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match="incomplete or damaged"):
        read_card(folder, "x")


class Canary:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_payloads_beside_the_weights_are_never_run(folder, tmp_path):
    canary = tmp_path / "canary"
    payload = pickle.dumps(Canary(canary))
    names = (
        "pytorch_model.bin",
        "training_args.bin",
        "model.pt",
        "model.pt2",
        "head.pkl",
        "optimizer.pt",
        "rng_state.pth",
    )
    for name in names:
        (folder / name).write_bytes(payload)
    program = f"open({str(canary)!r}, 'w').close()"
    for name in ("modeling_x.py", "configuration_x.py", "custom_generate/generate.py", "__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(program)
    read_card(folder, "x")
    load_base(folder)
    load_tokenizer(folder)
    assert not canary.exists()
    pickle.loads(payload)
    assert canary.exists(), "the payload itself must work, or this test proves nothing"
