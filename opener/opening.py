"""From a link to a slicer that runs, or to a sentence that says why not."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opener import config, launch, remembered, slicers, url
from opener.dialogs import Dialogs
from opener.finding import Computer
from opener.log import opener_log
from opener.places import Places
from opener.record import RequestLog
from opener.refusals import Refused, Why
from opener.slicers import Slicer
from opener.storage import Storage
from opener.url import OpenRequest


class NotOpened(Refused):
    """The file is there, but no slicer runs with it: the file manager can show it."""

    def __init__(self, why: Why, file: Path, *named: str) -> None:
        super().__init__(why, *named, str(file))
        self.file = file


@dataclass
class Desktop:
    """What opening needs of this computer."""

    places: Places
    computer: Computer
    dialogs: Dialogs
    start: Callable[[Sequence[str]], str] = launch.start
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    pause: Callable[[float], None] = time.sleep

    def log(self) -> logging.Logger:
        return opener_log(self.places.log)


def follow(arguments: Sequence[str], desktop: Desktop) -> bool:
    """Opens the file that the one link in `arguments` names. False where it was refused, which was said and logged."""
    log, request = desktop.log(), None
    try:
        request = requested(arguments)
        slicer = open_request(request, desktop)
    except Refused as refused:
        log.info("refused %s%s", refused.why.name, _about(request))
        _say(refused, desktop)
        return False
    log.info("opened in %s%s", slicer.name, _about(request))
    return True


def requested(arguments: Sequence[str]) -> OpenRequest:
    # A quote in a link may end its argument early (Windows puts the link between quotes as it is): more than one
    # argument means that somebody tried.
    if len(arguments) != 1:
        raise Refused(Why.ARGUMENTS)
    return url.parse(arguments[0])


def open_request(request: OpenRequest, desktop: Desktop) -> Slicer:
    """Raises Refused."""
    settings = config.read(desktop.places.config)
    if not settings.storage:
        raise Refused(Why.NOT_SET_UP)
    file, record = Storage(Path(settings.storage), settings.storage_id, desktop.pause).resolve(request)
    slicer = _slicer_for(file, request.extension, record, settings, desktop)
    wrong = desktop.start(launch.opening(slicer, file, desktop.computer.platform))
    if wrong:
        raise NotOpened(Why.NOT_STARTED, file, slicer.name, wrong)
    return slicer


def _slicer_for(
    file: Path, extension: str, record: RequestLog, settings: config.Config, desktop: Desktop
) -> Slicer:  # fmt: skip
    fit = slicers.fitting(slicers.on_this_computer(settings, desktop.computer), extension, record)
    kind = slicers.kind(extension, record)
    if not fit:
        raise NotOpened(Why.NO_SLICER, file, kind)
    by_name = {slicer.name: slicer for slicer in fit}
    if len(fit) == 1:
        return fit[0]
    before = by_name.get(remembered.read(desktop.places.remembered).get(kind, ""))
    return before or _asked(kind, by_name, desktop)


def _asked(kind: str, by_name: dict[str, Slicer], desktop: Desktop) -> Slicer:
    choice = desktop.dialogs.choose(f"Which program should open this file ({kind})?", list(by_name))
    if choice is None or choice.name not in by_name:
        raise Refused(Why.NOT_CHOSEN)
    if choice.remember:
        try:
            remembered.remember(desktop.places.remembered, kind, choice.name)
        except OSError as error:  # one is asked again next time
            desktop.log().info("the choice could not be remembered: %s", error.strerror)
    return by_name[choice.name]


def _say(refused: Refused, desktop: Desktop) -> None:
    if not isinstance(refused, NotOpened):
        desktop.dialogs.tell(str(refused))
    elif desktop.dialogs.offer(str(refused), "Show the file in its folder"):
        # Explorer ends with 1 whatever happened, so its verdict says nothing.
        desktop.start(launch.showing(refused.file, desktop.computer.platform, desktop.environ))


def _about(request: OpenRequest | None) -> str:
    return f" job={request.job} kind={request.extension}" if request else ""
