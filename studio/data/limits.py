"""How much of anything a file may bring, in one place. Reading only; the quotas of people are not its business."""

from __future__ import annotations

UPLOAD_BYTES = 300 * 10**6
"""Bytes of the file itself."""
DECODED_BYTES = 512 * 2**20
"""Bytes of all cells once decoded, counted while reading: headers and footers of files can lie."""
ROWS = 2_000_000
COLUMNS = 2_000
LINE_CHARACTERS = 2**20
"""Characters of one line of a text file."""
CELL_CHARACTERS = 2**20
"""Characters of one cell."""
JSON_BYTES = 64 * 10**6
"""A JSON document is read whole, JSON Lines are not."""
DEPTH = 32
"""Nesting of JSON values."""
ARCHIVE_MEMBERS = 1_000
"""Files in an archive, parts of a workbook, and files brought at once."""
UNPACKED_BYTES = 600 * 10**6
"""Real bytes of all files of an archive, unpacked."""
UNPACKING = 10
"""How many times larger than the archive its files are taken to be, where time is allowed for reading them."""
PASTED_CHARACTERS = 1_000_000
"""Characters pasted as rows."""
ARCHIVE_BYTES = 256 * 2**20
"""Real bytes of all parts of a workbook, unpacked."""
QUOTED_LINES = 1_000
"""Lines that one quoted cell may span; more means that a quote was never closed."""
NAME_CHARACTERS = 100
"""Characters of a column's name."""

MEMORY = 1536 * 2**20
"""Bytes of data of the reading child (RLIMIT_DATA; RLIMIT_AS breaks Polars and pyarrow)."""
SECONDS = 20
"""Processor seconds of the reading child for a small file, and ..."""
SECONDS_PER_MB = 0.6
"""... more for each million bytes."""
WORK_SECONDS_PER_MB = 2.0
"""... and the same for a child that mends, examines or compares."""
SILENCE = 60.0
"""Seconds after which a child that does nothing (a deadlock) is ended."""
OUTPUT_BYTES = 2**30
"""Bytes of one file that the child may write."""
