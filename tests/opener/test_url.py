"""What a link may ask for."""

from __future__ import annotations

import ntpath
from pathlib import PureWindowsPath
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opener import names
from opener.refusals import Reason, Refused
from opener.url import OpenRequest, parse
from printsys.domain import naming
from tests.opener.conftest import JOB, url


@pytest.mark.parametrize(
    ("link", "parts"),
    [
        (url("part.stl"), ("part.stl",)),
        (url("original%2Fbracket%20v2.stl"), ("original", "bracket v2.stl")),
        (url("original/bracket%20v2.stl"), ("original", "bracket v2.stl")),
        (f"3DPRINT://open?file=part.STL&job={JOB.upper()}", ("part.STL",)),
        (f"printsys://open/?job={JOB}&file=part.stl#top", ("part.stl",)),
        (f"printsys:open?job={JOB}&file=part.stl", ("part.stl",)),
        (url("plate+1.3mf"), ("plate+1.3mf",)),
        (url("100%25.gcode"), ("100%.gcode",)),
        (url("%E6%9D%8E.stl"), ("李.stl",)),
        (url("-rf.stl"), ("-rf.stl",)),
        (url("console.stl"), ("console.stl",)),
    ],
)
def test_a_link_names_a_job_and_a_file_in_it(link: str, parts: tuple[str, ...]) -> None:
    assert parse(link) == OpenRequest(JOB, parts)


def test_an_id_is_read_as_people_say_it() -> None:
    assert parse(url("a.stl", job="OIL2345A")).job == "0112345a"


REFUSED = [
    ("", Reason.SCHEME),
    ("part.stl", Reason.SCHEME),
    ("https://example.edu/?job=k7m29xq4&file=a.stl", Reason.SCHEME),
    ("file:///etc/passwd", Reason.SCHEME),
    (" " + url(), Reason.SCHEME),
    (f"3dprint://delete?job={JOB}&file=a.stl", Reason.VERB),
    (f"3dprint://open/../x?job={JOB}&file=a.stl", Reason.VERB),
    (f"3dprint:////open?job={JOB}&file=a.stl", Reason.VERB),
    (f"3dprint://me@open?job={JOB}&file=a.stl", Reason.VERB),
    ("3dprint://open", Reason.MISSING),
    (f"3dprint://open?job={JOB}", Reason.MISSING),
    ("3dprint://open?file=a.stl", Reason.MISSING),
    (f"3dprint://open?job={JOB}&file=", Reason.MISSING),
    (url() + "&file=b.stl", Reason.DOUBLED),
    (url() + f"&job={JOB}", Reason.DOUBLED),
    (url() + "&printer=x", Reason.UNKNOWN_PARAMETER),
    (url() + "&", Reason.UNKNOWN_PARAMETER),
    (f"3dprint://open?JOB={JOB}&file=a.stl", Reason.UNKNOWN_PARAMETER),
    (url(job="k7m29xq"), Reason.JOB_ID),
    (url(job="k7m29xqu"), Reason.JOB_ID),
    (url(job="k7m29x%2F4"), Reason.JOB_ID),
    (url(job="١٢٣٤٥٦٧٨"), Reason.JOB_ID),
    (url("a.stl%"), Reason.ENCODING),
    (url("%zz.stl"), Reason.ENCODING),
    (url("%ff.stl"), Reason.ENCODING),
    (url("%c0%ae%c0%ae/a.stl"), Reason.ENCODING),
    (url("/etc/a.stl"), Reason.ABSOLUTE),
    (url("%2Fetc%2Fa.stl"), Reason.ABSOLUTE),
    (url("%5Cwindows%5Ca.stl"), Reason.ABSOLUTE),
    (url("~/a.stl"), Reason.ABSOLUTE),
    (url("//server/share/a.stl"), Reason.UNC),
    (url("%5C%5Cserver%5Cshare%5Ca.stl"), Reason.UNC),
    (url("%5C%5C%3F%5CC:%5Ca.stl"), Reason.UNC),
    (url("C:%5Ca.stl"), Reason.DRIVE),
    (url("c:a.stl"), Reason.DRIVE),
    (url("../a.stl"), Reason.PARENT),
    (url("original/../../a.stl"), Reason.PARENT),
    (url("..%5Ca.stl"), Reason.PARENT),
    (url("original/..%20/a.stl"), Reason.PARENT),
    (url(".."), Reason.PARENT),
    (url("original%5Ca.stl"), Reason.BACKSLASH),
    (url("a.exe:b.stl"), Reason.STREAM),
    (url("a.stl::$DATA"), Reason.STREAM),
    (url("NUL.stl"), Reason.DEVICE),
    (url("original/com1.x.stl"), Reason.DEVICE),
    (url("Aux .stl"), Reason.DEVICE),
    (url("COM%C2%B9.stl"), Reason.DEVICE),
    (url("CONOUT$.stl"), Reason.DEVICE),
    (url("a.stl."), Reason.NAME),
    (url("a.stl%20"), Reason.NAME),
    (url("original//a.stl"), Reason.NAME),
    (url("a%3Fb.stl"), Reason.NAME),
    (url("a%22b.stl"), Reason.NAME),
    (url("a%7Cb.stl"), Reason.NAME),
    (url("a/" * 9 + "a.stl"), Reason.NAME),
    (url("a" * 201 + ".stl"), Reason.NAME),
    (url("./a.stl"), Reason.NAME),
    (url(".hidden.stl"), Reason.HIDDEN),
    (url(".printsys/a.stl"), Reason.HIDDEN),
    (url("a.exe"), Reason.EXTENSION),
    (url("metadata.json"), Reason.EXTENSION),
    (url("stl"), Reason.EXTENSION),
    (url("a.stl.lnk"), Reason.EXTENSION),
    (url("a%252estl"), Reason.EXTENSION),
    (url("a%00.stl"), Reason.CONTROL),
    (url("a%0A.stl"), Reason.CONTROL),
    (url("a%C2%85.stl"), Reason.CONTROL),
    (url("a%E2%80%AElts.gcode"), Reason.CONTROL),
    (url("a\n.stl"), Reason.CONTROL),
    ("3d\tprint://open", Reason.CONTROL),
    (url("a\ud800.stl"), Reason.CONTROL),
    (url("a" * 3000), Reason.TOO_LONG),
]


