"""Convolutions of any filters as matrix products, and their transposes, in NumPy.

Signals are laid out (frames, bins, channels), so that the channels under a filter lie side by side in memory.
"""
import numpy as np

#: Numbers of an intermediate result, about: some of them fit the cache of a core together.
TILE = 1 << 18
#: Numbers of a banded matrix, at most.
LARGEST_BAND = 1 << 22


class Convolution:
    """A valid convolution over frames and bins, with flipped filters, and its transpose.

    Parameters
    ----------
    filters : ndarray, shape (filters, channels, frames, bins)
        As Lasagne's `Conv2DLayer` stores them.
    bias : ndarray, shape (filters,)
    stride : int
        Bins from one position to the next.
    """

    def __init__(self, filters, bias, stride=1):
        self.bias, self.stride = bias, stride
        self._flipped = filters[:, :, ::-1, ::-1]
        self._matrix = np.ascontiguousarray(self._flipped.transpose(2, 3, 1, 0).reshape(-1, len(filters)))
        self._bands, self._groups = {}, {}

    def correlate(self, signal):
        """Apply the convolution and add the bias.

        Parameters
        ----------
        signal : ndarray, shape (frames, bins, channels)

        Returns
        -------
        ndarray, shape (frames, positions, filters)
        """
        count, _, height, width = self._flipped.shape
        patches = np.lib.stride_tricks.sliding_window_view(signal, (height, width), axis=(0, 1))
        patches = patches[:, ::self.stride].transpose(0, 1, 3, 4, 2)
        frames, positions = patches.shape[:2]
        result = np.empty((frames, positions, count), signal.dtype)
        step = max(1, TILE // (positions * len(self._matrix)))
        for first in range(0, frames, step):
            rows = patches[first:first + step].reshape(-1, len(self._matrix))
            np.matmul(rows, self._matrix, out=result[first:first + step].reshape(-1, count))
        result += self.bias
        return result

    def transpose(self, value, bins, channel=None):
        """Apply the transposed convolution, without bias; bins that nothing reaches are 0.

        Parameters
        ----------
        value : ndarray, shape (examples, frames, positions, filters)
        bins : int
        channel : int, optional
            Compute only this channel of the signal.

        Returns
        -------
        ndarray, shape (examples, frames, bins, channels)
        """
        examples, frames, positions, filters = value.shape
        height, width = self._flipped.shape[2:]
        tall, wide = self._group(frames, positions)
        rows, columns = frames // tall, -(-positions // wide)
        if columns * wide > positions:
            value = np.pad(value, ((0, 0), (0, 0), (0, columns * wide - positions), (0, 0)))
        value = value.reshape(examples, rows, tall, columns, wide * filters).transpose(0, 1, 3, 2, 4)
        band = self._band(tall, wide, channel)
        hop, channels = wide * self.stride, 1 if channel is not None else self._flipped.shape[1]
        product = value.reshape(-1, tall * wide * filters) @ band
        if columns == height == 1:
            return _fit(product.reshape(examples, frames, -1, channels), bins)
        pieces = self._pieces(wide)
        product = product.reshape(examples, rows, columns, tall + height - 1, pieces, hop * channels)
        total = np.zeros((examples, frames + height - 1, columns + pieces - 1, hop * channels), value.dtype)
        for row in range(rows):
            place = total[:, row * tall:(row + 1) * tall + height - 1]
            for piece in range(pieces):
                place[:, :, piece:piece + columns] += product[:, row, :, :, piece].transpose(0, 2, 1, 3)
        return _fit(total.reshape(examples, frames + height - 1, -1, channels), bins)

    def cost(self, frames, positions):
        """Numbers that :meth:`transpose` holds for one example."""
        tall, wide = self._group(frames, positions)
        rows = frames // tall * -(-positions // wide)
        return rows * (tall + self._flipped.shape[2] - 1) * self._pieces(wide) * wide * self.stride \
            * self._flipped.shape[1]

    def _group(self, frames, positions):
        """How many frames and positions go into one row of the product.

        One at a time would add up every tap of every filter by itself; all at once would multiply by many zeros.
        """
        if (frames, positions) not in self._groups:
            filters, channels, height, width = self._flipped.shape
            wide = min(positions, max(1, -(-width // self.stride) // 2)) if positions > 1 else 1
            reach = self._pieces(wide) * wide * self.stride * channels
            fitting = [size for size in range(1, frames + 1) if frames % size == 0
                       and size * wide * filters * (size + height - 1) * reach <= LARGEST_BAND]
            enough = [size for size in fitting if 4 * size >= height]
            self._groups[frames, positions] = (enough or fitting[-1:] or [1])[0], wide
        return self._groups[frames, positions]

    def _pieces(self, wide):
        """Of how many stretches of ``wide * stride`` bins the reach of `wide` positions consists."""
        return -(-((wide - 1) * self.stride + self._flipped.shape[3]) // (wide * self.stride))

    def _band(self, tall, wide, channel):
        """The matrix from a group's values to the bins that it reaches."""
        key = tall, wide, channel
        if key not in self._bands:
            part = self._flipped if channel is None else self._flipped[:, channel:channel + 1]
            filters, channels, height, width = part.shape
            band = np.zeros((tall, wide, filters, tall + height - 1, self._pieces(wide) * wide * self.stride, channels),
                            part.dtype)
            for frame in range(tall):
                for position in range(wide):
                    first = position * self.stride
                    band[frame, position, :, frame:frame + height, first:first + width] = part.transpose(0, 2, 3, 1)
            self._bands[key] = band.reshape(tall * wide * filters, -1)
        return self._bands[key]


def _fit(value, bins):
    """Cut the third axis to `bins`, or fill it up with zeros."""
    if value.shape[2] < bins:
        value = np.pad(value, ((0, 0), (0, 0), (0, bins - value.shape[2]), (0, 0)))
    return value[:, :, :bins]


def pool(signal, size):
    """The maximum of each block of `size` bins, and which bins are the maximum of theirs; a last, incomplete block is
    dropped.

    Parameters
    ----------
    signal : ndarray, shape (frames, bins, channels)

    Returns
    -------
    maxima : ndarray, shape (frames, blocks, channels)
    kept : ndarray of bool, shape (frames, blocks, size, channels)
        Of bins that tie all are.
    """
    frames, bins, channels = signal.shape
    blocks = signal[:, :bins // size * size].reshape(frames, bins // size, size, channels)
    maxima = blocks.max(axis=2)
    return maxima, blocks == maxima[:, :, None]
