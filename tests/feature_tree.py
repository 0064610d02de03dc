"""Small feature folders for the tests of the dataset classes."""
import os

import numpy as np

from deepconvsep.features.tensors import save_tensor


def write(folder, name, tensor, tag='__m_', dtype=np.float64):
    """Store one tensor as ``<folder>/<name><tag>.data``; creates the folder."""
    os.makedirs(str(folder), exist_ok=True)
    save_tensor(os.path.join(str(folder), name + '.data'), tensor, tag, dtype)


def write_random(folder, lengths, rows=3, bins=4, seed=0, dtype=np.float64):
    """Store a tensor (rows, T, bins) of uniform values per length T, as s000__m_.data...; returns the tensors."""
    rng = np.random.default_rng(seed)
    tensors = [rng.uniform(.1, 1., size=(rows, length, bins)).astype(dtype) for length in lengths]
    for number, tensor in enumerate(tensors):
        write(folder, 's%03d' % number, tensor, dtype=dtype)
    return tensors


def cut(tensor, time_context, overlap, sources=2):
    """All windows of one tensor, restated as plainly as possible: inputs (n, tc, F), outputs (n, tc, sources * F)."""
    rows, frames, bins = tensor.shape
    padded = np.concatenate([tensor, np.zeros((rows, time_context, bins), tensor.dtype)], axis=1)
    inputs, outputs, start = [], [], 0
    while True:
        window = padded[:, start:start + time_context]
        inputs.append(window[0])
        outputs.append(np.concatenate([window[1 + source] for source in range(sources)], axis=1))
        if start + time_context >= frames:
            return np.array(inputs), np.array(outputs)
        start += time_context - overlap


def cut_all(tensors, time_context, overlap, sources=2):
    """The windows of all tensors, one after the other."""
    inputs, outputs = zip(*[cut(tensor, time_context, overlap, sources) for tensor in tensors])
    return np.concatenate(inputs), np.concatenate(outputs)


def sorted_rows(array):
    """The examples of a batch array in an order that does not depend on the shuffling, one per row."""
    flat = np.asarray(array).reshape(len(array), -1)
    return flat[np.lexsort(flat.T[::-1])]
