"""The view of a sweep in MLflow's pages: which runs and columns, and which charts come first.

MLflow keeps a view that people share as a tag of the experiment, and its pages open it by the name
behind ``viewStateShareKey=`` in the address (mlflow 3.17; its form is not documented, and
what a page does not know of it is left out).
"""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

from tgap.tracking.journal import SINGLE

TAG = "mlflow.sharedViewState."
PARAMS = ("method", "selector", "finetuner", "size", "seed")
METRICS = (
    "tstr/auroc",
    "trts/auroc",
    "trtr/auroc",
    "fter",
    "t_gap",
    "memorization/copied_fraction",
    "fidelity/coverage",
)
CURVES = {
    "FTER over size": ("by_size/fter", "by_size/fter_lo", "by_size/fter_hi"),
    "TSTR over size": ("by_size/tstr", "by_size/tstr_lo", "by_size/tstr_hi"),
    "TRTS over size": ("by_size/trts", "by_size/trts_lo", "by_size/trts_hi"),
}
SECTION = "tgap"

Json = dict[str, Any]


SWEEPS = "tgap.sweeps"
"""The tag that names all sweeps which a run belongs to."""


def short_name(sweep_key: str) -> str:
    """A sweep's name in that tag."""
    return sweep_key[:12]


def view_name(sweep_key: str) -> str:
    """The name of a sweep's view."""
    return f"tgap-{short_name(sweep_key)}"


def view_tag(sweep_key: str, title: str, created: int) -> tuple[str, str]:
    """The tag of an experiment that holds a sweep's view.

    Args:
        sweep_key: The sweep.
        title: As people see it in the list of views.
        created: Milliseconds since 1970.
    """
    title = ALL if sweep_key == SINGLE else title
    state = json.dumps(_state(sweep_key), separators=(",", ":"))
    packed = base64.b64encode(zlib.compress(state.encode())).decode()
    value = {"name": title, "createdAt": created, "state": f"deflate;{packed}"}
    return f"{TAG}{view_name(sweep_key)}", json.dumps(value)


ALL = "all runs"
KIND = "tags.`tgap.kind`"


def _state(sweep_key: str) -> Json:
    single = sweep_key == SINGLE
    one = f" and tags.`{SWEEPS}` LIKE '%{short_name(sweep_key)}%'"
    columns = [f"params.`{name}`" for name in PARAMS] + [f"metrics.`{name}`" for name in METRICS]
    return {
        "searchFilter": f"{KIND} != 'sweep'{'' if single else one}",
        # By time alone would MLflow fold runs away below the sweep's own.
        "orderByKey": "attributes.end_time" if single else "params.`method`",
        "orderByAsc": not single,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": {"params.`method`": 210},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": _charts(),
        "compareRunSections": [
            {"uuid": SECTION, "name": "Methods", "display": True, "isReordered": True}
        ],
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "chartsSearchFilter": "",
        "globalLineChartConfig": {
            "xAxisKey": "step",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
        },
    }


def _charts() -> list[Json]:
    lines = [_line(title, keys) for title, keys in CURVES.items()]
    parallel = {
        **_chart("PARALLEL", "Methods and numbers"),
        # A run that lacks one of these is not drawn: what tunes nothing has no size. Names of more
        # axes would lie on each other.
        "selectedParams": ["method"],
        "selectedMetrics": ["tstr/auroc", "trts/auroc", "fter"],
        "showAllRuns": False,
    }
    return [*lines, parallel]


def _line(title: str, keys: Sequence[str]) -> Json:
    return {
        **_chart("LINE", title),
        "metricKey": keys[0],
        "selectedMetricKeys": list(keys),
        "lineSmoothness": 0,
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "displayPoints": True,
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": False,
        "useGlobalLineSmoothing": True,
    }


def _chart(kind: str, title: str) -> Json:
    return {
        "type": kind,
        "uuid": f"tgap {title}",
        "metricSectionId": SECTION,
        "isGenerated": False,
        "deleted": False,
        "displayName": title,
    }
