"""Which of a config's datasets can run here, and on which cases."""

from collections.abc import Sequence
from typing import Literal

from benchmark.core.errors import InputError
from benchmark.core.hashes import digest
from benchmark.data.descriptors import Dataset
from benchmark.data.download import marker_of
from benchmark.data.sources import Source
from benchmark.planning.parts import DatasetPlan


def planned_dataset(
    dataset: Dataset,
    source: Source,
    selection: Sequence[str] | Literal["here", "all"],
    accepted: Sequence[str],
) -> DatasetPlan:
    """Find out whether a dataset can run.

    Args:
        dataset: the checked descriptor.
        source: where its files come from.
        selection: shell patterns of the cases to run; or "here" for those of which every file is here.
        accepted: sources whose terms the user accepts; files that are missing of them may be downloaded.

    Raises:
        InputError: a pattern matches no case.
    """
    cases: list[str] = []
    download, absent = False, ""
    try:
        _ = dataset.case_ids  # some datasets know their cases only from their files
        if selection == "all":
            dataset.require_all()
    except InputError as error:
        absent = "; ".join(filter(None, [str(error), source.how_to_get]))
    else:
        if isinstance(selection, str):
            cases = dataset.case_ids if selection == "all" else dataset.complete(dataset.case_ids)
            absent = "" if cases else f"no case has all its files here; {source.how_to_get}"
        else:
            cases = dataset.selected(selection)
        missing = dataset.missing(cases)
        download = bool(missing) and source.downloadable and source.name in accepted
        if missing and not download:
            count = len(dataset.files(cases))
            absent = f"{len(missing)} of {count} files are missing, as {missing[0]}; {source.how_to_get}"
    marker = marker_of(source.name)
    return DatasetPlan(
        title=dataset.content["title"],
        caption=dataset.content["caption"],
        table=dataset.content["table"],
        protocol=dataset.content["protocol"],
        source=source.name,
        recipe=digest(dataset.recipe),
        cases={} if absent else {case: dataset.entries[case].group for case in cases},
        download=download,
        marker=str(marker) if download or marker.exists() else "",
        absent=absent,
    )
