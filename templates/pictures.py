"""How different are two pictures?"""

import base64
import io

import matplotlib.image
import numpy as np


def pixels(png):
    """`(height, width, 4)` from 0 to 255, of a PNG picture in base64."""
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(png)), format="png") * 255.0


def distance(one, other):
    """The root mean square between two PNG pictures in base64, of 255 grey levels; inf for other sizes."""
    one, other = pixels(one), pixels(other)
    if one.shape != other.shape:
        return float("inf")
    return float(np.sqrt(np.square(one - other).mean()))
