"""The words of the e-mails: templates/email/, each of which the lab may replace by one of its own.

A template of the lab's own never keeps an e-mail from its student: instead of one with a mistake the built-in one is
used, and the log and the staff's page of e-mails report the mistake.
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
from printsys.texts import STATUS_TEXTS, amount, discounts, money

TEMPLATES = ROOT / "templates" / "email"
TEXT_WIDTH = 72
MISTAKES = (TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError, OSError)
"""What rendering a template may raise: for its syntax, for an unknown name, for a sum that cannot be done."""
Parts = tuple[str, str, str]
"""Subject, text, HTML."""
logger = logging.getLogger(__name__)


class MailTemplates:
    """`lab_folder`: the folder of the lab's templates; it need not be there, and may hold only some."""

    def __init__(self, lab_folder: Path) -> None:
        self.lab_folder = lab_folder
        self.mistakes: dict[str, str] = {}
        """By e-mail, the mistake in the lab's own template when it was last rendered."""
        built_in = FileSystemLoader(TEMPLATES)
        self._built_in = _environment(built_in)
        # From the next e-mail on a template that staff have just saved is used.
        self._own = _environment(ChoiceLoader([FileSystemLoader(lab_folder), built_in]), cache_size=0)

    def render(self, name: str, values: Mapping[str, Any]) -> Parts:
        if not self.has_own():
            return _render(self._built_in, name, values)
        try:
            parts = _render(self._own, name, values)
        except MISTAKES as error:
            location = f"{error.name or name}, line {error.lineno}" if isinstance(error, TemplateSyntaxError) else name
            self.mistakes[name] = f"{location}: {error or type(error).__name__}"
            logger.warning("the lab's own template for %s is not used: %s", name, self.mistakes[name])
            return _render(self._built_in, name, values)
        self.mistakes.pop(name, None)
        return parts

    def has_own(self) -> bool:
        """Whether the lab has any template of its own: each may be part of any e-mail."""
        return any(path.suffix in (".txt", ".html") for path in self.own_files())

    def own_files(self) -> list[Path]:
        return sorted(self.lab_folder.iterdir()) if self.lab_folder.is_dir() else []


def _environment(loader: BaseLoader, cache_size: int = 100) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=loader,
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=cache_size,
    )
    environment.filters |= {"money": money, "amount": amount, "discounts": discounts, "wrap": wrap}
    environment.globals |= {"texts": STATUS_TEXTS, "Status": Status}
    return environment


def _render(templates: SandboxedEnvironment, name: str, values: Mapping[str, Any]) -> Parts:
    text = templates.get_template(f"{name}.txt").render(values)
    subject, _, body = text.partition("\n")
    subject = one_line(subject)
    html = templates.get_template(f"{name}.html").render({**values, "subject": subject})
    return subject, body.strip("\n") + "\n", html


def one_line(text: str) -> str:
    """For a header: no line ends, nothing invisible."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def wrap(text: str, indent: str = "") -> str:
    """Lines of a readable length; further lines are indented, a person's own line ends are kept."""
    width = TEXT_WIDTH - len(indent)
    lines = [
        line
        for own_line in text.split("\n")
        for line in textwrap.wrap(own_line, width, break_long_words=False, break_on_hyphens=False) or [""]
    ]
    return f"\n{indent}".join(lines)
