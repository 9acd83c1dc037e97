"""Reports that come late are known as such, whatever told of the order before them."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.oms.ages import Ages
from services.oms.brokers.port import Accepted
from services.oms.decider import Command, Reported, SubmitAnswered, Succeeded
from services.oms.fills import Age
from tests.unit.oms.order_stories import NOW, order, report

LATEST = replace(report("partially_filled", 5, "12"), updated_at=NOW + timedelta(seconds=1))


@pytest.mark.parametrize("told", [SubmitAnswered(Accepted(order=LATEST)), Succeeded(LATEST), Reported(LATEST)])
def test_an_older_report_is_old_after_every_kind_of_news(told: Command):
    ages = Ages()
    ages.aged(order(), told)
    late = ages.aged(order(), Reported(replace(LATEST, updated_at=NOW)))
    assert isinstance(late, Reported)
    assert late.age is Age.OLDER
