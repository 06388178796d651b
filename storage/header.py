"""The values that a walk over a data set yields: what the index keeps of it. Parses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Span = tuple[int, int]
"""Offset and length in bytes."""


@dataclass(frozen=True)
class PixelLayout:
    """Where the pixel data lies; offsets count from the first byte of the (inflated) data set."""

    offset: int  # first byte of the value; for encapsulated data of its first item
    length: int  # bytes of the value; for encapsulated data without the sequence delimiter
    encapsulated: bool
    frames: int
    frame_table: tuple[tuple[Span, ...], ...] | None = None
    """For each frame of encapsulated data the spans of its fragments; None when not told apart."""

    def as_json(self) -> dict[str, Any]:
        """Return the layout as plain values for a JSON column."""
        table = None if self.frame_table is None else [list(map(list, f)) for f in self.frame_table]
        return {
            "offset": self.offset,
            "length": self.length,
            "encapsulated": self.encapsulated,
            "frames": self.frames,
            "frame_table": table,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PixelLayout:
        """Return the layout that `as_json` described."""
        table = value["frame_table"]
        return cls(
            offset=value["offset"],
            length=value["length"],
            encapsulated=value["encapsulated"],
            frames=value["frames"],
            frame_table=None
            if table is None
            else tuple(tuple((int(o), int(n)) for o, n in spans) for spans in table),
        )


@dataclass(frozen=True)
class Header:
    """What is known of an object after the bounded walk over its data set.

    `attributes` maps DICOM keywords to plain values: str, int, float, a list of them when the
    element has several values, and a list of such mappings for a sequence. Empty ones are left out.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    pixel: PixelLayout | None = None
    warnings: tuple[str, ...] = ()


NESTED_KEYWORDS: Mapping[str, frozenset[str]] = {
    "RequestAttributesSequence": frozenset(
        {
            "RequestedProcedureID",
            "RequestedProcedureDescription",
            "ScheduledProcedureStepID",
            "ScheduledProcedureStepDescription",
            "AccessionNumber",
            "StudyInstanceUID",
            "ReasonForTheRequestedProcedure",
            "RequestedProcedurePriority",
            "StudyPriorityID",
        }
    ),
    "AnatomicRegionSequence": frozenset({"CodeValue", "CodingSchemeDesignator", "CodeMeaning"}),
    "SequenceOfUltrasoundRegions": frozenset(
        {
            "RegionSpatialFormat",
            "RegionDataType",
            "RegionFlags",
            "RegionLocationMinX0",
            "RegionLocationMinY0",
            "RegionLocationMaxX1",
            "RegionLocationMaxY1",
            "PhysicalUnitsXDirection",
            "PhysicalUnitsYDirection",
            "PhysicalDeltaX",
            "PhysicalDeltaY",
            "ReferencePixelX0",
            "ReferencePixelY0",
        }
    ),
}
"""Sequences that the index keeps, each with the elements of its items that are kept."""

INDEXED_KEYWORDS: frozenset[str] = frozenset(NESTED_KEYWORDS) | frozenset(
    [
        "PatientID",
        "IssuerOfPatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "PatientAge",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "StudyID",
        "StudyDescription",
        "ReferringPhysicianName",
        "NameOfPhysiciansReadingStudy",
        "InstitutionName",
        "ReasonForStudy",
        "RequestedProcedurePriority",
        "StudyPriorityID",
        "RequestedProcedureDescription",
        "ReasonForTheRequestedProcedure",
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "BodyPartExamined",
        "Laterality",
        "ProtocolName",
        "SeriesDate",
        "SeriesTime",
        "StationName",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "Manufacturer",
        "PatientPosition",
        "InstanceNumber",
        "ContentDate",
        "ContentTime",
        "AcquisitionDateTime",
        "Rows",
        "Columns",
        "NumberOfFrames",
        "NumberOfStudyRelatedInstances",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "WindowCenter",
        "WindowWidth",
        "WindowCenterWidthExplanation",
        "VOILUTFunction",
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "PixelSpacingCalibrationType",
        "PixelAspectRatio",
        "PixelPaddingValue",
        "PresentationLUTShape",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "SliceThickness",
        "SpacingBetweenSlices",
        "SliceLocation",
        "FrameOfReferenceUID",
        "ImageType",
        "LossyImageCompression",
        "LossyImageCompressionRatio",
        "LossyImageCompressionMethod",
        "ImageLaterality",
        "ViewPosition",
        "FrameTime",
        "CineRate",
        "RecommendedDisplayFrameRate",
        "DocumentTitle",
        "MIMETypeOfEncapsulatedDocument",
        "BurnedInAnnotation",
        "RecognizableVisualFeatures",
        "TrackingUID",
        "TrackingID",
        "SpecificCharacterSet",
        "TimezoneOffsetFromUTC",
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
    ]
)
"""Keywords of the elements that the index keeps of an object's top level."""

_OVERLAY_ROWS = {(0x6000 + 2 * i) << 16 | 0x0010: ("OverlayRows", "US") for i in range(16)}
NOTED_TAGS: Mapping[int, tuple[str, str]] = _OVERLAY_ROWS | {
    0x00181065: ("FrameTimeVector", "DS"),
    0x00181600: ("ShutterShape", "CS"),
    0x00280121: ("PixelPaddingRangeLimit", "US or SS"),
    0x00281101: ("RedPaletteColorLookupTableDescriptor", "US"),
    0x00283000: ("ModalityLUTSequence", "SQ"),
    0x00283010: ("VOILUTSequence", "SQ"),
    0x00409096: ("RealWorldValueMappingSequence", "SQ"),
}
"""Elements that the index notes so that no header is opened in vain; of sequences only that they
are there. No query asks for them, and objects that came earlier lack them."""
