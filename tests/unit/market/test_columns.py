"""Stored bars: which Parquet files are read, whoever wrote them."""

import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.core.errors import Invalid
from backend.market.columns import decode, encode
from tests.fakes.bars import bars_at

BARS = bars_at([datetime(2026, 3, 2, 10, tzinfo=UTC), datetime(2026, 3, 2, 11, tzinfo=UTC)])


def rewritten(name: str, kind: pa.DataType) -> bytes:
    """The bars' file with one column as another type."""
    table = pq.read_table(io.BytesIO(encode(BARS)))
    place = table.schema.get_field_index(name)
    changed = table.set_column(place, pa.field(name, kind), table.column(name).cast(kind))
    sink = io.BytesIO()
    pq.write_table(changed, sink)
    return sink.getvalue()


@pytest.mark.parametrize("kind", [pa.timestamp("us", tz="UTC"), pa.timestamp("ns", tz="UTC")], ids=str)
def test_times_of_any_unit_are_the_same_seconds(kind: pa.DataType) -> None:
    read = decode(rewritten("time", kind), symbol="EURUSD", timeframe=BARS.timeframe, where="memory")
    assert [read.opened(0), read.opened(1)] == [BARS.opened(0), BARS.opened(1)]


def test_numbers_in_place_of_times_are_refused() -> None:
    with pytest.raises(Invalid, match="column time holds int64, not times") as refused:
        decode(rewritten("time", pa.int64()), symbol="EURUSD", timeframe=BARS.timeframe, where="memory")
    assert refused.value.code == "corrupt_file"
