"""Rules that all templates keep."""

from __future__ import annotations

import re

from printsys.config import ROOT

TEMPLATES = ROOT / "templates"


def test_only_the_macros_write_the_token_against_forged_requests() -> None:
    writers = [path for path in TEMPLATES.rglob("*.html") if "csrf_token()" in path.read_text("utf-8")]
    assert writers == [TEMPLATES / "macros" / "forms.html"]


def test_every_form_that_posts_has_a_token() -> None:
    """A form that a template writes by hand takes it from a macro."""
    for path in TEMPLATES.rglob("*.html"):
        for form in re.findall(r'<form[^>]*method="post".*?</form>', path.read_text("utf-8"), re.S):
            assert "csrf_input()" in form or "hidden(form)" in form, path


def test_every_template_is_used() -> None:
    names = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")}
    sources = [*(ROOT / "printsys").rglob("*.py"), *TEMPLATES.rglob("*.html")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    unused = [
        name
        for name in names
        if not name.startswith(("email/", "ticket/")) and f"'{name}'" not in text.replace('"', "'")
    ]
    assert unused == []
