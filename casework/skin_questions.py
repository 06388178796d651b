"""What is asked of one kind of skin change only, as data: wound, rash, nails, hair, mucosa.

The sets follow what dermatologists and wound clinics ask back for when it is missing.
"""

from __future__ import annotations

from casework.question_forms import YES_NO, Option, Question

_WOUND, _RASH, _NAILS, _HAIR, _MUCOSA = ("wound",), ("rash",), ("nails",), ("hair",), ("mucosa",)

WOUND: tuple[Question, ...] = (
    Question(
        "wound_cause", "choice", "What caused it?", "Hva er årsaken?",
        (
            Option("pressure", "Pressure", "Trykk"),
            Option("venous", "Veins", "Venøst"),
            Option("arterial", "Arteries", "Arterielt"),
            Option("diabetic-foot", "Diabetic foot", "Diabetisk fot"),
            Option("injury", "Injury", "Skade"),
            Option("surgery", "Surgery", "Operasjon"),
            Option("burn", "Burn", "Brannskade"),
            Option("unknown", "Not known", "Vet ikke"),
        ),
        _WOUND, is_first=True,
    ),
    Question(
        "wound_depth", "choice", "How deep?", "Hvor dypt?",
        (
            Option("surface", "In the skin", "I huden"),
            Option("through", "Through the skin", "Gjennom huden"),
            Option("muscle", "To fat or muscle", "Til fett eller muskel"),
            Option("bone", "To tendon or bone", "Til sene eller ben"),
        ),
        _WOUND, is_first=True,
    ),
    Question(
        "exudate", "choice", "How much fluid?", "Hvor mye væske?",
        (
            Option("none", "None", "Ingen"),
            Option("little", "Little", "Lite"),
            Option("moderate", "Moderate", "Moderat"),
            Option("much", "Much", "Mye"),
        ),
        _WOUND, is_first=True,
    ),
    Question(
        "infection_signs", "choices", "Signs of infection", "Tegn til infeksjon",
        (
            Option("redness", "Spreading redness", "Rødhet som brer seg"),
            Option("warmth", "Warmth", "Varme"),
            Option("swelling", "Swelling", "Hevelse"),
            Option("pus", "Pus", "Puss"),
            Option("more-pain", "More pain", "Mer smerte"),
            Option("none", "None", "Ingen"),
        ),
        _WOUND, is_first=True,
    ),
    Question("wound_smell", "choice", "Does it smell?", "Lukter det?", YES_NO, _WOUND),
    Question(
        "pulses", "choice", "Pulses of the foot", "Fotpuls",
        (
            Option("felt", "Felt", "Kjennes"),
            Option("weak", "Weak", "Svak"),
            Option("absent", "Not felt", "Kjennes ikke"),
            Option("not-examined", "Not examined", "Ikke undersøkt"),
        ),
        _WOUND,
    ),
    Question("abi", "number", "Ankle-brachial index", "Ankel-arm-indeks", (), _WOUND),
    Question("diabetes", "choice", "Diabetes?", "Diabetes?", YES_NO, _WOUND),
    Question(
        "dressing_removed", "choice", "Dressing off, wound cleaned for the pictures?",
        "Bandasje av og såret renset før bildene?", YES_NO[:2], _WOUND,
    ),
)  # fmt: skip

RASH: tuple[Question, ...] = (
    Question(
        "distribution", "choices", "Where on the body?", "Hvor på kroppen?",
        (
            Option("one-place", "One place", "Ett sted"),
            Option("scattered", "Scattered", "Spredt"),
            Option("both-sides", "Alike on both sides", "Likt på begge sider"),
            Option("everywhere", "Almost everywhere", "Nesten overalt"),
            Option("folds", "In folds", "I folder"),
            Option("sunlit", "Where the sun reaches", "Der sola når"),
            Option("hands-feet", "Hands and feet", "Hender og føtter"),
        ),
        _RASH, is_first=True,
    ),
    Question(
        "rash_course", "choice", "How does it go?", "Hvordan går det?",
        (
            Option("stays", "Stays", "Står stille"),
            Option("spreads-slowly", "Spreads slowly", "Brer seg langsomt"),
            Option("spreads-fast", "Spreads within days", "Brer seg på dager"),
            Option("comes-goes", "Comes and goes", "Kommer og går"),
        ),
        _RASH, is_first=True,
    ),
    Question(
        "blisters", "choice", "Blisters, or skin that comes off?",
        "Blemmer, eller hud som løsner?", YES_NO, _RASH, is_first=True,
    ),
    Question(
        "new_drug", "choice", "A new medicine in the last eight weeks?",
        "Ny medisin de siste åtte ukene?", YES_NO, _RASH, is_first=True,
    ),
    Question(
        "household", "choice", "Has somebody in the household the same, or itches?",
        "Har noen i husstanden det samme, eller klør?", YES_NO, _RASH,
    ),
    Question(
        "provoked_by", "choices", "What brings it on?", "Hva utløser det?",
        (
            Option("sun", "Sun", "Sol"),
            Option("heat", "Heat, sweat", "Varme, svette"),
            Option("cold", "Cold", "Kulde"),
            Option("friction", "Friction", "Friksjon"),
            Option("food", "Food", "Mat"),
            Option("stress", "Stress", "Stress"),
            Option("none", "Nothing known", "Ingenting kjent"),
        ),
        _RASH,
    ),
    Question(
        "contact", "choices", "In contact with", "I kontakt med",
        (
            Option("plants", "Plants", "Planter"),
            Option("animals", "Animals", "Dyr"),
            Option("metal", "Metal", "Metall"),
            Option("cosmetics", "Cosmetics, hair dye", "Kosmetikk, hårfarge"),
            Option("work", "Substances at work", "Stoffer i arbeidet"),
            Option("none", "Nothing known", "Ingenting kjent"),
        ),
        _RASH,
    ),
)  # fmt: skip

NAILS: tuple[Question, ...] = (
    Question(
        "nails_which", "choices", "Which nails?", "Hvilke negler?",
        (
            Option("thumb", "Thumb", "Tommel"),
            Option("fingers", "Other fingers", "Andre fingre"),
            Option("great-toe", "Great toe", "Stortå"),
            Option("toes", "Other toes", "Andre tær"),
            Option("all", "All", "Alle"),
        ),
        _NAILS, is_first=True,
    ),
    Question(
        "nail_changes", "choices", "What is seen?", "Hva ses?",
        (
            Option("thick", "Thickened", "Fortykket"),
            Option("pale", "Yellow or white", "Gul eller hvit"),
            Option("dark-streak", "A dark streak", "En mørk stripe"),
            Option("pits", "Pits or ridges", "Groper eller riller"),
            Option("loose", "Loosened", "Løsnet"),
            Option("fold", "Swollen fold", "Hoven neglevoll"),
        ),
        _NAILS, is_first=True,
    ),
    Question(
        "mycology", "choice", "Sample for fungi", "Soppprøve",
        (
            Option("positive", "Taken: fungi found", "Tatt: sopp påvist"),
            Option("negative", "Taken: none found", "Tatt: ikke påvist"),
            Option("waiting", "Taken: no answer yet", "Tatt: venter på svar"),
            Option("not-taken", "Not taken", "Ikke tatt"),
        ),
        _NAILS, is_first=True,
    ),
    Question(
        "nail_injury", "choice", "Injury, or pressure of shoes?", "Skade, eller trykk fra sko?",
        YES_NO, _NAILS,
    ),
)  # fmt: skip

HAIR: tuple[Question, ...] = (
    Question(
        "hair_pattern", "choices", "Where is hair lost?", "Hvor er håret borte?",
        (
            Option("crown", "Crown, temples", "Isse, tinninger"),
            Option("front", "Front edge", "Hårfestet foran"),
            Option("patches", "Round patches", "Runde flekker"),
            Option("diffuse", "Thinner all over", "Tynnere overalt"),
            Option("brows", "Brows, lashes, beard", "Bryn, vipper, skjegg"),
            Option("body", "The body", "Kroppen"),
        ),
        _HAIR, is_first=True,
    ),
    Question(
        "shedding", "choice", "Does much hair fall out now?", "Faller mye hår ut nå?",
        YES_NO, _HAIR, is_first=True,
    ),
    Question(
        "scarring", "choice", "Smooth skin without pores (scarring)?",
        "Glatt hud uten porer (arrdannelse)?", YES_NO, _HAIR, is_first=True,
    ),
    Question(
        "scalp_signs", "choices", "The scalp", "Hodebunnen",
        (
            Option("redness", "Red", "Rød"),
            Option("scale", "Scaly", "Skjellende"),
            Option("pustules", "Pustules", "Pustler"),
            Option("broken", "Broken hairs", "Knekte hår"),
            Option("none", "As usual", "Som vanlig"),
        ),
        _HAIR,
    ),
    Question(
        "hair_family", "choice", "Hair loss in the family?", "Hårtap i familien?", YES_NO, _HAIR
    ),
)  # fmt: skip

MUCOSA: tuple[Question, ...] = (
    Question(
        "mucosa_site", "choices", "Where is it?", "Hvor sitter det?",
        (
            Option("lip", "Lip", "Leppe"),
            Option("tongue", "Tongue", "Tunge"),
            Option("cheek", "Inside of the cheek", "Innsiden av kinnet"),
            Option("gum", "Gum, palate", "Tannkjøtt, gane"),
            Option("floor", "Floor of the mouth", "Munngulv"),
            Option("genital", "Genital", "Kjønnsorganer"),
            Option("anal", "Anal", "Endetarm"),
        ),
        _MUCOSA, is_first=True,
    ),
    Question(
        "mucosa_looks", "choices", "What is seen?", "Hva ses?",
        (
            Option("white-stays", "White, cannot be wiped off", "Hvitt, lar seg ikke tørke av"),
            Option("white-wipes", "White, can be wiped off", "Hvitt, lar seg tørke av"),
            Option("red", "Red", "Rødt"),
            Option("ulcer", "An ulcer", "Et sår"),
            Option("lump", "A lump", "En kul"),
            Option("dark", "Dark", "Mørkt"),
        ),
        _MUCOSA, is_first=True,
    ),
    Question(
        "tobacco", "choice", "Smoking, snus?", "Røyk, snus?",
        (
            Option("smokes", "Smokes", "Røyker"),
            Option("snus", "Snus", "Snus"),
            Option("former", "Formerly", "Tidligere"),
            Option("never", "Never", "Aldri"),
        ),
        _MUCOSA, is_first=True,
    ),
    Question(
        "dentures", "choice", "Dentures, or an edge that rubs?",
        "Protese, eller en kant som gnager?", YES_NO, _MUCOSA,
    ),
)  # fmt: skip
