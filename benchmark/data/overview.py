"""Which datasets there are and where their files come from: the pages of `blindbench datasets`."""

from benchmark.core.errors import InputError
from benchmark.core.resources import MIRROR, data_folder, mirror
from benchmark.data.descriptors import dataset_names, find_dataset, presence
from benchmark.data.sources import all_sources


def list_datasets() -> list[dict[str, object]]:
    """Make a row per dataset: its cases, its blur, how it is scored, and whether its files are here.

    Raises InputError where the mirror that was named is not there.
    """
    mirror()
    return [
        {
            "dataset": name,
            "cases": dataset.case_count,
            "blur": dataset.content["blur"],
            "protocol": dataset.content["protocol"],
            "files here": presence(dataset),
            "source": dataset.content["source"],
        }
        for name in dataset_names()
        for dataset in [find_dataset(name)]
    ]


def list_sources() -> list[dict[str, object]]:
    """Make a row per source: how to get it, its size, when its links were last checked, and its terms."""
    return [
        {
            "source": source.name,
            "how to get it": source.how_to_get or source.access,
            "size": source.size,
            "link verified": source.verified if source.archives else "",
            "licence": source.licence,
        }
        for source in all_sources().values()
    ]


def describe_dataset(name: str) -> list[tuple[str, str]]:
    """Describe a dataset by pairs of a heading and a text: its cases, blur, files, source and terms.

    Raises:
        InputError: There is no such dataset, or the mirror that was named is not there. For the name of a
            source the message names its datasets.
    """
    mirror()
    sources = all_sources()
    if name in sources and name not in dataset_names():
        names = [row["dataset"] for row in list_datasets() if row["source"] == name]
        raise InputError(f"'{name}' is a source; it has the files of: {', '.join(map(str, names))}")
    dataset = find_dataset(name)
    source = sources[dataset.content["source"]]
    lines = [
        ("dataset", f"{name}: {dataset.content['title']}"),
        ("caption", dataset.content["caption"]),
        ("cases", f"{dataset.case_count}, {'blurred here' if dataset.synthesised else 'blurry as they are'}"),
        ("blur", dataset.content["blur"]),
        ("protocol", f"{dataset.content['protocol']} (see docs/protocols.md)"),
        ("files here", presence(dataset)),
        ("source", f"{source.name}: {source.title}"),
        ("page", source.page),
        ("licence", source.licence),
    ]
    if source.archives:
        lines += [
            ("how to get it", source.how_to_get),
            ("size", source.size),
            ("links verified", source.verified),
            ("looked for in", where_files_lie(source.name)),
        ]
    return lines


def where_files_lie(source: str) -> str:
    """Name the folders in which files of a source are looked for, in order."""
    return f"${MIRROR}/data/{source} (if set), then {data_folder() / source}"
