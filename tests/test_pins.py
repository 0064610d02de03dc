"""The pins: exact, and the same in the requirements and in the locks, on every Python that is supported."""
import os
import re

import pytest
from conftest import ROOT

PYTHONS = ['3.10', '3.11', '3.12', '3.13']
MODERN = ['requirements.txt', 'requirements/test.txt', 'requirements/scores.txt']
LINE = re.compile(r'([A-Za-z0-9_.-]+)(==[^;\s]+|<[^;\s]+)\s*(?:;\s*python_version (>=|<) "3\.(\d+)")?\s*$')


def read(path, python):
    """The pins of a file on one Python: name as pip compares it, and version."""
    minor, pins = int(python.split('.')[1]), {}
    with open(os.path.join(ROOT, path)) as source:
        for text in source:
            text = text.split('#')[0].strip()
            if not text:
                continue
            found = LINE.match(text)
            assert found, '%s: %r is not an exact pin' % (path, text)
            name, version, relation, limit = found.groups()
            if relation and (minor >= int(limit)) != (relation == '>='):
                continue
            name = re.sub('[-_.]+', '-', name).lower()
            assert name not in pins, '%s: two versions of %s on Python %s' % (path, name, python)
            pins[name] = version
    return pins


def disagreements(pins, lock):
    """The names whose exact pin the lock does not have."""
    return sorted(name for name, version in pins.items() if version.startswith('==') and lock.get(name) != version)


@pytest.mark.parametrize('python', PYTHONS)
@pytest.mark.parametrize('path', MODERN)
def test_the_lock_has_every_pin(path, python):
    assert disagreements(read(path, python), read('requirements/lock.txt', python)) == []


def test_the_lock_of_the_gpu_has_every_pin():
    pins = read('requirements/gpu-base.txt', '3.11')
    assert disagreements(pins, read('requirements/gpu-lock.txt', '3.11')) == []
    assert pins['numpy'] == '==1.23.5'


def test_both_sets_have_the_same_packages():
    modern = {name for path in MODERN for name in read(path, '3.11')}
    assert modern == set(read('requirements/gpu-base.txt', '3.11'))


def test_a_disagreement_is_found():
    assert disagreements({'numpy': '==2.0', 'scipy': '==1.0', 'six': '==1.0', 'setuptools': '<81'},
                         {'numpy': '==2.1', 'scipy': '==1.0'}) == ['numpy', 'six']


@pytest.mark.parametrize('python', PYTHONS)
def test_what_reads_sound_files_is_without_known_holes(python):
    """libsndfile 1.2.2, without CVE-2022-33065 and CVE-2024-50612, comes with soundfile 0.13.1."""
    version = read('requirements.txt', python)['soundfile']
    assert tuple(int(part) for part in version[2:].split('.')) >= (0, 13, 1)
    assert read('requirements.txt', python)['numpy'].startswith('==2.')
