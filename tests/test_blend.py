"""network/blend.py and network/blended.py: masks of windows, blended; engines that do both, and the frames they see."""
import dataclasses

import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import theano.tensor as T

import util
from deepconvsep import settings
from deepconvsep.network import architecture, blend
from deepconvsep.network.blended import BlendedMasks
from deepconvsep.network.build import build, frame_count
from deepconvsep.network.masks import source_outputs
from deepconvsep.separation import engines


def smaller(arch):
    """A network of the same graph with few numbers."""
    if isinstance(arch, architecture.StackedArchitecture):
        return dataclasses.replace(arch, feat_size=257)
    if isinstance(arch, architecture.HarmonicArchitecture):
        return dataclasses.replace(arch, feat_size=513, hidden=3, time_context=30)
    size = {'feat_size': 50, 'width': 50} if arch.width == arch.feat_size else {'feat_size': 313}
    return dataclasses.replace(arch, hidden=7, **size)


def drawn(arch, seed=3):
    rs = np.random.RandomState(seed)
    return [rs.uniform(-.1, .12, size=shape) for shape in arch.param_shapes()]


@pytest.mark.parametrize('length,overlap', [(30, 25), (30, 15), (6, 3), (5, 4), (4, 1), (7, 0)])
@pytest.mark.parametrize('follows', [False, True])
def test_weights_are_those_of_the_cross_fade(length, overlap, follows):
    windows = np.random.RandomState(0).normal(size=(9, length, 2))
    first, step = 4 * follows, length - overlap
    blended, earlier = (util.overlapadd_multi(windows[None, None, :, None], None, count, overlap)[0]
                        for count in (9, first))
    blended = blended[:8 * step + length]
    before, weights = blend.fade_weights(9 - first, length, overlap, follows)
    found = np.zeros((8 * step + length - first * step, 2))
    if follows:
        found[:overlap] = before[:, None] * earlier[first * step:first * step + overlap]
    else:
        assert not before.any()
    for number, (row, window) in enumerate(zip(weights, windows[first:])):
        found[number * step:number * step + length] += row[:, None] * window
    np.testing.assert_allclose(found, blended[first * step:], atol=1e-12)


def blended(channels, bias, noise, weights, sources, step, in_numerator):
    """By the definition, in float64."""
    windows, length = weights.shape
    masks = np.zeros((len(sources), (windows - 1) * step + length, noise.shape[1]))
    for window, row in enumerate(weights):
        outputs = np.array([np.maximum(channels[place][window].astype(float) + bias[number], 0)
                            for place, number in sources])
        if in_numerator:
            outputs += noise
        shares = outputs / (outputs.sum(axis=0) + (0 if in_numerator else noise))
        masks[:, window * step:window * step + length] += shares * row[:, None]
    return masks


SOURCES = [(0, 1), (1, 0), (0, 2), (1, 1)]


def arrays(dtype='float32', windows=6):
    rs = np.random.RandomState(1)
    channels = [rs.normal(size=(windows, 9, 37)).astype(dtype) for _ in range(2)]
    return [np.array([.1, -.2, .3], dtype), rs.uniform(.01, .02, (9, 37)).astype(dtype),
            rs.uniform(size=(5, 9)).astype(dtype), *channels]


def compiled(in_numerator, linker, dtype='float32', sources=SOURCES):
    entries = [T.TensorType(dtype, (False,) * ndim)() for ndim in (1, 2, 2, 3, 3)]
    outputs = BlendedMasks(sources, 4, in_numerator)(*entries)
    return theano.function(entries, outputs, mode=theano.Mode(linker, 'fast_run'), on_unused_input='ignore')


