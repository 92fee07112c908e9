"""What a link may ask for."""

from __future__ import annotations

import ntpath
from pathlib import PureWindowsPath
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opener import names
from opener.refusals import Refused, Why
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
    ("", Why.SCHEME),
    ("part.stl", Why.SCHEME),
    ("https://example.edu/?job=k7m29xq4&file=a.stl", Why.SCHEME),
    ("file:///etc/passwd", Why.SCHEME),
    (" " + url(), Why.SCHEME),
    (f"3dprint://delete?job={JOB}&file=a.stl", Why.VERB),
    (f"3dprint://open/../x?job={JOB}&file=a.stl", Why.VERB),
    (f"3dprint:////open?job={JOB}&file=a.stl", Why.VERB),
    (f"3dprint://me@open?job={JOB}&file=a.stl", Why.VERB),
    ("3dprint://open", Why.MISSING),
    (f"3dprint://open?job={JOB}", Why.MISSING),
    ("3dprint://open?file=a.stl", Why.MISSING),
    (f"3dprint://open?job={JOB}&file=", Why.MISSING),
    (url() + "&file=b.stl", Why.DOUBLED),
    (url() + f"&job={JOB}", Why.DOUBLED),
    (url() + "&printer=x", Why.UNKNOWN_PARAMETER),
    (url() + "&", Why.UNKNOWN_PARAMETER),
    (f"3dprint://open?JOB={JOB}&file=a.stl", Why.UNKNOWN_PARAMETER),
    (url(job="k7m29xq"), Why.JOB_ID),
    (url(job="k7m29xqu"), Why.JOB_ID),
    (url(job="k7m29x%2F4"), Why.JOB_ID),
    (url(job="١٢٣٤٥٦٧٨"), Why.JOB_ID),
    (url("a.stl%"), Why.ENCODING),
    (url("%zz.stl"), Why.ENCODING),
    (url("%ff.stl"), Why.ENCODING),
    (url("%c0%ae%c0%ae/a.stl"), Why.ENCODING),
    (url("/etc/a.stl"), Why.ABSOLUTE),
    (url("%2Fetc%2Fa.stl"), Why.ABSOLUTE),
    (url("%5Cwindows%5Ca.stl"), Why.ABSOLUTE),
    (url("~/a.stl"), Why.ABSOLUTE),
    (url("//server/share/a.stl"), Why.UNC),
    (url("%5C%5Cserver%5Cshare%5Ca.stl"), Why.UNC),
    (url("%5C%5C%3F%5CC:%5Ca.stl"), Why.UNC),
    (url("C:%5Ca.stl"), Why.DRIVE),
    (url("c:a.stl"), Why.DRIVE),
    (url("../a.stl"), Why.PARENT),
    (url("original/../../a.stl"), Why.PARENT),
    (url("..%5Ca.stl"), Why.PARENT),
    (url("original/..%20/a.stl"), Why.PARENT),
    (url(".."), Why.PARENT),
    (url("original%5Ca.stl"), Why.BACKSLASH),
    (url("a.exe:b.stl"), Why.STREAM),
    (url("a.stl::$DATA"), Why.STREAM),
    (url("NUL.stl"), Why.DEVICE),
    (url("original/com1.x.stl"), Why.DEVICE),
    (url("Aux .stl"), Why.DEVICE),
    (url("COM%C2%B9.stl"), Why.DEVICE),
    (url("CONOUT$.stl"), Why.DEVICE),
    (url("a.stl."), Why.NAME),
    (url("a.stl%20"), Why.NAME),
    (url("original//a.stl"), Why.NAME),
    (url("a%3Fb.stl"), Why.NAME),
    (url("a%22b.stl"), Why.NAME),
    (url("a%7Cb.stl"), Why.NAME),
    (url("a/" * 9 + "a.stl"), Why.NAME),
    (url("a" * 201 + ".stl"), Why.NAME),
    (url("./a.stl"), Why.NAME),
    (url(".hidden.stl"), Why.HIDDEN),
    (url(".printsys/a.stl"), Why.HIDDEN),
    (url("a.exe"), Why.EXTENSION),
    (url("metadata.json"), Why.EXTENSION),
    (url("stl"), Why.EXTENSION),
    (url("a.stl.lnk"), Why.EXTENSION),
    (url("a%252estl"), Why.EXTENSION),
    (url("a%00.stl"), Why.CONTROL),
    (url("a%0A.stl"), Why.CONTROL),
    (url("a%C2%85.stl"), Why.CONTROL),
    (url("a%E2%80%AElts.gcode"), Why.CONTROL),
    (url("a\n.stl"), Why.CONTROL),
    ("3d\tprint://open", Why.CONTROL),
    (url("a\ud800.stl"), Why.CONTROL),
    (url("a" * 3000), Why.TOO_LONG),
]


@pytest.mark.parametrize(("link", "why"), REFUSED)
def test_a_link_that_asks_for_more_is_refused_with_its_reason(link: str, why: Why) -> None:
    with pytest.raises(Refused) as refused:
        parse(link)
    assert refused.value.why is why
    assert "{}" not in str(refused.value)


def test_every_refusal_has_a_sentence_of_its_own() -> None:
    sentences = [why.value for why in Why.__members__.values()]
    assert len(set(sentences)) == len(Why.__members__)
    assert all(sentence[0].isupper() or sentence.startswith(("“", "{")) for sentence in sentences)


def test_ids_and_names_follow_the_lab_s_own_rules() -> None:
    """The opener imports nothing of the project, so the two must be seen to agree."""
    assert names.ID_LETTERS == naming.ID_ALPHABET
    assert names.ID_LENGTH == naming.ID_LENGTH
    for said in ("K7M29XQ4", "oil2345a", "k7m29xqu", "short", "k7m29xq4x", "ſ7m29xq4"):
        assert names.job_id(said) == naming.parse_id(said), said
    for device in naming.RESERVED:
        with pytest.raises(Refused) as refused:
            names.parts_of(f"{device}.stl")
        assert refused.value.why is Why.DEVICE


@given(st.text(max_size=40))
def test_every_name_that_the_lab_gives_a_file_can_be_opened(said: str) -> None:
    name = naming.safe_file_name(said + ".stl")
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
    st.lists(NOISE, max_size=8).map(lambda some: url("".join(some))),
    st.lists(NOISE, max_size=8).map(lambda some: url(quote("".join(some), safe="", errors="replace"))),
    st.lists(PIECES, max_size=6).map(lambda some: url("".join(some) + ".stl")),
    st.binary(max_size=40).map(lambda raw: url(quote(raw, safe="") + ".stl")),
)
"""Noise, shuffled pieces of links, and links whose file is noise: raw, percent-encoded, with a good ending."""


@settings(max_examples=20_000)
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
