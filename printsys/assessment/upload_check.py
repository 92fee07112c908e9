"""What a student is told of a model at once: what it is like, whether it will print, about what it may cost."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import BinaryIO

from printsys.config.lab import Lab, Method
from printsys.domain.pricing import PriceList, quote
from printsys.errors import FileRefused, InvalidInput, ModelTooHard, ModelUnreadable
from printsys.models3d import bounded
from printsys.models3d.estimate import weight_range_g
from printsys.models3d.findings import ModelFinding, blocks, findings, unreadable
from printsys.models3d.inspect import ModelFacts

REMEMBERED = 100
"""Looks at models that were sent a moment ago: the form asks again when another printer is chosen, and is sent."""
CHUNK = 1 << 20
SCRATCH = "checking"
"""In instance/."""
AT_ONCE = 2
"""Looks in one process: a class that submits in the same minute must not take the computer's memory."""
PATIENCE = bounded.Limits(seconds=20)
"""While somebody waits; the worker takes longer."""
SUPPORT = 0.25
"""Of the model's own resin: what its supports may take."""


@dataclass(frozen=True)
class UploadCheck:
    """What was found out about some bytes, or why nothing could be (`trouble`). `hopeless`: because nobody could print
    them, not because it took too long."""

    facts: ModelFacts | None = None
    png: bytes | None = None
    trouble: str | None = None
    hopeless: bool = False


@dataclass(frozen=True)
class Checked:
    """A model as the form shows it. `price` is a guess between two ends, in the lab's money."""

    name: str
    sha256: str
    check: UploadCheck
    findings: list[ModelFinding] = field(default_factory=list)
    price: tuple[Decimal, Decimal] | None = None

    @property
    def will_not_print(self) -> bool:
        return blocks(self.findings)


class UploadChecker:
    """Checks models in this process: few at a time, and each only once while it is remembered."""

    def __init__(self, scratch: Path) -> None:
        """`scratch`: a folder for copies, which last as long as a check."""
        self._scratch = scratch
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._guard = threading.Lock()
        self._checks: OrderedDict[str, UploadCheck] = OrderedDict()

    def remembered(self, sha256: str) -> UploadCheck | None:
        """The check of bytes that were here a moment ago. It is true of them for ever."""
        with self._guard:
            return self._checks.get(sha256)

    def check(self, name: str, stream: BinaryIO) -> tuple[str, UploadCheck]:
        """sha256 and check of the bytes from where `stream` stands; the stream is left there. OSError is the disk's."""
        start = stream.tell()
        digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
        stream.seek(start)
        check = self.remembered(digest)
        if check is None:
            with self._turns:
                check = self._check_copy(name, stream)
            stream.seek(start)
            self._remember(digest, check)
        return digest, check

    def _check_copy(self, name: str, stream: BinaryIO) -> UploadCheck:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder) / f"model{os.path.splitext(name)[1].lower()}"
            with path.open("wb") as file:
                shutil.copyfileobj(stream, file, CHUNK)
            return look_at(path, name, PATIENCE)

    def _remember(self, sha256: str, check: UploadCheck) -> None:
        with self._guard:
            self._checks[sha256] = check
            self._checks.move_to_end(sha256)
            while len(self._checks) > REMEMBERED:
                self._checks.popitem(last=False)


def look_at(path: Path, name: str, limits: bounded.Limits = bounded.USUAL) -> UploadCheck:
    """Facts and picture of the file at `path`, whose owner calls it `name`. OSError is the disk's."""
    try:
        seen = bounded.examine(path, limits)
    except (FileRefused, ModelUnreadable) as error:
        return UploadCheck(trouble=str(error).replace(path.name, name), hopeless=True)
    except ModelTooHard as error:
        return UploadCheck(trouble=str(error).replace(path.name, name))
    return UploadCheck(seen.facts, seen.png)


def judge(
    name: str, sha256: str, check: UploadCheck, lab: Lab, method: str, printer: str, prices: PriceList
) -> Checked:
    """What it means for somebody who wants it printed by `method` on `printer` (an id; empty: not chosen yet)."""
    if check.facts is None:
        said = [unreadable(ModelUnreadable(check.trouble or ""))] if check.hopeless else []
        return Checked(name, sha256, check, said)
    printers = lab.printers_for(method) or lab.printers
    found = findings(check.facts, printers, printer or None)
    known = lab.method(method)
    price = price_range(check.facts, known, prices) if known is not None and not blocks(found) else None
    return Checked(name, sha256, check, found, price)


def price_range(facts: ModelFacts, method: Method, prices: PriceList) -> tuple[Decimal, Decimal] | None:
    """From the lab's first material of the method; resin is printed solid. None where the volume is not known."""
    if facts.volume_cm3 <= 0:
        return None
    density = float(method.materials[0].density_g_cm3)
    solid = facts.volume_cm3 * density
    hollow = weight_range_g(facts.volume_cm3, facts.area_cm2, density)
    low, high = (solid, solid * (1 + SUPPORT)) if method.solid else hollow
    ends = [_quote(method.name, grams, grams / density, prices) for grams in (low, high)]
    return (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None


def _quote(method: str, grams: float, millilitres: float, prices: PriceList) -> Decimal | None:
    try:
        return quote(method, _decimal(grams), _decimal(millilitres), prices).cost
    except InvalidInput:
        return None


def _decimal(number: float) -> Decimal:
    return Decimal(number).quantize(Decimal("0.1"), ROUND_HALF_UP)


def refusals(checked: Sequence[Checked]) -> list[str]:
    """Sentences for the models that cannot be printed, each with what to do about it."""
    return [
        f"{one.name}: {finding.sentence} {finding.advice}"
        for one in checked
        for finding in one.findings
        if finding.grade == "cannot print"
    ]
