"""What is asked of the skin that a photograph can carry in codes (PS3.16 TID 8300), as data.

All of it is optional. Which code an answer has is known to the face that writes the photographs.
"""

from __future__ import annotations

from casework.question_forms import Option, Question

_TUMOUR = ("mole", "wound", "mucosa", "nails")

CANCER: tuple[Question, ...] = (
    Question(
        "own_skin_cancer_kinds", "choices", "Which skin cancer before?",
        "Hvilken hudkreft tidligere?",
        (
            Option("melanoma", "Melanoma", "Melanom"),
            Option("melanoma-in-situ", "Melanoma in situ", "Melanom in situ"),
            Option("basal-cell", "Basal cell carcinoma", "Basalcellekarsinom"),
            Option("squamous-cell", "Squamous cell carcinoma", "Plateepitelkarsinom"),
            Option("other", "Another, no melanoma", "Annen, ikke melanom"),
        ),
        _TUMOUR,
    ),
    Question("melanomas", "number", "How many melanomas?", "Hvor mange melanomer?", (), ("mole",)),
    Question(
        "melanomas_in_situ", "number", "How many melanomas in situ?",
        "Hvor mange melanomer in situ?", (), ("mole",),
    ),
    Question(
        "family_skin_cancer_kinds", "choices", "Which skin cancer in the family?",
        "Hvilken hudkreft i familien?",
        (
            Option("melanoma", "Melanoma", "Melanom"),
            Option("melanoma-in-situ", "Melanoma in situ", "Melanom in situ"),
            Option("non-melanoma", "Other skin cancer", "Annen hudkreft"),
        ),
        ("mole",),
    ),
    Question(
        "relatives_with_melanoma", "number",
        "How many parents, siblings or children with melanoma?",
        "Hvor mange foreldre, søsken eller barn med melanom?", (), ("mole",),
    ),
)  # fmt: skip

SKIN_BEFORE: tuple[Question, ...] = (
    Question(
        "skin_disorders", "choices", "Known skin disorders", "Kjente hudsykdommer",
        (
            Option("actinic-keratosis", "Actinic keratosis", "Aktinisk keratose"),
            Option("atopic-dermatitis", "Atopic dermatitis", "Atopisk eksem"),
            Option("eczema", "Other eczema", "Annet eksem"),
            Option("psoriasis", "Psoriasis", "Psoriasis"),
            Option("rosacea", "Rosacea", "Rosacea"),
            Option("lupus", "Lupus", "Lupus"),
            Option("sun-damage", "Sun damage", "Solskade"),
            Option("atypical-moles", "Atypical moles", "Atypiske føflekker"),
            Option("gorlin", "Gorlin syndrome", "Gorlins syndrom"),
        ),
    ),
    Question(
        "procedures", "choices", "Done to the skin before", "Gjort med huden tidligere",
        (
            Option("biopsy", "Biopsy", "Biopsi"),
            Option("excision", "Excision", "Eksisjon"),
            Option("cryotherapy", "Freezing", "Frysing"),
            Option("photodynamic", "Photodynamic therapy", "Fotodynamisk behandling"),
            Option("laser", "Laser", "Laser"),
            Option("radiofrequency", "Radiofrequency", "Radiofrekvens"),
            Option("topical-chemotherapy", "Cytostatic cream", "Cytostatisk krem"),
        ),
    ),
    Question(
        "topical", "choices", "Creams used", "Kremer som er brukt",
        (
            Option("steroid", "Steroid", "Steroid"),
            Option("antibiotic", "Antibiotic", "Antibiotikum"),
            Option("antifungal", "Antifungal", "Soppmiddel"),
            Option("immunomodulator", "Immunomodulator", "Immunmodulerende"),
            Option("retinoid", "Tretinoin", "Tretinoin"),
            Option("keratolytic", "Keratolytic", "Hornløsende"),
            Option("cytotoxic", "Cytotoxic", "Cytotoksisk"),
            Option("none", "None", "Ingen"),
        ),
    ),
)  # fmt: skip

SEEN: tuple[Question, ...] = (
    Question(
        "looks", "choices", "What do you see?", "Hva ser du?",
        (
            Option("redness", "Redness", "Rødhet"),
            Option("bleeding", "Bleeding", "Blødning"),
            Option("scale", "Scale", "Skjell"),
            Option("ulcer", "Ulcer", "Sår"),
        ),
        ("mole", "rash", "nails"),
    ),
    Question(
        "colours", "choices", "Colours", "Farger",
        (
            Option("black", "Black", "Svart"),
            Option("blue", "Blue", "Blå"),
            Option("brown", "Brown", "Brun"),
            Option("grey", "Grey", "Grå"),
            Option("orange", "Orange", "Oransje"),
            Option("pink", "Pink", "Rosa"),
            Option("purple", "Purple", "Lilla"),
            Option("red", "Red", "Rød"),
            Option("white", "White", "Hvit"),
            Option("yellow", "Yellow", "Gul"),
        ),
        ("mole", "nails", "mucosa"),
    ),
)  # fmt: skip
