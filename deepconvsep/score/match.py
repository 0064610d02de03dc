"""Do scores belong to a sound? What is gathered while the sound goes by, in little memory, and said in the end.

In short blocks of frames the energy of the sound is added up by semitones. Of it, the share in the semitones of the
notes that the score has there, and of their first overtones, is compared with the shares for the same score moved by
more than :data:`FAR` seconds, which has the same notes at the wrong times. On renderings of chorales of Bach10 the
right score, aligned or coarse, was 10 standard deviations above these, that of another chorale at most 2.4.

Every instrument is judged by itself too, by where its pitches sound; see :mod:`deepconvsep.score.verdict`. Which of two
parts is whose the presence of notes cannot tell: that is seen by the ranges of the instruments and by their timbre, see
:mod:`deepconvsep.score.owners`.
"""
import numpy as np

from deepconvsep.score import owners, presence, verdict

#: Frames per block.
BLOCK = 8
#: Lowest and highest MIDI number + 1 whose energy is gathered, and up to which it is compared with the whole score's.
LOWEST, HIGHEST, COMPARED = 36, 120, 108
#: Semitones from a note to its first overtones.
OVERTONES = (12, 19, 24)
#: Blocks weaker than the strongest by this factor are silence.
SILENCE = 1e-5
#: Seconds that are gathered; what a warning needs shows long before.
LONGEST = 600.
#: Seconds of sound below which nothing is said about the match.
SHORTEST = 8.
#: Seconds by which a score is moved at least to be at wrong times.
FAR = 2.
#: Standard deviations above the moved scores that a matching score has at least.
CLEAR = 4.
#: Seconds of sound behind the end of the score that are worth a warning.
REST = 5.


