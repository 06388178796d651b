"""What is asked with a referral, as data: questions, consents, reasons for asking back.

The sets follow published teledermatology forms and guidelines. `clinical` reads the answers.
"""

from __future__ import annotations

from casework.context_questions import CANCER, SEEN, SKIN_BEFORE
from casework.question_forms import RADIOLOGY, SKIN, YES_NO, Option, Question
from casework.skin_questions import HAIR, MUCOSA, NAILS, RASH, WOUND

__all__ = [
    "CONSENTS",
    "DURATION_UNITS",
    "OTHER_REASONS",
    "QUESTIONS",
    "RADIOLOGY",
    "REASON_CODES",
    "SKIN",
    "Option",
    "Question",
]

DURATION_UNITS = (
    Option("days", "days", "dager"),
    Option("weeks", "weeks", "uker"),
    Option("months", "months", "måneder"),
    Option("years", "years", "år"),
)

QUESTIONS: tuple[Question, ...] = (
    Question(
        "category", "choice", "What is it about?", "Hva gjelder det?",
        (
            Option("mole", "Mole or tumour", "Føflekk eller svulst"),
            Option("rash", "Rash", "Utslett"),
            Option("wound", "Wound", "Sår"),
            Option("nails", "Nails", "Negler"),
            Option("hair", "Hair and scalp", "Hår og hodebunn"),
            Option("mucosa", "Mucosa", "Slimhinne"),
        ),
        is_first=True,
    ),
    Question(
        "duration", "duration", "How long has it been there?", "Hvor lenge har det vært der?",
        is_first=True,
    ),
    Question(
        "count", "number", "How many lesions?", "Hvor mange lesjoner?", (),
        ("mole", "rash", "wound", "mucosa"),
    ),
    Question(
        "size_mm", "number", "Largest size in mm", "Største mål i mm", (),
        ("mole", "wound", "mucosa"), is_first=True,
    ),
    *WOUND, *RASH, *NAILS, *HAIR, *MUCOSA,
    Question(
        "evolution", "choices", "What has changed?", "Hva har endret seg?",
        (
            Option("grown", "Grown", "Vokst"),
            Option("colour", "Colour", "Farge"),
            Option("shape", "Shape", "Form"),
            Option("spread", "Spread", "Spredt seg"),
            Option("none", "Nothing", "Ingenting"),
        ),
        is_first=True,
    ),
    Question(
        "symptoms", "choices", "Symptoms", "Symptomer",
        (
            Option("itch", "Itch", "Kløe"),
            Option("bleeding", "Bleeding", "Blødning"),
            Option("pain", "Pain", "Smerte"),
            Option("oozing", "Oozing", "Væsking"),
            Option("crust", "Crust", "Skorpe"),
            Option("redness", "Redness", "Rødhet"),
            Option("peeling", "Peeling", "Flassing"),
            Option("none", "None", "Ingen"),
        ),
        is_first=True,
    ),
    Question(
        "palpation", "choices", "How does it feel?", "Hvordan kjennes det?",
        (
            Option("flat", "Flat", "Flat"),
            Option("raised", "Raised", "Opphøyd"),
            Option("firm", "Firm", "Fast"),
            Option("soft", "Soft", "Bløt"),
            Option("scaly", "Scaly", "Skjellende"),
            Option("ulcerated", "Ulcerated", "Ulcerert"),
            Option("mobile", "Can be moved", "Forskyvelig"),
        ),
        ("mole", "rash", "wound", "mucosa"),
    ),
    *SEEN,
    Question(
        "systemic", "choices", "General symptoms", "Allmennsymptomer",
        (
            Option("fever", "Fever", "Feber"),
            Option("chills", "Chills", "Frostanfall"),
            Option("fatigue", "Fatigue", "Slapphet"),
            Option("joint-pain", "Joint pain", "Leddsmerter"),
            Option("mouth-sores", "Mouth sores", "Sår i munnen"),
            Option("dyspnoea", "Short of breath", "Tung pust"),
            Option("none", "None", "Ingen"),
        ),
        ("rash", "wound", "mucosa"),
    ),
    Question(
        "treatment", "text", "Treatment so far, and its effect",
        "Behandling til nå, og effekten av den",
    ),
    *SKIN_BEFORE,
    Question("medication", "text", "Medicines", "Medisiner"),
    Question(
        "immunosuppressed", "choice", "Immunosuppressed?", "Nedsatt immunforsvar?", YES_NO
    ),
    Question(
        "anticoagulant", "choice", "Takes an anticoagulant?", "Bruker blodfortynnende?", YES_NO,
        ("mole", "wound"),
    ),
    Question("allergies", "text", "Allergies", "Allergier"),
    Question(
        "own_skin_cancer", "choice", "Skin cancer before?", "Hudkreft tidligere?", YES_NO,
        ("mole", "wound", "mucosa", "nails"),
    ),
    Question(
        "family_skin_cancer", "choice", "Skin cancer in the family?", "Hudkreft i familien?",
        YES_NO, ("mole",),
    ),
    *CANCER,
    Question(
        "skin_type", "choice", "Skin type (Fitzpatrick)", "Hudtype (Fitzpatrick)",
        tuple(
            Option(str(number), roman, roman)
            for number, roman in enumerate(("I", "II", "III", "IV", "V", "VI"), start=1)
        ),
    ),
    Question(
        "sun", "text", "Sun, solarium, work outdoors", "Sol, solarium, utearbeid", (), ("mole",)
    ),
    Question("pregnant", "choice", "Pregnant?", "Gravid?", YES_NO, (*SKIN, *RADIOLOGY)),
    Question(
        "provisional_diagnosis", "text", "What do you think it is?", "Hva tror du det er?",
        (), (*SKIN, *RADIOLOGY),
    ),
    Question(
        "would_refer", "choice", "Would you refer to hospital without this answer?",
        "Ville du henvist til sykehus uten dette svaret?", YES_NO,
    ),
    Question("interpreter", "choice", "Interpreter needed?", "Behov for tolk?", YES_NO),
    Question(
        "history", "text", "Relevant history", "Relevant sykehistorie", (), RADIOLOGY
    ),
    Question(
        "onset", "duration", "Since when?", "Siden når?", (), RADIOLOGY
    ),
    Question(
        "previous_imaging", "text", "Earlier imaging and surgery",
        "Tidligere bildeundersøkelser og operasjoner", (), RADIOLOGY,
    ),
    Question(
        "kidney_function", "text", "Kidney function (eGFR)", "Nyrefunksjon (eGFR)", (), RADIOLOGY
    ),
    Question(
        "contrast_reaction", "choice", "Earlier reaction to contrast?",
        "Tidligere reaksjon på kontrast?", YES_NO, RADIOLOGY,
    ),
    Question(
        "implants", "text", "Implants, pacemaker", "Implantater, pacemaker", (), RADIOLOGY
    ),
)  # fmt: skip

