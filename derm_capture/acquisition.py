"""Codes the clinical answers of a referral that belong to the picture itself (PS3.16 TID 8300).

Which answers there are is decided in `casework.questions`; what has no code stays in the referral.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from types import MappingProxyType
from typing import Any

from derm_capture.anatomy import Code
from derm_capture.context import ContextItem, Counted

_Codes = Mapping[str, Code]


def _sct(**codes: tuple[str, str]) -> _Codes:
    """Return codes of SNOMED CT by the answer that they code."""
    return MappingProxyType(
        {
            name.replace("_", "-"): Code(value, "SCT", words)
            for name, (value, words) in codes.items()
        }
    )


_SKIN_TYPE = Code("443635002", "SCT", "Fitzpatrick classification of skin type")
_SAID = Code("418799008", "SCT", "Finding reported by subject or history provider")
_MELANOMA = Code("161432005", "SCT", "History of malignant melanoma")
_IN_SITU = Code("1251000119106", "SCT", "History of melanoma in situ of skin")
_NON_MELANOMA = Code("130482", "DCM", "History of non-melanoma skin cancer")
_DISORDER = Code("95320005", "SCT", "Disorder of skin")
_PALPATED = Code("118242002", "SCT", "Finding by palpation")
_SEEN = Code("118243007", "SCT", "Finding by inspection")
_PROCEDURE = Code("416940007", "SCT", "Past history of procedure")
_TOPICAL = Code("386439008", "SCT", "Skin care: topical treatments")
_COLOUR = Code("130832", "DCM", "Skin lesion color")
_MELANOMAS = Code("130483", "DCM", "Number of malignant melanomas")
_IN_SITUS = Code("130484", "DCM", "Number of melanomas in situ")
_RELATIVES = Code(
    "130487", "DCM", "Number of first-degree relatives affected by malignant melanoma"
)
_YES, _NO = Code("373066001", "SCT", "Yes"), Code("373067005", "SCT", "No")  # CID 230

_SKIN_TYPES: _Codes = MappingProxyType(
    {
        str(number): Code(f"C{74568 + number}", "NCIt", f"Fitzpatrick Skin Type {roman}")
        for number, roman in enumerate(("I", "II", "III", "IV", "V", "VI"), start=1)
    }
)
"""CID 4401; C74569 to C74574 are codes of the NCI Thesaurus."""
_MELANOMA_KINDS = _sct(melanoma=("161432005", "History of malignant melanoma"))  # CID 4402
_IN_SITU_KINDS = _sct(  # CID 4403
    melanoma_in_situ=("1251000119106", "History of melanoma in situ of the skin")
)
_NON_MELANOMA_KINDS = _sct(  # CID 4404
    basal_cell=("428053000", "History of malignant basal cell neoplasm of skin"),
    squamous_cell=("429024007", "History of squamous cell carcinoma of skin"),
    other=("443895001", "History of malignant neoplasm of skin excluding melanoma"),
)
_DISORDERS = _sct(  # CID 4405
    actinic_keratosis=("201101007", "Actinic keratosis"),
    atopic_dermatitis=("24079001", "Atopic dermatitis"),
    eczema=("43116000", "Eczema"),
    psoriasis=("9014002", "Psoriasis"),
    rosacea=("398909004", "Rosacea"),
    lupus=("200936003", "Lupus erythematosus"),
    sun_damage=("43982006", "Solar degeneration"),
    atypical_moles=("254819008", "Atypical mole syndrome"),
    gorlin=("69408002", "Gorlin syndrome"),
)
_SYMPTOMS = _sct(  # CID 4406
    bleeding=("297968009", "Bleeding skin"),
    itch=("418363000", "Itching"),
    pain=("403598008", "Painful skin"),
    redness=("247441003", "Erythema"),
    peeling=("271767006", "Peeling"),
)
_CHANGED = Code("162499001", "SCT", "Symptom has changed")
_FELT: _Codes = MappingProxyType(  # CID 4407
    {
        "raised": Code("130486", "DCM", "Raised skin lesion"),
        "firm": Code("130485", "DCM", "Firm skin lesion"),
        "mobile": Code("C2071496", "UMLS", "Mobile skin lesion"),
    }
)
_LOOKS = _sct(  # CID 4408
    redness=("247441003", "Erythema"),
    bleeding=("297968009", "Bleeding skin"),
)
_PROCEDURES = _sct(  # CID 4409
    biopsy=("240977001", "Biopsy of skin"),
    excision=("440258006", "Excision of skin"),
    cryotherapy=("302396003", "Cryotherapy to skin lesion"),
    photodynamic=("428604001", "Photodynamic therapy of skin"),
    laser=("445907001", "Laser procedure on skin"),
    radiofrequency=("879916008", "Radiofrequency ablation"),
    topical_chemotherapy=("24977001", "Topical chemotherapy for malignant neoplasm"),
)
_TOPICALS = _sct(  # CID 4410
    steroid=("116566001", "Steroid"),
    antibiotic=("255631004", "Antibiotic"),
    antifungal=("373219008", "Antifungal"),
    immunomodulator=("372558009", "Immunomodulator"),
    retinoid=("387305002", "Tretinoin"),
    keratolytic=("280906005", "Keratolytic agent"),
    cytotoxic=("373526007", "Cytotoxic agent"),
)
_COLOURS = _sct(  # CID 4411
    black=("371252007", "Black"),
    blue=("405738005", "Blue"),
    brown=("371254008", "Brown"),
    grey=("371253002", "Gray"),
    orange=("371242008", "Orange"),
    pink=("371243003", "Pink"),
    purple=("371250004", "Purple"),
    red=("371240000", "Red"),
    white=("371251000", "White"),
    yellow=("371244009", "Yellow"),
)
_FAMILY: _Codes = MappingProxyType(
    {
        "melanoma": Code("427858005", "SCT", "Family history of malignant melanoma"),
        "melanoma-in-situ": Code("130481", "DCM", "Family history of melanoma in situ"),
        "non-melanoma": Code("130480", "DCM", "Family history of non-melanoma skin cancer"),
    }
)
"""Each is a question of its own, answered with yes or no."""

_CODED: tuple[tuple[str, Code, _Codes, int], ...] = (
    ("skin_type", _SKIN_TYPE, _SKIN_TYPES, 4401),
    ("own_skin_cancer_kinds", _MELANOMA, _MELANOMA_KINDS, 4402),
    ("own_skin_cancer_kinds", _IN_SITU, _IN_SITU_KINDS, 4403),
    ("own_skin_cancer_kinds", _NON_MELANOMA, _NON_MELANOMA_KINDS, 4404),
    ("skin_disorders", _DISORDER, _DISORDERS, 4405),
    ("symptoms", _SAID, _SYMPTOMS, 4406),
    ("palpation", _PALPATED, _FELT, 4407),
    ("looks", _SEEN, _LOOKS, 4408),
    ("procedures", _PROCEDURE, _PROCEDURES, 4409),
    ("topical", _TOPICAL, _TOPICALS, 4410),
    ("colours", _COLOUR, _COLOURS, 4411),
)
"""The answer of the referral, the question of the template, the codes, and the CID they are of."""

_COUNTED = (
    ("melanomas", _MELANOMAS),
    ("melanomas_in_situ", _IN_SITUS),
    ("relatives_with_melanoma", _RELATIVES),
)
_MOST = 999

CONTEXT_GROUPS: Mapping[Code, tuple[int, Set[Code]]] = MappingProxyType(
    {concept: (cid, frozenset(codes.values())) for _, concept, codes, cid in _CODED}
    | {_SAID: (4406, frozenset({*_SYMPTOMS.values(), _CHANGED}))}
    | {concept: (230, frozenset({_YES, _NO})) for concept in _FAMILY.values()}
)
"""Each question of the acquisition context with its CID and the answers that it may have here."""

COUNTS = frozenset(concept for _, concept in _COUNTED)
"""The questions that are answered with a number."""


def items_of(clinical: Mapping[str, Any]) -> tuple[ContextItem, ...]:
    """Return what a referral's answers say of the skin at the time, as far as the standard has
    codes for it.
    """
    return tuple(_items(clinical))


def _items(clinical: Mapping[str, Any]) -> Iterator[ContextItem]:
    for key, concept, codes, _cid in _CODED:
        said = set(_texts(clinical.get(key)))
        yield from (ContextItem(concept, code) for name, code in codes.items() if name in said)
        if concept == _SAID and set(_texts(clinical.get("evolution"))) - {"none"}:
            yield ContextItem(_SAID, _CHANGED)
    in_family = set(_texts(clinical.get("family_skin_cancer_kinds")))
    has_none = clinical.get("family_skin_cancer") == "no" and not in_family
    for name, concept in _FAMILY.items():
        if name in in_family or has_none:
            yield ContextItem(concept, _YES if name in in_family else _NO)
    for key, concept in _COUNTED:
        number = clinical.get(key)
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _MOST:
            yield ContextItem(concept, Counted(number))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return (str(value),)
    return (
        (each for each in value if isinstance(each, str)) if isinstance(value, list | tuple) else ()
    )
