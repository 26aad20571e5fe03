"""One small try of a converted starter: a conversion that went wrong answers nonsense, and that is found here.

Runs in the conversion child, where torch may be imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import UserError
from studio.models.load import load_base, load_tokenizer
from studio.models.starters import Starter

if TYPE_CHECKING:
    import torch

_QUESTIONS = (
    "The food arrived cold.",
    "My invoice is wrong.",
    "The room was clean and quiet.",
    "How do I reset my password?",
)
_SAME_ENGLISH = (
    "Our meal was not warm when it came.",
    "There is a mistake in my bill.",
    "A tidy room without any noise.",
    "I forgot my login and need a new one.",
)
_SAME_CHINESE = ("菜送来时已经凉了。", "我的发票有错误。", "房间干净又安静。", "怎么重置密码？")


def try_out(starter: Starter, folder: Path) -> None:
    """Raises UserError (`conversion_wrong`) unless the model finds each sentence's twin, or answers one question."""
    if starter.card.kind == "decoder":
        _try_chat(starter, folder)
        return
    twins = _SAME_CHINESE if "multi" in starter.card.languages else _SAME_ENGLISH
    prefix = starter.card.prefix
    left, right = (_vectors(folder, [prefix + text for text in texts]) for texts in (_QUESTIONS, twins))
    nearest = (left @ right.T).argmax(1).tolist()
    for place, found in enumerate(nearest):
        if found != place:
            raise UserError("conversion_wrong", model=starter.id, reason=f"{_QUESTIONS[place]!r} = {twins[found]!r}")


def _vectors(folder: Path, texts: list[str]) -> torch.Tensor:
    """Mean-pooled unit vectors, (texts, hidden)."""
    import torch

    model = load_base(folder)
    batch = load_tokenizer(folder)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).float()
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def _try_chat(starter: Starter, folder: Path) -> None:
    """The capital of France, in an answer that ends by itself."""
    import torch

    tokenizer, model = load_tokenizer(folder), load_base(folder, "AutoModelForCausalLM")
    asked = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
    inputs = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        output = model.generate(**inputs, max_new_tokens=24, do_sample=False)[0]  # type: ignore[operator]
    answer = tokenizer.decode(output[inputs["input_ids"].shape[1] :])
    if "Paris" not in answer or int(output[-1]) != tokenizer.eos_token_id:
        raise UserError("conversion_wrong", model=starter.id, reason=repr(answer[:80]))
