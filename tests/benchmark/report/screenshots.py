"""Take the pictures of the report that docs/report.md shows.

python -m tests.benchmark.report.screenshots results/demo docs/images
"""

import sys
from pathlib import Path

from PIL import Image

from tests.benchmark.report.browser import opened

CASE = "#case=demo-uniform/astronaut/l0-grad"
DESKTOP = {"viewport": {"width": 1200, "height": 1180}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}


def main(results, folder):
    with opened() as browser:
        for name, hash_, options in (("report", "", DESKTOP), ("report-phone", CASE, PHONE)):
            tab = browser.new_context(**options).new_page()
            tab.goto((results.resolve() / "index.html").as_uri() + hash_)
            tab.wait_for_load_state("networkidle")
            path = folder / f"{name}.png"
            tab.screenshot(path=path)
            # 256 colours: a third of the size, and no difference that one sees.
            Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
