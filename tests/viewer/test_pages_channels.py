"""The page of reply channels: added, turned off, removed; only by administrators, and audited."""

from __future__ import annotations

import pytest

from tests.viewer.conftest import World
from tests.viewer.test_pages import page, signed_in, submit, token_of, words_of

pytestmark = pytest.mark.slow

CHANNELS = "/admin/channels"
EPJ = {"name": "hammer-epj", "site": "hammer", "way": "hl7", "address": "epj.example:2575"}


def test_a_channel_is_added_turned_off_and_removed(world: World) -> None:
    client = signed_in(world, "admin@centre")
    assert "There is none." in words_of(page(client, CHANNELS))
    added = submit(client, CHANNELS, on=CHANNELS, **EPJ, options="application=EPJ pdf=no")
    assert added.status_code == 302
    said = words_of(page(client, CHANNELS))
    assert "hammer-epj Hammer HL7 message (ORU) application=EPJ pdf=no epj.example:2575" in said
    assert "HL7-melding" in words_of(page(client, CHANNELS, language="nb"))
    path = f"{CHANNELS}/hammer-epj/turn"
    data = {"on": "0", "csrf_token": token_of(client, CHANNELS)}
    assert client.post(path, data=data).status_code == 302
    assert world.parts.reply_channels.of("hammer-epj").is_on is False
    submit(client, f"{CHANNELS}/hammer-epj/remove", on=CHANNELS)
    assert world.parts.reply_channels.all() == []
    deeds = [e.action for e in world.parts.ledger.entries(limit=50) if "channel" in e.action]
    assert deeds == ["channel-removed", "channel-turned-off", "channel-added"]


def test_a_channel_that_leads_nowhere_is_refused_and_the_form_keeps_what_was_written(
    world: World,
) -> None:
    client = signed_in(world, "admin@centre")
    refused = submit(client, CHANNELS, on=CHANNELS, **{**EPJ, "address": "nowhere"})
    assert refused.status_code == 422
    assert "'nowhere' is no place to go to by hl7" in words_of(refused.text)
    assert 'value="hammer-epj"' in refused.text
    assert submit(client, CHANNELS, on=CHANNELS, **{**EPJ, "way": "pigeon"}).status_code == 422


def test_others_have_no_channels(world: World) -> None:
    for who in ("coordinator@centre", "referrer@hammer"):
        assert signed_in(world, who).get(CHANNELS).status_code == 403
