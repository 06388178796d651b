"""A site past its quota: 507 with a problem document; what the administrator sees of it and of a
mirror.
"""

from __future__ import annotations

from collections.abc import Callable

from storage import quotas
from tests.viewer.conftest import World
from tests.viewer.test_api_cases import jpeg, photo_form
from tests.viewer.test_dicomweb import post
from tests.viewer.test_health import with_changes


def bound(world: World, site: str, most_instances: int) -> None:
    with world.parts.database.begin() as conn:
        quotas.set_quota(conn, site, most_bytes=10**12, most_instances=most_instances)


def test_stow_past_the_quota_stores_what_it_may_and_then_says_507(
    world: World, part10_slice: Callable[..., bytes]
) -> None:
    with world.parts.database.read() as conn:
        (before,) = quotas.usage(conn, "hammer")
    bound(world, "hammer", before.used_instances + 1)
    client = world.client("referrer@hammer")
    some = post(client, [part10_slice(SOPInstanceUID=f"1.2.826.0.9.{i}") for i in (1, 2)])
    assert some.status_code == 202
    assert len(some.get_json()["00081199"]["Value"]) == 1
    (failed,) = some.get_json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [0xA700]
    none = post(client, [part10_slice(SOPInstanceUID="1.2.826.0.9.3")])
    assert (none.status_code, none.mimetype) == (507, "application/problem+json")
    assert none.get_json()["code"] == "quota"
    assert none.get_json()["detail"].startswith("The quota of site hammer is used up")
    other = post(world.client("referrer@berg"), [part10_slice(SOPInstanceUID="1.2.826.0.9.3")])
    assert other.status_code == 200


def test_a_photograph_past_the_quota_is_not_taken_and_the_page_says_why(world: World) -> None:
    case_id = world.derm_case()
    bound(world, "fjord", 0)
    asker = world.client("referrer@fjord")
    answer = asker.post(f"/api/cases/{case_id}/photos", data=photo_form(jpeg()))
    assert (answer.status_code, answer.get_json()["code"]) == (507, "quota")
    assert asker.get(f"/api/cases/{case_id}/photos").get_json()["photos"] == []


def test_the_administrator_sees_who_is_near_and_who_is_past(world: World) -> None:
    world.store("hammer")
    world.parts.archive.settle()
    with world.parts.database.read() as conn:
        used = {u.site: u.used_instances for u in quotas.usage(conn)}
    bound(world, "hammer", used["hammer"])
    admin = world.client("admin@centre")
    page = admin.get("/admin").text
    assert "The quota of Hammer is used up: what it sends is refused." in page.replace("\n", " ")
    figures = admin.get("/metrics").text
    assert f'lysbro_site_used_instances{{site="hammer"}} {used["hammer"]}.0' in figures
    assert f'lysbro_site_most_instances{{site="hammer"}} {used["hammer"]}.0' in figures
    assert 'lysbro_site_most_bytes{site="berg"}' not in figures


def test_the_administrator_sees_how_far_the_mirror_is_behind_and_why(shared_world: World) -> None:
    mirror = {
        "place": "folder /mnt/second",
        "behind_objects": 3,
        "behind_bytes": 5_000_000,
        "oldest_age_s": 7200.0,
        "catch_up_s": None,
        "failing_objects": 1,
        "is_failing": True,
        "failure": "The mirror folder /mnt/second cannot be used.",
        "reads": {"missing": 2, "corrupt": 0, "unreadable": 0},
    }
    app = with_changes(shared_world, status=lambda: {"mirror": mirror})
    token = {"Authorization": f"Bearer {shared_world.tokens['admin@centre']}"}
    page = app.test_client().get("/admin", headers=token).text
    for text in ("3 packs and backups are not there yet", "cannot be used", "read 2 times instead"):
        assert text in page
    figures = app.test_client().get("/metrics").text
    assert "lysbro_mirror_behind_objects 3.0" in figures
    assert "lysbro_mirror_behind_bytes 5e+06" in figures
    assert "lysbro_mirror_is_failing 1.0" in figures
    assert "lysbro_mirror_reads_missing 2.0" in figures
