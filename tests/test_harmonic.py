"""The harmonic network: against plain loops, Theano against NumPy, its gradient, its description."""
import dataclasses
import json

import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import theano.tensor as T

from deepconvsep.errors import InputError
from deepconvsep.models import store
from deepconvsep.network import architecture
from deepconvsep.network.build import build, frame_count
from deepconvsep.network.forward import forward
from deepconvsep.network.harmonic import FLOOR
from deepconvsep.network.masks import source_outputs
from deepconvsep.network.partials import Partials, find_rows
from deepconvsep.recipes import bach10_scoreinformed as recipe
from deepconvsep.score.masks import PITCHES, beside_roll
from deepconvsep.settings import ScoreSettings

#: Small: 2 instruments, 513 bins at 8 kHz, 12 frames.
NETWORK = dataclasses.replace(architecture.SCOREINFORMED_HARMONIC, feat_size=513, decoders=(0, 1), outputs=(0, 2),
                              biases=2, sample_rate=8000, harmonics=5, hidden=6, dilations=(1, 3), time_context=12)


def draw(network, seed=0):
    rs = np.random.RandomState(seed)
    return [rs.normal(0, .3, size=shape) for shape in network.param_shapes()]


def played(frames, notes, bins=513, seed=1):
    """Input frames, (frames, 2, bins): noise, and the notes (instrument, MIDI number, first frame, last + 1)."""
    roll = np.zeros((frames, 2 * PITCHES))
    for instrument, pitch, begin, end in notes:
        roll[begin:end, instrument * PITCHES + pitch] = 1
    return beside_roll(np.random.RandomState(seed).uniform(.1, 1, size=(frames, bins)), roll)


NOTES = [(0, 50, 0, 9), (0, 57, 7, 20), (1, 62, 2, 15), (1, 101, 16, 20)]


def by_loops(network, params, frames):
    """What the network is, frame by frame and row by row: (instruments, frames, bins)."""
    values, power, length, bins = iter(params), frames[:, 0] ** 2, len(frames), network.feat_size
    instruments, harmonics = network.branches, network.harmonics
    rows = [(i, p) for i in range(instruments) for p in range(PITCHES) if frames[:, 1, i * PITCHES + p].any()]
    on = {row: frames[:, 1, row[0] * PITCHES + row[1]] for row in rows}

    def lobe(pitch, k):
        """Weights over all bins."""
        centre = 440 * 2 ** ((pitch - 69) / 12) * k * 2 * (bins - 1) / network.sample_rate
        near = np.abs(np.arange(bins) - np.round(centre)) <= 4
        weights = np.exp(-(np.arange(bins) - centre) ** 2 / (2 * (1 + (.006 * centre) ** 2))) * near
        return weights if weights.sum() > 1e-3 else 0 * weights

    lobes = {row: np.array([lobe(row[1], k) for k in range(1, harmonics + 1)]) for row in rows}

    def mean(spectrum, row):
        return np.array([(spectrum * w).sum() / (w.sum() + 1e-3) for w in lobes[row]])

    heard = {row: np.array([.2 * np.log(mean(power[t] * (on[row][t] >= 0), row) / (power.mean() + 1e-12) + 1e-3)
                            for t in range(length)]) for row in rows}
    seen = {}
    for row in rows:
        seen[row] = []
        for t in range(length):
            others = sum((lobes[other].sum(axis=0) * on[other][t] for other in rows if other[0] != row[0]),
                         np.zeros(bins))
            claimed = mean(np.minimum(others, 1), row)
            own = np.eye(instruments)[row[0]]
            seen[row].append(np.concatenate([heard[row][t], claimed, heard[row][t] * (1 - claimed), own,
                                             [(row[1] - 60) / 12 * on[row][t], on[row][t]]]))
    hidden, outputs = {}, None
    for turn in range(network.passes):
        first = next(values)
        if turn:
            of_others = next(values)
        bias = next(values)
        before, hidden = hidden, {}
        for row in rows:
            hidden[row] = np.zeros((length, network.hidden))
            for t in range(length):
                x = seen[row][t]
                z = 0
                if turn:
                    share = mean(outputs[row[0], t] / outputs[:, t].sum(axis=0), row)
                    x = np.concatenate([x, share, heard[row][t] + .2 * np.log(share + 1e-4)])
                    same = [other for other in rows if other[0] == row[0]]
                    z = sum(before[other].sum(axis=0) for other in same) / (sum(on[other].sum() for other in same) + 1)
                    z = z @ of_others
                hidden[row][t] = np.maximum(x @ first + z + bias, 0) * on[row][t]
        for dilation in network.dilations:
            weights, bias = next(values), next(values)
            for row in rows:
                old, nothing = hidden[row], np.zeros(network.hidden)
                hidden[row] = np.array([
                    old[t] + on[row][t] * np.maximum(np.concatenate([
                        old[t - dilation] if t >= dilation else nothing, old[t],
                        old[t + dilation] if t + dilation < length else nothing]) @ weights + bias, 0)
                    for t in range(length)])
        weights, bias = next(values), next(values)
        total = np.zeros((instruments, length, bins))
        for row in rows:
            for t in range(length):
                strength = np.exp(np.clip(hidden[row][t] @ weights + bias + heard[row][t] / .2, -30, 30)) * on[row][t]
                total[row[0], t] += strength @ lobes[row]
        outputs = np.sqrt(total + FLOOR ** 2)
    return np.maximum(outputs + next(values)[:, None, None], 0)


