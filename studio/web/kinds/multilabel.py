"""Label sets: bars with a mark at each label's threshold; label counts on the Data tab."""

from __future__ import annotations

from collections import Counter
from typing import Any

from studio.data.charted import label_counts
from studio.data.labelsets import parse
from studio.data.store import DataVersion
from studio.data.use import Use
from studio.web.context import Page
from studio.web.kinds.base import Face, faces, label_chart, word_chart
from studio.web.kinds.labels import MOST_BARS


class MultiLabelFace(Face):
    """Any number of labels."""

    key = "multilabel"

    def charts(self, page: Page, version: DataVersion, use: Use) -> list[dict[str, Any]]:
        counts: Counter[str] = Counter()
        for cell, rows in label_counts(version, use.columns["labels"]) if "labels" in use.columns else ():
            try:
                counts.update(dict.fromkeys(parse(cell), rows))
            except ValueError:
                continue
        if not counts:
            return []
        return [label_chart(page, counts.most_common(MOST_BARS)), *word_chart(page, version, use)]


faces.register(MultiLabelFace())
