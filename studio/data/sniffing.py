"""What a file is, by its content; its name only breaks ties. It opens nothing but the file's first bytes.

Known formats that are not read here (pictures, other archives, old Excel, pickles, ...) are refused by name.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from studio.data import limits
from studio.data.encoding import detect
from studio.data.po import looks_like_po
from studio.errors import UserError

_REFUSED = (
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"BM", "picture"),
    (b"II*\x00", "picture"),
    (b"MM\x00*", "picture"),
    (b"%PDF", "document"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"Rar!", "archive"),
    (b"\x28\xb5\x2f\xfd", "archive"),
    (b"\x04\x22\x4d\x18", "archive"),
    (b"\xd0\xcf\x11\xe0", "old_excel"),
    (b"{\\rtf", "document"),
    (b"SQLite format 3", "binary"),
    (b"ARROW1", "arrow"),
    (b"FEA1", "arrow"),
    (b"\x89HDF", "binary"),
    (b"Obj\x01", "binary"),
    (b"ORC", "binary"),
    (b"GGUF", "model"),
    (b"\x7fELF", "binary"),
    (b"MZ", "binary"),
    (b"RIFF", "binary"),
    (b"ID3", "binary"),
    (b"OggS", "binary"),
    (b"fLaC", "binary"),
)
_TEXT_STARTS = (b"BM", b"MZ", b"ORC", b"RIFF", b"ID3", b"BZh", b"Rar!")
"""Starts that a text could have too; they are refused only where binary bytes follow."""
_MARKUP = ("<!doctype", "<html", "<?xml", "<svg")
_HEAD = 65_536
CHAT_KEYS = ("messages", "conversations", "conversation")
"""Lists under these names are one row's conversation, never the rows of a table."""


def sniff(path: Path, name: str) -> tuple[str, str]:
    """(format, encoding): csv, json, jsonl, po, txt, parquet, xlsx, zip or gzip; encoding is "" for the last four.

    "csv" stands for any delimited or plain text; `delimited` decides between them. Raises UserError for what
    is empty, too large, binary or of a kind that is not read.
    """
    size = path.stat().st_size
    if size == 0:
        raise UserError("data_empty", name=name)
    if size > limits.UPLOAD_BYTES:
        raise UserError("data_too_large", name=name, size=round(size / 1e6, 1), limit=limits.UPLOAD_BYTES // 10**6)
    with path.open("rb") as handle:
        head = handle.read(_HEAD)
    if head.startswith(b"PAR1"):
        return "parquet", ""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(path, name), ""
    if head.startswith(b"\x1f\x8b"):
        return "gzip", ""
    if head[257:262] == b"ustar":
        raise UserError("data_is_archive", name=name)
    _refuse_known(head, name)
    encoding = detect(path)
    text = head.decode(encoding, "ignore").lstrip("\ufeff")
    _refuse_binary(text, name)
    if text.lstrip().lower().startswith(_MARKUP):
        raise UserError("data_is_markup", name=name)
    if not text.strip() and size <= _HEAD:
        raise UserError("data_empty", name=name)
    if looks_like_po(text):
        return "po", encoding
    return _text_format(text, len(head) < size, name), encoding


def _refuse_known(head: bytes, name: str) -> None:
    for start, kind in _REFUSED:
        if head.startswith(start) and (start not in _TEXT_STARTS or b"\x00" in head[:1024]):
            raise UserError(f"data_is_{kind}", name=name)
    # Pickles (protocol 2 and up) and safetensors (a length, then JSON) have no mark of their own.
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise UserError("data_is_model", name=name)
    if len(head) > 9 and head[8:9] == b"{" and head[5:8] == b"\x00\x00\x00":
        raise UserError("data_is_model", name=name)


def _refuse_binary(text: str, name: str) -> None:
    strange = sum(character < " " and character not in "\t\r\n\f\v\x1a\x1b" for character in text)
    if "\x00" in text or strange > 0.002 * len(text) + 1:
        raise UserError("data_is_binary", name=name)


def _zipped(path: Path, name: str) -> str:
    """ "xlsx" for a workbook without macros, "zip" for an archive of files; what is known to be something else is
    refused by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist()[: limits.ARCHIVE_MEMBERS])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError("data_damaged", name=name, reason=str(error)[:120]) from error
    if "xl/vbaProject.bin" in members:
        kind = "macros"
    elif "xl/workbook.xml" in members:
        return "xlsx"
    elif "xl/workbook.bin" in members or "content.xml" in members:
        kind = "old_excel"
    elif "word/document.xml" in members or "ppt/presentation.xml" in members:
        kind = "document"
    elif any(member.endswith(("data.pkl", ".npy")) for member in members):
        kind = "model"
    else:
        return "zip"
    raise UserError(f"data_is_{kind}", name=name)


def _text_format(text: str, more: bool, name: str) -> str:
    """json, jsonl or csv, from the decoded head; `more` tells that the file goes on behind it."""
    said = name.lower().endswith((".json", ".jsonl", ".ndjson"))
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        return "csv"
    lines = [line for line in text.splitlines()[:20] if line.strip()]
    if more and len(lines) > 1:
        lines = lines[:-1] if len(text.splitlines()) <= 20 else lines
    whole = [_parsed(line) for line in lines]
    objects = sum(isinstance(value, dict) for value in whole)
    if start == "{":
        if objects and (len(lines) > 1 or not _holds_rows(whole[0])):
            return "jsonl"
        pretty = len(lines) > 1 and lines[0].strip() == "{"
        return "json" if said or objects or pretty or _opens_object(text) else "csv"
    inside = text.lstrip()[1:].lstrip()[:1]
    return "json" if inside in ("{", "]") or (said and objects == 0) else "csv"


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _holds_rows(value: object) -> bool:
    """Whether one object is a whole table: a list of objects inside, lists as columns, or objects as rows."""
    if not isinstance(value, dict):
        return False
    if len(value) > 1 and all(isinstance(part, dict) for part in value.values()):
        return True
    return any(
        isinstance(part, list) and key not in CHAT_KEYS and (not part or isinstance(part[0], dict) or len(value) > 1)
        for key, part in value.items()
    )


def _opens_object(text: str) -> bool:
    """Whether a text that starts with a brace goes on like JSON: a quoted name and a colon."""
    inside = text.lstrip()[1:].lstrip()
    return inside.startswith('"') and '":' in inside.replace('" :', '":')[:2_000]
