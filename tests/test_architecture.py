"""The house's rules that a machine can check: imports go down, heavy libraries stay in workers, nothing half-built."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STUDIO = ROOT / "studio"
FLOORS = {
    "errors": 0, "words": 0, "problem": 0, "options": 0, "registry": 0, "spec": 0, "events": 0, "workspace": 0,
    "hardware": 0, "machine": 0, "probing": 0, "assets": 0, "child": 0, "files": 0, "rights": 0,
    "data": 1, "kinds": 1, "models": 1, "tasks": 1, "methods": 1,
    "training": 2, "evaluation": 2, "inference": 2,
    "runs": 3,
    "web": 4,
    "cli": 5, "commands": 5, "wishes": 5, "telling": 5, "terminal": 5,
}  # fmt: skip
HEAVY = ("torch", "transformers", "peft", "datasets", "accelerate", "sklearn")
FILES = sorted(STUDIO.rglob("*.py"))


def room(file: Path) -> str:
    return file.relative_to(STUDIO).parts[0].removesuffix(".py")


def imports(file: Path) -> list[tuple[str, bool]]:
    """(module, whether it is imported when the file is) of every import outside `if TYPE_CHECKING`."""
    found = []

    def walk(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                found.append((child.module, top))
                found.extend((f"{child.module}.{alias.name}", top) for alias in child.names)
            walk(child, top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    walk(ast.parse(file.read_text(encoding="utf-8")), True)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_go_down(file):
    if file == STUDIO / "__init__.py":
        return
    here = FLOORS[room(file)]
    for module, _ in imports(file):
        parts = module.split(".")
        if parts[0] == "studio" and len(parts) > 1 and parts[1] in FLOORS:
            assert FLOORS[parts[1]] <= here, f"{file.name} (floor {here}) imports {module} from above"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_heavy_libraries_and_gradio_stay_where_they_belong(file):
    for module, top in imports(file):
        name = module.split(".")[0]
        assert not (top and name in HEAVY), f"{file.name} imports {name} when it is imported"
        if name in ("gradio", "fastapi", "starlette", "uvicorn"):
            assert room(file) == "web", f"{name} is the web room's"


def test_every_room_has_a_floor():
    assert {room(file) for file in FILES} - {"__init__"} <= set(FLOORS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_is_run_through_a_shell(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword):
            assert not (node.arg == "shell" and getattr(node.value, "value", None) is True), (
                f"shell=True in {file.name}"
            )
        if isinstance(node, ast.Attribute):
            assert (getattr(node.value, "id", ""), node.attr) != ("os", "system"), f"os.system in {file.name}"


def test_importing_the_web_and_the_command_line_loads_no_heavy_library():
    code = (
        "import sys, studio.web.server, studio.web.app, studio.cli;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
