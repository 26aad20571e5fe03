"""Two hundred names that a file, a data set or a run may be given by somebody who means harm."""

from __future__ import annotations

ROOTS = ("etc/passwd", "evil.csv", "会.csv", "studio.db", "x/../../y.csv")
HOSTILE = [
    *(f"{up * times}{root}" for up in ("../", "..\\", "%2e%2e/", "..%2f", "....//", "/", "C:\\") for times in (1, 3, 9) for root in ROOTS),
    *(f"a{mark}b.csv" for mark in map(chr, [*range(32), 127, 133, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2066, 0xFEFF, 0xFFFD])),
    *(f"{name}{end}" for name in ("CON", "nul", "COM1", "LPT9", "aux", "prn") for end in ("", ".csv")),
    *(f"{char * times}.csv" for char in ("x", "好", "👍", "e\u0301") for times in (119, 120, 300, 4_000)),
    *("", " ", ".", "..", "...", ".hidden", "-rf", "--help", "~", "~/.ssh/id", "*", "?", "$HOME", "${IFS}", "`id`", "$(id)", "|id", ";id", "&id"),
    *("<img src=x onerror=alert(1)>.csv", "${alert(1)}", "{{7*7}}", "{name}", "%s%s%n", "' OR 1=1 --", '"; DROP TABLE runs; --', "a:b", "a::$DATA"),
    *("\ud800.csv", "file:///etc/passwd", "http://localhost/x", "\\\\host\\share", "/proc/self/environ", "/dev/zero", "con\u0085.csv"),
]  # fmt: skip
