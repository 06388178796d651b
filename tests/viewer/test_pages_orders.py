"""The page of orders, with and without a browser; and the refused messages on the operator's."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lysbro.hl7 import hl7_desk
from pacs_bridge.hl7_desk import Came
from storage.hl7_inbox import Sender
from tests.pacs_bridge.messages7 import orm
from tests.viewer.conftest import World
from tests.viewer.test_pages import page, signed_in, submit, words_of
from tests.viewer.test_pages_browser import Visit, address, browser, desk, phone

__all__ = ["address", "browser", "desk", "phone"]

FORM = {
    "patient_id": "12345", "family": "Ås", "given": "Kari", "birth_date": "1950-01-02", "sex": "F",
    "modality": "CT", "station": "", "day": "2026-03-02", "time": "10:15", "procedure": "CT thorax",
    "question": "Embolism?", "priority": "urgent",
}  # fmt: skip


def test_an_order_is_placed_listed_and_cancelled(world: World) -> None:
    client = signed_in(world, "coordinator@hammer")
    placed = submit(client, "/orders", on="/orders", **FORM)
    assert placed.status_code == 302
    day, _, order_id = placed.headers["Location"].partition("#")
    said = words_of(page(client, day))
    for word in ("10:15", "Kari", "12345", "CT thorax", "Embolism?", "Scheduled", "Urgent"):
        assert word in said, word
    gone = submit(client, f"/orders/{order_id}/cancel", on=day, day="2026-03-02")
    assert gone.status_code == 302
    assert "Cancelled" in words_of(page(client, day))
    assert "Avbestilt" in words_of(page(client, day, language="nb"))


def test_a_form_with_a_fault_is_shown_again_as_it_was(world: World) -> None:
    client = signed_in(world, "referrer@hammer")
    again = submit(client, "/orders", on="/orders", **FORM | {"family": "", "given": ""})
    assert again.status_code == 422
    assert 'role="alert"' in again.text
    assert 'value="12345"' in again.text
    assert "Embolism?" in again.text
    assert submit(client, "/orders", on="/orders", **FORM | {"day": "x"}).status_code == 422


def test_an_order_that_has_ended_is_not_cancelled_again(world: World) -> None:
    client = signed_in(world, "referrer@hammer")
    placed = submit(client, "/orders", on="/orders", **FORM)
    order_id = placed.headers["Location"].partition("#")[2]
    from casework.orders import OrderEvent  # noqa: PLC0415 - for this alone
    from storage import order_writing  # noqa: PLC0415

    orders = world.parts.orders
    with world.parts.database.begin() as conn:
        order = order_writing.order_of(conn, order_id)
        actor = world.actors["referrer@hammer"]
        order_writing.move(conn, actor, order, OrderEvent.COMPLETE, now=orders.now())
    answer = submit(client, f"/orders/{order_id}/cancel", on="/orders", day="2026-03-02")
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("who", ["radiologist@centre", "dermatologist@centre"])
def test_readers_do_not_order(shared_world: World, who: str) -> None:
    client = signed_in(shared_world, who)
    assert "/orders" not in page(client, "/")
    page(client, "/orders", status=403)


def test_a_refused_message_is_seen_and_taken_again(world: World) -> None:
    desk_of_hl7 = hl7_desk(world.parts)
    for application in ("RIS", "OTHER"):
        desk_of_hl7.receive(orm(application=application, control_id=application), Came("10.0.0.5"))
    client = signed_in(world, "admin@centre")
    said = words_of(page(client, "/admin"))
    assert "2 messages were refused" in said
    assert "NESS" not in said
    world.parts.hl7_inbox.add_sender(Sender("RIS", "HAMMER", "hammer"))
    other, ris = world.parts.hl7_inbox.refused()
    assert submit(client, f"/admin/hl7/{ris.id}/replay", on="/admin").status_code == 302
    assert submit(client, f"/admin/hl7/{other.id}/remove", on="/admin").status_code == 302
    assert "was refused" not in words_of(page(client, "/admin"))
    assert len(world.audit("order-placed")) == 1
    assert submit(client, "/admin/hl7/99/replay", on="/admin").status_code == 404


@pytest.mark.browser
def test_the_page_is_whole_for_everybody_at_the_desk_and_on_the_phone(
    world: World, desk: Visit, phone: Visit
) -> None:
    client = signed_in(world, "coordinator@hammer")
    submit(client, "/orders", on="/orders", **FORM)
    for visit in (desk, phone):
        visit.sign_in("coordinator@hammer")
        shown = visit.open("/orders?day=2026-03-02")
        shown.locator("summary").click()
        expect(shown.locator("#order-question")).to_be_visible()
        assert Axe().run(shown).response["violations"] == []
        width = shown.evaluate("document.documentElement.scrollWidth")
        assert width <= shown.viewport_size["width"]  # type: ignore[index]
        assert visit.said == []