def test_against_plain_loops():
    frames, params = played(12, NOTES), draw(NETWORK)
    found, = forward(NETWORK, params, np.float64).windows(frames, 1)
    expected = by_loops(NETWORK, params, frames)
    assert expected.max() > 1 and found.shape == (2, 12, 513)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_theano_equals_numpy_in_windows_that_overlap():
    frames, params, step = played(20, NOTES), draw(NETWORK), 4
    expected = list(forward(NETWORK, params, np.float64).windows(frames, step))
    assert len(expected) == 3
    with theano.configparser.change_flags(floatX='float64'):
        entry = T.tensor4()
        whole = build(NETWORK, entry, 3, params=params, step=step)
        room = np.zeros((1, 2, frame_count(NETWORK, 3, step), 513))
        room[0, :, :20] = frames.transpose(1, 0, 2)
        found = theano.function([entry], T.stack(source_outputs(whole), axis=1))(room)
        cut = build(NETWORK, entry, 3, params=params)
        windows = np.array([frames[start:start + 12].transpose(1, 0, 2) for start in (0, 4, 8)])
        same = theano.function([entry], T.stack(source_outputs(cut), axis=1))(windows)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(same, expected, rtol=1e-9)


def test_the_gradient_is_the_slope():
    frames, params = played(12, NOTES), draw(NETWORK)
    with theano.configparser.change_flags(floatX='float64'):
        entry = T.tensor4()
        net = build(NETWORK, entry, 1, params=[param.copy() for param in params])
        weights = np.random.RandomState(2).normal(size=(1, 2, 12, 513))
        loss = (lasagne.layers.get_output(net) * weights).sum()
        variables = lasagne.layers.get_all_params(net)
        slopes = theano.function([entry], T.grad(loss, variables))(frames.transpose(1, 0, 2)[None])
    rs, ready = np.random.RandomState(3), 1e-5
    for number, slope in enumerate(slopes):
        place = tuple(rs.randint(size) for size in slope.shape)
        values = []
        for sign in (1, -1):
            moved = [param.copy() for param in params]
            moved[number][place] += sign * ready
            values.append((next(forward(NETWORK, moved, np.float64).windows(frames, 1)) * weights[0]).sum())
        assert slope[place] == pytest.approx((values[0] - values[1]) / 2 / ready, rel=1e-4, abs=1e-6), number
    assert sum(bool(slope.any()) for slope in slopes) == len(slopes)


