"""Speaks DICOM with modalities and archives: receives, answers queries, sends."""
