"""The words of the e-mails: templates/email/, each of which the lab may replace by one of its own.

The lab's templates are never in a mail's way: where one has a mistake the built-in one is used and the mistake is told
(in the log, and on the staff's page of e-mails).
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from printsys.config import ROOT
from printsys.domain.status import Status
from printsys.texts import STATUS_TEXTS, amount, money

TEMPLATES = ROOT / "templates" / "email"
TEXT_WIDTH = 72
MISTAKES = (TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError, OSError)
"""What a template that somebody wrote may come to: its syntax, a name that there is not, a sum that cannot be done."""
Words = tuple[str, str, str]
"""Subject, text, HTML."""
logger = logging.getLogger(__name__)


class MailTemplates:
    """`own`: the folder of the lab's templates; it need not be there, and may hold only some."""

    def __init__(self, own: Path) -> None:
        self.own = own
        self.mistakes: dict[str, str] = {}
        """By e-mail, what was wrong with the lab's own template when it was last written."""
        built_in = FileSystemLoader(TEMPLATES)
        self._built_in = _environment(built_in)
        self._own = _environment(ChoiceLoader([FileSystemLoader(own), built_in]))

    def written(self, name: str, facts: Mapping[str, Any]) -> Words:
        """The e-mail `name` in words."""
        if not self.has_own():
            return _render(self._built_in, name, facts)
        try:
            words = _render(self._own, name, facts)
        except MISTAKES as error:
            self.mistakes[name] = _told(error, name)
            logger.warning("the lab's own template for %s is not used: %s", name, self.mistakes[name])
            return _render(self._built_in, name, facts)
        self.mistakes.pop(name, None)
        return words

    def has_own(self) -> bool:
        """Whether the lab has any template of its own: each may be part of any e-mail."""
        return any(path.suffix in (".txt", ".html") for path in self.own_files())

    def own_files(self) -> list[Path]:
        return sorted(self.own.iterdir()) if self.own.is_dir() else []


def _told(error: Exception, name: str) -> str:
    """Where and what, in a line."""
    where = f"{error.name or name}, line {error.lineno}" if isinstance(error, TemplateSyntaxError) else name
    return f"{where}: {error or type(error).__name__}"


def _environment(loader: BaseLoader) -> SandboxedEnvironment:
    made = SandboxedEnvironment(
        loader=loader,
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=0,  # a template that staff have just put there is used from the next mail on
    )
    made.filters |= {"money": money, "amount": amount, "wrap": wrap}
    made.globals |= {"texts": STATUS_TEXTS, "Status": Status}
    return made


def _render(templates: SandboxedEnvironment, name: str, facts: Mapping[str, Any]) -> Words:
    text = templates.get_template(f"{name}.txt").render(facts)
    subject, _, body = text.partition("\n")
    subject = one_line(subject)
    html = templates.get_template(f"{name}.html").render({**facts, "subject": subject})
    return subject, body.strip("\n") + "\n", html


def one_line(text: str) -> str:
    """For a header: no line ends, nothing invisible."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def wrap(text: str, indent: str = "") -> str:
    """Lines of a readable length; further lines are indented, a person's own line ends are kept."""
    lines = [
        textwrap.wrap(line, TEXT_WIDTH - len(indent), break_long_words=False, break_on_hyphens=False) or [""]
        for line in text.split("\n")
    ]
    return f"\n{indent}".join(piece for line in lines for piece in line)
