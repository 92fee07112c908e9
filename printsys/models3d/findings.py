"""What the facts of a model mean, in sentences for the student who made it. Pure: facts and printers in, words out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from printsys.domain.filetypes import advised_formats
from printsys.models3d.fit import FLAT, BedFit, fit_box
from printsys.models3d.inspect import ModelFacts, Place, Size
from printsys.models3d.islands import MOST_JUDGED

Grade = Literal["cannot print", "probably wrong", "worth knowing"]
GRADES: tuple[Grade, ...] = ("cannot print", "probably wrong", "worth knowing")

TINY_MM = 5.0
SMALL_MM = 10.0
HUGE_MM = 10_000.0
THIN_MM = 0.4
"""One line of the usual nozzle; 0.2 mm is one layer."""
LEAST_WALL_MM = 0.8
FLOOR = 0.5
"""A floor or a roof is built of layers, so it may be so much of a wall's least thickness."""
LINE = 0.5
"""A wall's least thickness is two lines: what is slimmer than one is left out."""
MEASURED_MM = 0.01
MANY_BODIES = 20
LEAST_TRIANGLES = 4
"""Of any body: a tetrahedron's."""
HEAVY = 1_000_000
SENSIBLE_MM = (10.0, 400.0)
"""A guess at another unit must lead to a longest side between these."""
OTHER_UNITS = (("inches", 25.4), ("meters", 1000.0), ("micrometers", 0.001))


class PrinterLike(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def build_volume_mm(self) -> tuple[int, int, int]: ...


class ModelFinding(BaseModel):
    """`sentence` says what the model is like, `advice` what to do about it. Only "cannot print" blocks a submission.

    `at`: where on the picture, as shares of its width and height from the top left; None: nowhere, or everywhere.
    """

    model_config = ConfigDict(frozen=True)

    grade: Grade
    code: str
    sentence: str
    advice: str
    at: tuple[float, float] | None = None


def findings(
    facts: ModelFacts,
    printers: Sequence[PrinterLike],
    chosen_printer: str | None = None,
    least_wall_mm: float = LEAST_WALL_MM,
) -> list[ModelFinding]:
    """Worst first. `printers`: all of the lab's; `chosen_printer`: the id of the one that the student asked for;
    `least_wall_mm`: what the print method needs."""
    blocker = _blocker(facts)
    if blocker:
        return [blocker]
    checks = (
        _check_unit(facts),
        _check_fit(facts, printers, chosen_printer),
        _check_surface(facts),
        _check_walls(facts, least_wall_mm),
        _check_rest(facts),
    )
    return sorted(chain.from_iterable(checks), key=lambda finding: GRADES.index(finding.grade))


def blocks(model_findings: Sequence[ModelFinding]) -> bool:
    return any(finding.grade == "cannot print" for finding in model_findings)


def unreadable(error: Exception) -> ModelFinding:
    """For the errors of models3d: their text is a sentence for people."""
    return ModelFinding(grade="cannot print", code="unreadable", sentence=str(error), advice=EXPORT)


EXPORT = f"Export the model again as {advised_formats()}, and open the new file once to see that it is whole."


def _blocker(facts: ModelFacts) -> ModelFinding | None:
    if not facts.triangles:
        return _cannot("no-surface", "This file holds no surface: there is nothing to print.", EXPORT)
    if not facts.finite:
        return _cannot("not-numbers", "Some corners of this model are not at any place (not numbers).", EXPORT)
    if min(facts.size_mm) <= FLAT * max(facts.size_mm) or max(facts.size_mm) == 0:
        return _cannot(
            "flat",
            f"This model is flat ({size_text(facts.size_mm)}): it has no thickness that could be printed.",
            "Give it a thickness (extrude it) and export it again.",
        )
    return None


def _check_unit(facts: ModelFacts) -> Iterator[ModelFinding]:
    suspect = suspected_unit(facts)
    longest = max(facts.size_mm)
    if suspect is not None:
        name, factor = suspect
        x, y, z = facts.size_mm
        size = size_text((x * factor, y * factor, z * factor))
        read = f"Read in millimeters, this model is {size_text(facts.size_mm)}."
        yield ModelFinding(
            grade="worth knowing" if TINY_MM <= longest < SMALL_MM else "probably wrong",
            code=f"unit-{name}",
            sentence=f"{read} Was it drawn in {name}? Then it would be {size}.",
            advice="Export it in millimeters, or tell us the size you want in your message.",
        )
    elif longest < TINY_MM:
        yield ModelFinding(
            grade="probably wrong",
            code="tiny",
            sentence=f"This model is only {size_text(facts.size_mm)}.",
            advice="Check the unit that you export in, or tell us the size you want in your message.",
        )


def suspected_unit(facts: ModelFacts) -> tuple[str, float] | None:
    """(name, millimeters in one) of the unit that a file without one was probably drawn in; None: millimeters."""
    longest = max(facts.size_mm)
    if facts.unit is not None or TINY_MM * 2 <= longest < HUGE_MM or not longest:
        return None
    shortest, largest = SENSIBLE_MM
    return next(((name, factor) for name, factor in OTHER_UNITS if shortest <= longest * factor <= largest), None)


# -- does it fit ----------------------------------------------------------------------------------------------------


def fits(facts: ModelFacts, printer: PrinterLike) -> bool:
    """Whether the model goes into the printer somehow."""
    return _stand(facts, printer).pose != "no"


def _stand(facts: ModelFacts, printer: PrinterLike) -> BedFit:
    """How the piece that fits worst stands in the printer: as measured, else by its size alone."""
    measured = next((row for row in facts.bed_fits if row.volume_mm == printer.build_volume_mm), None)
    return measured or fit_box(_worst_piece(facts, printer), printer.build_volume_mm)


def _worst_piece(facts: ModelFacts, printer: PrinterLike) -> Size:
    volume = printer.build_volume_mm
    return min(facts.pieces_mm or (facts.size_mm,), key=lambda piece: fit_box(piece, volume).scale)


def _is_certain(facts: ModelFacts, printer: PrinterLike) -> bool:
    """Whether a size that fits along no axis is too large at any angle."""
    volume = printer.build_volume_mm
    is_measured = any(row.volume_mm == volume for row in facts.bed_fits)
    return is_measured or max(_worst_piece(facts, printer)) > math.dist(volume, (0, 0, 0))


def _check_fit(facts: ModelFacts, printers: Sequence[PrinterLike], chosen_id: str | None) -> Iterator[ModelFinding]:
    stands = {printer.id: _stand(facts, printer) for printer in printers}
    fitting = [printer for printer in printers if stands[printer.id].pose != "no"]
    chosen = next((printer for printer in printers if printer.id == chosen_id), None)
    if printers and not fitting:
        best = max(printers, key=lambda printer: stands[printer.id].scale)
        yield _too_large_for_all(facts, printers, best, _would_fit(stands[best.id], best))
    elif chosen is not None:
        yield from _check_chosen(facts, chosen, stands[chosen.id], fitting)


def _too_large_for_all(
    facts: ModelFacts, printers: Sequence[PrinterLike], best: PrinterLike, would_fit: str
) -> ModelFinding:
    size = size_text(_worst_piece(facts, best))
    advice = f"{would_fit} Scale it down, or cut it into parts."
    if all(_is_certain(facts, printer) for printer in printers):
        sentence = f"At {size} this is too large for every printer of this print method, whichever side it stands on."
        return _cannot("too-large", sentence, advice)
    sentence = f"At {size} this is probably too large for every printer of this print method."
    return ModelFinding(grade="probably wrong", code="too-large", sentence=sentence, advice=advice)


def _check_chosen(
    facts: ModelFacts, chosen: PrinterLike, stand: BedFit, fitting: Sequence[PrinterLike]
) -> Iterator[ModelFinding]:
    if stand.pose == "no":
        names = " and the ".join(printer.name for printer in fitting[:3])
        probably = "" if _is_certain(facts, chosen) else "probably "
        size = size_text(_worst_piece(facts, chosen))
        yield ModelFinding(
            grade="probably wrong",
            code="too-large-for-printer",
            sentence=f"At {size} this is {probably}too large for the {chosen.name}, whichever side it stands on.",
            advice=f"It fits the {names}. {_would_fit(stand, chosen)}",
        )
    elif stand.pose == "diagonal":
        yield ModelFinding(
            grade="worth knowing",
            code="diagonal",
            sentence=f"It fits the {chosen.name}, lying diagonally.",
            advice="Nothing to do: we turn it.",
        )
    elif stand.pose != "as drawn":
        diagonally = ", lying diagonally" if stand.pose == "turned diagonal" else ""
        yield ModelFinding(
            grade="worth knowing",
            code="turned",
            sentence=f"It fits the {chosen.name} turned on its side{diagonally}.",
            advice="Nothing to do, unless it must be printed standing: then say so in your message.",
        )


def _would_fit(stand: BedFit, printer: PrinterLike) -> str:
    """Rounded down, so that the promise holds."""
    percent = stand.scale * 100
    text = f"{math.floor(percent)}" if percent >= 10 else f"{math.floor(percent * 100) / 100:g}"
    return f"At {text} % it would fit the {printer.name}."


# -- the surface ----------------------------------------------------------------------------------------------------


def _check_surface(facts: ModelFacts) -> Iterator[ModelFinding]:
    if facts.open_edges:
        # PrusaSlicer drops triangles that share no edge, and refuses a file of nothing else.
        is_refused = facts.triangles < LEAST_TRIANGLES or facts.open_edges == 3 * facts.triangles
        if is_refused:
            otherwise = ": slicers refuse it as it is"
        elif not facts.volume_cm3:
            otherwise = ". Slicers close small ones, but they print what is open like a tube as if it were full"
        else:
            otherwise = ", or send it as it is: slicers close small holes"
        yield ModelFinding(
            grade="probably wrong",
            code="holes",
            sentence=f"The surface has holes ({facts.open_edges:,} open edges, red on the picture), "
            "so inside and outside are unclear.",
            advice=f"Close them (in Blender: the 3D Print Toolbox){otherwise}.",
        )
    elif facts.turned_edges:
        yield ModelFinding(
            grade="probably wrong",
            code="mixed-sides",
            sentence="Some of the surface faces inwards, some outwards: parts may be printed hollow or not at all.",
            advice="Let your program make the normals point outwards, and export it again.",
        )
    elif facts.inverted:
        yield ModelFinding(
            grade="worth knowing",
            code="inverted",
            sentence="The surface is inside out.",
            advice="Slicers turn it round by themselves: nothing to do, or flip the normals and export it again.",
        )


def _check_walls(facts: ModelFacts, least_mm: float) -> Iterator[ModelFinding]:
    """Nothing of a model in an unknown unit, or one that is thin all over: that is said of it already."""
    if suspected_unit(facts) is not None or max(facts.size_mm) < TINY_MM or _is_thin(facts):
        return
    has_thin_place = False
    for place, name, needed in ((facts.wall, "wall", least_mm), (facts.floor, "floor or roof", FLOOR * least_mm)):
        if place is not None and place.mm < needed - MEASURED_MM:
            has_thin_place = True
            yield ModelFinding(
                grade="probably wrong",
                code=f"thin-{name.partition(' ')[0]}",
                sentence=f"A {name} is only {place.mm:.2g} mm thick ({_near(place)}).",
                advice=f"Make it at least {needed:g} mm, or it may break or not be printed at all.",
                at=place.on_picture,
            )
    detail = facts.detail
    if detail is not None and detail.mm < LINE * least_mm - MEASURED_MM and not has_thin_place:
        yield ModelFinding(
            grade="worth knowing",
            code="tiny-detail",
            sentence=f"A detail is only {detail.mm:.2g} mm wide ({_near(detail)}), less than one line of the print.",
            advice=f"Make it at least {least_mm:g} mm wide if it should show: a slicer may leave it out.",
            at=detail.on_picture,
        )
    if facts.island is not None:
        number = f"At least {facts.islands}" if facts.islands >= MOST_JUDGED else str(facts.islands)
        places = "One part of it begins" if facts.islands == 1 else f"{number} parts of it begin"
        nearest = "" if facts.islands == 1 else "the largest "
        loose = " A part that touches no other comes out loose." if facts.bodies > 1 else ""
        yield ModelFinding(
            grade="worth knowing",
            code="island",
            sentence=f"{places} in the air, as the model stands ({nearest}{_near(facts.island)}).",
            advice=f"We turn it or print supports under it; the surface is rougher there.{loose}",
            at=facts.island.on_picture,
        )


def _is_thin(facts: ModelFacts) -> bool:
    return min(facts.size_mm) < THIN_MM - MEASURED_MM


def _near(place: Place) -> str:
    x, y, z = place.at
    return f"near x {x:g}, y {y:g}, z {z:g} mm"


def _check_rest(facts: ModelFacts) -> Iterator[ModelFinding]:
    if _is_thin(facts) and suspected_unit(facts) is None and max(facts.size_mm) >= TINY_MM:
        yield ModelFinding(
            grade="probably wrong",
            code="thin",
            sentence=f"It is only {min(facts.size_mm):.2g} mm thick, less than one line of a usual nozzle (0.4 mm).",
            advice="Make it thicker, or ask us whether that can be printed.",
        )
    if facts.bodies > MANY_BODIES:
        yield ModelFinding(
            grade="worth knowing",
            code="many-bodies",
            sentence=f"This file holds {facts.bodies:,} separate bodies.",
            advice="If you meant one object, join its parts (boolean union) before you export.",
        )
    elif facts.bodies > 1:
        yield ModelFinding(
            grade="worth knowing",
            code="bodies",
            sentence=f"This file holds {facts.bodies} separate bodies.",
            advice="Nothing to do if you meant that; otherwise join them before you export.",
        )
    if facts.slicer_trouble is not None:
        refused = "; not every slicer opens that" if facts.is_converted else ""
        yield ModelFinding(
            grade="worth knowing",
            code="slicer-trouble",
            sentence=f"This file {facts.slicer_trouble}{refused}.",
            advice="Nothing to do: we print a copy of the same shape, written as STL."
            if facts.is_converted
            else "If you send it again, an STL of each part opens everywhere.",
        )
    if facts.triangles > HEAVY:
        yield ModelFinding(
            grade="worth knowing",
            code="heavy",
            sentence=f"This model has {facts.triangles:,} triangles, more than a printer can show.",
            advice="Nothing to do; if you send it again, a coarser export uploads faster.",
        )


def _cannot(code: str, sentence: str, advice: str) -> ModelFinding:
    return ModelFinding(grade="cannot print", code=code, sentence=sentence, advice=advice)


def size_text(size: Size) -> str:
    """`12.5 × 8 × 3 mm`: to a tenth of a millimeter, with three digits below one."""
    sides = (f"{side:.3g}" if side < 1 else f"{side:,.1f}".removesuffix(".0") for side in size)
    return " × ".join(sides) + " mm"
