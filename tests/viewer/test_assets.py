"""The tags that a page gets for its built script."""

from __future__ import annotations

from viewer.assets import entries_of

MANIFEST = {
    "src/entries/reading.ts": {
        "file": "assets/reading-1.js", "isEntry": True, "css": ["assets/reading-2.css"],
        "imports": ["_keys-3.js", "_dom-4.js"], "dynamicImports": ["src/reading/photos.ts"],
    },
    "_keys-3.js": {"file": "assets/keys-3.js", "imports": ["_dom-4.js"], "css": ["assets/k.css"]},
    "_dom-4.js": {"file": "assets/dom-4.js"},
    "src/reading/photos.ts": {"file": "assets/photos-5.js"},
}  # fmt: skip


def test_a_script_comes_with_what_it_imports_and_without_what_it_may_fetch_later() -> None:
    (entry,) = entries_of(MANIFEST).values()
    assert entry.script == "assets/reading-1.js"
    assert entry.imported == ("assets/keys-3.js", "assets/dom-4.js")
    assert set(entry.styles) == {"assets/reading-2.css", "assets/k.css"}
