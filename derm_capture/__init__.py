"""Takes photographs in: decodes, orients, strips, judges and wraps them as DICOM objects."""
