"""Builders of what lies over images: overlays, states, segments, contours, frames in space."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

STUDY = "1.2.826.0.1.39"
GSPS, SEG, RTSTRUCT = (f"1.2.840.10008.5.1.4.1.1.{arc}" for arc in ("11.1", "66.4", "481.3"))
SPACE = STUDY + ".9"
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
ROWS, COLUMNS = 32, 48


def item(**elements: Any) -> Dataset:
    """Return an item with these elements; lists of items become sequences."""
    made = Dataset()
    for keyword, value in elements.items():
        is_items = isinstance(value, list) and value and isinstance(value[0], Dataset)
        setattr(made, keyword, Sequence(value) if is_items else value)
    return made


def code(value: str, meaning: str) -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)]


def image(number: int, **more: Any) -> dict[str, Any]:
    """Return the attributes of a slice at 2 mm times its number."""
    values = (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) + number).astype(np.int16)
    return {
        "SOPInstanceUID": f"{STUDY}.1.{number}",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": f"{STUDY}.1",
        "InstanceNumber": number,
        "FrameOfReferenceUID": SPACE,
        "Rows": ROWS,
        "Columns": COLUMNS,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": values.tobytes(),
        "PixelSpacing": [0.5, 0.5],
        "SliceThickness": 2.0,
        "ImagePositionPatient": [-10.0, -20.0, 2.0 * number],
        "ImageOrientationPatient": AXIAL,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "WindowCenter": 40,
        "WindowWidth": 400,
        **more,
    }


def overlay_bits() -> np.ndarray:
    """Return a bitmap of 10 rows and 13 columns, which does not end at a whole byte."""
    return (np.arange(130).reshape(10, 13) % 3 == 0).astype(np.uint8)


def with_overlay(ds: Dataset, bits: np.ndarray, *, origin: tuple[int, int] = (3, 5)) -> Dataset:
    """Put an overlay into an object, at a row and a column from 1."""
    group = 0x6000
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    for element, vr, value in (
        (0x0010, "US", bits.shape[-2]),
        (0x0011, "US", bits.shape[-1]),
        (0x0040, "CS", "G"),
        (0x0050, "SS", list(origin)),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x1500, "LO", "Contour"),
        (0x3000, "OW", packed + b"\0" * (len(packed) % 2)),
    ):
        ds.add_new((group, element), vr, value)
    if bits.ndim == 3:
        ds.add_new((group, 0x0015), "IS", bits.shape[0])
    return ds


def references(*numbers: int, study: str = STUDY) -> list[Dataset]:
    return [
        item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2",
             ReferencedSOPInstanceUID=f"{study}.1.{n}")
        for n in numbers
    ]  # fmt: skip


def state(**more: Any) -> Dataset:
    """Return a grayscale presentation state over slices 1 and 2."""
    series = item(SeriesInstanceUID=f"{STUDY}.1", ReferencedImageSequence=references(1, 2))
    told: dict[str, Any] = {
        "SOPClassUID": GSPS,
        "ContentLabel": "LUNG",
        "ContentDescription": "As read",
        "ContentCreatorName": "Berg^Kari",
        "PresentationCreationDate": "20261128",
        "ReferencedSeriesSequence": [series],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "SoftcopyVOILUTSequence": [
            item(ReferencedImageSequence=references(1), WindowCenter=-600, WindowWidth=1500),
            item(WindowCenter=50, WindowWidth=350, VOILUTFunction="SIGMOID"),
        ],
        "PresentationLUTShape": "INVERSE",
        "DisplayedAreaSelectionSequence": [
            item(
                DisplayedAreaTopLeftHandCorner=[9, 5],
                DisplayedAreaBottomRightHandCorner=[40, 28],
                PresentationSizeMode="SCALE TO FIT",
                PresentationPixelSpacing=[0.5, 0.5],
            )
        ],
        "ImageRotation": 90,
        "ImageHorizontalFlip": "Y",
        "ShutterShape": ["RECTANGULAR", "CIRCULAR"],
        "ShutterLeftVerticalEdge": 5,
        "ShutterRightVerticalEdge": 44,
        "ShutterUpperHorizontalEdge": 3,
        "ShutterLowerHorizontalEdge": 30,
        "CenterOfCircularShutter": [16, 24],
        "RadiusOfCircularShutter": 14,
        "ShutterPresentationValue": 65535,
        "GraphicLayerSequence": [
            item(
                GraphicLayer="NOTES",
                GraphicLayerOrder=1,
                GraphicLayerRecommendedDisplayCIELabValue=[34885, 53485, 50171],
            )
        ],
        "GraphicAnnotationSequence": [
            item(
                GraphicLayer="NOTES",
                ReferencedImageSequence=references(1),
                GraphicObjectSequence=[
                    graphic("POLYLINE", [8.0, 6.0, 20.0, 6.0, 20.0, 20.0]),
                    graphic("CIRCLE", [24.0, 16.0, 30.0, 16.0]),
                ],
                TextObjectSequence=[
                    item(
                        UnformattedTextValue="Nodule\r\nsecond line",
                        AnchorPoint=[20.0, 6.0],
                        AnchorPointVisibility="Y",
                        AnchorPointAnnotationUnits="PIXEL",
                        BoundingBoxAnnotationUnits="DISPLAY",
                        BoundingBoxTopLeftHandCorner=[0.1, 0.1],
                        BoundingBoxBottomRightHandCorner=[0.5, 0.2],
                        BoundingBoxTextHorizontalJustification="CENTER",
                    )
                ],
            )
        ],
    }
    return item(**(told | more))


def graphic(kind: str, points: list[float], units: str = "PIXEL") -> Dataset:
    return item(
        GraphicAnnotationUnits=units,
        GraphicDimensions=2,
        NumberOfGraphicPoints=len(points) // 2,
        GraphicData=points,
        GraphicType=kind,
        GraphicFilled="N",
    )


def segmentation(
    *, by_reference: bool, size: tuple[int, int] = (ROWS, COLUMNS), **more: Any
) -> tuple[Dataset, np.ndarray]:
    """Return a binary segmentation of two segments on slices 1 and 2, and its frames."""
    frames = np.zeros((3, *size), np.uint8)
    frames[0, 2:8, 3:9] = 1
    frames[1, 10:14, 20:30] = 1
    frames[2, 2:8, 30:40] = 1
    spacing = [0.5 * ROWS / size[0], 0.5 * COLUMNS / size[1]]
    corner = [-10.0 + (spacing[1] - 0.5) / 2, -20.0 + (spacing[0] - 0.5) / 2]
    groups = []
    for segment, number in ((1, 1), (1, 2), (2, 2)):
        elements: dict[str, Any] = {
            "SegmentIdentificationSequence": [item(ReferencedSegmentNumber=segment)],
            "PlanePositionSequence": [item(ImagePositionPatient=[*corner, 2.0 * number])],
        }
        if by_reference:
            source = item(SourceImageSequence=references(number))
            elements["DerivationImageSequence"] = [source]
        groups.append(item(**elements))
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=AXIAL)],
        PixelMeasuresSequence=[item(PixelSpacing=spacing, SliceThickness=2.0)],
    )
    segments = [
        item(
            SegmentNumber=number,
            SegmentLabel=label,
            SegmentAlgorithmType="MANUAL",
            SegmentedPropertyTypeCodeSequence=code("1", kind),
            **({"RecommendedDisplayCIELabValue": lab} if lab else {}),
        )
        for number, label, kind, lab in (
            (1, "Liver", "Liver", [34885, 53485, 50171]),
            (2, "Lesion", "Neoplasm", None),
        )
    ]
    packed = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    told: dict[str, Any] = {
        "SOPClassUID": SEG,
        "Modality": "SEG",
        "SOPInstanceUID": f"{STUDY}.3.1",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": f"{STUDY}.3",
        "SeriesDescription": "Segments",
        "FrameOfReferenceUID": SPACE,
        "SegmentationType": "BINARY",
        "NumberOfFrames": 3,
        "Rows": size[0],
        "Columns": size[1],
        "BitsAllocated": 1,
        "BitsStored": 1,
        "HighBit": 0,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "SegmentSequence": segments,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": groups,
        "PixelData": packed + b"\0" * (len(packed) % 2),
    }
    return item(**(told | more)), frames


def structure_set() -> Dataset:
    """Return a structure set with one square on slice 2 and a point on slice 1."""
    square = [-8.0, -18.0, 4.0, -3.0, -18.0, 4.0, -3.0, -13.0, 4.0, -8.0, -13.0, 4.0]
    return item(
        SOPClassUID=RTSTRUCT,
        Modality="RTSTRUCT",
        SOPInstanceUID=f"{STUDY}.4.1",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{STUDY}.4",
        StructureSetLabel="Plan",
        FrameOfReferenceUID=SPACE,
        StructureSetROISequence=[item(ROINumber=1, ROIName="GTV")],
        RTROIObservationsSequence=[
            item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="GTV")
        ],
        ROIContourSequence=[
            item(
                ReferencedROINumber=1,
                ROIDisplayColor=[255, 0, 0],
                ContourSequence=[
                    item(
                        ContourGeometricType="CLOSED_PLANAR",
                        NumberOfContourPoints=4,
                        ContourData=square,
                    ),
                    item(
                        ContourGeometricType="POINT",
                        NumberOfContourPoints=1,
                        ContourData=[0.0, 0.0, 2.0],
                    ),
                ],
            )
        ],
    )


def plain(ds: Dataset) -> dict[str, Any]:
    """Return the elements of a data set by their keywords, for `World.store`."""
    return {element.keyword: element.value for element in ds if element.keyword}
