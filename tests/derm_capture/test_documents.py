"""Documents of a case: what becomes of a PDF, what is refused in one, and other pictures."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    NameObject,
    TextStringObject,
)
from reportlab.pdfgen.canvas import Canvas

from casework.errors import Invalid
from derm_capture import validate
from derm_capture.context import Kind
from derm_capture.document_object import wrap_pdf
from derm_capture.pdf import DocumentLimits, is_pdf, open_pdf
from tests.derm_capture.pictures import jpeg, skin
from tests.derm_capture.wrapping import context, dciodvfy, read, wrapped


def pages(text: str = "Wound chart") -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.drawString(100, 700, text)
    canvas.linkURL("https://example.org/", (0, 0, 10, 10))
    canvas.save()
    return out.getvalue()


def changed(change: str) -> bytes:
    """Return a PDF with something in it that acts."""
    writer = PdfWriter(clone_from=io.BytesIO(pages()))
    root = writer.root_object
    match change:
        case "javascript":
            script = DictionaryObject(
                {
                    NameObject("/S"): NameObject("/JavaScript"),
                    NameObject("/JS"): TextStringObject("x"),
                }
            )
            root[NameObject("/OpenAction")] = writer._add_object(script)
        case "attachment":
            writer.add_attachment("x.exe", b"MZ")
        case "encrypted":
            writer.encrypt("secret", algorithm="RC4-128")
        case "launch":
            root[NameObject("/OpenAction")] = DictionaryObject(
                {NameObject("/S"): NameObject("/Launch"), NameObject("/F"): TextStringObject("x")}
            )
        case "xfa":
            root[NameObject("/AcroForm")] = DictionaryObject({NameObject("/XFA"): ArrayObject()})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def packed_objects(inner: bytes, filters: bytes = b"/Filter /FlateDecode") -> bytes:
    """Return a PDF one of whose objects is a stream of objects."""
    body = zlib.compress(inner) if b"Flate" in filters else inner
    head = b"9 0 obj\n<< /Type /ObjStm /N 1 /First 4 %b /Length %d >>\n" % (filters, len(body))
    stream = head + b"stream\n" + body + b"\nendstream\n"
    return pages().replace(b"xref", stream + b"endobj\nxref", 1)


def code_of(data: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        open_pdf(data)
    assert caught.value.message.endswith(".")
    return caught.value.code


def test_ordinary_document_stays_as_it_is() -> None:
    data = pages()
    assert open_pdf(data).rstrip(b"\n") == data.rstrip(b"\r\n")
    assert open_pdf(data + b"\0" * 20 + b"hidden") == open_pdf(data)
    assert open_pdf(packed_objects(b"1 0 << /Type /Catalog >>"))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (changed("javascript"), "document-active"),
        (changed("attachment"), "document-active"),
        (changed("launch"), "document-active"),
        (changed("xfa"), "document-active"),
        (changed("launch").replace(b"/Launch", b"/L#61unch"), "document-active"),
        (changed("encrypted"), "document-encrypted"),
        (packed_objects(b"1 0 << /S /JavaScript /JS (x) >>"), "document-active"),
        (packed_objects(b"1 0 << /S /#4aS >>"), "document-active"),
        (packed_objects(b"1 0 << /JS (x) >>", b""), "document-active"),
        (packed_objects(b"1 0", b"/Filter [/ASCIIHexDecode /FlateDecode]"), "document-unusual"),
        (packed_objects(b"1 0", b"/Filter /LZWDecode"), "document-unusual"),
        (pages()[:-200], "truncated-document"),
        (b"junk " + pages(), "damaged-document"),
        (b"", "damaged-document"),
    ],
)
def test_document_that_acts_or_is_not_whole_is_refused(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_large_document_is_refused() -> None:
    with pytest.raises(Invalid, match="is the most"):
        open_pdf(pages(), limits=DocumentLimits(max_bytes=100))


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10**5), text=st.binary(max_size=12), end=st.integers(0, 10**5))
def test_broken_document_is_opened_or_refused(at: int, text: bytes, end: int) -> None:
    data = bytearray(packed_objects(b"1 0 << /Type /Catalog >>"))
    data[at % len(data) : at % len(data) + len(text)] = text
    try:
        opened = open_pdf(bytes(data[: end % (2 * len(data))]))
    except Invalid:
        return
    assert is_pdf(opened)


def test_object_of_a_document_holds_its_bytes_and_its_title() -> None:
    document = open_pdf(pages())
    made = wrap_pdf(document, context(kind=Kind.OTHER, site_code="", title="Wound chart, week 3"))
    ds = read(made)
    assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength] == document
    assert ds.DocumentTitle == ds.SeriesDescription == "Wound chart, week 3"
    assert (ds.BurnedInAnnotation, ds.Modality) == ("YES", "DOC")
    assert ds.StudyInstanceUID == "2.25.1000"
    again = wrap_pdf(document, context(kind=Kind.OTHER, site_code="", title="Wound chart, week 3"))
    assert again.part10 == made.part10


def test_other_picture_names_no_part_of_the_body() -> None:
    made = wrapped(jpeg(skin()), kind=Kind.OTHER, site_code="", title="Pill box")
    ds = read(made)
    assert list(ds.ImageType)[3] == "OTHER"
    assert ds.SeriesDescription == "Pill box"
    assert ds.ImageLaterality == "U"
    for keyword in ("AnatomicRegionSequence", "BodyPartExamined", "TrackingUID"):
        assert keyword not in ds
    assert validate.check(made.part10) == ()


@pytest.mark.peers
def test_checker_finds_no_error_in_attachments(tmp_path: Path) -> None:
    documents = context(kind=Kind.OTHER, site_code="", title="Wound chart æøå")
    document = wrap_pdf(open_pdf(pages()), documents)
    picture = wrapped(jpeg(skin()), kind=Kind.OTHER, site_code="", title="Pill box")
    for made in (document, picture):
        assert not [line for line in dciodvfy(made, tmp_path) if line.startswith("Error")]
    assert pydicom.dcmread(tmp_path / "object.dcm").Modality == "XC"
