"""As many jobs as a lab has in a busy month: each a story of its own, the same ones each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

from printsys.config import Lab
from printsys.config.lab import Method
from printsys.demo.stories import DemoStep, Story, after, approved, sliced
from printsys.domain.status import Status
from printsys.models3d.samples import SAMPLES

FIRST_NAMES = (
    "Ada", "Ben", "Carla", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lena", "Mina",
    "Noor", "Omar", "Paula", "Quinn", "Rosa", "Sven", "Tomás", "Uma", "Vera", "Wen", "Ximena", "Yusuf",
    "Zeynep",
)  # fmt: skip
LAST_NAMES = (
    "Adeyemi", "Berg", "Costa", "Duarte", "Eriksen", "Fischer", "Gupta", "Haddad", "Ito", "Jensen", "Kaya",
    "Lopez", "Moreau", "Novak", "Okoro", "Park", "Quispe", "Rossi", "Sato", "Tran", "Usman", "Vega", "Wagner",
    "Xu", "Yilmaz", "Zhang",
)  # fmt: skip
FILES = (
    "bracket v2", "lid", "enclosure", "site model", "chair 1-10", "gear 24T", "handle left", "mount",
    "spacer", "statue", "tile", "wheel",
)  # fmt: skip
MESSAGES = ("", "", "", "Needed for Thursday's review!", "Please keep the supports off the front.", "Second try.")
CLASSES = (
    ("Architecture", "ARCH 4000"),
    ("Art", "ART 2204"),
    ("Engineering", "MECH 1101"),
    ("Interior Design", "INTD 3010"),
    ("Hobby/Personal", "N/A"),
)
SHARES = {
    Status.UPLOADED: 28,
    Status.PENDING: 27,
    Status.READY_TO_PRINT: 24,
    Status.PRINTING: 8,
    Status.COMPLETED: 28,
    Status.PAID_PICKED_UP: 20,
    Status.REJECTED: 9,
    Status.ARCHIVED: 6,
}
"""Of 150 jobs. Two in three that wait for a look are sliced already."""
_ONE_EACH = [status for status, share in SHARES.items() for _ in range(share)]
ACTIONS: Mapping[Status, tuple[str, Mapping[str, str]]] = {
    Status.READY_TO_PRINT: ("student agrees", {}),
    Status.PRINTING: ("start", {}),
    Status.COMPLETED: ("complete", {}),
    Status.PAID_PICKED_UP: ("pickup", {"picked_up_by": "the student"}),
    Status.ARCHIVED: ("archive", {}),
}
"""How an approved job comes to each status."""
LIFE = tuple(ACTIONS)
SENT_HOURS_AGO = {Status.UPLOADED: (0.2, 90), Status.PENDING: (32, 190), Status.REJECTED: (32, 240)}
SAME_STUDENT = 0.35
"""How often the student of the job before sends another one."""


def crowd(count: int, lab: Lab, models: Sequence[Path] = ()) -> Iterator[Story]:
    """`count` stories. `models`: files to send instead of the built-in samples."""
    chance = Random(count)
    student = _student(chance)
    for number in range(count):
        status = _ONE_EACH[(2 * number + 1) * len(_ONE_EACH) // (2 * count)]
        if chance.random() > SAME_STUDENT:
            student = _student(chance)
        yield _story(chance, number, status, student, lab, models)


def _student(chance: Random) -> tuple[str, str, tuple[str, str]]:
    first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
    address = f"{first}.{last}@example.edu".lower().replace("á", "a")
    return f"{first} {last}", address, chance.choice(CLASSES)


def _story(
    chance: Random,
    number: int,
    status: Status,
    student: tuple[str, str, tuple[str, str]],
    lab: Lab,
    models: Sequence[Path],
) -> Story:
    name, email, (discipline, class_number) = student
    method: Method = chance.choices(lab.methods, [8, *[1] * (len(lab.methods) - 1)])[0]
    sent = after(hours=chance.uniform(*SENT_HOURS_AGO.get(status, (120, 340))))
    return Story(
        name,
        email,
        discipline,
        class_number,
        method.name,
        chance.choice(method.colors),
        chance.choice(lab.printers_for(method.name)).id,
        [_file(chance, number, models)],
        sent,
        list(_steps(chance, status, sent, method)),
        copies=chance.choices([1, 2, 4, 6], [8, 2, 1, 1])[0],
        message=chance.choice(MESSAGES),
        due_in_days=chance.choice([None, None, 1, 3, 9]),
    )


def _file(chance: Random, number: int, models: Sequence[Path]) -> tuple[str, str | Path]:
    if models:
        model = models[number % len(models)]
        return model.name, model
    kind = chance.choice(["stl", "stl", "3mf", "obj"])
    return f"{chance.choice(FILES)}.{kind}", f"{chance.choice(list(SAMPLES))}.{kind}"


def _steps(chance: Random, status: Status, sent: timedelta, method: Method) -> Iterator[DemoStep]:
    """What happened to the job until it came to `status`: a step a day or so, the last ones lately."""
    weight_g, time_h = f"{chance.uniform(4, 180):.1f}", f"{chance.uniform(0.4, 11):.1f}"
    has_gcode = not method.solid
    if status == Status.UPLOADED:
        if has_gcode and chance.random() < 2 / 3:
            yield DemoStep(sent / 2, "slice", {"weight_g": weight_g, "time_h": time_h})
        return
    seen = sent - after(hours=chance.uniform(3, 30))
    if status == Status.REJECTED:
        yield DemoStep(seen, "reject", {"reasons": ["not-watertight"], "comment": "Close the hole at its back."})
        return
    yield from sliced(seen, weight_g, time_h) if has_gcode else [approved(seen, weight_g, time_h)]
    reached = LIFE[: LIFE.index(status) + 1] if status in LIFE else ()
    agreeing = seen - after(hours=chance.uniform(1, 40))
    last = after(hours=chance.uniform(0.2, 6) if status == Status.PRINTING else chance.uniform(2, 45))
    for number, reaching in enumerate(reached):
        ago = agreeing + (last - agreeing) * (number / max(len(reached) - 1, 1))
        action, values = ACTIONS[reaching]
        yield DemoStep(ago, action, values)
