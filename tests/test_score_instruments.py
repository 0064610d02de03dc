"""What a guide says of each instrument by itself: scores of another unit, time or piece, and exchanged ones."""
import dataclasses
import re

import numpy as np
import pytest
from tunes import NAMES, RATE, in_units, magnitudes, melody, moved, tune

from deepconvsep.score import match
from deepconvsep.score.guide import ScoreGuide
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import recipe

__all__ = ['magnitudes']


def named(scores, magnitudes, traits=recipe.TRAITS):
    """What a guide that knows the instruments says."""
    guide = ScoreGuide(scores, recipe.SETTINGS, names=NAMES, traits=traits)
    guide(0, magnitudes)
    return guide.warnings()


def with_one(number, notes):
    """The tune with another score of one instrument."""
    return [notes if index == number else own for index, own in enumerate(tune(1))]


def numbers(warning):
    """The two percentages that a warning gives."""
    return [int(word) for word in re.findall(r'(\d+) %', warning)]


def test_right_scores_of_named_instruments_say_nothing(magnitudes):
    early = [note for note in moved(tune(1), -.2)[0] if note.onset >= 0]
    for scores in (tune(1), moved(tune(1), .2), [early] + tune(1)[1:]):
        assert named(scores, magnitudes) == []
    assert named(tune(1), magnitudes[:900]) == []  # a score that goes on behind an excerpt


def test_a_part_that_enters_behind_what_is_gathered_is_not_judged(magnitudes, monkeypatch):
    monkeypatch.setattr(match, 'LONGEST', 12.)
    late = [note for note in tune(1)[3] if note.onset >= 13]
    assert named(tune(1)[:3] + [late], magnitudes) == []


@pytest.mark.parametrize('number', range(4))
@pytest.mark.parametrize('factor, said', [(1000., '1000'), (RATE, '44100'), (RATE / 512, '86.133')])
def test_one_score_in_another_unit(magnitudes, number, factor, said):
    [warning] = named(with_one(number, in_units(tune(1)[number], factor)), magnitudes)
    assert warning.startswith('%s: its notes sound ' % NAMES[number])
    assert 'with its times divided by %s, ' % said in warning
    before, after = numbers(warning)
    assert before < 25 and after > 60


@pytest.mark.parametrize('number', range(4))
@pytest.mark.parametrize('seconds', [1.5, -1.5, 6.])
def test_one_score_at_the_wrong_time(magnitudes, number, seconds):
    late = [note for note in moved([tune(1)[number]], seconds)[0] if note.onset >= 0]
    [warning] = named(with_one(number, late), magnitudes)
    assert warning.startswith('%s: its notes sound ' % NAMES[number])
    assert abs(float(warning.split('moved by ')[1].split(' s')[0]) + seconds) <= .2


@pytest.mark.parametrize('number', range(4))
def test_one_score_of_another_piece_or_empty(magnitudes, number):
    [warning] = named(with_one(number, tune(5)[number]), magnitudes)
    assert warning.startswith('%s does not match the sound: its notes sound ' % NAMES[number])
    assert named(with_one(number, []), magnitudes) == [
        '%s has no notes: the instrument is separated without a score' % NAMES[number]]


def test_all_scores_in_milliseconds(magnitudes):
    [warning] = named([in_units(notes, 1000.) for notes in tune(1)], magnitudes)
    assert warning.startswith('the score does not match the sound') and '(--score_tempo 1000)' in warning
    # also of a sound that is too short to compare anything
    warnings = named([in_units(moved([notes], 1.)[0], 1000.) for notes in tune(1)], magnitudes[:500])
    assert warnings == ['%s: all its notes lie behind the end of the sound, at 5.8 s' % name for name in NAMES]


def test_flags_that_were_given_are_part_of_the_advice(magnitudes):
    """What was moved by 4000 s before its times are divided by 1000 is moved by 4 s after that."""
    guide = ScoreGuide([in_units(notes, 1000.) for notes in tune(1)], recipe.SETTINGS, played=(2., 4000.))
    guide(0, magnitudes)
    assert '(--score_tempo 2000 --score_offset 4.00)' in guide.warnings()[-1]


def test_a_score_in_another_tempo(magnitudes):
    faster = [in_units(notes, 77. / 120) for notes in tune(1)]
    warning = named(faster, magnitudes)[-1]
    tempo = float(warning.split('--score_tempo ')[1].split(')')[0].split()[0])
    assert tempo == pytest.approx(77. / 120, rel=.005)


def test_exchanged_scores(magnitudes):
    """What goes lower than an instrument can; the same file twice."""
    first, second, third, fourth = tune(1)
    [warning] = [each for each in named([fourth, second, third, first], magnitudes) if each.startswith(NAMES[3])]
    assert warning == ('violin_b.txt: 100 % of its notes are beyond the range of the instrument; is it exchanged '
                       'with bassoon_b.txt?')
    assert named([first, third, third, fourth], magnitudes) == [
        'clarinet_b.txt and saxophone_b.txt hold the same notes']


def sounding(notes, evens):
    """Notes whose even harmonics are so strong."""
    signal, time = np.zeros(20 * RATE), np.arange(20 * RATE) / RATE
    for onset, offset, midi in notes:
        part = slice(int(onset * RATE), int(offset * RATE))
        for number in range(1, 9):
            level = (evens if number % 2 == 0 else 1.) / number / 20
            signal[part] += level * np.sin(2 * np.pi * number * 440 * 2 ** ((midi - 69) / 12) * time[part])
    return signal


def test_exchanged_scores_of_one_range():
    """A clarinet is known by its weak even harmonics, whoever has its notes."""
    scores = [melody(1, 20., 43), melody(2, 20., 58), melody(3, 20., 56), melody(4, 20., 69)]

    sound = sum(sounding(notes, .05 if number == 1 else 1.) for number, notes in enumerate(scores))
    magnitudes = data.transform().compute_file(sound).astype(np.float32)
    assert named(scores, magnitudes) == []
    [warning] = named([scores[0], scores[2], scores[1], scores[3]], magnitudes)
    assert warning == ('clarinet_b.txt and saxophone_b.txt look exchanged: the notes of saxophone_b.txt sound with the '
                       'weak even harmonics of a clarinet, those of clarinet_b.txt do not')
    # of two instruments with weak even harmonics nobody knows whose they are
    both = [dataclasses.replace(each, hollow=number in (0, 1)) for number, each in enumerate(recipe.TRAITS)]
    assert named([scores[0], scores[2], scores[1], scores[3]], magnitudes, both) == []


def test_exchanged_scores_whose_parts_lie_the_other_way_round():
    """A violin below a clarinet: then less of a difference in timbre is enough, but it must be there."""
    scores = [melody(1, 20., 43), melody(2, 20., 58), melody(3, 20., 56), melody(4, 20., 72)]
    exchanged = [scores[0], scores[3], scores[2], scores[1]]
    evens = (1., .45, 1., 1.)
    magnitudes = data.transform().compute_file(sum(map(sounding, scores, evens))).astype(np.float32)
    assert named(scores, magnitudes) == []
    [warning] = named(exchanged, magnitudes)
    assert warning.startswith('clarinet_b.txt and violin_b.txt look exchanged')
    # a clarinet that plays above a violin
    magnitudes = data.transform().compute_file(sum(map(sounding, exchanged, evens))).astype(np.float32)
    assert named(exchanged, magnitudes) == []