class ScoreMatch:
    """Gather what tells whether a score belongs to a sound.

    Parameters
    ----------
    notes : ndarray
        Note array of the piece, (instruments, notes, columns).
    settings : settings.Settings
        Of the frames.
    names : list of str, optional
        Of the instruments' scores, for what is said about them.
    traits : list of owners.Traits, optional
        What is known of the instruments.
    played : tuple of float
        The tempo and the offset that the notes have already been brought to, as of
        :func:`deepconvsep.score.notes.retime`.
    """

    def __init__(self, notes, settings, names=None, traits=None, played=(1., 0.)):
        self._notes, self._played = notes, played
        self._names = names or ['instrument %d' % (number + 1) for number in range(len(notes))]
        self._traits = traits
        # what times may have been counted in: milliseconds, samples, frames
        self._units = 1000., float(settings.sample_rate), settings.sample_rate / settings.hop_size
        self._rate = settings.sample_rate / settings.hop_size
        edges = 440. * 2. ** ((np.arange(LOWEST, HIGHEST + 1) - 69.5) / 12)
        self._edges = np.ceil(edges * settings.frame_size / settings.sample_rate).astype(int)
        self._edges = np.minimum(self._edges, settings.frame_size // 2 + 1)
        self._energy = np.zeros((int(LONGEST * self._rate) // BLOCK, HIGHEST - LOWEST))
        self._next = 0
        self._strongest, self._sounding = 0., 0  # energy of a frame, and the last frame that is not silence

    def add(self, first, magnitudes):
        """Take the magnitudes, (frames, bins), from frame `first` on; frames that came before do not count again."""
        new = magnitudes[max(0, self._next - first):]
        if not len(new):
            return
        start, self._next = max(self._next, first), first + len(magnitudes)
        power = np.cumsum(np.square(new, dtype=float), axis=1)
        frames = power[:, -1]
        self._strongest = max(self._strongest, frames.max())
        loud = np.flatnonzero(frames > SILENCE * self._strongest)
        if len(loud):
            self._sounding = start + loud[-1] + 1
        power = np.pad(power, ((0, 0), (1, 0)))
        blocks = np.arange(start, self._next) // BLOCK
        here = blocks < len(self._energy)
        np.add.at(self._energy, blocks[here], (power[:, self._edges[1:]] - power[:, self._edges[:-1]])[here])

    def shares(self):
        """The share of the energy that the score claims, for the score moved by 0, 1, 2, ... blocks, cyclically.

        Returns
        -------
        ndarray, shape (blocks,)
            0 everywhere when there is no sound.
        """
        blocks = min(self._next // BLOCK, len(self._energy))
        energy = self._energy[:blocks, :COMPARED - LOWEST]
        total = energy.sum(axis=1, keepdims=True)
        sounding = total > SILENCE * total.max(initial=0)
        if not sounding.any():
            return np.zeros(blocks)
        spread = np.where(sounding, energy / np.where(sounding, total, 1), 0)
        expected = self._expected(blocks)
        products = np.fft.rfft(spread, axis=0) * np.conj(np.fft.rfft(expected, axis=0))
        return np.fft.irfft(products.sum(axis=1), blocks) / sounding.sum()

    def _expected(self, blocks):
        """1 where the score has a note or an overtone, (blocks, semitones)."""
        roll = np.zeros((blocks * BLOCK, 128))
        for row in self._notes.reshape(-1, self._notes.shape[-1]):
            begin, end, midi = row[:3].astype(int)
            for pitch in (midi,) + tuple(midi + step for step in OVERTONES) if midi > 0 else ():
                roll[begin:end, min(pitch, 127)] = 1
        return roll.reshape(blocks, BLOCK, 128).max(axis=1)[:, LOWEST:COMPARED]

    def warnings(self):
        """What a user should know, as a list of str; empty when the scores fit."""
        sound, score = self._sounding / self._rate, self._notes[..., 1].max(initial=0) / self._rate
        if not self._notes[..., 2].any():
            return ['the score has no notes: the sources are separated without it']
        if not self._sounding:
            return []
        said = [] if sound - score <= REST else [
            'the score ends at %.1f s, the sound at %.1f s: what is behind is separated without a score'
            % (score, sound)]
        parts = [self._blocks_of(number) for number in range(len(self._notes))]
        said += ['%s has no notes: the instrument is separated without a score' % name
                 for name, part in zip(self._names, parts) if not len(part)]
        blocks = min(self._next // BLOCK, len(self._energy))
        rate = self._rate / BLOCK
        if blocks / rate < SHORTEST:
            return said + self._behind(parts, sound)
        energy = self._energy[:blocks]
        if self._next // BLOCK > blocks:   # of what begins behind, nothing was gathered
            parts = [part[part[:, 0] < blocks] for part in parts]
        present = presence.pitches(energy, LOWEST, SILENCE)
        verdicts = {number: verdict.judge(present, part, rate, self._units)
                    for number, part in enumerate(parts) if len(part)}
        whole = self._whole(present, verdicts, np.concatenate(parts), rate)
        if whole:
            return said + [whole]
        wrong = [self._of_one(number, each, parts, sound) for number, each in verdicts.items() if not each.matches]
        return said + (wrong or owners.warnings(energy, LOWEST, parts, self._names, self._traits))

    def _blocks_of(self, number):
        """The notes of an instrument as (first block, last block + 1, MIDI number)."""
        rows = self._notes[number][:, :3]
        return rows[rows[:, 2] > 0] / (BLOCK, BLOCK, 1)

    def _behind(self, parts, sound):
        """Of a sound too short to compare anything: what lies behind its end."""
        return ['%s: all its notes lie behind the end of the sound, at %.1f s' % (name, sound)
                for name, part in zip(self._names, parts)
                if len(part) and part[:, 0].min() * BLOCK >= self._next]

    def _whole(self, present, verdicts, notes, rate):
        """What is wrong with all scores alike, None when there is no such thing."""
        shares = self.shares()
        distance = np.minimum(np.arange(len(shares)), len(shares) - np.arange(len(shares))) / rate
        moved = shares[distance > FAR]
        fits = shares.any() and shares[0] > moved.mean() + CLEAR * moved.std()
        if fits and any(each.matches for each in verdicts.values()):
            return None
        # the parts may each be wrong in a way of its own
        ways = {(each.tempo, round(each.offset)) for each in verdicts.values() if not each.matches and each.remedied}
        if len(ways) > 1 and all(each.remedied for each in verdicts.values()):
            return None
        found = verdict.judge(present, notes, rate, self._units, tempi=True)
        if fits and not found.remedied:
            return None
        said = ('the score does not match the sound: it claims %.0f %% of the energy, and %.0f %% when it is moved to '
                'wrong times' % (100 * shares[0], 100 * moved.mean()))
        if found.remedied:
            said += '; its notes sound %.0f %% of their time, with %s %.0f %% (%s)' % (
                100 * found.share, found.remedy(), 100 * found.remedied, self._flags(found))
        return said + '; look at it with plots/score_alignment.py'

    def _flags(self, found):
        """The flags of a separation for a remedy, on top of those that were given."""
        tempo, offset = '%.5g' % (self._played[0] * found.tempo), self._played[1] / found.tempo + found.offset
        flags = ['--score_tempo ' + tempo] * (tempo != '1')
        flags += ['--score_offset %.2f' % offset] * (abs(offset) > verdict.NEAR)
        return ' '.join(flags) or 'without --score_tempo and --score_offset'

    def _of_one(self, number, found, parts, sound):
        """What is wrong with one instrument's score."""
        name = self._names[number]
        if found.remedied:
            return '%s: its notes sound %.0f %% of their time; with %s, %.0f %%' % (
                name, 100 * found.share, found.remedy(), 100 * found.remedied)
        if parts[number][:, 0].min() * BLOCK >= self._next:
            return '%s: all its notes lie behind the end of the sound, at %.1f s' % (name, sound)
        return ('%s does not match the sound: its notes sound %.0f %% of their time, hardly more than when it is moved '
                'to wrong times; look at it with plots/score_alignment.py' % (name, 100 * found.share))
