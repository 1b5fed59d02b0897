"""A folder with four records and a recipe: what the examples of the Python API run on."""

from __future__ import annotations

import json
from pathlib import Path

TEXTS = {
    "T-1": "The printer on the second floor does not answer since the last update of its driver.",
    "T-2": "The queue of jobs grows until somebody restarts the service by hand every single morning.",
    "T-3": "After the update the invoice shows the wrong address of the customer who ordered.",
    "T-4": "Please help.",
}
RECIPE = """version: 1
corpus: tickets
sources:
  - {name: mail, uri: "landing/mail/*.jsonl", fields: {id: id, text: text, event_time: time}, partition: {every: year}}
clean:
  - {op: text.length, min_words: 10}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0}
"""


def make_tiny_project(folder: Path) -> Path:
    """Write ``tickets.yaml``, and the landing objects below ``lake``; returns the folder."""
    landing = folder / "lake" / "landing" / "mail"
    landing.mkdir(parents=True)
    records = [{"id": name, "text": text, "time": "2026-01-02T10:00:00Z"} for name, text in TEXTS.items()]
    (landing / "2026.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    (folder / "tickets.yaml").write_text(RECIPE, encoding="utf-8")
    return folder
