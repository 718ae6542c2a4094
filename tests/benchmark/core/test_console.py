"""Progress where there is no terminal: lines that end and say what is done."""

from benchmark.core.console import reporting
from benchmark.core.progress import Progress


def test_lines_say_what_is_done_and_the_last_one_ends(capfd):
    with reporting("photo.jpg ·") as report:
        for done in range(2):
            report(Progress("finding the kernel", done, 2, f"blurs of up to {15 * (done + 1)} px"))
        report(Progress("finding the kernel", 2, 2))
        report(Progress("fit", 3, 9, "MSE", 0.25))
    first, second, last, fit = capfd.readouterr().err.splitlines()
    assert first == "photo.jpg · finding the kernel: 0 of 2, blurs of up to 15 px"
    assert second.startswith("photo.jpg · finding the kernel: 1 of 2, blurs of up to 30 px")
    assert last == "photo.jpg · finding the kernel: 2 of 2"
    assert fit == "photo.jpg · fit: 3 of 9, MSE 0.25"
