"""What the lab offers for a request: methods, colors, printers, disciplines, copies, days to come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from printsys.config.lab import Lab
from printsys.domain.inputs import DetailsInput
from printsys.domain.job import Job
from printsys.domain.lab_today import LabToday
from printsys.domain.request_fields import from_job
from printsys.domain.words import counted
from printsys.errors import InvalidInput

AS_USUAL = LabToday()


def require_offered(lab: Lab, values: Mapping[str, Any], today: date | None = None, note: LabToday = AS_USUAL) -> None:
    """InvalidInput where the request asks for something that the lab does not have."""
    if problems := offer_problems(lab, values, today, note):
        raise InvalidInput(problems)


def offer_problems(
    lab: Lab, values: Mapping[str, Any], today: date | None = None, note: LabToday = AS_USUAL
) -> dict[str, list[str]]:
    """What of a request the lab does not have: field → sentences.

    `values` are an input's, or a form's as they were typed. A field left empty is no problem here: whether it may stay
    empty is for the input to say. A new request wants nothing before `today` and nothing that `note` says is out;
    staff may ask for any of it.
    """
    problems: dict[str, list[str]] = {}
    method_name, color, printer, discipline = (
        str(values.get(name) or "").strip() for name in ("print_method", "color", "printer", "discipline")
    )
    method = lab.method(method_name)
    if method is None:
        if method_name:
            problems["print_method"] = [f"Please choose one of: {', '.join(m.name for m in lab.methods)}."]
    else:
        if color and color not in method.colors:
            problems["color"] = [f"{color} is not a color that we have for {method.name}."]
        elif note.is_out(method.name, color):
            problems["color"] = [f"{color} is out at the moment. Please choose another color."]
        printers = lab.printers_for(method.name)
        if printer and printer not in [offered.id for offered in printers]:
            problems["printer"] = [f"Please choose a printer for {method.name}."]
        elif note.is_down(printer) and not all(note.is_down(offered.id) for offered in printers):
            name = next(offered.name for offered in printers if offered.id == printer)
            problems["printer"] = [f"The {name} is down at the moment. Please choose another printer."]
    if discipline and discipline not in lab.submission.disciplines:
        problems["discipline"] = ["Please choose a discipline from the list."]
    copies = str(values.get("copies") or "")
    if copies.isdecimal() and int(copies) > lab.submission.max_copies:
        problems["copies"] = [f"We print at most {counted(lab.submission.max_copies, 'copy', 'copies')} of a job."]
    if today is not None and _is_before(str(values.get("due_date") or "").strip(), today):
        problems["due_date"] = ["That day is over. Please choose today or a later day, or leave it empty."]
    if values.get("minimum_charge_consent") in (False, "no"):
        problems["minimum_charge_consent"] = [lab.submission.consent_refused]
    return problems


def require_good_correction(lab: Lab, job: Job, details: DetailsInput, today: date) -> None:
    """InvalidInput where a corrected request asks for what the lab does not have, or for a day that is over. What stays
    as it was is no mistake of now; another method needs a color and a printer of its own."""
    before = from_job(job)
    after = before | {name: getattr(details, name) for name in details.model_fields_set}
    changed = {name for name, value in after.items() if value != before[name]}
    looked_at = changed & {"print_method", "color", "printer", "due_date"}
    if "print_method" in changed:
        looked_at |= {"color", "printer"}
    problems = offer_problems(lab, after, today)
    if wrong_fields := {name: sentences for name, sentences in problems.items() if name in looked_at}:
        raise InvalidInput(wrong_fields)


def _is_before(typed: str, today: date) -> bool:
    """Not where `typed` is no date: that is for the input to say."""
    try:
        return date.fromisoformat(typed) < today
    except ValueError:
        return False
