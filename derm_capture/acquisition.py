"""Codes the clinical answers of a referral that belong to the picture itself (PS3.16 TID 8300)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from derm_capture.anatomy import Code
from derm_capture.context import ContextItem

_SKIN_TYPE = Code("443635002", "SCT", "Fitzpatrick classification of skin type")
_SAID = Code("418799008", "SCT", "Finding reported by subject or history provider")

_SKIN_TYPES: Mapping[str, Code] = MappingProxyType(
    {
        str(number): Code(f"C{74568 + number}", "NCIt", f"Fitzpatrick Skin Type {roman}")
        for number, roman in enumerate(("I", "II", "III", "IV", "V", "VI"), start=1)
    }
)
"""CID 4401; C74569 to C74574 are codes of the NCI Thesaurus."""

_SYMPTOMS: Mapping[str, Code] = MappingProxyType(
    {
        "bleeding": Code("297968009", "SCT", "Bleeding skin"),
        "itch": Code("418363000", "SCT", "Itching"),
        "pain": Code("403598008", "SCT", "Painful skin"),
    }
)
"""CID 4406."""
_CHANGED = Code("162499001", "SCT", "Symptom has changed")


def items_of(clinical: Mapping[str, Any]) -> tuple[ContextItem, ...]:
    """Return what a referral's answers say of the skin at the time, as far as the standard has
    codes for it.
    """
    items = []
    skin_type = _SKIN_TYPES.get(str(clinical.get("skin_type", "")))
    if skin_type is not None:
        items.append(ContextItem(_SKIN_TYPE, skin_type))
    symptoms = set(_texts(clinical.get("symptoms")))
    items += [ContextItem(_SAID, code) for name, code in _SYMPTOMS.items() if name in symptoms]
    if set(_texts(clinical.get("evolution"))) - {"none"}:
        items.append(ContextItem(_SAID, _CHANGED))
    return tuple(items)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return (
        (each for each in value if isinstance(each, str)) if isinstance(value, list | tuple) else ()
    )
