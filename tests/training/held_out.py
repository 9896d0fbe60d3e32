"""Utterances by other hands than the corpus's, never trained on."""

import csv
from pathlib import Path

FILE = Path(__file__).parents[1] / "data" / "acts" / "contact_centre.tsv"

with FILE.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
