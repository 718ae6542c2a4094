"""Measure what each effort of `blindbench deblur` takes on two photographs: python docs/efforts.py FILE.csv

One is docs/examples.py's phone photo, the other scikit-image's clock, really blurred by motion. Each run is a
process of its own; core-seconds count its start, too, and other work on the machine changes them little.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

import pandas as pd
import skimage.data
from PIL import Image

from benchmark.core.files import write_text
from benchmark.runs.machine import describe
from benchmark.tables.timings import COLUMNS
from benchmark.tools.search import Effort

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
PHOTOS = ("phone.jpg", "clock.png")


def measured(photo: Path, effort: str) -> dict[str, object]:
    """Deblur a photo in a process with one thread, and return a row with `COLUMNS`."""
    command = [sys.executable, "-m", "benchmark", "deblur", str(photo), "--effort", effort]
    begun = time.monotonic()
    process = subprocess.Popen([*command, "--out", str(photo.with_name("sharp.png"))], env=ONE_THREAD)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    row = dict.fromkeys(COLUMNS, "") | {"method": "deblur", "by": "photo", "at": photo.stem, "what": effort}
    return row | {
        "core_seconds": used.ru_utime + used.ru_stime,
        "seconds": time.monotonic() - begun,
        "peak_memory_mib": used.ru_maxrss / 2**10,
        "cpu": describe()["cpu"],
    }


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    out = parser.parse_args().file
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        examples = [sys.executable, str(Path(__file__).with_name("examples.py")), name]
        subprocess.run(examples, check=True)
        Image.fromarray(skimage.data.clock()).save(folder / "clock.png")
        rows = [measured(folder / photo, effort) for photo in PHOTOS for effort in get_args(Effort)]
    write_text(out, pd.DataFrame(rows).to_csv(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
