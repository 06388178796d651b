"""A site past its quota is told to come back (A700); the nodes of the other sites store on."""

from __future__ import annotations

from storage import quotas
from tests.pacs_bridge.conftest import House
from tests.pacs_bridge.test_wire import dataset, store
from tests.pacs_bridge.wire import CT, IMPLICIT, connected


def test_past_its_quota_the_nodes_of_a_site_alone_are_answered_a700(house: House) -> None:
    with house.database.begin() as conn:
        quotas.set_quota(conn, "hammer", most_bytes=None, most_instances=1)
    with connected(house.port) as hammer, connected(house.port) as utsira:
        hammer.associate([(CT, IMPLICIT)])
        utsira.associate([(CT, IMPLICIT)], calling="UTSIRA_CT")
        assert store(hammer, dataset(instance="1.2.1"), instance="1.2.1") == 0
        for number in (2, 3):
            uid = f"1.2.{number}"
            assert store(hammer, dataset(instance=uid), instance=uid) == 0xA700
            assert store(utsira, dataset(instance=uid), instance=uid) == 0
    house.archive.settle()
    with house.database.read() as conn:
        counts = {each.site: each.used_instances for each in quotas.usage(conn)}
    assert counts == {"hammer": 1, "nordlys": 0, "utsira": 2}
