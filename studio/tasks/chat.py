"""Chat and instruction tuning: a model learns to give the assistant's answers, and is scored on them only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.errors import UserError
from studio.options import option
from studio.problem import Problem
from studio.tasks.base import Item, Prediction, Role, Row, Rows, Task, tasks
from studio.tasks.causal import IGNORED, label_logits, load_decoder, row_sums

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ChatOptions:
    """`answers`: whether every answer of a conversation is learnt or only the last."""

    answers: str = option("all", choices=("all", "last"))


class Chat(Task):
    """Answers to messages, with the model's own chat template."""

    key = "chat"
    order = 20
    result = "chat"
    auto_class = "AutoModelForCausalLM"
    peft_type = "CAUSAL_LM"
    main_metric = "loss"
    lower_is_better = True
    packs = True
    roles = (
        Role("messages", ("messages", "conversations", "conversation", "chat", "dialogue", "对话"), required=False),
        Role("instruction", ("instruction", "prompt", "question", "query", "指令", "问题"), required=False),
        Role("input", ("input", "context", "输入"), required=False),
        Role(
            "output", ("output", "completion", "response", "answer", "answers", "回答", "答案", "输出"), required=False
        ),
    )
    Options = ChatOptions
    bare = "instruction"

    def problems(self, rows: Rows) -> list[Problem]:
        """Rows without an answer: there is nothing to learn from them. What else is wrong any chat check sees."""
        from studio.data.chat import problems

        return [problem for problem in problems(rows) if problem.code == "chat_no_answer"]

    def usable(self, row: Row) -> bool:
        return _answered(row)

    def question(self, row: Row) -> str:
        """What the user said last before the last answer."""
        said = [message["content"] for message in prompt_of(messages_of(row))[0] if message["role"] == "user"]
        return said[-1] if said else ""

    def whole(self, row: Row) -> str:
        """The whole conversation; nothing where it cannot be read."""
        from studio.data.chat import ChatFault

        try:
            return "\n".join(message["content"] for message in messages_of(row))
        except ChatFault:
            return ""

    def preview(self, row: Row) -> str:
        """What the user said first."""
        return next((message["content"] for message in messages_of(row) if message["role"] == "user"), "")

    def column_problems(self, chosen: Mapping[str, str]) -> list[Problem]:
        """Conversations in one column, or an instruction and its answer in two; not both."""
        if "messages" not in chosen and not {"instruction", "output"} <= set(chosen):
            return [Problem("chat_columns_missing", "error", "columns")]
        if "messages" in chosen and len(chosen) > 1:
            return [Problem("chat_columns_both", "error", "columns", values={"column": chosen["messages"]})]
        return []

    def ties(self, row: Row) -> list[str]:
        """What the user said in all, the first of it, and every question with its answer: all answers are learnt, so
        an exchange must not be tested in one conversation and learnt in another."""
        said = [message for message in messages_of(row) if message["content"].strip()]
        asked = [message["content"] for message in said if message["role"] == "user"]
        exchanges, question = [], ""
        for message in said:
            if message["role"] == "user":
                question = message["content"]
            elif message["role"] == "assistant":
                exchanges.append(f"{question} \0 {message['content']}")
        # Without a question, the conversation itself has to tell it from others.
        own = "\n".join(asked) or "\n".join(exchanges)
        return list(dict.fromkeys([own, *asked[:1], *exchanges]))

    def truth(self, row: Row) -> str | None:
        return prompt_of(messages_of(row))[1] or None

    def facts(self, train: Rows, options: Any) -> dict[str, Any]:
        return {"answers": options.answers}

    def load(self, folder: str, facts: dict[str, Any], options: Any) -> torch.nn.Module:
        return load_decoder(folder)

    def encode(self, rows: Rows, tokenizer: Any, facts: dict[str, Any], max_length: int) -> list[Item]:
        return [_encode(messages_of(row), tokenizer, facts.get("answers", "all"), max_length) for row in rows]

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], options: Any) -> torch.Tensor:
        import torch

        logits, labels, _ = label_logits(model, batch)
        return torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum")

    def weight(self, batch: dict[str, torch.Tensor]) -> int:
        return int((batch["labels"][:, 1:] != IGNORED).sum())

    def read(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], facts: dict[str, Any]) -> list[Prediction]:
        import torch

        with torch.no_grad():
            logits, labels, rows = label_logits(model, batch)
            losses = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
            sums, tokens = row_sums(losses, rows, len(batch["labels"]))
        return [{"loss": loss, "tokens": number} for loss, number in zip(sums, tokens, strict=True)]


def messages_of(row: Row) -> list[dict[str, str]]:
    """The conversation of a row by role: {"messages": JSON text} or instruction / input / output."""
    from studio.data.chat import as_messages

    return as_messages(row, {role: role for role in row})


def prompt_of(messages: list[dict[str, str]]) -> tuple[list[dict[str, str]], str]:
    """What stands before the last answer, and that answer ("" when the row has none)."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place]["role"] == "assistant":
            return messages[:place], messages[place]["content"]
    return messages, ""


def render(tokenizer: Any, messages: list[dict[str, str]], *, open_answer: bool) -> str:
    """The text the model sees. Raises UserError where the template is absent or refuses these roles."""
    if not getattr(tokenizer, "chat_template", None):
        raise UserError("chat_template_missing", model=str(getattr(tokenizer, "name_or_path", "-")))
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_answer))
    except Exception as error:  # a template is a program of others: jinja2 errors, raise_exception, type errors
        roles = ", ".join(message["role"] for message in messages)
        raise UserError("chat_template_refused", roles=roles, reason=str(error)[:200]) from error


def _encode(messages: list[dict[str, str]], tokenizer: Any, answers: str, max_length: int) -> Item:
    """Tokens with labels on the answers. Prompt and answer are tokenised apart, as they are when the model answers."""
    ids: list[int] = []
    labels: list[int] = []
    done = ""
    places = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    learnt = places if answers == "all" else places[-1:]
    for place in learnt:
        before = render(tokenizer, messages[:place], open_answer=True)
        after = render(tokenizer, messages[: place + 1], open_answer=False)
        if not (before.startswith(done) and after.startswith(before)):
            # Such templates rewrite what was said before (they drop earlier reasoning): start over at this answer.
            ids, labels, done = [], [], ""
            if not after.startswith(before):
                before = after[: max(after.rfind(messages[place]["content"]), 0)]
        prompt = tokenizer(before[len(done) :], add_special_tokens=False)["input_ids"]
        answer, rest = _ended(tokenizer, after[len(before) :])
        ids += prompt + answer + rest
        labels += [IGNORED] * len(prompt) + answer + [IGNORED] * len(rest)
        done = after
    if not learnt:
        ids = tokenizer(render(tokenizer, messages, open_answer=True), add_special_tokens=False)["input_ids"]
        return {"input_ids": ids[:max_length]}
    return {"input_ids": ids[:max_length], "labels": labels[:max_length]}


def _ended(tokenizer: Any, text: str) -> tuple[list[int], list[int]]:
    """An answer's tokens up to and with its end mark, and what the template writes behind it (a line break)."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    ends = set(tokenizer.all_special_ids)
    for place in range(len(ids) - 1, -1, -1):
        if ids[place] in ends:
            return ids[: place + 1], ids[place + 1 :]
    return ids + ([tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []), []


def _answered(row: Row) -> bool:
    try:
        return bool(prompt_of(messages_of(row))[1].strip())
    except (UserError, ValueError, KeyError, TypeError):
        return False


tasks.register(Chat())
