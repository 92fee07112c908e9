"""The e-mail that only tries the settings, for the command and for the page."""

from __future__ import annotations

from printsys.config import Lab, Settings
from printsys.credentials.signed_links import Tokens
from printsys.mail.messages import make_composer
from printsys.mail.smtp import Sent, deliver


def send_test_email(settings: Settings, lab: Lab, tokens: Tokens, address: str) -> tuple[bool, str]:
    """Whether it is on its way, and what the server answered, in a sentence. ConfigError, MailNotSendable."""
    outcome = deliver(make_composer(settings, lab, tokens).test_message(address), settings)
    if isinstance(outcome, Sent):
        return True, f"The test e-mail was {outcome.where}."
    return False, f"The test e-mail was not sent. {outcome.words}"
