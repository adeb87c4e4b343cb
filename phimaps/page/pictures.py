"""Arrays as pictures: colour scales, and PNG files inside a page."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import final

import numpy as np

__all__ = ["ACTIVATION", "GREY", "SIGNED", "Scale", "data_uri", "png"]


@final
class Scale:
    """A colour scale: colours at equal distances, linear in between.

    Parameters
    ----------
    *colours : str
        Hexadecimal, from the lowest value to the highest.

    Examples
    --------
    >>> Scale("#000000", "#ffffff")(np.array([0.0, 0.6, 1.0]), 0.0, 1.0).tolist()
    [[0, 0, 0], [153, 153, 153], [255, 255, 255]]
    """

    def __init__(self, *colours: str):
        self.colours = colours
        self._table = np.array([list(bytes.fromhex(c.removeprefix("#"))) for c in colours])

    def __call__(self, values: np.ndarray, low: float, high: float) -> np.ndarray:
        """The colours of values between low and high, as uint8 of shape (*values.shape, 3)."""
        span = high - low if high > low else 1.0
        place = np.clip((values - low) / span, 0, 1) * (len(self._table) - 1)
        knots = np.arange(len(self._table))
        parts = [np.interp(place, knots, self._table[:, i]) for i in range(3)]
        return np.stack(parts, axis=-1).round().astype(np.uint8)

    def css(self) -> str:
        """The scale as a CSS gradient from left to right."""
        return f"linear-gradient(to right, {', '.join(self.colours)})"


# Ink on paper, as digits are printed.
GREY = Scale("#ffffff", "#0b0d12")
# For signed numbers: zero is the neutral middle.
SIGNED = Scale("#1d4e89", "#6fa8d6", "#f6f4ef", "#e39a6b", "#9c2f1f")
# For numbers >= 0: lightness grows with the value, so that it survives grey printing.
ACTIVATION = Scale("#14142b", "#47286b", "#8c2f6d", "#d1544f", "#f39a45", "#fdf0b5")


def png(pixels: np.ndarray) -> bytes:
    """The bytes of a PNG file.

    Parameters
    ----------
    pixels : uint8 array of shape (height, width, 3)

    Returns
    -------
    bytes
    """
    height, width, _ = pixels.shape
    # Every row of pixels begins with the number of its filter; 0 is none.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def data_uri(pixels: np.ndarray) -> str:
    """The picture as an address that holds its own data."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")