@pytest.mark.parametrize(("link", "reason"), REFUSED)
def test_a_link_that_breaks_a_rule_is_refused_with_its_reason(link: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        parse(link)
    assert refused.value.reason is reason
    assert "{}" not in str(refused.value)


def test_every_refusal_has_a_sentence_of_its_own() -> None:
    sentences = [reason.value for reason in Reason.__members__.values()]
    assert len(set(sentences)) == len(Reason.__members__)
    assert all(sentence[0].isupper() or sentence.startswith(("“", "{")) for sentence in sentences)


def test_ids_and_names_follow_the_lab_s_own_rules() -> None:
    """The opener imports nothing of the project, so this test compares the two."""
    assert names.ID_LETTERS == naming.ID_ALPHABET
    assert names.ID_LENGTH == naming.ID_LENGTH
    for spelling in ("K7M29XQ4", "oil2345a", "k7m29xqu", "short", "k7m29xq4x", "ſ7m29xq4"):
        assert names.job_id(spelling) == naming.parse_id(spelling), spelling
    for device in naming.RESERVED:
        with pytest.raises(Refused) as refused:
            names.parts_of(f"{device}.stl")
        assert refused.value.reason is Reason.DEVICE


@given(st.text(max_size=40))
def test_every_name_that_the_lab_gives_a_file_can_be_opened(stem: str) -> None:
    name = naming.safe_file_name(stem + ".stl")
    assert parse(url("original/" + quote(name))).parts == ("original", name)


PIECES = st.sampled_from(
    [
        *("3dprint", "printsys", "://", "open", "?", "&", "=", "job", "file", JOB, "a.stl", "original", "#", "@", ";"),
        *("/", "//", "\\", "..", ".", "~", ":", "C:", "|", "NUL", "CON.stl", "LPT1", ".exe", "::$DATA", "BRACKE~1.STL"),
        *("%", "%2e", "%2F", "%5C", "%00", '"', "'", "$(id)", "`id`", "-", "--", "İ", "ß", "ﬀ"),
    ]
)
NOISE = st.one_of(PIECES, st.characters(), st.sampled_from(" \t\0\u202e\ud800\u00a0"))
TEXTS = st.one_of(
    st.text(),
    st.lists(NOISE, max_size=14).map("".join),
    st.lists(NOISE, max_size=8).map(lambda pieces: url("".join(pieces))),
    st.lists(NOISE, max_size=8).map(lambda pieces: url(quote("".join(pieces), safe="", errors="replace"))),
    st.lists(PIECES, max_size=6).map(lambda pieces: url("".join(pieces) + ".stl")),
    st.binary(max_size=40).map(lambda raw: url(quote(raw, safe="") + ".stl")),
)
"""Noise, shuffled pieces of links, and links whose file is noise: raw, percent-encoded, with a good ending."""


@settings(max_examples=5_000)
@given(TEXTS)
@example(url("original/bracket%20v2.stl"))
def test_whatever_a_link_holds_its_file_stays_in_the_folder(link: str) -> None:
    """On Windows too, by Python's own rules for Windows' paths."""
    try:
        request = parse(link)
    except Refused:
        return
    folder = "P:\\printlab\\Pending\\job"
    path = ntpath.normpath(ntpath.join(folder, *request.parts))
    assert path == "\\".join([folder, *request.parts])
    assert not PureWindowsPath(path).is_reserved() and ":" not in "".join(request.parts)
    assert request.extension in names.OPENABLE and path.lower().endswith(request.extension)
    assert path.isprintable() or not any(ord(letter) < 32 for letter in path)
