"""The deblurring methods. A method sees an observation and nothing else; it knows no dataset and no score."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "weights"  # pre-trained networks of demo size, with their records


def weights_folder(setting: str) -> Path:
    """The folder that a setting `weights` names; the shipped one for nothing."""
    return Path(setting) if setting else SHIPPED