@pytest.mark.parametrize('linker', ['py', 'c|py'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('in_numerator', [False, True])
def test_the_operation_follows_the_definition(linker, dtype, in_numerator):
    given = arrays(dtype)
    masks, fine = compiled(in_numerator, linker, dtype)(*given)
    bias, noise, weights, *channels = given
    assert masks.dtype == dtype and fine.all() and fine.shape == weights.shape
    np.testing.assert_allclose(masks, blended(channels, bias, noise, weights, SOURCES, 4, in_numerator),
                               atol=2e-6 if dtype == 'float32' else 1e-14)


@pytest.mark.parametrize('linker', ['py', 'c|py'])
def test_arrays_with_gaps(linker):
    given = arrays()
    expected = compiled(False, linker)(*given)[0]
    wide = [np.repeat(array, 2, axis=-1)[..., ::2] for array in given]
    lying = [array if array.ndim < 3 else np.ascontiguousarray(array.transpose(1, 0, 2)).transpose(1, 0, 2)
             for array in given]
    for others in (wide, lying):
        np.testing.assert_array_equal(compiled(False, linker)(*others)[0], expected)


@pytest.mark.parametrize('linker', ['py', 'c|py'])
@pytest.mark.parametrize('in_numerator', [False, True])
@pytest.mark.parametrize('value', [np.nan, np.inf, 3e38])
def test_frames_without_masks_are_told(linker, in_numerator, value):
    given = arrays()
    given[3][2, 4, 11] = given[3][4, 8, 0] = value
    with np.errstate(all='ignore'):
        fine = compiled(in_numerator, linker)(*given)[1]
    assert np.argwhere(fine == 0).tolist() == [[2, 4], [4, 8]]


@pytest.mark.parametrize('linker', ['py', 'c|py'])
def test_a_sum_that_is_too_small_is_told(linker):
    given = arrays()
    given[1][:] = 1e-39
    given[3][:] = given[4][:] = -1
    with np.errstate(all='ignore'):
        assert not compiled(False, linker)(*given)[1].any()


def test_the_operation_refuses_what_does_not_fit():
    run, given = compiled(False, 'c|py'), arrays()
    for place, other in [(1, given[1][:8]), (3, given[3][:4]), (4, given[4][:, :, :36]), (4, given[4][:, :8])]:
        changed = list(given)
        changed[place] = other
        with pytest.raises(ValueError, match='differ in windows, frames or bins'):
            run(*changed)
    with pytest.raises(TypeError, match='expected tensors of'):
        BlendedMasks(SOURCES, 4, False)(*given[:4])
    with pytest.raises(TypeError, match='all float32 or float64'):
        BlendedMasks(SOURCES, 4, False)(*given[:3], *arrays('float64')[3:])


def spectra(arch, frames, seed):
    """What a network sees: numbers of 0 to 1, and notes where it is told them."""
    given = np.random.RandomState(seed).uniform(size=(frames, arch.channels, arch.feat_size))
    if isinstance(arch, architecture.HarmonicArchitecture):
        given[:, 1] = np.repeat(given[:1, 1] > .98, frames, axis=0)
    return given


@pytest.mark.parametrize('arch', architecture.KNOWN, ids=lambda arch: arch.name)
def test_frames_once_give_what_windows_give(arch):
    arch = smaller(arch)
    frames = spectra(arch, frame_count(arch, 4, 7), 5).transpose(1, 0, 2)[None]
    windows = np.concatenate([frames[:, :, start:start + 30] for start in (0, 7, 14, 21)])
    with theano.configparser.change_flags(floatX='float64'):
        entry, found = T.tensor4(), []
        for given, step in ((windows, None), (frames, 7)):
            net = build(arch, entry, 4, params=drawn(arch), step=step)
            assert [param.get_value().shape for param in lasagne.layers.get_all_params(net)] == arch.param_shapes()
            found.append(theano.function([entry], T.stack(source_outputs(net), axis=1))(given))
    assert found[0].max() > 0
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('arch', architecture.KNOWN, ids=lambda arch: arch.name)
@pytest.mark.parametrize('in_numerator', [False, True])
def test_engines_agree(arch, in_numerator):
    arch = smaller(arch)
    chosen = settings.Settings(tuple('s%d' % number for number in range(len(arch.outputs))), overlap=22,
                               mask_eps=1e-3, mask_noise_in_numerator=in_numerator)
    params = [param.astype(np.float32) for param in drawn(arch)]
    frames = spectra(arch, 30 + 4 * 8, 6).astype(np.float32)
    ready = [engine(arch, params, chosen, 5) for engine in (engines.with_theano, engines.with_numpy)]
    for count in (5, 2, 1):
        weights = blend.fade_weights(count, 30, 22, True)[1].astype(np.float32)
        (masks, fine), (others, also) = (run(frames, weights) for run in ready)
        assert masks.shape == others.shape == (len(arch.outputs), 30 + 8 * (count - 1), arch.feat_size)
        assert fine.dtype == also.dtype == bool and fine.shape == also.shape == (count, 30)
        assert fine.all() and also.all()
        # in float32 a near tie may flip a block of the pooled network, and outputs next to 0 have any share
        assert (abs(masks - others) > 1e-4).mean() < .002