CONSENTS: tuple[Option, ...] = (
    Option("care", "Assessment by a specialist", "Vurdering av spesialist"),
    Option("teaching", "Use in teaching", "Bruk i undervisning"),
    Option("research", "Use in research", "Bruk i forskning"),
)
"""What a patient may agree to, each by itself."""

REASON_CODES: tuple[Option, ...] = (
    Option("blurred", "Blurred or insufficient images", "Uskarpe eller utilstrekkelige bilder"),
    Option("no-overview", "An overview is missing", "Oversiktsbilde mangler"),
    Option("no-closeup", "A close-up is missing", "Nærbilde mangler"),
    Option("no-dermoscopy", "A dermoscopic picture is missing", "Dermatoskopibilde mangler"),
    Option("need-perpendicular", "Photograph straight from above", "Ta bildet rett ovenfra"),
    Option("cut-off", "The lesion is cut off", "Lesjonen er ikke helt med"),
    Option("too-dark", "Too dark or wrong colours", "For mørkt eller feil farger"),
    Option("incomplete", "The examination is incomplete", "Undersøkelsen er ikke fullstendig"),
    Option("other", "Something else", "Noe annet"),
)
"""Why a reader asks back. What the checks of a photograph warn of is said in the same codes:
`photo_checks` has the table.
"""

OTHER_REASONS: tuple[Option, ...] = (
    Option("cancel-requested", "Asks that the case be dropped", "Ber om at saken avlyses"),
    Option(
        "claim-expired",
        "The claim ended by itself; the case is free again",
        "Fristen for å ha saken er ute; saken er ledig igjen",
    ),
    Option("handed-over", "Handed over", "Overlevert"),
)
"""What else a turn of the conversation may be about; nobody chooses these from a list."""
