"""The report as one page that opens offline: data, drawing and library inside, nothing fetched."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.backtest.model import Job, Result
from backend.backtest.page_data import page_data

_TEMPLATE = Path(__file__).with_name("page.html")


def report_page(report: Mapping[str, Any], job: Job, result: Result) -> bytes:
    """The page as UTF-8 HTML. Its policy of content forbids every request, so no text in it can make one."""
    from plotly.offline import get_plotlyjs

    left_out = {"equity_curve"}
    whole = {
        "report": {key: value for key, value in report.items() if key not in left_out},
        "drawn": page_data(job, result),
    }
    head, _, rest = _TEMPLATE.read_text(encoding="utf-8").partition("/*PLOTLY*/")
    middle, _, tail = rest.partition("/*DATA*/")
    return "".join((head, get_plotlyjs(), middle, _script_json(whole), tail)).encode()


def _script_json(value: Any) -> str:
    """JSON that stays inside its script whatever the texts hold."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
