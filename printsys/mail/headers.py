"""What a person typed, as the header of an e-mail: data, never syntax.

Python's e-mail package decodes RFC 2047 encoded words in the text that it is given, after that text was cleaned:
`=?utf-8?q?X=0D=0ABcc:_a@b?=` becomes two lines of the header. So no text keeps the mark of an encoded word, and the
bytes of a message are read back and compared with what was meant before they leave.
"""

from __future__ import annotations

import email
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy

from email_validator import EmailNotValidError, validate_email

from printsys.errors import PrintSysError
from printsys.mail.templates import one_line

ENCODED_WORD = "=?"
"""How an encoded word begins (RFC 2047, section 2)."""
LONGEST_TEXT = 200
"""Characters. Encoded and folded, no line of the header comes near the 998 that RFC 5322 allows."""
UNWRITABLE = (MessageError, ValueError, LookupError)
"""How the e-mail package refuses a header."""


class MailNotSendable(PrintSysError):
    """No server would take it: the address cannot be one, or its bytes would say something else than was meant."""


def header_text(text: str) -> str:
    """One line of at most `LONGEST_TEXT` characters without an encoded word."""
    line = one_line(text)
    if len(line) > LONGEST_TEXT:
        line = line[: LONGEST_TEXT - 1] + "…"
    return line.replace(ENCODED_WORD, "= ?")


def mailbox(name: str, address: str) -> Address:
    """The address with its display name, or without where the name cannot stand beside it. MailNotSendable."""
    user, _, domain = ascii_address(address).rpartition("@")
    named = Address(header_text(name), user, domain)
    return named if _reads_back(named) else Address("", user, domain)


def ascii_address(address: str) -> str:
    """With the domain as mail servers know it. The name before the @ stays as it is, in any script. MailNotSendable."""
    try:
        parts = validate_email(address, check_deliverability=False, test_environment=True)
        if ENCODED_WORD in address:  # legal in an address, but the e-mail package would decode it
            raise EmailNotValidError("an encoded word")
    except EmailNotValidError as error:
        raise MailNotSendable(f"“{one_line(address)}” is not an e-mail address.") from error
    return parts.ascii_email or f"{parts.local_part}@{parts.ascii_domain}"


def wire_bytes(message: EmailMessage) -> bytes:
    """The message as it goes to a server or into a file. MailNotSendable where it would read as another one.

    Since 2024 (CPython's gh-121650) the e-mail package itself encodes or refuses some of what would.
    """
    try:
        data = message.as_bytes(policy=wire_policy(message))
        is_as_meant = _reads_as(_parse(data), message)
    except UNWRITABLE:
        is_as_meant = False
    if not is_as_meant:
        raise MailNotSendable("This e-mail was not sent: a name in it would change its headers or its text.")
    return data


def wire_policy(message: EmailMessage) -> EmailPolicy[EmailMessage]:
    """A name can be encoded, an address cannot: with another script in it the headers are UTF-8 (RFC 6532)."""
    addresses = [address for header in ("To", "From", "Reply-To") for address in _mailboxes(message, header)]
    return SMTP.clone(utf8=not all(address.isascii() for address in addresses))


def _reads_back(address: Address) -> bool:
    """Whether the header, folded and read again, is this one mailbox and no further line."""
    message = EmailMessage(policy=SMTP)
    try:
        message["To"] = address
        arrived = _parse(message.as_bytes(policy=wire_policy(message)))
        return arrived.keys() == ["To"] and _mailboxes(arrived, "To") == [address.addr_spec]
    except UNWRITABLE:
        return False


def _reads_as(arrived: EmailMessage, message: EmailMessage) -> bool:
    headers = ("To", "From", "Reply-To")
    return _form(arrived) == _form(message) and all(
        _mailboxes(arrived, header) == _mailboxes(message, header) for header in headers
    )


def _parse(data: bytes) -> EmailMessage:
    # As text: an address in another script is UTF-8, which `message_from_bytes` would take for unknown bytes.
    return email.message_from_string(data.decode("utf-8"), _class=EmailMessage, policy=SMTP)


def _mailboxes(message: EmailMessage, header: str) -> list[str]:
    return [address.addr_spec for address in getattr(message[header], "addresses", ())]


def _form(message: EmailMessage) -> list[tuple[str, list[str]]]:
    """Of the message and its parts: content types and the names of their headers, in order."""
    return [(part.get_content_type(), part.keys()) for part in message.walk()]
