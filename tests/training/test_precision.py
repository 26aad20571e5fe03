"""Number formats: attention in bfloat16 learns the same with either kernel, and the choice leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_training import save_encoder
from transformers import AutoModel

from studio.training.precision import learning_format, number_format


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> torch.nn.Module:
    folder: Path = save_encoder(tmp_path_factory.mktemp("encoder"), dropout=0.0)
    return AutoModel.from_pretrained(folder).train()


def gradients(model: torch.nn.Module, context) -> torch.Tensor:
    torch.manual_seed(1)
    ids = torch.randint(5, model.config.vocab_size, (4, 24))
    mask = torch.ones_like(ids)
    mask[1, 15:] = 0
    with context:
        loss = model(input_ids=ids, attention_mask=mask).last_hidden_state.float().pow(2)[mask.bool()].mean()
    loss.backward()
    found = torch.cat([part.grad.flatten() for part in model.parameters() if part.grad is not None])
    model.zero_grad()
    return found


def kernels() -> tuple[bool, bool]:
    return torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()


def test_plain_attention_has_the_gradients_of_the_fused_one_within_bfloat16s_rounding(model):
    exact = gradients(model, number_format("fp32", "cpu"))
    fused = gradients(model, number_format("bf16", "cpu"))
    plain = gradients(model, learning_format("bf16", "cpu", 24))
    assert torch.linalg.norm(plain - exact) < 1.5 * torch.linalg.norm(fused - exact)
    assert torch.linalg.norm(plain - exact) < 0.05 * torch.linalg.norm(exact)


@pytest.mark.parametrize(
    ("name", "tokens", "fused"), [("bf16", 24, False), ("bf16", 256, False), ("bf16", 257, True), ("fp32", 24, True)]
)
def test_the_kernel_follows_format_and_length_and_is_put_back(name, tokens, fused):
    before = kernels()
    with learning_format(name, "cpu", tokens):
        assert kernels() == ((True, before[1]) if fused else (False, True))
    assert kernels() == before
    with pytest.raises(ZeroDivisionError), learning_format(name, "cpu", tokens):
        1 / 0  # noqa: B018
    assert kernels() == before
