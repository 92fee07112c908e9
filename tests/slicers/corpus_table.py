"""How often the readers are right, silent and wrong about the collection, as a table for docs/slicers.md.

python -m tests.slicers.corpus_table        (inside .venv) writes it into the page, between its two marks
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal

from printsys import slicers
from printsys.slicers import SlicerFacts
from tests.corpus import CorpusFile, files
from tests.doc_part import DocPart
from tests.present import present
from tests.source import ROOT

PART = DocPart(
    ROOT / "docs" / "slicers.md",
    begin="<!-- written by tests/slicers/corpus_table.py -->\n",
    end="<!-- end of the table -->\n",
)
NAMED_PICTURE = re.compile(r"(?:Metadata/(?:plate_\d+|plate_\d+_small|thumbnail)|thumbnail/\w+)\.png$")

Verdict = Literal["right", "silent", "wrong"]
VERDICTS: tuple[Verdict, ...] = ("right", "silent", "wrong")


def figures(text: str | None, divide: int = 1) -> list[Decimal]:
    """`1.20, 0, 0.29`, `plate1 6.75; plate2 3.91`, `3.18 cm3`, `656.209 (0.656209m)`: those that are not 0."""
    plain = re.sub(r"plate\d", "", (text or "").split("(")[0])
    return [value / divide for text in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", plain) if (value := Decimal(text))]


def by_tool(facts: SlicerFacts, field: str) -> list[Decimal]:
    """Of each tool of each plate."""
    groups = [plate.tools for plate in facts.plates] or [facts.tools]
    return [getattr(tool, field) for tools in groups for tool in tools if getattr(tool, field)]


# -- what a person read off a file, and what the reader says --------------------------------------------------------


def _time(file: CorpusFile, facts: SlicerFacts) -> tuple[Any, Any]:
    elapsed = re.search(r"TIME_ELAPSED:([\d.]+)", file.columns["notes"])
    time = file["time_s"] or (elapsed.group(1) if elapsed else None)
    return round(Decimal(time)) if time else None, facts.time_s


def _weight(file: CorpusFile, facts: SlicerFacts) -> tuple[Any, Any]:
    by_tools = figures(file["weight_per_tool_g"])
    stated = Decimal(file["weight_g"] or 0)
    return ([stated, *by_tools] if stated else None), (
        [facts.grams, *(by_tool(facts, "weight_g") if by_tools else [])] if facts.grams else None
    )


def _length(file: CorpusFile, facts: SlicerFacts) -> tuple[Any, Any]:
    return figures(file["length_mm"]), by_tool(facts, "length_mm")


def _volume(file: CorpusFile, facts: SlicerFacts) -> tuple[Any, Any]:
    volume = file["volume"] or ""
    if "ml" in volume.split("(")[0]:
        return figures(volume)[0], facts.resin_ml
    return figures(volume, 1000 if "mm3" in volume else 1), by_tool(facts, "volume_cm3")


def _printer(file: CorpusFile, facts: SlicerFacts) -> tuple[Any, Any]:
    """A reader may know more than the manifest, which has only what is stated as such."""
    printer = (file["printer_model"] or "").split(" (")[0]
    return printer, facts.printer_model if printer else None


def _material(file: CorpusFile, facts: SlicerFacts) -> tuple[Any, Any]:
    if (material := file["material"]) is None:
        return None, None
    loaded = material.split(" (")[0].split(";")
    used = [loaded[tool.index] for tool in facts.tools] or loaded
    return ", ".join(dict.fromkeys(used)), facts.material


def _pictures(file: CorpusFile, facts: SlicerFacts) -> tuple[Any, Any]:
    listed = {(picture.format, picture.width, picture.height) for picture in facts.thumbnails}
    expected = set()
    for entry in (file["thumbnails"] or "").split("; "):
        named = re.fullmatch(r"(\S+) (\d+)x(\d+)", entry)
        if named is not None and ("/" not in entry or NAMED_PICTURE.search(named.group(1))):
            kind = "PNG" if "/" in entry else named.group(1)
            expected.add((kind, int(named.group(2)), int(named.group(3))))
    return expected, listed & expected


FIELDS: dict[str, Callable[[CorpusFile, SlicerFacts], tuple[Any, Any]]] = {
    "time": _time,
    "weight": _weight,
    "length": _length,
    "volume": _volume,
    "printer": _printer,
    "material": _material,
    "pictures": _pictures,
}


# -- the table --------------------------------------------------------------------------------------------------------


def verdict(expected: Any, read: Any) -> Verdict | None:
    """None where neither the file nor the reader says anything."""
    if not expected and not read:
        return None
    if expected == read:
        return "right"
    return "silent" if not read else "wrong"


REPORTED: dict[str, dict[str, str]] = {
    "bom-only.gcode": {
        "slicer_version": "PrusaSlicer 2.7.1", "time_s": "1330", "weight_g": "12.34", "length_mm": "210",
    },
    "cura59.gcode": {
        "slicer_version": "Cura_SteamEngine 5.9.1", "time_s": "4493", "weight_g": "7.49",
        "weight_per_tool_g": "3.96, 3.53", "length_mm": "500.757, 502.888",
    },
    "cura_decimal_comma.gcode": {
        "slicer_version": "Cura_SteamEngine 5.7.1", "time_s": "2664", "length_mm": "1205",
    },
    "plate2-of-3.gcode.3mf": {
        "slicer_version": "BambuStudio 02.00.00", "time_s": "1000", "weight_g": "10", "length_mm": "3330",
        "material": "PLA", "thumbnails": "; ".join(f"Metadata/plate_{n}.png 128x128" for n in (1, 2, 3)),
    },
    "plate4only.gcode.3mf": {
        "slicer_version": "BambuStudio 02.00.00", "time_s": "4000", "weight_g": "40", "length_mm": "3000",
        "volume": "7215 (labelled [cm^3], is mm3)", "material": "PLA",
    },
    "ps3.gcode": {
        "slicer_version": "PrusaSlicer 3.0.0-alpha11", "time_s": "184", "weight_g": "4.53", "length_mm": "1520.31",
        "volume": "3.66", "material": "PLA",
    },
    "slic3r_pe_141.gcode": {
        "slicer_version": "Slic3rPrusaEdition 1.41.2+win64", "time_s": "3723", "weight_g": "14.7",
        "length_mm": "4913.4", "volume": "11.8", "material": "PLA",
    },
    "xl5t.gcode": {
        "slicer_version": "PrusaSlicer 2.9.1", "time_s": "93784", "weight_g": "7.04", "weight_per_tool_g": "4.53, 2.51",
        "length_mm": "1520.31, 843.12", "volume": "3.66, 2.03", "printer_model": "XL5IS",
        "material": "PLA;PLA;PETG;PLA;PLA",
    },
}  # fmt: skip
"""What a person read off the files of reported/, which the manifest does not list. Each was read wrong once."""
COLUMNS = (
    "slicer_version", "time_s", "weight_g", "weight_per_tool_g", "length_mm", "volume", "printer_model", "material",
    "thumbnails", "mesh_or_package", "notes",
)  # fmt: skip


def sliced_files() -> list[CorpusFile]:
    listed = files("gcode", "bgcode", "3mf-sliced", "sla")
    rows = REPORTED.items() if listed else ()
    reported = [CorpusFile(f"reported/{name}", dict.fromkeys(COLUMNS, "-") | row) for name, row in rows]
    return [file for file in [*listed, *reported] if slicers.could_be(file.name)]


def count(corpus_files: Iterable[CorpusFile]) -> dict[str, dict[str, Counter[Verdict]]]:
    """Of each program the verdicts by field."""
    counted: dict[str, dict[str, Counter[Verdict]]] = {}
    for file in corpus_files:
        facts = present(slicers.read(file.path))
        row = counted.setdefault(facts.program or "none named", {name: Counter() for name in FIELDS})
        row.setdefault("files", Counter())["right"] += 1
        for name, values in FIELDS.items():
            judged = verdict(*values(file, facts))
            if judged is not None:
                row[name][judged] += 1
    return counted


def table() -> str:
    counted = count(sliced_files())
    lines = [f"| program | files | {' | '.join(FIELDS)} |", "|---" * (len(FIELDS) + 2) + "|"]
    for program, row in sorted(counted.items(), key=lambda item: (item[0] == "none named", item[0].casefold())):
        cells = [_cell(row[name]) for name in FIELDS]
        lines.append(f"| {program} | {row['files']['right']} | {' | '.join(cells)} |")
    sums = {name: sum((row[name] for row in counted.values()), Counter[Verdict]()) for name in FIELDS}
    total = sum(row["files"]["right"] for row in counted.values())
    lines.append(f"| **together** | {total} | {' | '.join(_cell(sums[name]) for name in FIELDS)} |")
    return "\n".join([*lines, ""])


def _cell(verdicts: Counter[Verdict]) -> str:
    return " / ".join(str(verdicts[verdict]) for verdict in VERDICTS) if verdicts else "–"


if __name__ == "__main__":
    PART.write(table())
