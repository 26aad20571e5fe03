"""A Python with torch and transformers, what these need, and nothing else: what the README of a download asks for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ASK = """
import importlib.util, json, runpy, sys
for absent in ("studio", "peft", "bitsandbytes", "datasets", "accelerate", "gradio"):
    assert importlib.util.find_spec(absent) is None, absent
predict = runpy.run_path(sys.argv[1])["predict"]
print(json.dumps([predict(*question) for question in json.load(sys.stdin)]))
"""


def needed(*names: str) -> set[str]:
    """The installed distributions that those need, themselves among them; extras are not needed."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # for another platform
        found.add(name)
        waiting += [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requires if "extra ==" not in line]
    return found


def bare_python(place: Path) -> Path:
    """Makes a virtual environment that sees nothing but links to those distributions' files; its Python."""
    packages = place / "packages"
    packages.mkdir(parents=True)
    for name in needed("torch", "transformers"):
        made = distribution(name)
        for top in {file.parts[0] for file in made.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            link = packages / top
            if not link.exists():
                link.symlink_to(Path(str(made.locate_file(top))))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")], check=True)
    (site,) = (place / "venv").glob("lib/python*/site-packages")
    (site / "only.pth").write_text(f"{packages}\n", "utf-8")
    return place / "venv" / "bin" / "python"


def asked(python: Path, folder: Path, questions: list[tuple[Any, ...]]) -> list[Any]:
    """What the folder's `predict.py` answers to each question's arguments under that Python, without a network."""
    done = subprocess.run(
        [str(python), "-I", "-c", ASK, str(folder / "predict.py")],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1", "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers
