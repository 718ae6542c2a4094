"""Show which file of another program belongs to which case of a dataset, before anything runs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.errors import InputError, NotSupportedError
from methods.parts.case_files import CaseFiles


@dataclass(frozen=True)
class Matching:
    """Which file belongs to which case, and what is left over on both sides."""

    files: dict[str, Path]  # by case
    missing: tuple[str, ...]  # cases without a file
    refused: dict[str, str]  # cases whose file is not clear, with the reason
    unused: tuple[Path, ...]  # files of no case


def match(cases: Sequence[str], files: CaseFiles) -> Matching:
    """Match cases with files, as the methods that read files do.

    A file that may be of two cases is refused for both. A method cannot do so: it sees one case at a time.

    Args:
        cases: The names of all cases.
        files: Where their files are.

    Raises:
        InputError: There is no file at all.
    """
    there = files.all()
    if not there:
        raise InputError(f"{files.path}: holds no file that can be read; see `blindbench match --help`")
    only: dict[str, Path] = {}
    missing, refused = [], {}
    for case in cases:
        try:
            only[case] = files.only_one(case)
        except NotSupportedError:
            missing.append(case)
        except InputError as error:
            refused[case] = str(error)
    cases_of = defaultdict(list)
    for case, file in only.items():
        cases_of[file].append(case)
    for file, several in cases_of.items():
        if len(several) > 1:
            reason = f"{file}: may belong to {' and '.join(several)}; give a pattern as path"
            refused |= dict.fromkeys(several, reason)
    clear = {case: file for case, file in only.items() if case not in refused}
    used = set(only.values()) | {file for case in refused for file in files.of(case)}
    return Matching(clear, tuple(missing), refused, tuple(file for file in there if file not in used))
