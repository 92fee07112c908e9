"""The lab's files outside of storage/: its lab.toml and templates and, on request, its secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from printsys.config import ROOT, Settings, load_lab
from printsys.config.lab import PICTURE_NAME
from printsys.credentials.api_tokens import tokens_path
from printsys.credentials.staff_password import hash_path

TEMPLATES, LOGO = "mail-templates/", "logo/"


def targets(settings: Settings) -> dict[str, dict[str, Path]]:
    """kind → name in the backup → where it belongs on this machine; a name that ends in / is a folder."""
    lab_toml = settings.lab_config
    templates = load_lab(lab_toml).mail.folder(lab_toml) if lab_toml.exists() else lab_toml.parent / TEMPLATES
    lab = {"lab.toml": lab_toml, TEMPLATES: templates}
    secrets = {
        ".env": ROOT / ".env",
        "secret-key": settings.instance / "secret-key",
        "staff-password-hash": hash_path(settings),
        "api-tokens.json": tokens_path(settings),
    }
    return {"lab": lab, "secrets": secrets}


def logo_targets(settings: Settings, names: Iterable[str]) -> dict[str, Path]:
    """Where the logo among the backup's `names` belongs: beside lab.toml. Whoever can write into a backup must bring
    nothing else there."""
    pictures = [name for name in names if name.startswith(LOGO) and PICTURE_NAME.fullmatch(name.removeprefix(LOGO))]
    return {name: settings.lab_config.parent / name.removeprefix(LOGO) for name in pictures}


def files(settings: Settings, with_secrets: bool) -> Mapping[str, Mapping[str, Path]]:
    """kind → name in the backup → path, of the files to copy."""
    by_kind = targets(settings)
    lab = {name: path for name, path in by_kind["lab"].items() if not name.endswith("/")}
    folder = by_kind["lab"][TEMPLATES]
    templates = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    lab |= {TEMPLATES + path.relative_to(folder).as_posix(): path for path in templates}
    logo = load_lab(settings.lab_config).about.logo_file(settings.lab_config) if settings.lab_config.exists() else None
    if logo is not None and logo.is_file():
        lab[LOGO + logo.name] = logo
    return {"lab": lab} | ({"secrets": by_kind["secrets"]} if with_secrets else {})
