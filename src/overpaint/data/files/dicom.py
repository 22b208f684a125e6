"""DICOM files, by pydicom: their values in units of the modality, and their window."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.data.files.values import PictureOptions, Range, Raster


def _read(path: Path, with_pixels: bool) -> Any:
    if importlib.util.find_spec("pydicom") is None:
        raise OSError("reading DICOM needs pydicom: pip install 'overpaint[dicom]'")
    import pydicom

    data = pydicom.dcmread(path, stop_before_pixels=not with_pixels, force=True)
    if "Rows" not in data or "Columns" not in data:
        raise OSError("it is no DICOM picture: it states no rows and columns")
    return data


def dicom_shape(path: Path) -> tuple[int, int, int]:
    """Returns width, height and bands of a DICOM file.

    Raises:
        OSError: If it is no picture, or pydicom is not installed.
    """
    data = _read(path, False)
    return int(data.Columns), int(data.Rows), int(data.get("SamplesPerPixel", 1))


def read_dicom(path: Path, options: PictureOptions) -> Raster:
    """Reads the first frame of a DICOM file.

    Its values are those of the modality: slope and intercept are applied, so that CT has Hounsfield units. Its range is
    its first window, else what its stored bits hold. ``MONOCHROME1``, whose low values are bright, is marked inverted.

    Args:
        path: The file.
        options: How large it may be.

    Raises:
        OSError: If it is no picture, or pydicom is not installed; pydicom raises other errors, too.
        ValueError: If it is too large.
    """
    data = _read(path, True)
    options.check_pixels(int(data.Columns), int(data.Rows))
    from pydicom.pixels.processing import apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    stored: NDArray[Any] = pixel_array(data, index=0)
    kind = str(data.get("PhotometricInterpretation", ""))
    if stored.ndim == 3:
        return Raster(stored, (0.0, 2.0 ** int(data.BitsStored) - 1))
    values = np.asarray(apply_modality_lut(stored, data))
    window = _window(data)
    states = window or _stored_range(data)
    return Raster(values[..., None], states, is_window=window is not None, is_inverted=kind == "MONOCHROME1")


def _window(data: Any) -> Range | None:
    """Returns the lowest and highest value of the first window (DICOM part 3, C.11.2.1.2.1 and C.11.2.1.3.2)."""
    centers, widths = data.get("WindowCenter"), data.get("WindowWidth")
    if centers in (None, "") or widths in (None, ""):
        return None
    center, width = (float(np.atleast_1d(np.asarray(each, dtype=float))[0]) for each in (centers, widths))
    if str(data.get("VOILUTFunction", "LINEAR")) == "LINEAR":
        center, width = center - 0.5, width - 1
    return (center - width / 2, center + width / 2) if width > 0 else None


def _stored_range(data: Any) -> Range:
    """Returns the modality's values of the lowest and highest number that the stored bits hold."""
    from pydicom.pixels.processing import apply_modality_lut

    bits, signed = int(data.BitsStored), int(data.get("PixelRepresentation", 0)) == 1
    ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1])
    low, high = sorted(float(value) for value in np.asarray(apply_modality_lut(ends, data)))
    return low, high
