"""factorization.py: against updates written out literally, and on sounds whose parts are known."""
import numpy as np
import pytest

from deepconvsep.errors import InputError
from deepconvsep.score import Note
from deepconvsep.score.guide import ScoreGuide
from deepconvsep.separation import factorization
from deepconvsep.separation.factorization import Factorizer, constraints, factorize, shares
from deepconvsep.separation.sound import at_rate
from deepconvsep.settings import ScoreSettings, Settings

SETTINGS = Settings(('low', 'high'), frame_size=2048, sample_rate=22050, score=ScoreSettings(tolerance=.05, fermata=0.))
SCORES = [[Note(0., 1., 48), Note(1., 2., 50)], [Note(.5, 1.5, 64), Note(1.5, 2., 67)]]


def tone(note, weights, rate, length):
    """A note as a sum of harmonics."""
    t = np.arange(length) / rate
    sound = sum(weight * np.sin(2 * np.pi * 440 * 2 ** ((note.midi - 69) / 12) * k * t)
                for k, weight in enumerate(weights, 1))
    return sound * ((t >= note.onset) & (t < note.offset))


@pytest.fixture(scope='module')
def parts():
    """Two instruments of different spectra, mono."""
    length = 2 * SETTINGS.sample_rate
    return np.array([sum(tone(note, weights, SETTINGS.sample_rate, length) for note in notes)
                     for notes, weights in zip(SCORES, ((.1, .08, .06, .04), (.06, 0., .03, 0., .02)))])


def separate(sound, **more):
    """The stems, (samples, stems, channels), of a sound that comes in pieces of odd sizes."""
    guide = ScoreGuide(SCORES, SETTINGS)
    blocks = np.split(sound, [1, 500, 30001])
    return np.concatenate(list(Factorizer(SETTINGS).stems(blocks, guide, **more)))


def sdr(true, found):
    return 10 * np.log10((true ** 2).sum() / ((true - found) ** 2).sum())


def test_parts_that_the_score_tells_apart(parts):
    mixture = parts.sum(axis=0)
    stems = separate(mixture[:, None])
    assert stems.shape == (len(mixture), 2, 1)
    np.testing.assert_allclose(stems.sum(axis=1)[:, 0], mixture, rtol=0, atol=1e-5)
    for part, stem in zip(parts, stems[:, :, 0].T):
        assert sdr(part, stem) > sdr(part, mixture) + 15


def test_channels_and_accompaniment(parts):
    sound = np.stack([parts.sum(axis=0), parts[0] + .5 * parts[1]], axis=1)
    stems = separate(sound, stereo=True, accompaniment_of=0)
    assert stems.shape == (len(sound), 3, 2)
    np.testing.assert_allclose(stems[:, 0] + stems[:, 2], sound, rtol=0, atol=1e-5)


@pytest.mark.parametrize('rate', [22050, 48000, 192000])
@pytest.mark.parametrize('length', [0, 1, 5])
def test_the_shortest_sounds_of_any_rate(rate, length):
    """At 192 kHz, a sample is less than one at 22050 Hz."""
    blocks = at_rate(Factorizer(SETTINGS), [np.full((length, 2), .1)], rate, 2, ScoreGuide(SCORES, SETTINGS),
                     stereo=True, accompaniment_of=0)
    shapes = [block.shape for block in blocks]
    assert sum(shape[0] for shape in shapes) == length and {shape[1:] for shape in shapes} <= {(3, 2)}


@pytest.mark.parametrize('level', [2. ** 40, 2. ** -70])
def test_loudness_does_not_matter(parts, level):
    sound = parts.sum(axis=0)[:, None]
    expected, found = separate(sound), separate(sound * level)
    np.testing.assert_allclose(found / level, expected, rtol=1e-4, atol=1e-5)


def test_stems_of_a_network_count_by_the_updates_on_them(parts, monkeypatch):
    """Without any, the factorisation is that of the score alone."""
    class Network:
        def stems(self, blocks, guide):
            yield parts[::-1].T[..., None]
    sound = parts.sum(axis=0)[:, None]
    found = []
    for iterations in 0, 20:
        monkeypatch.setattr(factorization, 'ITERATIONS_ALONE', iterations)
        found.append(np.concatenate(list(Factorizer(SETTINGS, Network()).stems([sound], ScoreGuide(SCORES, SETTINGS)))))
    np.testing.assert_allclose(found[0], separate(sound), rtol=1e-4, atol=1e-5)
    assert np.abs(found[1] - found[0]).max() > 1e-3


def test_a_bin_of_two_harmonics_begins_as_the_stronger():
    notes = np.array([[[0., 4., 60., 1., 4., 3., 6.]]])   # the second harmonic shares bin 3 with the first
    assert constraints(notes, (8, 4))[0][:, 0].tolist() == [0, 1, 1, 1, .5, .5, 0, 0]


def test_what_float32_cannot_hold_is_refused(parts):
    with pytest.raises(InputError, match='the sound is too large for float32, expected a full scale of about 1'):
        separate(parts.sum(axis=0)[:, None] * 3e38)


def test_nothing_in_nothing_out():
    assert list(Factorizer(SETTINGS).stems([], ScoreGuide(SCORES, SETTINGS))) == []


@pytest.mark.parametrize('frames', [3, 40, 2048])
def test_the_updates(monkeypatch, frames):
    """As in the papers, for all frames at once, in float64."""
    monkeypatch.setattr(factorization, 'FRAMES', frames)
    rng = np.random.RandomState(0)
    v, w, h = (rng.uniform(.1, 1, shape) for shape in ((30, 40), (30, 5), (5, 40)))
    w[:5, 0] = h[1, 7:] = 0
    found_w, found_h, _ = factorize(*(a.astype(np.float32) for a in (v, w, h)), np.zeros(5, int), 4)
    for _ in range(4):
        h = h * (w.T @ (v / (w @ h))) / w.sum(axis=0)[:, None]
        w = w * ((v / (w @ h)) @ h.T) / h.sum(axis=1)
        w, h = w / w.sum(axis=0), h * w.sum(axis=0)[:, None]
    np.testing.assert_allclose(found_w, w, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(found_h, h, rtol=2e-4, atol=1e-6)
    assert not found_w[:5, 0].any() and not found_h[1, 7:].any()


def test_where_a_score_has_nothing_all_get_the_same():
    notes = np.zeros((3, 1, 5))
    notes[0, 0] = 2, 5, 60, 3, 6   # frames 2 to 5, one harmonic in bins 3 to 6
    model = constraints(notes, (8, 10))
    assert model[2].tolist() == [0]
    masks = shares(model, 3, 0, 10)
    np.testing.assert_allclose(masks.sum(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(masks[0, 2:5, 3:6], 1, rtol=1e-6)
    np.testing.assert_allclose(masks[:, 5:], 1 / 3, rtol=1e-6)
