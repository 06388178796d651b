"""Takes photographs in: decodes, orients, strips, judges and wraps them as DICOM objects."""

VERSION = "0.1.0"
"""Of the capture software, as the objects that it makes say it."""
