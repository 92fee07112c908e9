"""Where this person's settings, remembered choices and log lie."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

APP = "printsys-opener"


@dataclass(frozen=True)
class OpenerPaths:
    """`folder` holds everything that the opener writes, but for its registration."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def choices(self) -> Path:
        return self.folder / "remembered.toml"

    @property
    def log(self) -> Path:
        return self.folder / "opener.log"


def opener_paths(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> OpenerPaths:
    """`%APPDATA%\\printsys-opener`, or `printsys-opener` in `$XDG_CONFIG_HOME` or `~/.config`."""
    home = Path(environ.get("USERPROFILE") or environ.get("HOME") or Path.home())
    if platform == "win32":
        return OpenerPaths(Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / APP)
    config_home = environ.get("XDG_CONFIG_HOME", "")
    # A relative XDG_CONFIG_HOME is to be ignored: https://specifications.freedesktop.org/basedir-spec
    usual = Path(environ.get("HOME") or home) / ".config"
    return OpenerPaths((Path(config_home) if os.path.isabs(config_home) else usual) / APP)
