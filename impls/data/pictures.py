"""Ten kinds of small colour pictures, drawn in integers so that every machine gets the same bytes.

A picture shows an object on a darker, shaded background: one of five shapes, or a square patch of one of five patterns.
Kind, place, size, rotation and colours are drawn independently, so the colours do not reveal the kind. One small box
lies behind the object, another in front of it. Noise is added to the whole picture.

n pictures; lengths in sixteenths of a pixel, from the middle of the picture, x to the right and y down.
"""

import numpy as np

SIDE = 32  # pixels
PIXEL = 16  # sixteenths
AXIS = np.arange(SIDE, dtype=np.int32) * PIXEL + PIXEL // 2 - SIDE * PIXEL // 2  # the middles of the pixels
# Cosine and sine in 256ths, of rotations in steps of 5 degrees.
TURNS = np.array([(247, -66), (252, -44), (255, -22), (256, 0), (255, 22), (252, 44), (247, 66)], np.int32)
NOISE = 60  # maximum, of 255


class Dice:
    """Random integers that never change. NumPy guarantees this only for the raw output of Philox."""

    def __init__(self, key: int):
        self.philox = np.random.Philox(key=key)

    def whole(self, low: int, high: int, *shape: int) -> np.ndarray:
        """int32 [*shape], uniform in low..high (to within 2^-20 for the ranges used here)."""
        raw = self.philox.random_raw(int(np.prod(shape))) >> np.uint64(33)
        return (low + raw.astype(np.int64) % (high - low + 1)).astype(np.int32).reshape(shape)

    def shuffled(self, values: np.ndarray) -> np.ndarray:
        """`values` [n] in random order."""
        return values[np.argsort(self.philox.random_raw(len(values)), kind="stable")]

    def noise(self, *shape: int) -> np.ndarray:
        """int16 [*shape] in -255..255, most often near 0: differences of two random bytes."""
        count = int(np.prod(shape))
        raw = self.philox.random_raw(-(-2 * count // 8)).astype("<u8").view(np.uint8)[: 2 * count]
        first, second = raw.reshape(2, *shape).astype(np.int16)
        return first - second


# Shapes: the distance of the points x, y from the edge of an object around the middle, positive inside;
# all int32, x and y [n, 32, 32], radius (half the object's width) [n, 1, 1].


def disc(x: np.ndarray, y: np.ndarray, radius: int) -> np.ndarray:
    return (radius * radius - x * x - y * y) // (2 * radius)


def ring(x: np.ndarray, y: np.ndarray, radius: int) -> np.ndarray:
    return np.minimum(disc(x, y, radius), -disc(x, y, radius * 55 // 100))


def square(x: np.ndarray, y: np.ndarray, radius: int) -> np.ndarray:
    return radius * 85 // 100 - np.maximum(abs(x), abs(y))


def triangle(x: np.ndarray, y: np.ndarray, radius: int) -> np.ndarray:
    return np.minimum(radius * 60 // 100 - y, (y + radius - abs(x) * 174 // 100) // 2)


def cross(x: np.ndarray, y: np.ndarray, radius: int) -> np.ndarray:
    arm = radius * 32 // 100
    return np.maximum(np.minimum(radius - abs(x), arm - abs(y)), np.minimum(radius - abs(y), arm - abs(x)))


# Patterns: the distance from the edge of the nearest stripe or check, positive inside. The patterns are endless, repeat
# after `period` and are shifted by `phase`, both [n, 1, 1].


def stripes(along: np.ndarray, period: int, phase: int) -> np.ndarray:
    place = (along + phase) % period
    return np.minimum(place, period - place) - period // 4


def horizontal_stripes(x: np.ndarray, y: np.ndarray, period: int, phase: int) -> np.ndarray:
    return stripes(y, period, phase)


def vertical_stripes(x: np.ndarray, y: np.ndarray, period: int, phase: int) -> np.ndarray:
    return stripes(x, period, phase)


def rising_stripes(x: np.ndarray, y: np.ndarray, period: int, phase: int) -> np.ndarray:
    return stripes((x + y) * 181 // 256, period, phase)


def falling_stripes(x: np.ndarray, y: np.ndarray, period: int, phase: int) -> np.ndarray:
    return stripes((x - y) * 181 // 256, period, phase)


def checks(x: np.ndarray, y: np.ndarray, period: int, phase: int) -> np.ndarray:
    across, down = stripes(x, period, phase), stripes(y, period, phase)
    return np.where((across > 0) == (down > 0), 1, -1) * np.minimum(abs(across), abs(down))


SHAPES = (disc, ring, square, triangle, cross)
PATTERNS = (horizontal_stripes, vertical_stripes, rising_stripes, falling_stripes, checks)


def draw(labels: np.ndarray, dice: Dice) -> np.ndarray:
    """One picture for each label.

    labels: integers [n] in 0..9, first the shapes, then the patterns.
    Returns: uint8 [n, 32, 32, 3].
    """
    n = len(labels)
    ground = dice.whole(30, 115, n, 3)
    object_colour = ground + dice.whole(50, 110, n, 1) + dice.whole(-30, 30, n, 3)
    slopes = dice.whole(-40, 40, 2, n, 1, 1)  # sixteenths of a level per pixel
    shading = (slopes[0] * AXIS + slopes[1] * AXIS[:, None]) // PIXEL
    # Colours are in sixteenths of a level, because the share of a pixel that an object covers is in sixteenths.
    canvas = ground[:, None, None, :] * PIXEL + shading[..., None]
    canvas = _with_box(canvas, dice)
    canvas = _painted(canvas, _objects(labels, dice), object_colour)
    canvas = _with_box(canvas, dice)
    return np.clip(canvas // PIXEL + dice.noise(*canvas.shape) * NOISE // 256, 0, 255).astype(np.uint8)


def _objects(labels: np.ndarray, dice: Dice) -> np.ndarray:
    """Distance from the edge of each label's object, at a random place, size and rotation; int32 [n, 32, 32]."""
    shape = (len(labels), 1, 1)
    left, top = dice.whole(-3 * PIXEL, 3 * PIXEL, 2, *shape)
    radius = dice.whole(8 * PIXEL, 12 * PIXEL, *shape)
    period, phase = dice.whole(5 * PIXEL, 9 * PIXEL, *shape), dice.whole(0, 9 * PIXEL, *shape)
    cosine, sine = np.moveaxis(TURNS[dice.whole(0, len(TURNS) - 1, *shape)], -1, 0)
    x, y = AXIS - left, AXIS[:, None] - top
    x, y = (x * cosine + y * sine) // 256, (y * cosine - x * sine) // 256
    distance = np.empty((len(labels), SIDE, SIDE), np.int32)
    for label in range(len(SHAPES) + len(PATTERNS)):
        of_label = labels == label
        at = x[of_label], y[of_label]
        if label < len(SHAPES):
            distance[of_label] = SHAPES[label](*at, radius[of_label])
        else:
            pattern = PATTERNS[label - len(SHAPES)](*at, period[of_label], phase[of_label])
            distance[of_label] = np.minimum(square(*at, radius[of_label]), pattern)
    return distance


def _with_box(canvas: np.ndarray, dice: Dice) -> np.ndarray:
    """The canvas with a small box at a random place, in a random colour."""
    shape = (len(canvas), 1, 1)
    left, top = dice.whole(-SIDE * PIXEL // 2, SIDE * PIXEL // 2, 2, *shape)
    half_width, half_height = dice.whole(PIXEL, 4 * PIXEL, 2, *shape)
    distance = np.minimum(half_width - abs(AXIS - left), half_height - abs(AXIS[:, None] - top))
    return _painted(canvas, distance, dice.whole(20, 235, len(canvas), 3))


def _painted(canvas: np.ndarray, distance: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The canvas with `colour` [n, 3] wherever `distance` [n, 32, 32] is positive, with a soft edge."""
    share = np.clip(distance + PIXEL // 2, 0, PIXEL)[..., None]
    return (canvas * (PIXEL - share) + colour[:, None, None, :] * PIXEL * share) // PIXEL
