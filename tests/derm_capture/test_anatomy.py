"""The pick list is CID 4029, whole, in two languages."""

from __future__ import annotations

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

from casework.errors import Invalid
from derm_capture import anatomy
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import dciodvfy, wrapped

STANDARD = {
    (scheme, code): meaning
    for scheme, keywords in cid_concepts[4029].items()
    for keyword in keywords
    for code, (meaning, cids) in concepts[scheme][keyword].items()
    if 4029 in cids
}


def test_sites_when_compared_with_the_standard_then_none_is_missing_or_misnamed():
    assert {(site.scheme, site.code): site.meaning for site in anatomy.SITES} == STANDARD
    assert len({site.code for site in anatomy.SITES}) == len(anatomy.SITES) == 207


def test_sites_when_listed_then_each_has_names_a_region_and_a_place():
    regions = {region.key for region in anatomy.REGIONS}
    for site in anatomy.SITES:
        assert site.en
        assert site.nb
        assert site.region in regions
        assert site.view in ("front", "back", "side", "sole")
    for language in ("en", "nb"):
        names = [(site.region, getattr(site, language)) for site in anatomy.SITES]
        assert len(set(names)) == len(names)
    assert sum(site.common for site in anatomy.SITES) >= 60
    assert {site.region for site in anatomy.SITES} == regions


def test_site_when_unknown_then_it_is_refused():
    with pytest.raises(Invalid) as refused:
        anatomy.site_of("12345")
    assert refused.value.code == "unknown-site"


@pytest.mark.peers
def test_body_parts_when_checked_then_each_is_legal(tmp_path):
    picture = pictures.encoded(pictures.skin(16, 16), "PNG")
    for body_part in sorted({site.body_part for site in anatomy.SITES}):
        site = next(s for s in anatomy.SITES if s.body_part == body_part)
        side = "L" if site.paired else ""
        said = dciodvfy(wrapped(picture, site_code=site.code, laterality=side), tmp_path)
        assert said == [], body_part
