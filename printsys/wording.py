"""How people read money, amounts and the time of day: one way for pages and e-mails."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from printsys.domain.job import plain


def money(value: Decimal | str | None) -> str:
    """`$1,234.50`; nothing for nothing."""
    return "" if value is None else f"${Decimal(value):,.2f}"


def amount(value: Decimal | None) -> str:
    """A number without needless zeros."""
    return "" if value is None else plain(Decimal(value).normalize())


def clock(here: datetime, seconds: bool = False) -> str:
    """`10:20 am`, of a time that is local already."""
    minutes = f"{here:%M:%S}" if seconds else f"{here:%M}"
    return f"{here.hour % 12 or 12}:{minutes} {'am' if here.hour < 12 else 'pm'}"
