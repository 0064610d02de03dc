"""Settings of scores: those of older models, and those that a file must not hold."""
import dataclasses
import json

import pytest

from deepconvsep.errors import InputError
from deepconvsep.settings import ScoreSettings, Settings
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import recipe


def test_settings_without_confinement_are_of_before():
    values = recipe.SETTINGS.to_dict()
    del values['score']['confine']
    assert Settings.from_dict(values, 'x').score.confine is False
    assert recipe.LEGACY_SETTINGS.score.confine is False


def test_settings_of_scores_survive_json():
    for more in {}, {'notes': True}:
        score = ScoreSettings(tolerance=.1, timbre='ab', **more)
        values = json.loads(json.dumps(dataclasses.replace(recipe.SETTINGS, score=score).to_dict()))
        assert Settings.from_dict(values, 'x').score == score
    assert 'score' not in data.SETTINGS.to_dict() and Settings.from_dict(data.SETTINGS.to_dict(), 'x').score is None
    for name, value in {'tolerance': '0.2', 'legacy': 1, 'confine': 'yes', 'timbre': 3, 'nharmonics': 2.5,
                        'interval': -1, 'tuning': 0}.items():
        wrong = dict(values, score=dict(values['score'], **{name: value}))
        with pytest.raises(InputError, match='x gives the scores'):
            Settings.from_dict(wrong, 'x')
