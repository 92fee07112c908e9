"""A made-up job for each e-mail; the real workflow takes it to where it owes that e-mail. Previews show it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from printsys.config import Lab
from printsys.domain import emails, inputs
from printsys.domain.creation import job_created
from printsys.domain.effects import Context
from printsys.domain.emails import EMAILS, Mail, OwedMail
from printsys.domain.events import STAFF, STUDENT, build_batch
from printsys.domain.job import DECLINED, WITHDRAWN, Document, FileRecord, Job, dump, parse
from printsys.domain.workflow import find_step, plan

SAMPLE_ID = "examp7e0"
STUDENTS_STEPS = frozenset({"student_confirm", "withdraw", "reply"})
MODEL: Document = {
    "format": "binary STL", "triangles": 13684, "size_mm": [120.0, 42.0, 18.5], "pieces": 1, "bodies": 1,
    "volume_cm3": 41.5, "area_cm2": 160.0, "watertight": False, "open_edges": 12,
}  # fmt: skip
"""A model with a hole in it, as its inspection sees it."""


def sample(mail: Mail, lab: Lab, now: datetime) -> tuple[OwedMail, Job]:
    """The owed `mail` and its job, as they could be at `now` in this lab."""
    waited = {
        Mail.EXPIRED: timedelta(days=lab.confirmation.valid_days, hours=1),
        Mail.REMINDER: lab.patience.confirm,
        Mail.UNCOLLECTED: lab.patience.collect,
        Mail.LAST_CALL: lab.patience.last_call,
    }
    started = now - (waited.get(mail) or timedelta(0))
    request = inputs.validate(inputs.SubmitInput, _form("submit", lab))
    original = FileRecord(
        name="original/bracket.stl", role="original", size=684284, sha256="0" * 64, added_at=started,
        source="upload", uploaded_as="bracket v2 (final).stl", model=MODEL,
    )  # fmt: skip
    files = [dump(original), dump(original.model_copy(update={"name": "bracket.stl", "role": "working"}))]
    drafts = job_created(SAMPLE_ID, "", request, files, STUDENT, started)
    document: Document = build_batch(drafts, {}, 0, None, started).document
    for seq, action in enumerate(EMAILS[mail].sample_steps, 10):
        job = parse(document)
        context = Context(
            started, lab.price_list_on(now.date()), lab.confirmation.valid_days, "nonce of a sample",
            lab_email=lab.about.contact_email,
        )  # fmt: skip
        actor = STUDENT if action in STUDENTS_STEPS else STAFF
        action_input = inputs.validate(find_step(action, job.status, actor).needs, _form(action, lab))
        document = build_batch(plan(job, action, actor, action_input, context), document, seq, None, started).document
    job = parse(document)
    address = emails.address_of(mail, job, lab.about.contact_email)
    written = {Mail.REPLY: _form("reply", lab)["message"], Mail.APPROVED: _form("approve", lab)["note"]}
    return OwedMail(SAMPLE_ID, 2, mail.value, address or "", message=written.get(mail)), job


def _form(action: str, lab: Lab) -> dict[str, Any]:
    """What the student or staff enter for `action`."""
    method = lab.methods[0]
    forms: dict[str, dict[str, Any]] = {
        "submit": {
            "student_name": "Jane Doe", "student_email": "jane@example.edu",
            "discipline": lab.submission.disciplines[0],
            "class_number": "N/A", "print_method": method.name, "color": method.colors[0],
            "printer": lab.printers_for(method.name)[0].id, "minimum_charge_consent": True,
            "copies": min(2, lab.submission.max_copies),
        },
        "approve": {
            "print_file": ["bracket.stl"], "weight_g": "42.7", "volume_ml": "34.4", "time_h": "3.4",
            "material": method.materials[0].name, "note": "We print it lying on its side: that is stronger.",
        },
        "reject": {
            "reasons": [reason.id for reason in lab.rejection_reasons if reason.id not in (DECLINED, WITHDRAWN)][:2],
            "comment": "The handle is 0.4 mm thin.\nCome by, and we look at it together.",
        },
        "reply": {"message": "Could it be ready by Thursday noon?\nI need it for my review."},
        "pickup": {
            "amount": "4.27", "payment_method": lab.payment.methods[0], "picked_up_by": "Jane Doe",
            "transaction": "TX-1042", "weight_g": "42.7",
        },
    }  # fmt: skip
    return forms.get(action, {})
