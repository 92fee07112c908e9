"""A job's address as a square code: a scanner at the counter types it."""

from __future__ import annotations

import segno
from markupsafe import Markup


def job_address(base_url: str, job_id: str) -> str:
    return f"{base_url.rstrip('/')}/dashboard/jobs/{job_id}"


def qr_svg(text: str) -> Markup:
    """An SVG for the middle of a page: as large as its place, without inline styles."""
    code = segno.make(text, micro=False, error="m")
    return Markup(code.svg_inline(border=2, omitsize=True, svgclass="qr", lineclass=None))
