"""heard.py: notes that are known, a path found by trying all, and stems in which others are heard as well."""
import itertools

import numpy as np
import pytest
import soundfile

from deepconvsep import stft
from deepconvsep.api import Separator
from deepconvsep.errors import InputError
from deepconvsep.score import Note, heard
from deepconvsep.separation.factorization import Factorizer
from deepconvsep.settings import WINDOWS, Settings
from tests.test_factorization import sdr, tone

SETTINGS = Settings(('low', 'high'), frame_size=4096, hop_size=512, sample_rate=44100)
RATE = SETTINGS.sample_rate
SCORES = [[Note(0., .7, 45), Note(.7, 1.4, 47), Note(1.8, 2.5, 45)], [Note(.2, 1., 69), Note(1., 2.3, 71)]]
WEIGHTS = (.1, .08, .06, .04), (.06, 0., .03, 0., .02)


@pytest.fixture(scope='module')
def parts():
    return np.array([sum(tone(note, weights, RATE, int(2.5 * RATE)) for note in notes)
                     for notes, weights in zip(SCORES, WEIGHTS)])


def magnitudes(sound):
    analysis = stft.STFT(WINDOWS[SETTINGS.window](SETTINGS.frame_size), SETTINGS.hop_size)
    return np.abs(np.concatenate([analysis.push(sound[None])[0], analysis.finish()[0]]).T).astype(np.float32)


LIMITS = (34, 77), (55, 108)


def hear(sound, lowest, highest):
    return heard.played(heard.activate(sound, heard.harmonic_spectra(lowest, highest, SETTINGS)), lowest, SETTINGS)


def test_the_notes_of_a_stem(parts):
    for part, notes, limits in zip(parts, SCORES, LIMITS):
        found = hear(magnitudes(part), *limits)
        assert [note.midi for note in found] == [note.midi for note in notes]
        for mine, true in zip(found, notes):
            np.testing.assert_allclose(mine[:2], true[:2], atol=.06)


def test_the_notes_of_a_stem_with_some_of_the_other_instrument(parts):
    for part, other, notes, limits in zip(parts, parts[::-1], SCORES, LIMITS):
        found = hear(magnitudes(part + .2 * other), *limits)
        for time in np.arange(.05, 2.45, .1):
            playing = [note.midi for note in notes if note.onset < time < note.offset]
            if playing:     # where it rests, the other one is heard
                heard_now = [note.midi for note in found if note.onset < time < note.offset]
                assert [midi % 12 for midi in heard_now] == [midi % 12 for midi in playing]


def test_silence_has_no_notes():
    assert hear(np.zeros((2049, 50), np.float32), 34, 77) == []
    assert hear(np.zeros((2049, 0), np.float32), 34, 77) == []


def test_a_note_goes_on_over_a_frame_of_another_one():
    activations = np.zeros((2, 100), np.float32)
    activations[0], activations[0, 40], activations[1, 40] = 1, 0, 1
    [note] = heard.played(activations, 60, SETTINGS)
    assert note.midi == 60 and abs(note.offset - note.onset - 100 * 512 / RATE) < 1e-9


def test_learned_spectra_have_the_harmonics_of_the_instrument():
    """Only odd harmonics were found, for one note: others near it have the same, at their own frequencies."""
    found = np.zeros(2049, np.float32)
    for number, strength in ((1, .5), (3, .3), (5, .2)):
        bins = heard.harmonics(60, SETTINGS)[number - 1]
        found[bins] = strength / (bins.stop - bins.start)
    learned = heard.learned_spectra([60], found[:, None], np.ones(1), 55, 70, SETTINGS)
    np.testing.assert_allclose(learned.sum(axis=0), 1, rtol=1e-5)
    for pitch in (60, 65):
        sums = [learned[bins, pitch - 55].sum() for bins in heard.harmonics(pitch, SETTINGS)[:6]]
        assert sums[0] > sums[2] > sums[4] > .1 and max(sums[1], sums[3], sums[5]) < .02
        assert abs(learned[:, pitch - 55].argmax() - 440 * 2 ** ((pitch - 69) / 12) / RATE * 4096) <= 1
    nothing = heard.learned_spectra([], np.zeros((2049, 0)), np.zeros(0), 55, 70, SETTINGS)
    np.testing.assert_array_equal(nothing, heard.harmonic_spectra(55, 70, SETTINGS))


