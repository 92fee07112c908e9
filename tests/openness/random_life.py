"""A lab's life by chance: for tests of whoever reads what the store wrote."""

from __future__ import annotations

import json
import random
import shutil

from printsys.domain.workflow import steps_from
from printsys.errors import InvalidInput, TransitionNotAllowed
from printsys.jobstore import JobStore, Stored
from tests.factories import act, make_job

NAMES = ("Jane Doe", "José Ñandú", "李明", "O'Brien\u2028Zoë", 'Quote "Q" \\ Back', "Ada 👩‍🔬 Lovelace")
NOTES = ("", "Call Jane.", "tab\tand\nline", "\x01 control", "𝕏 ∑ é é", '{"json": null}', "x" * 3000)


def live(store: JobStore, seed: int, steps: int = 80) -> list[Stored]:
    """Submit, act, edit by hand, drag and delete by chance; the jobs that are left, loaded."""
    chance = random.Random(seed)
    job_ids = [make_job(store, name).id for name in NAMES]
    for _ in range(steps):
        job_id = chance.choice(job_ids)
        stored = store.load(job_id)
        draw = chance.random()
        if draw < 0.1:
            _edit_by_hand(stored, chance)
        elif draw < 0.15:
            (stored.folder / "metadata.json").unlink()
        elif draw < 0.2:
            act(store, job_id, "notes", notes=chance.choice(NOTES))
        elif draw < 0.25 and len(job_ids) > 4:
            act(store, job_id, "delete")
            job_ids.remove(job_id)
        else:
            _act_by_chance(store, stored, chance)
    return [store.load(job_id) for job_id in job_ids]


def _edit_by_hand(stored: Stored, chance: random.Random) -> None:
    """A value, a key of the person's own, or only the white space; the system has not looked at it yet."""
    path = stored.folder / "metadata.json"
    document = json.loads(path.read_bytes())
    edit = chance.choice(["notes", "own key", "own list", "white space"])
    if edit == "notes":
        document["notes"] = chance.choice(NOTES)
    elif edit == "own key":
        document["student"]["locker"] = {"row": chance.randrange(9), "key": None, "share": 1.5, "deep": {"a": None}}
    elif edit == "own list":
        document["lab_tags"] = [chance.choice(NOTES), None, {"empty": None}, [], {}]
    path.write_text(json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=4), "utf-8")


def _act_by_chance(store: JobStore, stored: Stored, chance: random.Random) -> None:
    actions = sorted({step.action for step in steps_from(stored.job.status)} - {"delete"})
    try:
        act(store, stored.id, chance.choice(actions))
    except (InvalidInput, TransitionNotAllowed):
        shutil.copy(stored.folder / "metadata.json", stored.folder / f"saved {chance.randrange(5)}.gcode")
