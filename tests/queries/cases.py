"""What matches what (PS3.4 C.2.2.2): one table, asked at both doors and on each database.

The stored values stand in `stored`. Who asks is the hospital Hammer, unless a case says otherwise;
its own studies are `a` to `h`; `u` and `v` are Utsira's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.queries.stored import SR, uid

RELATIONAL, COMBINED, FUZZY, EMPTY = "relational", "combined", "fuzzy", "empty"


@dataclass(frozen=True)
class Case:
    """A query and what it finds: labels of studies, series or instances, parted by spaces."""

    keys: Mapping[str, Any]
    finds: str
    level: str = "STUDY"
    options: tuple[str, ...] = ()
    site: str = "hammer"

    @property
    def is_for_web(self) -> bool:
        """Tell whether QIDO-RS has a way to ask it."""
        return self.level != "PATIENT" and COMBINED not in self.options


def study(finds: str, *options: str, site: str = "hammer", **keys: Any) -> Case:
    return Case(keys, finds, "STUDY", options, site)


def series(finds: str, *options: str, **keys: Any) -> Case:
    return Case({"StudyInstanceUID": uid("a"), **keys}, finds, "SERIES", options)


def image(finds: str, *options: str, **keys: Any) -> Case:
    above = {"StudyInstanceUID": uid("a"), "SeriesInstanceUID": uid("a1")}
    return Case({**above, **keys}, finds, "IMAGE", options)


def patient(finds: str, *options: str, site: str = "hammer", **keys: Any) -> Case:
    return Case(keys, finds, "PATIENT", options, site)


def relational(finds: str, level: str, **keys: Any) -> Case:
    return Case(keys, finds, level, (RELATIONAL,))


OWN = "a b c d e f g h"
STEP = "RequestAttributesSequence"

CASES: list[Case] = [
    # single value: case counts, padding does not, and nothing is read as a number
    study("a", AccessionNumber="A1"),
    study("b", AccessionNumber="a1"),
    study("a", AccessionNumber=" A1 "),
    study("", AccessionNumber="A"),
    study("a", PatientID="123"),
    study("b", PatientID="0123"),
    study("a", StudyDescription="CT thorax"),
    study("b", StudyDescription="CT [thorax]"),
    study("", StudyDescription="ct thorax"),
    study("a g", PatientSex="F"),
    study("", PatientSex="f"),
    study("a", StudyID="S1"),
    study("a", InstitutionName="Hammer sykehus"),
    study("a", PatientAge="070Y"),
    study("", PatientAge="70Y"),
    study("f", StudyDescription="頭部"),
    study("a", AccessionNumber="A1", PatientID="123"),
    study("", AccessionNumber="A1", PatientID="0123"),
    # universal
    study(OWN),
    study(OWN, AccessionNumber=""),
    study(OWN, AccessionNumber="*"),
    study(OWN, AccessionNumber="**"),
    study(OWN, PatientName="*"),
    study(OWN, StudyDate=""),
    study(OWN, PatientName="^"),
    # wildcards, and what means something to SQL or to a shell only
    study("a c d e f g", AccessionNumber="A*"),
    study("a", AccessionNumber="A?"),
    study("c d e f g", AccessionNumber="A?1"),
    study("c d e f g", AccessionNumber="A??"),
    study("a b c d e f g", AccessionNumber="*1"),
    study("a b c d e f g", AccessionNumber="?*"),
    study("c", AccessionNumber="A_1"),
    study("c", AccessionNumber="A_*"),
    study("e", AccessionNumber="A%1"),
    study("e", AccessionNumber="*%*"),
    study("f", AccessionNumber="A'1"),
    study("f", AccessionNumber="*'*"),
    study("", AccessionNumber="A' OR '1'='1"),
    study("g", AccessionNumber="A-1"),
    study("", AccessionNumber="_"),
    study("", AccessionNumber="%"),
    study("g", PatientID="G%"),
    study("g", PatientID="?%"),
    study("b g", StudyDescription="*[*]*"),
    study("", StudyDescription="CT [[]*"),
    study("a b", StudyDescription="CT *"),
    study("a b", StudyDescription="*thorax*"),
    study("f", StudyDescription="頭*"),
    study("f", StudyDescription="?部"),
    study("a", InstitutionName="Hammer*"),
    study("", InstitutionName="hammer*"),
    study("a", InstitutionName="*sykehus"),
    # a backslash parts values
    study("a b", AccessionNumber="A1\\a1"),
    study("a c", AccessionNumber="A1\\A_*"),
    study("b", ModalitiesInStudy="MR\\US"),
    study("a b c d e f g h", ModalitiesInStudy="CT\\MR"),
    # lists of UIDs, which have no wildcards
    study("a", StudyInstanceUID=uid("a")),
    study("a c", StudyInstanceUID=f"{uid('a')}\\{uid('c')}"),
    study("a", StudyInstanceUID=f"{uid('a')}\\{uid('u')}\\1.2.3"),
    study("", StudyInstanceUID=uid("a")[:-1] + "*"),
    study("", StudyInstanceUID="1.2.3"),
    study("a", StudyInstanceUID=f"{uid('a')}\\{uid('a')}"),
    # dates and times, both ends included, either open
    study("a", StudyDate="20260102"),
    study("c", StudyDate="20260104"),
    study("a b c", StudyDate="20260102-20260104"),
    study("a b c d e", StudyDate="-20260104"),
    study("f g", StudyDate="20260201-"),
    study("", StudyDate="20260105-20260131"),
    study("", StudyDate="20260104-20260102"),
    study("a b", StudyDate="2026.01.02-2026.01.03"),
    study("a", StudyTime="101500"),
    study("a", StudyTime="1015"),
    study("a b c", StudyTime="10"),
    study("a b", StudyTime="1015-1016"),
    study("a b c", StudyTime="101500-101730"),
    study("d f", StudyTime="1200-"),
    study("e g", StudyTime="-0800"),
    study("d", StudyTime="235959"),
    study("d", StudyTime="235959.5"),
    study("", StudyTime="235959.6-"),
    study("", StudyTime="2200-0200"),
    study("a b", StudyDate="20260101-20260103", StudyTime="1000-1200"),
    study("a b", StudyDate="20251231-20260103", StudyTime="0930-1016"),
    study("a", PatientBirthDate="19550214"),
    study("a b", PatientBirthDate="19500101-19601231"),
    # a date and its time as one moment, where that was negotiated
    study("a b d e", COMBINED, StudyDate="20251231-20260103", StudyTime="2359-1016"),
    study("a e", COMBINED, StudyDate="20260101-20260103", StudyTime="000000-1015"),
    study("b c", COMBINED, StudyDate="20260102-20260104", StudyTime="1016-2359"),
    study("d", COMBINED, StudyDate="-20251231", StudyTime="-2359"),
    study("g", COMBINED, StudyDate="20260201-", StudyTime="1201-"),
    study("a", COMBINED, StudyDate="20260102", StudyTime="10-11"),
    study("a b c", COMBINED, StudyDate="20260102-20260104"),
    study("a b c", COMBINED, StudyTime="10"),
    Case(
        {"StudyInstanceUID": uid("a"), "SeriesDate": "20260102-20260103", "SeriesTime": "10-12"},
        "a1 a2",
        "SERIES",
        (COMBINED,),
    ),
    series("a1", SeriesDate="20260102-20260103", SeriesTime="10-12"),
    # moments with and without an offset from UTC
    image("a1.1 a1.2", AcquisitionDateTime="20260102"),
    image("a1.1 a1.2", AcquisitionDateTime="202601"),
    image("a1.1 a1.2", AcquisitionDateTime="20260101-20260103"),
    image("", AcquisitionDateTime="20260103-"),
    image("a1.2", AcquisitionDateTime="20260102091530+0000"),
    image("", AcquisitionDateTime="20260102091531+0000"),
    image("a1.2", AcquisitionDateTime="20260102041530-0500"),
    image("a1.2", AcquisitionDateTime="20260102041500-0500-20260102042000-0500"),
    image("a1.1", AcquisitionDateTime="20260102101530.5"),
    # names: without case and accents, by groups, without trailing delimiters
    study("a b", PatientName="bjørnson^åse"),
    study("a b", PatientName="BJORNSON^ASE"),
    study("a b", PatientName="Bjørnson^Åse^^"),
    study("", PatientName="Bjørnson"),
    study("a b", PatientName="bjorn*"),
    study("a b", PatientName="Bj?rnson*"),
    study("a b", PatientName="*åse"),
    study("a b", PatientName="BJØRNSON^*"),
    study("c", PatientName="suoŋŋa^mahtte"),
    study("c", PatientName="šuoŋŋÁ*"),
    study("c", PatientName="*Máhtte"),
    study("d", PatientName="петров*"),
    study("d", PatientName="ПЕТРОВ^ИВАН"),
    study("e", PatientName="διονυσιος^αννα"),
    study("e", PatientName="ΔΙΟΝΥΣΙΟΣ*"),
    study("f", PatientName="Yamada^Tarou"),
    study("f", PatientName="山田^太郎"),
    study("f", PatientName="山*"),
    study("f", PatientName="やまだ*"),
    study("f", PatientName="Yamada*=山田*"),
    study("f", PatientName="*=山田*=やまだ*"),
    study("", PatientName="Yamada*=鈴木*"),
    study("", PatientName="=Yamada*"),
    study("", PatientName="ness-moe^kari anne"),
    study("g", PatientName="ness-moe^kari anne^*"),
    study("g", PatientName="NESS-MOE^KARI ANNE^^DR."),
    study("", PatientName="kari"),
    study("", PatientName="%"),
    study("", PatientName="Bj_rnson*"),
    study("a", ReferringPhysicianName="berg*"),
    study("g", ReferringPhysicianName="åsen^ole"),
    # fuzzy: each word begins a word of the name
    study("g", FUZZY, PatientName="kari"),
    study("g", FUZZY, PatientName="moe kari"),
    study("g", FUZZY, PatientName="Moe, Anne"),
    study("a b", FUZZY, PatientName="åse bjorn"),
    study("", FUZZY, PatientName="ari"),
    study("", FUZZY, PatientName="kari åse"),
    study("f", FUZZY, PatientName="太郎"),
    study("c", FUZZY, PatientName="mahtte"),
    study("a", FUZZY, ReferringPhysicianName="kari"),
    # no value at all, where that was negotiated
    study("h", EMPTY, AccessionNumber='""'),
    study("h", EMPTY, PatientName='""'),
    study("h", EMPTY, StudyDate='""'),
    study("c d e f h", EMPTY, PatientSex='""'),
    study("b c d e f h", EMPTY, ReferringPhysicianName='""'),
    study("b c d e f g h", EMPTY, InstitutionName='""'),
    study("", EMPTY, StudyInstanceUID='""'),
    study("", AccessionNumber='""'),
    image("a1.2", EMPTY, SliceThickness='""'),
    # what is of the parts of a study
    study("a", ModalitiesInStudy="SR"),
    study("a c d e f g h", ModalitiesInStudy="CT"),
    study("a b c d e f g h", ModalitiesInStudy="?*"),
    study("a", ModalitiesInStudy="S*"),
    study("", ModalitiesInStudy="US"),
    study("a", SOPClassesInStudy=SR),
    study(OWN, SOPClassesInStudy=f"{SR}\\1.2.840.10008.5.1.4.1.1.2"),
    # series
    series("a1 a2"),
    series("a1", Modality="CT"),
    series("a2", Modality="S?"),
    series("a1", SeriesNumber="1"),
    series("a1", SeriesNumber="001"),
    series("a1 a2", SeriesNumber="1\\2"),
    series("a2", SeriesInstanceUID=uid("a2")),
    series("a1 a2", SeriesInstanceUID=f"{uid('a1')}\\{uid('a2')}"),
    series("a1", SeriesDescription="ax*"),
    series("a1", BodyPartExamined="CHEST"),
    series("a1", StationName="CT?"),
    series("a2", SeriesDate="20260103"),
    # items of a sequence: one of them has all that is asked of it
    series("a1", **{STEP: {"ScheduledProcedureStepID": "P1"}}),
    series("a1", **{STEP: {"ScheduledProcedureStepID": "P2"}}),
    series("a1", **{STEP: {"ScheduledProcedureStepID": "P*", "RequestedProcedureID": "R2"}}),
    series("", **{STEP: {"ScheduledProcedureStepID": "P1", "RequestedProcedureID": "R2"}}),
    series("a1 a2", **{STEP: {"ScheduledProcedureStepID": ""}}),
    series("a1", **{STEP: {"ScheduledProcedureStepDescription": "Tho*"}}),
    series("", **{STEP: {"ScheduledProcedureStepID": "p1"}}),
    # instances
    image("a1.1 a1.2"),
    image("a1.2", InstanceNumber="2"),
    image("a1.2", InstanceNumber="02"),
    image("a1.1 a1.2", InstanceNumber="1\\2"),
    image("a1.2", Rows="4"),
    image("a1.1", Columns="2"),
    image("a1.1", SOPInstanceUID=uid("a1.1")),
    image("a1.1 a1.2", SOPInstanceUID=f"{uid('a1.1')}\\{uid('a1.2')}\\{uid('u1.1')}"),
    image("", SOPInstanceUID=uid("u1.1")),
    image("a1.1 a1.2", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
    image("a1.1", ImageType="ORIGINAL"),
    image("a1.2", ImageType="SECOND*"),
    image("a1.1", SliceThickness="2.50"),
    image("", SliceThickness="2.4"),
    # keys of higher levels in lower ones, and levels above left open
    relational("a1 a2", "SERIES", AccessionNumber="A1"),
    relational("a2", "SERIES", PatientName="bjørn*", Modality="SR"),
    relational("b1", "SERIES", Modality="MR"),
    relational("a1 a2 b1", "SERIES", PatientName="bjørn*"),
    relational("a1 a2 c1", "SERIES", StudyInstanceUID=f"{uid('a')}\\{uid('c')}"),
    relational("a1.2", "IMAGE", SOPInstanceUID=uid("a1.2")),
    relational("a2.1", "IMAGE", SOPClassUID=SR),
    relational("a1.1 a1.2 a2.1 b1.1", "IMAGE", PatientName="bjørn*"),
    relational("a1.1 a1.2", "IMAGE", SeriesInstanceUID=uid("a1")),
    relational("a2", "SERIES", StudyDate="20260102", SeriesDescription="rep*"),
    relational("", "IMAGE", SOPInstanceUID=uid("u1.1")),
    relational("a", "STUDY", PatientID="123"),
    # patients, and whose they are
    patient("123 0123 C D E F G% H"),
    patient("123", PatientID="123"),
    patient("123 0123", PatientName="bjørn*"),
    patient("123", PatientBirthDate="19550214"),
    patient("123 G%", PatientSex="F"),
    patient("123 0123", PatientID="123\\0123"),
    patient("123", IssuerOfPatientID="2.16.578.1.1", PatientID="123"),
    patient("H", EMPTY, PatientName='""'),
    patient("G%", FUZZY, PatientName="anne"),
    patient("123 123", site="utsira", PatientID="*"),
    patient("123", site="utsira", PatientID="*", PatientName="bjørn*"),
    patient("123", site="utsira", IssuerOfPatientID="2.16.578.1.1"),
    patient("123 123", site="nordlys", PatientID="123"),
    patient("123", site="nordlys", PatientID="123", PatientName="vik*"),
    patient("123", site="nordlys", PatientID="123", IssuerOfPatientID="2.16.578.1.1"),
    study("u", site="utsira", AccessionNumber="A1"),
    study("", site="utsira", StudyInstanceUID=uid("a")),
    study("v", site="utsira", PatientName="bjørn*"),
    study("a u", site="nordlys", AccessionNumber="A1"),
    study("a u v", site="nordlys", PatientID="123"),
    study("a v", site="nordlys", PatientID="123", IssuerOfPatientID="2.16.578.1.1"),
    study("u", site="nordlys", PatientID="123", PatientName="vik*"),
]
