"""The lives of a dozen jobs, one for each thing that happens in a lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class DemoStep:
    """`ago`: how long before now. `action`: of the workflow, or `slice` and `student agrees`."""

    ago: timedelta
    action: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """A job's life. `files`: the student's own name for each, and the sample or the file that it is."""

    name: str
    email: str
    discipline: str
    class_number: str
    method: str
    color: str
    printer: str
    files: Sequence[tuple[str, str | Path]]
    sent: timedelta
    steps: Sequence[DemoStep] = ()
    copies: int = 1
    message: str = ""
    due_in_days: int | None = None


def after(days: float = 0, hours: float = 0) -> timedelta:
    return timedelta(days=days, hours=hours)


def sliced(ago: timedelta, weight_g: str, hours: str) -> tuple[DemoStep, DemoStep]:
    """Staff slice it, and approve it with the slicer's figures."""
    figures = {"weight_g": weight_g, "time_h": hours}
    return DemoStep(ago, "slice", figures), DemoStep(ago - timedelta(minutes=4), "approve", figures)


def approved(ago: timedelta, weight_g: str, hours: str) -> DemoStep:
    return DemoStep(ago, "approve", {"weight_g": weight_g, "time_h": hours})


def agreed(ago: timedelta) -> DemoStep:
    return DemoStep(ago, "student agrees")


STORIES = (
    Story(
        "Amara Okafor", "amara@example.edu", "Hobby/Personal", "N/A", "Filament", "True Red", "prusa-mk4s",
        [("phone stand FINAL.stl", "phone_stand.stl")], after(hours=0.4),
        message="It is a present for my sister, so red if you have it!",
    ),
    Story(
        "李明", "liming@example.edu", "Engineering", "MECH 3120", "Filament", "Electric Blue", "prusa-xl",
        [("齿轮.stl", "gear.stl"), ("die.obj", "die.obj")], after(hours=3), copies=2,
    ),
    Story(
        "José Ñandú", "jose@example.edu", "Landscape Architecture", "LARC 5010", "Filament", "Forest Green",
        "raise3d-pro2-plus", [("terreno v7.3mf", "terrain.3mf")], after(days=1, hours=2),
        [
            DemoStep(after(days=1), "review"),
            DemoStep(after(days=1), "notes", {"notes": "Wants it for the review on Friday. Asked for wood filament."}),
            DemoStep(after(hours=20), "slice", {"weight_g": "38.41", "time_h": "2.7"}),
        ],
        due_in_days=4, message="The contour lines should stay visible, please.",
    ),
    Story(
        "Zoë Kowalczyk", "zoe@example.edu", "Art", "ART 2204", "Filament", "Glow in the Dark", "prusa-mk4s",
        [("vase.stl", "vase.stl")], after(days=2), [*sliced(after(days=1, hours=3), "74.9", "6.2")],
    ),
    Story(
        "Οδυσσέας Παππάς", "odysseas@example.edu", "Architecture", "ARCH 4000", "Filament", "True White", "prusa-xl",
        [("site model.3mf", "terrain.3mf")], after(days=11),
        [
            approved(after(days=10), "61.2", "4.1"),
            DemoStep(after(days=2), "notes", {"notes": "Has not answered. E-mail him once more?"}),
        ],
    ),
    Story(
        "प्रिया रमण", "priya@example.edu", "Engineering", "ECGR 2252", "Filament", "True Black", "prusa-mk4s",
        [("enclosure lid.obj", "name_plate.obj")], after(days=3), [
            *sliced(after(days=2, hours=5), "12.6", "1.1"), agreed(after(days=2)),
        ], message="Black or dark gray are both fine.",
    ),
    Story(
        "Jane Doe", "jane@example.edu", "Architecture", "ARCH 4000", "Filament", "Copper", "prusa-mk4s",
        [("bracelet v2.stl", "bracelet.stl")], after(days=6),
        [
            approved(after(days=5, hours=4), "9.4", "0.8"), agreed(after(days=5)), DemoStep(after(days=4), "start"),
            DemoStep(after(days=3, hours=20), "fail", {
                "reason": "It came off the bed at layer 12.", "fault": "machine", "wasted_g": "4"}),
        ],
    ),
    Story(
        "Mateo Álvarez", "mateo@example.edu", "Interior Design", "INTD 3010", "Filament", "Light Orange", "prusa-xl",
        [("lamp base.stl", "vase.stl")], after(days=4),
        [*sliced(after(days=3), "71.3", "5.9"), agreed(after(days=2, hours=6)), DemoStep(after(hours=2), "start")],
    ),
    Story(
        "田中 ゆき", "yuki@example.edu", "Art", "ART 3310", "Resin", "Gray", "formlabs-form3",
        [("die rounded.stl", "die.stl")], after(days=5), [
            approved(after(days=3, hours=20), "6.1", "2.4"), agreed(after(days=3)),
            DemoStep(after(days=1, hours=5), "start"), DemoStep(after(hours=22), "complete"),
        ], copies=2,
    ),
    Story(
        "محمد الأحمد", "mohammed@example.edu", "Engineering", "MECH 1101", "Filament", "True Yellow", "prusa-mk4s",
        [("gear18.stl", "gear.stl")], after(days=9), [
            *sliced(after(days=8, hours=3), "11.8", "0.9"), agreed(after(days=8)), DemoStep(after(days=7), "start"),
            DemoStep(after(days=6, hours=22), "complete"),
            DemoStep(after(days=3, hours=1), "pickup", {
                "weight_g": "11.8", "picked_up_by": "Mohammed", "transaction": "0417"}),
        ],
    ),
    Story(
        "Chloé Dubois", "chloe@example.edu", "Art", "ART 2204", "Filament", "Midnight Purple", "prusa-mk4s",
        [("sculpture_scan.obj", "terrain.obj")], after(days=4), [
            DemoStep(after(days=3, hours=21), "reject", {
                "reasons": ["not-watertight", "too-thin"],
                "comment": "The scan is lovely! Close it in Meshmixer and give the arms 2 mm, and it will print."}),
        ],
    ),
    Story(
        "Ngọc Trần", "ngoc@example.edu", "Hobby/Personal", "N/A", "Filament", "Lime Green", "raise3d-pro2-plus",
        [("name plate.3mf", "name_plate.3mf")], after(days=14), [
            approved(after(days=13, hours=20), "4.2", "0.5"), agreed(after(days=13, hours=18)),
            DemoStep(after(days=13), "start"), DemoStep(after(days=12, hours=23), "complete"),
            DemoStep(after(days=12), "pickup", {"picked_up_by": "Ngọc"}),
            DemoStep(after(days=1, hours=1), "archive"),
        ],
    ),
)  # fmt: skip
