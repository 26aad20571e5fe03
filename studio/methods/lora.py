"""LoRA: small low-rank additions to the linear layers of a frozen base; a head on top, where there is one, learns too.

What is loaded back is read strictly: a plain LoRA for this very base, and nothing that could name other code.
"""

from __future__ import annotations

import dataclasses
import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from studio.errors import UserError
from studio.methods.base import Method, Verdict, methods
from studio.methods.parts import GENERATIVE, block_stack, fits, linear_layers, suits, untied_heads
from studio.models.card import CARD_FILE
from studio.models.rules import read_json
from studio.options import option

if TYPE_CHECKING:
    import torch

    from studio.hardware import Hardware
    from studio.models.card import Card

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_READ = {"r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save", "fan_in_fan_out", "task_type"}
_SWITCHES = {"use_rslora", "use_dora"}
"""Settings beyond plain LoRA that change its arithmetic and nothing else."""
_IGNORED = {"base_model_name_or_path", "inference_mode", "peft_type", "peft_version", "revision"}


@dataclass(frozen=True)
class PlainLoraOptions:
    """`rank` and `alpha` as in the LoRA paper; `targets` chooses the adapted layers, `top_layers` how many of the
    numbered ones, counted from the top, have any (0: all). `rslora` divides alpha by the
    rank's root instead of the rank (arXiv 2312.03732), and `rate_ratio` is how many times the rate the B matrices learn
    at (LoRA+, arXiv 2402.12354)."""

    rank: int = option(16, low=1, high=256, step=1)
    alpha: int = option(32, low=1, high=512, step=1)
    dropout: float = option(0.05, low=0.0, high=0.5, step=0.05)
    targets: str = option("all-linear", choices=("all-linear", "attention"))
    top_layers: int = option(0, low=0, high=128, step=1)
    rslora: bool = option(False)
    rate_ratio: float = option(1.0, low=1.0, high=64.0, step=1)


@dataclass(frozen=True)
class LoraOptions(PlainLoraOptions):
    """`dora` learns each weight's length apart from its direction (arXiv 2402.09353)."""

    dora: bool = option(False)


class Lora(Method):
    """An adapter of a few megabytes; the base keeps its weights and can serve many adapters at once."""

    key = "lora"
    order = 20
    adapter = True
    Options: ClassVar[type] = LoraOptions

    def supports(self, peft_type: str, card: Card, hardware: Hardware) -> Verdict:
        # The frozen base in float32; adapters, their gradients and moments are a few hundredths of it.
        needed = int(4.6 * card.parameters)
        return suits(peft_type, card) or fits(needed, hardware, "verdict.method_too_big_lora")

    def prepare(self, model: torch.nn.Module, peft_type: str, options: Any) -> torch.nn.Module:
        """Raises UserError (`lora_no_targets`) when the choice matches no layer."""
        layers, transposed = linear_layers(model, options.targets == "attention")
        layers = _topmost(model, layers, options.top_layers)
        if not layers:
            raise UserError("lora_no_targets", targets=options.targets)
        return _wrap(
            model,
            {
                "r": options.rank,
                "lora_alpha": options.alpha,
                "lora_dropout": options.dropout,
                "target_modules": layers,
                "modules_to_save": _trained_heads(model, peft_type) or None,
                "fan_in_fan_out": transposed,
                "task_type": peft_type if peft_type in GENERATIVE else None,
                "use_rslora": options.rslora,
                "use_dora": getattr(options, "dora", False),
            },
        )

    def moving(self, card: Card, options: Any) -> int:
        """Two matrices of `rank` beside each adapted one."""
        inner = 0 if options.targets == "attention" else card.intermediate or 4 * card.hidden
        gates = 3 if card.kind == "decoder" else 2
        adapted = min(options.top_layers, card.layers) or card.layers
        return adapted * int(options.rank) * (8 * card.hidden + gates * (card.hidden + inner) * bool(inner))

    def below(self, card: Card, options: Any) -> float:
        return max(0.0, 1 - options.top_layers / max(card.layers, 1)) if options.top_layers else 0.0

    def pace(self, name: str, options: Any) -> float:
        """LoRA+: B begins at zero and has to move further than A."""
        return float(options.rate_ratio) if ".lora_B." in name else 1.0

    def merged(self, model: torch.nn.Module) -> torch.nn.Module:
        whole: torch.nn.Module = model.merge_and_unload()  # type: ignore[operator]
        return whole

    def save(self, model: torch.nn.Module, folder: str) -> None:
        """adapter_config.json and adapter_model.safetensors: adapters and head, none of the base's weights."""
        from peft import get_peft_model_state_dict
        from safetensors.torch import save_file

        Path(folder).mkdir(parents=True, exist_ok=True)
        config: Any = model.peft_config["default"]  # type: ignore[index, union-attr]
        config.base_model_name_or_path = base_name(model)
        config.inference_mode = True
        config.save_pretrained(folder)
        config.inference_mode = False
        tensors = get_peft_model_state_dict(model, save_embedding_layers=False)
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(kept, str(Path(folder) / WEIGHTS_FILE), {"format": "pt"})

    def load(self, model: torch.nn.Module, folder: str) -> torch.nn.Module:
        """Raises UserError: `adapter_unsafe`, `adapter_other_base`, `tuned_weights_misfit`."""
        from peft import get_peft_model_state_dict, set_peft_model_state_dict
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        wrapped = _wrap(model, read_adapter(Path(folder), base_name(model)))
        try:
            tensors = load_file(str(Path(folder) / WEIGHTS_FILE))
        except (OSError, SafetensorError) as error:
            raise UserError("tuned_weights_misfit", folder=folder, part=WEIGHTS_FILE) from error
        wanted = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
        for name in sorted(set(wanted) | set(tensors)):
            if name not in wanted or name not in tensors or wanted[name].shape != tensors[name].shape:
                raise UserError("tuned_weights_misfit", folder=folder, part=name)
        set_peft_model_state_dict(wrapped, tensors)
        return wrapped.eval()