@pytest.mark.parametrize('averaged', [False, True])
def test_spreading_is_the_transpose_of_collecting(averaged):
    partials, rs = Partials(513, 8000, 5), np.random.RandomState(0)
    numbers, pitches = np.array([0, 0, 2]), np.array([40, 71, 120])
    x, y = rs.normal(size=(3, 4, 513)), rs.normal(size=(3, 4, 5))
    found = (partials.collect(x, numbers, pitches, averaged) * y).sum()
    assert found == pytest.approx((x * partials.spread(y, numbers, pitches, 3, averaged)).sum())
    assert found


def test_harmonics_beyond_the_spectrum_are_left_out():
    bins, weights = Partials(513, 8000, 5).lobes(100)   # 2637 Hz: its second harmonic is beyond 4000 Hz
    assert weights[0].max() > .9 and not weights[1:].any() and 0 <= bins.min() and bins.max() == 512
    centre = 2637.02 / 8000 * 1024
    assert bins[0].tolist() == list(range(round(centre) - 4, round(centre) + 5))


def test_an_instrument_without_notes_gets_nothing_and_silence_is_no_trouble():
    params = draw(NETWORK)
    params[-1][:] = 0
    found, = forward(NETWORK, params).windows(played(12, NOTES[:2]), 1)
    assert found[1].max() == pytest.approx(FLOOR) and found[0].max() > 100 * FLOOR
    none, = forward(NETWORK, params).windows(played(12, []), 1)
    np.testing.assert_allclose(none, FLOOR, rtol=1e-5)
    silent, = forward(NETWORK, params).windows(played(12, NOTES) * [[0], [1]], 1)
    assert np.isfinite(silent).all()
    assert find_rows(np.zeros((2, 3, 2 * PITCHES))).sounding.shape == (1, 3)


def test_loudness_does_not_matter():
    params = draw(NETWORK)
    loud, soft = (next(forward(NETWORK, params, np.float64).windows(played(12, NOTES) * [[level], [1]], 1))
                  for level in (1000., .01))
    np.testing.assert_allclose(loud, soft, rtol=1e-4)


def test_description_and_its_mistakes():
    values = json.loads(json.dumps(NETWORK.to_dict()))
    assert architecture.described(values, 'a.json') == NETWORK
    shapes = architecture.SCOREINFORMED_HARMONIC.param_shapes()
    assert architecture.identify(shapes) is architecture.SCOREINFORMED_HARMONIC
    for change, message in [({'dilations': [1, 99]}, 'a network that cannot be built'),
                            ({'feat_size': 200}, 'a network that cannot be built'),
                            ({'channels': 1}, 'a network that cannot be built'),
                            ({'dilations': []}, 'gives the network dilations'),
                            ({'harmonics': 0}, 'gives the network harmonics = 0'),
                            ({'hidden': 1.5}, 'gives the network hidden = 1.5')]:
        with pytest.raises(InputError, match=message):
            architecture.described({**values, **change}, 'a.json')


@pytest.mark.parametrize('score', [None, ScoreSettings(), ScoreSettings(notes=True)])
def test_settings_that_contradict_the_network_are_refused(tmp_path, score):
    path = str(tmp_path / 'm.pkl')
    for network in (architecture.SCOREINFORMED_HARMONIC, architecture.SCOREINFORMED_1X1):
        settings = dataclasses.replace(recipe.SETTINGS, score=score)
        store.save(path, [np.zeros(shape, np.float32) for shape in network.param_shapes()], network, settings, {})
        if score and score.notes == (network is architecture.SCOREINFORMED_HARMONIC):
            assert store.load(path, recipe.NETWORKS, 'this test').settings == settings
        else:
            with pytest.raises(InputError, match='m.json does not describe the arrays of '):
                store.load(path, recipe.NETWORKS, 'this test')


def test_many_windows_are_those_one_by_one():
    frames, params = played(60, NOTES), draw(NETWORK)
    ready = forward(NETWORK, params, np.float64)
    found = list(ready.windows(frames, 3))
    assert len(found) == 17 and list(ready.windows(frames[:11], 3)) == []
    for number, one in enumerate(found):
        alone, = ready.windows(frames[3 * number:3 * number + 12], 3)
        np.testing.assert_allclose(one, alone, rtol=1e-12)
