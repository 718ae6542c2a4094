"""Make the photos of docs/own-photos.md, blurred here so that all have them, and draw what comes of them.

python docs/examples.py FOLDER writes phone.jpg, page.png, plate.png and stack.tif. With --draw it also
restores them, as the page says, and draws each before and after.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageSequence
from scipy.signal import fftconvolve

import blindbench
from benchmark.blur.smooth_tracks import lai_like_kernel
from methods.classical.defocus import disk, gaussian

GAP = 8  # px, between two pictures
OPTIONS = {  # of `blindbench deblur`, as on the page
    "phone.jpg": [],
    "page.png": ["--blur", "defocus", "--kernel-size", "15"],
    "plate.png": ["--streak", "167,76,32,24"],
}
Pixels = NDArray[np.floating[Any]]


def blurred(sharp: Pixels, kernel: Pixels, noise: float, rng: np.random.Generator) -> Pixels:
    """Blur (H, W) or (H, W, C) in [0, 1] inside the frame, add Gaussian noise, clip as a sensor does."""
    kernel = kernel if sharp.ndim == 2 else kernel[:, :, None]
    image = fftconvolve(sharp, kernel, "valid", axes=(0, 1))
    seen: Pixels = (image + rng.normal(0, noise, image.shape)).clip(0, 1)
    return seen


def phone(rng: np.random.Generator) -> Pixels:
    """A cup of coffee (scikit-image), the camera shaken over 25 px."""
    return blurred(skimage.data.coffee()[20:380, 60:460] / 255, lai_like_kernel(25, rng), 0.005, rng)


def page(rng: np.random.Generator) -> Pixels:
    """A scanned page (scikit-image), out of focus: a disk with a radius of 2.2 px."""
    return blurred(skimage.data.page() / 255, disk((7, 7), 2.2), 0.004, rng)


def plate(rng: np.random.Generator) -> Pixels:
    """A licence plate at night, two lamps four times brighter than white, a small one; 15 px of motion."""
    scene = Image.new("L", (380, 260), 10)
    pen = ImageDraw.Draw(scene)
    pen.rounded_rectangle((70, 130, 310, 200), 8, fill=150, outline=60, width=3)
    pen.text((86, 136), "BB 29 KX", fill=15, font=ImageFont.load_default(50))
    pen.rectangle((30, 215, 350, 225), fill=45)
    light = np.asarray(scene) / 255
    rows, columns = np.indices(light.shape)
    for row, column in ((60, 60), (60, 320)):
        light = light + 4.0 * (np.hypot(rows - row, columns - column) < 6)
    light[94:97, 189:192] += 3.0
    motion = np.zeros((15, 15))
    motion[np.linspace(4, 10, 150).round().astype(int), np.linspace(0, 14, 150).round().astype(int)] = 1
    return blurred(light, motion / motion.sum(), 0.006, rng)


def stack(rng: np.random.Generator) -> list[Pixels]:
    """Three planes of round cells with grains, drawn here; each farther from the focus; shot noise."""
    sharp = np.full((220, 220), 0.02)
    rows, columns = np.indices(sharp.shape)
    for _ in range(45):
        row, column, radius = rng.uniform(0, 220), rng.uniform(0, 220), rng.uniform(7, 14)
        inside = np.hypot(rows - row, columns - column) < radius
        sharp = np.maximum(sharp, inside * rng.uniform(0.2, 0.5))
        for angle in rng.uniform(0, 2 * np.pi, 4):
            at = row + 0.5 * radius * np.sin(angle), column + 0.5 * radius * np.cos(angle)
            sharp = np.maximum(sharp, 0.85 * (np.hypot(rows - at[0], columns - at[1]) < 2))
    planes = [fftconvolve(sharp, gaussian((21, 21), sigma), "valid") for sigma in (1.4, 2.0, 2.8)]
    return [rng.poisson(4000 * plane.clip(0)) / 4000 for plane in planes]


def write(folder: Path) -> None:
    """Write the four files."""
    rng = [np.random.default_rng(seed) for seed in range(4)]
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(255 * phone(rng[0])).astype(np.uint8)).save(folder / "phone.jpg", quality=95)
    for name, image in (("page", page(rng[1])), ("plate", plate(rng[2]))):
        Image.fromarray(np.round(255 * image).astype(np.uint8)).save(folder / f"{name}.png")
    first, *others = (
        Image.fromarray(np.round(65535 * p.clip(0, 1)).astype(np.uint16)) for p in stack(rng[3])
    )
    first.save(folder / "stack.tif", save_all=True, append_images=others)


def restored(path: Path, out: Path) -> None:
    """Restore a file as the page says."""
    if path.name in OPTIONS:
        command = [sys.executable, "-m", "benchmark", "deblur", str(path), "--out", str(out)]
        subprocess.run([*command, *OPTIONS[path.name]], check=True)
        return
    planes = [blindbench.deblur(plane, 31, blur="defocus").image for plane in planes_of(path)]
    first, *others = (Image.fromarray(plane) for plane in planes)
    first.save(out, save_all=True, append_images=others)


def planes_of(path: Path) -> list[NDArray[np.uint8] | NDArray[np.uint16]]:
    """Read all pages of an image file."""
    with Image.open(path) as file:
        return [np.asarray(page) for page in ImageSequence.Iterator(file)]


def draw(path: Path, blurry: Path, sharper: Path) -> None:
    """Write the pages of two files side by side, each before and after."""
    images = []
    for pair in zip(planes_of(blurry), planes_of(sharper), strict=True):
        images += [image if image.dtype == np.uint8 else (image // 257).astype(np.uint8) for image in pair]
    gap = np.full((images[0].shape[0], GAP, *images[0].shape[2:]), 255, np.uint8)
    row = [part for image in images for part in (image, gap)][:-1]
    Image.fromarray(np.hstack(row)).save(path)


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draw", action="store_true")
    given = parser.parse_args()
    write(given.folder)
    for name in (*OPTIONS, "stack.tif") if given.draw else ():
        blurry = given.folder / name
        sharper = given.folder / f"sharp-{blurry.stem}{'.tif' if name == 'stack.tif' else '.png'}"
        restored(blurry, sharper)
        draw(given.folder / f"kind-{blurry.stem}.png", blurry, sharper)


if __name__ == "__main__":
    main()
