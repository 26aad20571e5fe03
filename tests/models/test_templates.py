"""Chat templates: shown exactly as transformers renders them, and unable to do more than format text."""

import json
import time
from pathlib import Path

import pytest
import tiny_models

from studio.errors import UserError
from studio.models.load import load_tokenizer
from studio.models.template import render_rows, template_of

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Wo ist 'es'? <b>"},
    {"role": "assistant", "content": "Hier.\n菜"},
]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory) -> Path:
    return tiny_models.decoder_folder(tmp_path_factory.mktemp("models") / "llama")


def with_template(folder: Path, target: Path, template: object) -> Path:
    """A folder with the tokenizer of `folder` and another template; no weights are needed for it."""
    target.mkdir()
    for name in ("tokenizer.json", "config.json"):
        (target / name).write_bytes((folder / name).read_bytes())
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (target / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": template}))
    return target


FAIR = [
    tiny_models.TEMPLATE,
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{{ m | tojson }}{% endfor %}",
    "{% for m in messages %}{% generation %}{{ m['content'] | trim }}{% endgeneration %}{{ eos_token }}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{{ m.content }}{% endfor %}",
    "{{ strftime_now('%Y') }}{{ messages[0]['content'] }}",
]


@pytest.mark.parametrize("number", range(len(FAIR)))
def test_rows_are_shown_exactly_as_the_model_sees_them(decoder, tmp_path, number):
    folder = with_template(decoder, tmp_path / "model", FAIR[number])
    expected = load_tokenizer(folder).apply_chat_template(TALK, tokenize=False)
    assert render_rows(folder, [TALK, TALK]) == [expected, expected]


def test_a_template_file_of_its_own_and_a_list_of_named_ones(decoder, tmp_path):
    folder = with_template(
        decoder, tmp_path / "model", [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}]
    )
    assert render_rows(folder, [TALK]) == ["A"]
    (folder / "chat_template.jinja").write_text("C")
    assert template_of(folder)[0] == "C"


def test_without_a_folder_the_plain_form_is_shown():
    assert render_rows(None, [TALK[:2]])[0].startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user")


def test_a_model_without_a_template_says_so(decoder, tmp_path):
    with pytest.raises(UserError, match="chat"):
        render_rows(with_template(decoder, tmp_path / "model", None), [TALK])


HOSTILE = {
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
    "import": "{% import 'os' as os %}",
    "include": "{% include '/etc/passwd' %}",
    "range": "{% for i in range(10**9) %}{% endfor %}",
    "nested": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "string": "{% set x = 'a' * 3000000000 %}{{ x }}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "power": "{{ 9 ** 999999999 }}",
    "format": "{{ '%9999999999d' % 1 }}",
    "join": "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    "refusal": "{{ raise_exception('roles must alternate') }}",
    "syntax": "{% for",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_template_is_refused_in_time(decoder, tmp_path, kind):
    folder = with_template(decoder, tmp_path / "model", HOSTILE[kind])
    began = time.monotonic()
    with pytest.raises(UserError, match="template") as caught:
        render_rows(folder, [TALK])
    assert time.monotonic() - began < 15
    assert caught.value.code == "chat_template_refused"
    assert not list(tmp_path.rglob("CANARY"))
