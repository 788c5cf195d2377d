"""What a researcher shows in TensorBoard besides the metrics: text, images, figures, histograms.

    summary = image('samples', torch.rand(3, 28, 28))       # a Summary: Writer.add takes it

TensorBoard's own functions make them. They are imported here only: that takes half a second.
"""

import io
import sys
import warnings
from typing import Any

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary

BINS = 64  # of a histogram
CHANNELS = (1, 3, 4)


def number(value: Any) -> Any:
    """Return a number, or a 0-d tensor that is not waited for. Raises TypeError or ValueError."""
    if torch.is_tensor(value):
        return value.detach().clone().reshape(())
    return float(value)


def text(name: str, value: Any) -> Summary:
    """Return a text, which TensorBoard reads as Markdown."""
    from torch.utils.tensorboard.summary import text as text_summary

    return text_summary(name, str(value))


def image(name: str, value: Any) -> Summary:
    """Return an image of an array or tensor: (H, W), (C, H, W) or (H, W, C), with C of 1, 3 or 4.

    Integers go from 0 to 255, other numbers from 0 to 1. Raises ValueError for another shape.
    """
    from torch.utils.tensorboard.summary import image as image_summary

    array = _array(value)
    if array.ndim == 2:
        layout = 'HW'
    elif array.ndim == 3 and array.shape[0] in CHANNELS:
        layout = 'CHW'
    elif array.ndim == 3 and array.shape[2] in CHANNELS:
        layout = 'HWC'
    else:
        raise ValueError(f'an image is (H, W), (C, H, W) or (H, W, C), and not {array.shape}')
    if array.dtype.kind in 'iub':
        array = (array * 255 if array.dtype.kind == 'b' else array).astype(np.uint8)
    else:
        array = np.nan_to_num(array.clip(0, 1))
    return image_summary(name, array, dataformats=layout)


def figure(name: str, value: Any) -> Summary:
    """Return a picture of a matplotlib Figure, and close it in pyplot, which else keeps it."""
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # what no font has is drawn as a box
        value.savefig(picture, format='png')
    width, height = (int(side) for side in value.get_size_inches() * value.dpi)
    if 'matplotlib.pyplot' in sys.modules:
        sys.modules['matplotlib.pyplot'].close(value)
    drawn = Summary.Image(
        width=width, height=height, colorspace=4, encoded_image_string=picture.getvalue()
    )
    return Summary(value=[Summary.Value(tag=name, image=drawn)])


def histogram(name: str, value: Any) -> Summary:
    """Return a histogram of an array's or tensor's finite values. Raises ValueError without one."""
    from torch.utils.tensorboard.summary import histogram as histogram_summary

    array = _array(value).astype(np.float64).ravel()
    finite = array[np.isfinite(array)]
    if not finite.size:
        raise ValueError('a histogram needs a finite value')
    return histogram_summary(name, finite, BINS)


def _array(value: Any) -> np.ndarray:
    if torch.is_tensor(value):
        value = value.detach().cpu()
        value = value.float() if value.dtype == torch.bfloat16 else value
        return np.asarray(value.numpy())
    return np.asarray(value)
