"""What translation and summarisation share: an encoder-decoder reads one text and learns to write the other.

The answer's tokens are the labels, in a width of their own; the decoder sees them shifted by one, as each family does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Row, Rows, Task
from studio.tasks.causal import IGNORED, row_sums
from studio.tasks.heads import core_of
from studio.tasks.languages import model_code

if TYPE_CHECKING:
    import torch

_EXAMPLES = 3
_T5_VOCABULARY = 40_000
"""The English T5 and FLAN-T5 models have 32 thousand pieces and were taught with prefixes; mT5 and umT5 have 250
thousand and were not."""


class Seq2Seq(Task):
    """A task whose answer is a text written by an encoder-decoder. The first role is read, the last is written."""

    result = "text"
    auto_class = "AutoModelForSeq2SeqLM"
    peft_type = "SEQ_2_SEQ_LM"

    def problems(self, rows: Rows) -> list[Problem]:
        """No pair at all, or the same text on both sides nearly everywhere: then one column was chosen twice."""
        asked, answered = self.roles[0].key, self.roles[-1].key
        pairs = [(number, row) for number, row in enumerate(rows, 1) if self.usable(row)]
        if not pairs:
            return [Problem("pairs_none", "error", f"columns.{answered}")]
        same = [(number, row) for number, row in pairs if (row[asked] or "").strip() == (row[answered] or "").strip()]
        if len(same) > 0.9 * len(pairs):
            return [Problem("pairs_same", "error", f"columns.{answered}", len(same), _shown(same, asked))]
        if len(same) > 0.05 * len(pairs):
            values = {"rows": len(pairs)}
            return [Problem("pairs_copied", "warning", f"columns.{answered}", len(same), _shown(same, asked), values)]
        return []

    def ties(self, row: Row) -> list[str]:
        """Both texts: what is to be written in one part must not have been learnt in another."""
        return [self.question(row), self.truth(row) or ""]

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        return load_seq2seq(folder)

    def knows(self, model: torch.nn.Module) -> bool:
        return not getattr(core_of(model), "untaught", False)

    def prompt(self, tokenizer: Any, facts: dict[str, Any]) -> str:
        """What is put before every text: the words by which a model of T5's type knows its task."""
        return str(facts.get("prefix", ""))

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        if not rows:
            return []
        settle_languages(tokenizer, facts)
        before = self.prompt(tokenizer, facts)
        sources = tokenizer([before + self.question(row) for row in rows], truncation=True, max_length=max_length)
        targets = [(self.truth(row) or "").strip() for row in rows]
        written = encode_targets(tokenizer, targets, max_length)
        items: list[Item] = []
        for ids, target, labels in zip(sources["input_ids"], targets, written, strict=True):
            item: Item = {"input_ids": list(ids)}
            if target:
                item["labels"] = labels
            items.append(item)
        return items

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        import torch

        logits, labels, _ = written_logits(model, batch)
        smoothing = float(getattr(options, "label_smoothing", 0.0))
        return torch.nn.functional.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return int((batch["labels"] != IGNORED).sum())

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        """How surprised the model is by the known answer of each row; `studio.inference.writing` lets it write."""
        import torch

        with torch.no_grad():
            logits, labels, rows = written_logits(model, batch)
            losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
            sums, tokens = row_sums(losses, rows, len(batch["labels"]))
        return [{"loss": loss, "tokens": number} for loss, number in zip(sums, tokens, strict=True)]


def _shown(rows: Sequence[tuple[int, Row]], role: str) -> tuple[tuple[int, str], ...]:
    return tuple((number, (row[role] or "")[:200]) for number, row in rows[:_EXAMPLES])


def load_seq2seq(folder: str) -> torch.nn.Module:
    """The encoder-decoder of a folder, float32, from safetensors only; attention's own dropout is left out, which
    keeps torch on its fused kernels."""
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    from studio.models.load import SAFELY, pretrained
    from studio.models.scratch import made_from_scratch

    config = AutoConfig.from_pretrained(folder, **SAFELY)
    if hasattr(config, "attention_dropout"):
        config.attention_dropout = 0.0
    model: torch.nn.Module = pretrained(AutoModelForSeq2SeqLM, folder, config=config)
    model.untaught = made_from_scratch(Path(folder))  # type: ignore[assignment]
    for part in model.modules():
        # Marian computes with these without gradients, yet says that they could learn.
        if "Sinusoidal" in type(part).__name__:
            part.requires_grad_(False)
    return model


def settle_languages(tokenizer: Any, facts: dict[str, Any]) -> None:
    """Tell a multilingual tokenizer (mBART, NLLB) from which language into which; others have nothing to be told."""
    for side, role in (("src_lang", "source_language"), ("tgt_lang", "target_language")):
        code = model_code(tokenizer, str(facts.get(role) or "")) if hasattr(tokenizer, side) else ""
        if code and getattr(tokenizer, side) != code:
            setattr(tokenizer, side, code)


def encode_targets(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Token ids of what is to be written, each ending with an end mark or what the model's own form puts there."""
    found = [
        list(ids) for ids in tokenizer(text_target=list(texts), truncation=True, max_length=max_length)["input_ids"]
    ]
    end = tokenizer.eos_token_id
    if end is None:
        return found
    return [ids if end in ids[-2:] else [*ids[: max_length - 1], end] for ids in found]


def shifted(model: Any, labels: torch.Tensor) -> torch.Tensor:
    """What the decoder reads to foretell `labels` (B, T): the same one place later, behind the family's start mark."""
    core = core_of(model)
    pad = core.config.pad_token_id or 0
    plain = labels.masked_fill(labels == IGNORED, pad)
    moved = plain.new_full(plain.shape, pad)
    moved[:, 1:] = plain[:, :-1]
    if core.config.model_type == "mbart":
        # mBART has no start mark of its own: the last token of the answer goes round to the front.
        last = (labels != IGNORED).sum(1, keepdim=True).clamp(min=1) - 1
        moved[:, :1] = plain.gather(1, last)
    else:
        moved[:, 0] = start_mark(core)
    return moved


def start_mark(core: Any) -> int:
    """The token an answer begins with: the config's, else padding, as T5 has it."""
    for owner in (core.config, getattr(core, "generation_config", None)):
        start = getattr(owner, "decoder_start_token_id", None)
        if isinstance(start, int):
            return start
    return int(core.config.pad_token_id or 0)


def opening(model: Any, tokenizer: Any) -> list[int]:
    """What stands before the first word of every answer: the start mark, and a language's code where there is one."""
    import torch

    empty = encode_targets(tokenizer, [""], 8)[0]
    ids: list[int] = shifted(model, torch.tensor([empty]))[0].tolist()
    return ids[:-1] if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id else ids


def written_logits(
    model: torch.nn.Module, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (N, V, float32), labels (N,) and row numbers (N,) of the N tokens of the known answers."""
    labels = batch["labels"]
    rows, places = (labels != IGNORED).nonzero(as_tuple=True)
    logits = core_of(model)(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        decoder_input_ids=shifted(model, labels),
        use_cache=False,
    ).logits
    return logits[rows, places].float(), labels[rows, places], rows


def taught_by_prefix(tokenizer: Any) -> bool:
    """Whether a model of T5's type was taught with words such as "summarize: " before its texts."""
    return "T5" in type(tokenizer).__name__ and len(tokenizer) < _T5_VOCABULARY
