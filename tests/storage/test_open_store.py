"""Which store a setting names."""

from __future__ import annotations

from pathlib import Path

import pytest

from casework.errors import Invalid
from storage.objects import FolderStore, MemoryStore, open_store


def test_a_setting_names_a_folder_or_memory(tmp_path: Path) -> None:
    default = open_store("", tmp_path)
    named = open_store(str(tmp_path / "other"), tmp_path)
    assert isinstance(default, FolderStore)
    assert default.folder == tmp_path / "store"
    assert isinstance(named, FolderStore)
    assert named.folder == tmp_path / "other"
    assert isinstance(open_store("memory:", tmp_path), MemoryStore)


def test_an_unknown_kind_of_store_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="LYSBRO_STORE: ftp://"):
        open_store("ftp://somewhere", tmp_path)
