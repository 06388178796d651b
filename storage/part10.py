"""The DICOM file format at the door: one name for the header, the walk and the file meta. Holds no logic."""

from __future__ import annotations

from storage.header import INDEXED_KEYWORDS, NESTED_KEYWORDS, Header, PixelLayout, Span

__all__ = ["INDEXED_KEYWORDS", "NESTED_KEYWORDS", "Header", "PixelLayout", "Span"]
