from __future__ import annotations

import pytest

from otokura.shared import metrics


@pytest.mark.parametrize("name", ["http_seconds", "otokura_reads", "otokura_Reads_total", "otokura__x_total"])
def test_a_metric_is_named_after_its_thing_and_unit(name: str) -> None:
    with pytest.raises(ValueError, match="otokura_<thing>_<unit>"):
        metrics.gauge(name, "…")


def test_metrics_are_rendered_together() -> None:
    metrics.counter("otokura_test_things_total", "Things.", ["kind"]).labels("a").inc(2)
    metrics.gauge("otokura_test_size_bytes", "Size.").set(3)
    metrics.histogram("otokura_test_wait_seconds", "Wait.", buckets=(1.0,)).observe(0.5)
    text = metrics.render().decode()
    assert 'otokura_test_things_total{kind="a"} 2.0' in text
    assert "otokura_test_size_bytes 3.0" in text
    assert 'otokura_test_wait_seconds_bucket{le="1.0"} 1.0' in text
    assert "_created" not in text
