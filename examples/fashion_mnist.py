"""Write Fashion-MNIST images as CSV rows.

usage: python fashion_mnist.py OUTDIR --count N

Takes the images from Debian's package ``dataset-fashion-mnist``: from the
installed package if there is one, else from the package file, which apt-get
fetches into a temporary folder (no root needed; ``apt-get update`` must have
been run on the machine once). Without apt-get or a network it writes the slice
of 60 images kept in ``data/fashion_slice.csv.gz``. It prints which one it used.
"""


import argparse
import gzip
import itertools
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SLICE = Path(__file__).parent / "data" / "fashion_slice.csv.gz"
IDX_FOLDER = Path("usr/share/datasets/fashion-mnist")
IDX_PARTS = ("train", "t10k")
IDX_LABELS_MAGIC = 2049
IDX_IMAGES_MAGIC = 2051
PIXELS = 28 * 28
FETCH_SECONDS = 300
HEADER = ",".join(["label", *(f"pixel{i}" for i in range(1, PIXELS + 1))])
DIGITS = tuple(str(value) for value in range(256))


class UnavailableError(Exception):
    """The package cannot be had on this machine."""


def fetch_package(folder: Path) -> Path:
    """Download the package into a folder, unpack it there, return the idx folder."""
    try:
        # apt-get and dpkg-deb are in this place on every Debian.
        subprocess.run(
            [
                "/usr/bin/apt-get",
                "-qq",
                "-oAcquire::Retries=0",
                "-oAcquire::http::Timeout=20",
                "download",
                "dataset-fashion-mnist",
            ],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
        )
        next(folder.glob("*.deb")).rename(folder / "package.deb")
        subprocess.run(
            ["/usr/bin/dpkg-deb", "-x", "package.deb", "package"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
        )
    except FileNotFoundError as error:
        message = f"{error.filename} is missing"
        raise UnavailableError(message) from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [str(error)]
        raise UnavailableError(lines[-1]) from error
    except (subprocess.TimeoutExpired, StopIteration, OSError) as error:
        raise UnavailableError(str(error)) from error
    return folder / "package" / IDX_FOLDER


def read_idx(
    path: Path, magic: int, dimensions: int, item_size: int
) -> Iterator[bytes]:
    """Yield the items of a gzipped idx file of unsigned bytes."""
    with gzip.open(path, "rb") as stream:
        found, count = struct.unpack(">II", stream.read(8))
        if found != magic:
            message = f"{path.name}: magic number {found}, expected {magic}"
            raise ValueError(message)
        stream.read(4 * (dimensions - 1))
        for _ in range(count):
            yield stream.read(item_size)


def package_rows(folder: Path) -> Iterator[str]:
    """Yield a CSV row for every image of the package, training images first."""
    for part in IDX_PARTS:
        labels = read_idx(
            folder / f"{part}-labels-idx1-ubyte.gz", IDX_LABELS_MAGIC, 1, 1
        )
        images = read_idx(
            folder / f"{part}-images-idx3-ubyte.gz", IDX_IMAGES_MAGIC, 3, PIXELS
        )
        for label, image in zip(labels, images, strict=True):
            yield ",".join(map(DIGITS.__getitem__, label + image))


def slice_rows() -> Iterator[str]:
    """Yield the CSV rows of the committed slice."""
    with gzip.open(SLICE, "rt", encoding="ascii") as stream:
        next(stream)
        for line in stream:
            yield line.rstrip("\n")


def write_rows(target: Path, rows: Iterator[str], count: int) -> int:
    """Write the header and at most ``count`` rows, return how many there were."""
    written = 0
    with target.open("w", encoding="ascii") as stream:
        stream.write(HEADER + "\n")
        for row in itertools.islice(rows, count):
            stream.write(row + "\n")
            written += 1
    return written


def convert(target: Path, count: int) -> str:
    """Write ``count`` images to a CSV file, return a line saying what was used."""
    installed = Path("/") / IDX_FOLDER
    with tempfile.TemporaryDirectory() as temporary:
        try:
            if installed.is_dir():
                folder, source = installed, "the installed package"
            else:
                folder, source = fetch_package(Path(temporary)), "the Debian package"
        except UnavailableError as error:
            source = f"the committed slice ({error})"
            written = write_rows(target, slice_rows(), count)
        else:
            written = write_rows(target, package_rows(folder), count)
    return f"{target}: {written} images from {source}"


def positive(text: str) -> int:
    """Parse a number of images."""
    number = int(text)
    if number < 1:
        message = "must be at least 1"
        raise argparse.ArgumentTypeError(message)
    return number


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write Fashion-MNIST as CSV.")
    parser.add_argument("outdir", type=Path, metavar="OUTDIR")
    parser.add_argument("--count", type=positive, default=1000, metavar="N")
    arguments = parser.parse_args()
    arguments.outdir.mkdir(parents=True, exist_ok=True)
    print(convert(arguments.outdir / "fashion.csv", arguments.count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
