"""The limited child that shows which rows a model would make of others: `python -m studio.inference.growing FILE`."""

from __future__ import annotations

import sys
from typing import Any

from studio.data.growing import previewed
from studio.data.workshop import main
from studio.inference.filling import open_filler


def grow(job: dict[str, Any]) -> dict[str, Any]:
    """Pairs of rows and the copies that a masked language model would make of them."""
    return previewed(job, open_filler)


if __name__ == "__main__":
    main(sys.argv[1], {"grow": grow})