def test_together_tells_instruments_of_one_pitch_apart():
    """By their harmonics, whatever they start from."""
    spectra = [np.array([[.8, .2, 0, 0]], np.float32).T, np.array([[.2, .2, .3, .3]], np.float32).T]
    mixture = spectra[0] * [[3., 0., 1.]] + spectra[1] * [[0., 2., 1.]]
    for second in 1, 0:
        starts = [np.full((1, 3), level, np.float32) for level in (1, second)]
        found = heard.together(mixture.astype(np.float32), spectra, starts)
        np.testing.assert_allclose(np.vstack(found), [[3, 0, 1], [0, 2, 1]], atol=.1)


@pytest.mark.parametrize('change', [.1, 1., 3.])
def test_the_best_path_is_the_best_of_all(change):
    likelihoods = np.log(np.random.default_rng(0).dirichlet(np.ones(3), 6).T)

    def total(path):
        return likelihoods[list(path), range(6)].sum() - change * np.count_nonzero(np.diff(path))
    best = max(itertools.product(range(3), repeat=6), key=total)
    assert tuple(heard.best_path(likelihoods, change)) == best


class Network:
    """What a network is to a factorisation: stems that hold some of the other instrument."""

    settings = SETTINGS

    def __init__(self, parts, share):
        self.stems_ = (parts + share * parts[::-1]).T / (1 + share)

    def stems(self, blocks, guide=None):
        assert guide is None
        done = 0
        for block in blocks:
            yield self.stems_[done:done + len(block), :, None]
            done += len(block)


def test_stems_are_better_than_those_that_they_start_from(parts):
    network, mixture = Network(parts, .5), parts.sum(axis=0)
    blocks = np.split(mixture[:, None], [1, 500, 90001])
    stems = np.concatenate(list(Factorizer(SETTINGS, network, LIMITS).stems(blocks, None)))[:, :, 0].T
    np.testing.assert_allclose(stems.sum(axis=0), mixture, rtol=0, atol=1e-5)
    for part, stem, start in zip(parts, stems, network.stems_.T):
        assert sdr(part, stem) > sdr(part, start) + 6


def test_loudness_does_not_matter(parts):
    found = []
    for level in 1., 2. ** -70:
        blocks = [level * parts.sum(axis=0)[:RATE, None]]
        network = Network(level * parts[:, :RATE], .5)
        found.append(np.concatenate(list(Factorizer(SETTINGS, network, LIMITS).stems(blocks, None))) / level)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)


def test_silent_stems_share_the_mixture(parts):
    mixture = parts.sum(axis=0)
    stems = np.concatenate(list(Factorizer(SETTINGS, Network(0 * parts, 0.), LIMITS).stems(
        [mixture[:, None]], None)))
    np.testing.assert_allclose(stems[:, :, 0], np.repeat(mixture[:, None] / 2, 2, axis=1), rtol=0, atol=1e-5)


def test_the_method_of_a_model_from_python(parts):
    sound = parts.sum(axis=0)[:RATE]
    alone, both = (Separator('bach10_compact', 'numpy', method=method).separate(sound, RATE)
                   for method in ('network', 'network+nmf'))
    assert list(alone) == list(both) and both['violin'].shape == sound.shape
    np.testing.assert_allclose(sum(both.values()), sound, rtol=0, atol=1e-4)
    assert np.abs(both['violin'] - alone['violin']).max() > .01
    with pytest.raises(InputError, match="the method is 'nmf', expected for the compact Bach10 network one of: "
                                         "network, network.nmf"):
        Separator('bach10_compact', 'numpy', method='nmf')


def test_the_method_of_the_script_gives_the_same_bytes_for_any_number_of_processes(script, parts, tmp_path):
    for name, start in (('a', 0), ('b', RATE)):
        soundfile.write(str(tmp_path / (name + '.wav')), parts.sum(axis=0)[start:start + RATE], RATE)
    stems = {}
    for processes in (1, 2):
        done = script('examples/bach10/separate_bach10.py', '-i', 'a.wav', 'b.wav', '-o', str(processes), '--method',
                      'network+nmf', '--engine', 'numpy', '--nprocs', processes, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        stems[processes] = {path.name: path.read_bytes() for path in (tmp_path / str(processes)).glob('*.wav')}
        assert sorted(stems[processes]) == ['%s_%s.wav' % (name, source) for name in 'ab'
                                            for source in ('bassoon', 'clarinet', 'saxphone', 'violin')]
    assert stems[1] == stems[2]
    done = script('examples/bach10/separate_bach10.py', '-i', 'a.wav', '-o', 'x', '--method', 'nmf', cwd=tmp_path)
    assert done.returncode == 2 and "invalid choice: 'nmf'" in done.stderr and not (tmp_path / 'x').exists()
