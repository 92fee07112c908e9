"""What the check says about the collection's models, so that a person can tell alarms that are false. Prints Markdown.

    python bench/model_findings.py [FOLDER …]        (inside .venv; without a folder it needs ../shared/corpus)

Each model is checked as for the lab's first filament printer. A finding that is merely worth knowing is no alarm; of
these only islands and tiny details are listed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from printsys.config import load_lab  # noqa: E402
from printsys.errors import FileRefused, ModelUnreadable  # noqa: E402
from printsys.models3d.findings import ModelFinding, findings  # noqa: E402
from printsys.models3d.inspect import ModelFacts, inspect  # noqa: E402

CORPUS = ROOT.parent / "shared" / "corpus"
FOLDERS = ("3mf-model", "obj", "stl", "reported")
MODELS = {".3mf", ".obj", ".stl"}
MEASURED = {"island", "tiny-detail"}
"""Findings that are worth knowing and yet measured, so that they may be false."""


def checked(folders: Sequence[Path]) -> Iterator[tuple[str, ModelFacts, list[ModelFinding]]]:
    """Name, facts, alarms and what else was measured of each model that can be read."""
    lab = load_lab(ROOT / "lab.toml")
    method = lab.methods[0]
    printers = lab.printers_for(method.name)
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix.lower() not in MODELS:
            continue
        try:
            facts = inspect(path)
        except (FileRefused, ModelUnreadable):
            continue
        alarms = findings(facts, printers, printers[0].id, method.least_wall_mm)
        yield path.name, facts, [a for a in alarms if a.grade != "worth knowing" or a.code in MEASURED]


def main() -> None:
    models = list(checked([Path(name) for name in sys.argv[1:]] or [CORPUS / name for name in FOLDERS]))
    by_code = Counter(alarm.code for _, _, alarms in models for alarm in alarms)
    closed = sum(facts.watertight and not facts.turned_edges for _, facts, _ in models)
    good = sum(all(alarm.code in MEASURED for alarm in alarms) for _, _, alarms in models)
    print(f"{len(models)} models, {closed} of them closed, {good} without an alarm\n")
    print("| alarm | models |\n|---|---|")
    for code, count in by_code.most_common():
        print(f"| `{code}` | {count} |")
    print()
    for name, _, alarms in models:
        for alarm in alarms:
            print(f"* {name}: `{alarm.code}` {alarm.sentence}")


if __name__ == "__main__":
    main()
