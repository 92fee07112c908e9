"""The slicers that the opener knows, and where each system usually has them.

`windows` are patterns beneath Program Files and the person's own Programs folder; `exe` is the name that App Paths in
the registry lists; `programs` are names on PATH; `mac` are bundles in /Applications; `flatpak` are Flathub's ids.
"""

from __future__ import annotations

from dataclasses import dataclass

from opener.names import MODELS

FILAMENT = frozenset({"filament"})
RESIN = frozenset({"resin"})
_GCODE = frozenset({".gcode", ".gco", ".g"})
_MESHES = frozenset({".stl", ".obj", ".3mf"})
_PRUSA_LIKE = MODELS - {".ply"}


@dataclass(frozen=True)
class KnownSlicer:
    name: str
    extensions: frozenset[str]
    methods: frozenset[str]
    windows: tuple[str, ...] = ()
    exe: str = ""
    programs: tuple[str, ...] = ()
    mac: tuple[str, ...] = ()
    flatpak: tuple[str, ...] = ()
    appimage: str = ""


KNOWN_SLICERS = (
    KnownSlicer(
        "PrusaSlicer",
        _PRUSA_LIKE | _GCODE | {".bgcode", ".bgc", ".sl1", ".sl1s"},
        FILAMENT,
        windows=("Prusa3D/PrusaSlicer*/prusa-slicer.exe", "PrusaSlicer*/prusa-slicer.exe"),
        exe="prusa-slicer.exe",
        programs=("prusa-slicer", "PrusaSlicer"),
        mac=("PrusaSlicer.app", "Original Prusa Drivers/PrusaSlicer.app"),
        flatpak=("com.prusa3d.PrusaSlicer",),
        appimage="PrusaSlicer*.AppImage",
    ),
    KnownSlicer(
        "OrcaSlicer",
        _PRUSA_LIKE | _GCODE,
        FILAMENT,
        windows=("OrcaSlicer*/orca-slicer.exe",),
        exe="orca-slicer.exe",
        programs=("orca-slicer", "OrcaSlicer"),
        mac=("OrcaSlicer.app",),
        flatpak=("com.orcaslicer.OrcaSlicer", "io.github.softfever.OrcaSlicer"),
        appimage="OrcaSlicer*.AppImage",
    ),
    KnownSlicer(
        "Bambu Studio",
        _PRUSA_LIKE | _GCODE,
        FILAMENT,
        windows=("Bambu Studio*/bambu-studio.exe",),
        exe="bambu-studio.exe",
        programs=("bambu-studio", "BambuStudio"),
        mac=("BambuStudio.app",),
        flatpak=("com.bambulab.BambuStudio",),
        appimage="Bambu*Studio*.AppImage",
    ),
    KnownSlicer(
        "Cura",
        _MESHES | {".amf", ".ply", ".gcode", ".g", ".ufp", ".makerbot"},
        FILAMENT,
        windows=(
            "UltiMaker Cura*/UltiMaker-Cura.exe",
            "Ultimaker Cura*/Ultimaker-Cura.exe",
            "Ultimaker Cura*/Cura.exe",
        ),
        exe="UltiMaker-Cura.exe",
        programs=("cura", "UltiMaker-Cura"),
        mac=("UltiMaker Cura.app", "Ultimaker Cura.app"),
        flatpak=("com.ultimaker.cura",),
        appimage="Ulti[Mm]aker*Cura*.AppImage",
    ),
    KnownSlicer(
        "ideaMaker",
        _MESHES | {".idea", ".data", ".step", ".stp"},
        FILAMENT,
        windows=("Raise3D/ideaMaker*/ideaMaker.exe", "ideaMaker*/ideaMaker.exe"),
        exe="ideaMaker.exe",
        programs=("ideamaker", "ideaMaker"),
        mac=("ideaMaker.app",),
        appimage="ideaMaker*.AppImage",
    ),
    KnownSlicer(
        "PreForm",
        _MESHES | {".form", ".formx"},
        RESIN,
        windows=("Formlabs/PreForm*/PreForm.exe", "PreForm*/PreForm.exe"),
        exe="PreForm.exe",
        mac=("PreForm.app", "Formlabs/PreForm.app"),
    ),
    KnownSlicer(
        "Slic3r",
        _MESHES | {".amf"},
        FILAMENT,
        windows=("Slic3r*/Slic3r.exe",),
        exe="Slic3r.exe",
        programs=("slic3r", "Slic3r"),
        mac=("Slic3r.app",),
        appimage="Slic3r*.AppImage",
    ),
)
