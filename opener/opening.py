"""From a link to a slicer that runs, or to a sentence that says why not."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opener import choices, config, launch, slicers, url
from opener.dialogs import Dialogs
from opener.paths import OpenerPaths
from opener.record import RecordedJob
from opener.refusals import Reason, Refused
from opener.request_log import opener_log
from opener.slicer_search import HostSystem
from opener.slicers import Slicer
from opener.storage import Storage
from opener.url import OpenRequest


class NotOpened(Refused):
    """The file is there, but no slicer runs with it: the file manager can show it."""

    def __init__(self, reason: Reason, file: Path, *details: str) -> None:
        super().__init__(reason, *details, str(file))
        self.file = file


@dataclass
class Desktop:
    """What opening needs of this computer."""

    paths: OpenerPaths
    system: HostSystem
    dialogs: Dialogs
    start: Callable[[Sequence[str]], str] = launch.start
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    pause: Callable[[float], None] = time.sleep

    def log(self) -> logging.Logger:
        return opener_log(self.paths.log)


def follow_link(arguments: Sequence[str], desktop: Desktop) -> bool:
    """Opens the file that the one link in `arguments` names. Returns False after a refusal, shown and logged."""
    log, request = desktop.log(), None
    try:
        # A quote in a link may end its argument early (Windows puts the link between quotes as it is): more than one
        # argument means that somebody tried.
        if len(arguments) != 1:
            raise Refused(Reason.ARGUMENTS)
        request = url.parse(arguments[0])
        slicer = open_request(request, desktop)
    except Refused as refused:
        log.info("refused %s%s", refused.reason.name, _about(request))
        if not isinstance(refused, NotOpened):
            desktop.dialogs.tell(str(refused))
        elif desktop.dialogs.offer(str(refused), "Show the file in its folder"):
            # Explorer ends with 1 whatever happened, so its verdict says nothing.
            desktop.start(launch.show_command(refused.file, desktop.system.platform, desktop.environ))
        return False
    log.info("opened in %s%s", slicer.name, _about(request))
    return True


def open_request(request: OpenRequest, desktop: Desktop) -> Slicer:
    """Raises Refused."""
    settings = config.read(desktop.paths.config)
    if not settings.storage:
        raise Refused(Reason.NOT_SET_UP)
    file, record = Storage(Path(settings.storage), settings.storage_id, desktop.pause).resolve(request)
    slicer = _slicer_for(file, request.extension, record, settings, desktop)
    problem = desktop.start(launch.open_command(slicer, file, desktop.system.platform))
    if problem:
        raise NotOpened(Reason.NOT_STARTED, file, slicer.name, problem)
    return slicer


def _slicer_for(
    file: Path, extension: str, record: RecordedJob, settings: config.Config, desktop: Desktop
) -> Slicer:  # fmt: skip
    fitting = slicers.fitting(slicers.on_this_computer(settings, desktop.system), extension, record)
    kind = slicers.kind(extension, record)
    if not fitting:
        raise NotOpened(Reason.NO_SLICER, file, kind)
    if len(fitting) == 1:
        return fitting[0]
    by_name = {slicer.name: slicer for slicer in fitting}
    if remembered := by_name.get(choices.read(desktop.paths.choices).get(kind, "")):
        return remembered
    choice = desktop.dialogs.choose(f"Which program should open this file ({kind})?", list(by_name))
    if choice is None or choice.name not in by_name:
        raise Refused(Reason.NOT_CHOSEN)
    if choice.remember:
        try:
            choices.remember(desktop.paths.choices, kind, choice.name)
        except OSError as error:  # the opener asks again next time
            desktop.log().info("the choice could not be remembered: %s", error.strerror)
    return by_name[choice.name]


def _about(request: OpenRequest | None) -> str:
    return f" job={request.job} kind={request.extension}" if request else ""
