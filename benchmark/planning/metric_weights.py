"""The weights that a plan's metrics need: which are missing, and how they come here before anything runs."""

from collections.abc import Callable

from benchmark.core.errors import InputError
from benchmark.data.download import download
from benchmark.data.sources import find_source
from benchmark.data.transfer import TransferError
from benchmark.planning.plan import Plan
from benchmark.scoring.iqa import SOURCE
from benchmark.scoring.protocols import find_protocol


def weights_remark(plan: Plan) -> str:
    """Say what becomes of the metrics whose weights are not on this machine; empty where there are none."""
    titles = _without_weights(plan)
    if not titles:
        return ""
    source = find_source(SOURCE)
    then = f"will be downloaded ({source.size})" if _accepts(plan) else f"are missing: {source.how_to_get}"
    return f"weights of {titles} {then}"


def get_weights(plan: Plan, say: Callable[[str], None]) -> None:
    """Download the weights that the plan's metrics lack, if its config accepts their terms.

    When that fails, one line says so and nothing else happens: all but these metrics runs without them.

    Args:
        plan: The plan whose metrics are meant.
        say: Called with each line that a person should read.
    """
    titles = _without_weights(plan)
    if not titles or not _accepts(plan):
        return
    try:
        download(find_source(SOURCE), say, accept_terms=True)
    except (InputError, TransferError) as error:
        say(f"no values of {titles}, all else runs: {error}")


def _without_weights(plan: Plan) -> str:
    """Name the metrics of a plan whose weights are not on this machine."""
    protocols = [find_protocol(plan.datasets[name].protocol) for name in plan.running]
    metrics = [protocol.metric(name) for name in plan.config["metrics"] for protocol in protocols]
    return ", ".join(dict.fromkeys(metric.title for metric in metrics if metric.missing_weights))


def _accepts(plan: Plan) -> bool:
    return SOURCE in plan.config["accept_terms"]
