"""Files for the data room's tests: read in this process where speed counts, imported for real where the child matters."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow.parquet as pq

from studio.data import child
from studio.data.importing import import_file
from studio.data.store import DataVersion
from studio.workspace import Workspace

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
OWNER = "ann"


@dataclass
class Read:
    """What the reader made of a file."""

    rows: list[dict[str, str | None]]
    profile: dict[str, Any]

    @property
    def names(self) -> list[str]:
        return [column["name"] for column in self.profile["columns"]]

    def problem(self, code: str) -> dict[str, Any]:
        return next(problem for problem in self.profile["problems"] if problem["code"] == code)


def read_bytes(folder: Path, name: str, content: bytes) -> Read:
    """Write `content` as `name` and read it without the child process."""
    path = folder / "dropped"
    path.write_bytes(content)
    made = folder / "made"
    made.mkdir(exist_ok=True)
    child.read(path, name, made)
    profile = json.loads((made / "profile.json").read_text("utf-8"))
    return Read(pq.read_table(made / "rows.parquet").to_pylist(), profile)


def bring(home: Path, name: str, content: bytes | str) -> DataVersion:
    """Import `content` under `name` into a workspace at `home`, through the limited child."""
    home.mkdir(exist_ok=True)
    path = home.parent / "dropped"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return import_file(Workspace.open(home / "home"), OWNER, path, name)


def tree(folder: Path) -> list[str]:
    """Every path below `folder`, to see that nothing was left behind."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKED = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
Sheet = dict[str, object]
"""Cells by place ("B2"): text, numbers, dates."""


def sheet_of(rows: list[list[object]]) -> Sheet:
    """Rows from A1 on; None leaves a cell out."""
    return {
        f"{chr(65 + column)}{number}": value
        for number, row in enumerate(rows, 1)
        for column, value in enumerate(row)
        if value is not None
    }


def workbook(*sheets: Sheet, **extra: bytes) -> bytes:
    """The smallest .xlsx with these sheets; `extra` replaces or adds parts ("xl/sharedStrings.xml")."""
    numbers = range(1, len(sheets) + 1)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKED}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKED}/relationships"><Relationship Id="rId1" '
        f'Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_LINKS}"><sheets>'
        + "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKED}/relationships">'
        + "".join(
            f'<Relationship Id="rId{n}" Type="{_LINKS}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
        )
        + f'<Relationship Id="rId0" Type="{_LINKS}/styles" Target="styles.xml"/></Relationships>',
        # Style 1 is a date.
        "xl/styles.xml": f'<styleSheet {_MAIN}><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
        "</styleSheet>",
    }
    for number, sheet in enumerate(sheets, 1):
        rows: dict[str, str] = {}
        for place, value in sheet.items():
            row = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            rows[row] = rows.get(row, "") + _cell(place, value)
        body = "".join(f'<row r="{row}">{cells}</row>' for row, cells in rows.items())
        parts[f"xl/worksheets/sheet{number}.xml"] = f"<worksheet {_MAIN}><sheetData>{body}</sheetData></worksheet>"
    return zipped({**{name: text.encode() for name, text in parts.items()}, **extra})


def _cell(place: str, value: object) -> str:
    if isinstance(value, datetime.date):
        return f'<c r="{place}" s="1"><v>{(value - datetime.date(1899, 12, 30)).days}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()
