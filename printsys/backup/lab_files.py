"""What belongs to the lab and lies outside of storage/: its lab.toml and templates and, if asked for, its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from printsys.config import ROOT, Settings, load_lab
from printsys.credentials.api_tokens import tokens_path
from printsys.credentials.staff_password import hash_path

TEMPLATES = "mail-templates/"


def targets(settings: Settings) -> dict[str, dict[str, Path]]:
    """kind → name in the backup → where it belongs on this machine; a name that ends in / is a folder."""
    is_there = settings.lab_config.exists()
    beside_it = settings.lab_config.parent / TEMPLATES
    templates = load_lab(settings.lab_config).mail.folder(settings.lab_config) if is_there else beside_it
    lab = {"lab.toml": settings.lab_config, TEMPLATES: templates}
    secrets = {
        ".env": ROOT / ".env",
        "secret-key": settings.instance / "secret-key",
        "staff-password-hash": hash_path(settings),
        "api-tokens.json": tokens_path(settings),
    }
    return {"lab": lab, "secrets": secrets}


def files(settings: Settings, with_secrets: bool) -> Mapping[str, Mapping[str, Path]]:
    """What of it there is to copy."""
    every = targets(settings)
    lab = {name: path for name, path in every["lab"].items() if not name.endswith("/")}
    folder = every["lab"][TEMPLATES]
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    lab |= {TEMPLATES + path.relative_to(folder).as_posix(): path for path in found}
    return {"lab": lab} | ({"secrets": every["secrets"]} if with_secrets else {})
