"""What clients may make a service remember has bounds."""

from vitrina.service.histories import MOST_KINDS, OTHERS, Histories
from vitrina.service.records import Event


def test_kinds_that_stay_out_are_counted_and_clients_cant_make_more_and_more_of_them():
    histories = Histories.of_log(None, kinds=["purchase"])
    histories.add([Event(str(n), f"kind {n}", "ann", "tea", n, 0) for n in range(1000)])
    histories.add([Event("again", "kind 7", "ann", "tea", 0, 0)])
    assert len(histories.left_out) == MOST_KINDS + 1
    assert histories.left_out["kind 7"] == 2
    assert histories.left_out[OTHERS] == 1000 - MOST_KINDS