def read_adapter(folder: Path, base: str) -> dict[str, Any]:
    """The plain LoRA settings of an adapter folder.

    Raises UserError: `adapter_unsafe` for any setting beyond LoRA's arithmetic (it could import modules, name files or
    change the base), `adapter_other_base` when it was made for another model than `base`.
    """
    raw = read_json(folder / CONFIG_FILE)
    if raw.get("peft_type") != "LORA":
        raise UserError("adapter_unsafe", folder=str(folder), key=f"peft_type={raw.get('peft_type')}")
    plain = _plain()
    for key, value in raw.items():
        if key in _SWITCHES and not isinstance(value, bool):
            raise UserError("adapter_unsafe", folder=str(folder), key=key)
        if key not in _READ | _SWITCHES | _IGNORED and (key not in plain or value != plain[key]):
            raise UserError("adapter_unsafe", folder=str(folder), key=key)
    if raw.get("task_type") not in (None, *GENERATIVE) or not isinstance(raw.get("target_modules"), list):
        raise UserError("adapter_unsafe", folder=str(folder), key="target_modules, task_type")
    made_for = str(raw.get("base_model_name_or_path") or "")
    if made_for != base:
        raise UserError("adapter_other_base", folder=str(folder), found=made_for or "-", expected=base or "-")
    return {key: raw[key] for key in sorted(_READ | _SWITCHES) if key in raw}


def readopted(model: torch.nn.Module, change: Callable[[torch.nn.Module], torch.nn.Module]) -> torch.nn.Module:
    """The adapter of `model` on `change` of its base; `model` is spent."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    wrapped: Any = model
    config = wrapped.peft_config["default"]
    tensors = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    settings = {key: getattr(config, key) for key in sorted(_READ | _SWITCHES)}
    core = change(wrapped.unload())
    settings["fan_in_fan_out"] = linear_layers(core, False)[1]
    found = _wrap(core, settings)
    set_peft_model_state_dict(found, tensors)
    return found.eval()


def _plain() -> dict[str, Any]:
    """What every setting is in a LoRA that asks for nothing special, as JSON gives it back."""
    return {key: value for key, value in dataclasses.asdict(_peft().LoraConfig()).items() if not isinstance(value, set)}


def _peft() -> Any:
    """peft, imported the light way the first time it is needed."""
    from studio.models import lightpeft  # noqa: F401 - it is imported for what that does

    return importlib.import_module("peft")


def _wrap(model: torch.nn.Module, settings: dict[str, Any]) -> torch.nn.Module:
    peft = _peft()
    with warnings.catch_warnings():
        # peft still asks transformers for a property under its old name.
        warnings.simplefilter("ignore", FutureWarning)
        wrapped: torch.nn.Module = peft.get_peft_model(model, peft.LoraConfig(**settings))
    return wrapped


def _topmost(model: torch.nn.Module, layers: list[str], count: int) -> list[str]:
    """Those of the linear layers that belong to the last `count` blocks; all where that is 0."""
    stack, blocks = block_stack(model)
    if not count or not blocks:
        return layers
    tops = tuple(f"{stack}.{place}." for place in range(max(0, len(blocks) - count), len(blocks)))
    return [name for name in layers if name.startswith(tops)]


def _trained_heads(model: torch.nn.Module, peft_type: str) -> list[str]:
    """A classifier starts from chance and has to learn; a writing model's head is part of what it already knows."""
    return [] if peft_type in GENERATIVE else untied_heads(model)


def base_name(model: torch.nn.Module) -> str:
    """The studio's id of the base a model was loaded from, or its folder's name; "" for one made on the spot."""
    core: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    path = str(getattr(getattr(core, "config", None), "name_or_path", "") or "")
    if not path:
        return ""
    published = Path(path) / CARD_FILE
    return str(read_json(published).get("id") or Path(path).name) if published.is_file() else Path(path).name


methods.register(Lora())
