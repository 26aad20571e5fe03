"""Opening a model folder with torch: safetensors only, no code of the model's own, nothing from the network.

Only workers import this with effect; everything heavy is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.models.marks import PADS
from studio.models.rules import check_folder, check_tokenizer, shapes, weight_files
from studio.tasks.heads import quietly

if TYPE_CHECKING:
    import torch

SAFELY: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
"""What every `from_pretrained` of a tokenizer or config is called with; False, since None would ask on stdin."""
SAFE_WEIGHTS: dict[str, Any] = {**SAFELY, "use_safetensors": True}
"""The same for weights."""
_quantised: ContextVar[tuple[Any, Callable[[Any], None]] | None] = ContextVar("quantised", default=None)


def load_tokenizer(folder: str | Path) -> Any:
    """The fast tokenizer of a model folder or a run's own, padding on the right with a token that ends no answer.

    Raises UserError where the folder breaks a rule or the tokenizer cannot be read.
    """
    from transformers import AutoTokenizer

    folder = Path(folder)
    check_tokenizer(folder)
    try:
        tokenizer = quietly(lambda: AutoTokenizer.from_pretrained(str(folder), use_fast=True, **SAFELY))
    except Exception as error:  # the tokenizers library raises bare Exception for a damaged file
        raise UserError(
            "model_file_unreadable", folder=str(folder), file="tokenizer.json", reason=_short(error)
        ) from error
    tokenizer.padding_side = "right"
    guard_padding(tokenizer)
    return tokenizer


def guard_padding(tokenizer: Any) -> None:
    """Give `tokenizer` a padding token that is not its end mark, from its own vocabulary, which never grows.

    With padding that equals the end mark, code that masks padding by its id also masks every end: the model then
    never learns to stop. Where no other token can serve, padding stays the end mark and the attention mask alone
    tells them apart, as it does in the studio's own batches.
    """
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id != tokenizer.eos_token_id:
        return
    vocabulary = tokenizer.get_vocab()
    for token in (*PADS, tokenizer.unk_token):
        if token in vocabulary and vocabulary[token] != tokenizer.eos_token_id:
            tokenizer.pad_token = token
            return
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token


@contextmanager
def quantised(settings: Any, finish: Callable[[Any], None]) -> Iterator[None]:
    """While it lasts, `pretrained` reads weights quantised by `settings` (transformers' BitsAndBytesConfig), matrix by
    matrix, so that the whole model is never in memory as float32; `finish` sees each model that was read so."""
    before = _quantised.set((settings, finish))
    try:
        yield
    finally:
        _quantised.reset(before)


def pretrained(kind: Any, folder: str | Path, **more: Any) -> Any:
    """Weights of a folder through one of transformers' auto classes: float32 (quantised only inside `quantised`),
    safetensors only, no code of the model's own, nothing from the network."""
    import torch

    how = _quantised.get()
    if how:
        more |= {"quantization_config": how[0], "device_map": {"": "cpu"}}
    found = quietly(lambda: kind.from_pretrained(str(folder), dtype=torch.float32, **more, **SAFE_WEIGHTS))
    if how:
        how[1](found[0] if more.get("output_loading_info") else found)
    return found


def load_base(folder: str | Path, auto_class: str = "AutoModel") -> torch.nn.Module:
    """The pretrained weights of a folder as float32, in evaluation mode, through one of transformers' auto classes.

    Raises UserError where the folder breaks a rule or its weights are damaged.
    """
    import transformers

    folder = Path(folder)
    check_folder(folder)
    shapes(weight_files(folder))
    kind = getattr(transformers, auto_class)
    model: torch.nn.Module = pretrained(kind, folder).eval()
    return model


def _short(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:120] or type(error).__name__
