"""Reading a recognised file, whatever its format."""

from backend.history.formats import bi5, stored
from backend.history.formats.model import DataFile, Faults, RawBars, RawTicks
from backend.history.formats.rows import text_bars, text_ticks


def read_bars(file: DataFile) -> tuple[RawBars, Faults | None]:
    """The bars of a file whose rows can be, in the file's order, and the rows that cannot.

    Raises:
        Invalid: The file cannot be read as a whole.
    """
    if file.layout is bi5.CANDLES:
        return bi5.read_bars(file)
    if file.layout is stored.STORED:
        return stored.read_bars(file), None
    return text_bars(file)


def read_ticks(file: DataFile) -> tuple[RawTicks, Faults | None]:
    """The ticks of a file whose rows can be, in the file's order, and the rows that cannot.

    Raises:
        Invalid: The file cannot be read as a whole.
    """
    return bi5.read_ticks(file) if file.layout is bi5.TICKS else text_ticks(file)
