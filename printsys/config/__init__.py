"""What the lab configures: settings (.env, environment) and lab.toml."""

from printsys.config.lab import Lab, Material, Method, Printer, Reason
from printsys.config.lab_file import load_lab
from printsys.config.settings import (
    DEFAULT_BASE_URL,
    MIN_PASSWORD_LENGTH,
    ROOT,
    MailServer,
    Settings,
    load_settings,
    make_private_folder,
)

__all__ = [
    "DEFAULT_BASE_URL",
    "MIN_PASSWORD_LENGTH",
    "ROOT",
    "Lab",
    "MailServer",
    "Material",
    "Method",
    "Printer",
    "Reason",
    "Settings",
    "load_lab",
    "load_settings",
    "make_private_folder",
]
