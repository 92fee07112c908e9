"""What the e-mails look like, with made-up data: for staff, and for the person who writes the lab's own templates."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

from flask import Blueprint, Response, abort, make_response, render_template
from flask.typing import ResponseReturnValue

from printsys.domain.emails import EMAILS, Mail
from printsys.mail.messages import MailComposer, compose, make_composer
from printsys.mail.sample_jobs import sample
from printsys.mail.templates import TEMPLATES
from printsys.web.auth import login_required
from printsys.web.security import POLICY
from printsys.web.services import services

pages = Blueprint("mails", __name__, url_prefix="/dashboard/mails")
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
"""An e-mail is styled in its own lines, as mail programs want it, and can do nothing."""


@pages.get("", strict_slashes=False)
@login_required
def first() -> ResponseReturnValue:
    return preview(Mail.RECEIVED.value)


@pages.get("/<name>")
@login_required
def preview(name: str) -> ResponseReturnValue:
    mail = _mail(name)
    composer = _composer()
    message = _message(composer, mail)
    page = render_template(
        "staff/mails.html",
        names={mail: spec.name for mail, spec in EMAILS.items()},
        chosen=mail,
        message=message,
        text=_part(message, "plain"),
        folder=services().lab.mail.folder(services().settings.lab_config),
        built_in=TEMPLATES,
        own=[path.name for path in composer.templates.own_files() if path.suffix in (".txt", ".html")],
        mistakes=composer.templates.mistakes,
    )
    answer = make_response(page)
    answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return answer


@pages.get("/<name>/html")
@login_required
def html(name: str) -> ResponseReturnValue:
    """The HTML part alone, for the preview's frame."""
    answer = Response(_part(_message(_composer(), _mail(name)), "html"), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = MAIL_POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


def _mail(name: str) -> Mail:
    if name not in set(Mail):
        abort(404)
    return Mail(name)


def _composer() -> MailComposer:
    """One that reads the templates now: a person who changes one wants to see it."""
    return make_composer(services().settings, services().lab, services().tokens)


def _message(composer: MailComposer, mail: Mail) -> EmailMessage:
    return compose(composer, *sample(mail, services().lab, datetime.now(UTC)))


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())
