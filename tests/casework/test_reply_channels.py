"""Reply channels: a way that leads nowhere is refused; what is not told has its default."""

from __future__ import annotations

import pytest

from casework.errors import Invalid
from casework.findings import URGENCIES
from casework.reply_channels import OPTIONS, ReplyChannel, Way, checked, takes


def channel(way: Way, address: str, name: str = "x", **options: str) -> ReplyChannel:
    return ReplyChannel(name, "fjord", way, address, options)


@pytest.mark.parametrize(
    ("way", "address", "options"),
    [
        (Way.HL7, "host", {}), (Way.HL7, "host:0", {}), (Way.HL7, "host:2575", {"colour": "red"}),
        (Way.HL7, "host:2575", {"pdf": "maybe"}), (Way.HL7, "a b:2575", {}),
        (Way.FHIR, "ftp://host/fhir", {}), (Way.FHIR, "https://host:port/", {}),
        (Way.WEBHOOK, "https://user:word@host/", {}), (Way.WEBHOOK, "https:///path", {}),
        (Way.MAIL, "nobody", {}), (Way.MAIL, "a@b, c@d", {}), (Way.MAIL, "a@b\nBcc: c@d", {}),
    ],
)  # fmt: skip
def test_a_way_that_leads_nowhere_is_refused(way: Way, address: str, options: dict[str, str]):
    with pytest.raises(Invalid):
        checked(channel(way, address, **options))


@pytest.mark.parametrize(
    ("way", "address"),
    [
        (Way.HL7, "epj.example:2575"), (Way.HL7, "[::1]:2575"), (Way.FHIR, "https://host/fhir"),
        (Way.WEBHOOK, "http://127.0.0.1:8000/in"), (Way.MAIL, "post@fjord.example"),
    ],
)  # fmt: skip
def test_a_sound_way_is_taken_with_its_defaults(way: Way, address: str):
    found = checked(channel(way, address))
    for name, values in OPTIONS[way].items():
        assert found.option(name) == (values[0] if values else "")


def test_an_address_of_ipv6_is_parted_from_its_port():
    assert channel(Way.HL7, "[::1]:2575").host_and_port == ("::1", 2575)


def test_a_name_that_is_no_slug_is_refused():
    with pytest.raises(Invalid):
        checked(channel(Way.MAIL, "a@b.example", name="Fjord Gata"))


def test_mail_for_urgent_replies_only_is_for_those():
    urgent = channel(Way.MAIL, "a@b.example", urgent_only="yes")
    wanted = {u: takes(urgent, {"urgency": u}) for u in URGENCIES}
    assert wanted == {
        "none": False, "routine": False, "priority": True, "cancer-pathway": True,
    }  # fmt: skip
    assert takes(channel(Way.MAIL, "a@b.example"), {"urgency": "none"})
