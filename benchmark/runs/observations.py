"""Make observations from the descriptors of datasets, and write them into a results folder."""

from collections.abc import Sequence

from benchmark.core.console import counted
from benchmark.core.seals import file_hash
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs.store import Store


def make_observations(store: Store, dataset: str, cases: Sequence[str], seed: int) -> dict[str, str]:
    """Make and write the observations of some cases: blur sharp images and add noise.

    Args:
        store: The results folder.
        dataset: A dataset, or <dataset>@<condition>.
        cases: The names of the cases.
        seed: The experiment's seed.

    Returns:
        The name of each file that was written, to its hash.
    """
    descriptor = find_dataset(dataset)
    hashes: dict[str, str] = {}
    for case in counted(cases, f"{dataset}: making observations"):
        store.write_observation(*observe(make_case(descriptor, case, seed), seed))
        hashes |= {file.name: file_hash(file) for file in store.observation_files(dataset, case)}
    return hashes
