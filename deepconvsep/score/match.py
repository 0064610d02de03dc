"""Does a score belong to a sound? What is gathered while the sound goes by, in little memory, and said in the end.

In short blocks of frames the energy of the sound is added up by semitones. Of it, the share in the semitones of the
notes that the score has there, and of their first overtones, is compared with the shares for the same score moved by
more than :data:`FAR` seconds, which has the same notes at the wrong times. On renderings of chorales of Bach10 the
right score, aligned or coarse, was 10 standard deviations above these, that of another chorale at most 2.4.
"""
import numpy as np

#: Frames per block.
BLOCK = 8
#: Lowest and highest MIDI number + 1 whose energy is gathered.
LOWEST, HIGHEST = 36, 108
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
#: The same for telling by how much to move a score, which is the best of thousands.
VERY_CLEAR = 6.
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
    """

    def __init__(self, notes, settings):
        self._notes = notes
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
        energy = self._energy[:blocks]
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
        return roll.reshape(blocks, BLOCK, 128).max(axis=1)[:, LOWEST:HIGHEST]

    def warnings(self):
        """What a user should know, as a list of str; empty when the score fits."""
        found = []
        sound, score = self._sounding / self._rate, self._notes[..., 1].max(initial=0) / self._rate
        if not self._notes[..., 2].any():
            return ['the score has no notes: the sources are separated without it']
        if sound - score > REST:
            found.append('the score ends at %.1f s, the sound at %.1f s: what is behind is separated without a score'
                         % (score, sound))
        shares = self.shares()
        distance = np.minimum(np.arange(len(shares)), len(shares) - np.arange(len(shares))) * BLOCK / self._rate
        moved = shares[distance > FAR]
        if len(shares) * BLOCK / self._rate < SHORTEST or not shares.any():
            return found
        clear = moved.mean() + CLEAR * moved.std()
        if shares[0] <= clear:
            best = int(shares.argmax())
            signed = (best if 2 * best < len(shares) else best - len(shares)) * BLOCK / self._rate
            others = shares[np.abs(distance - distance[best]) > FAR]
            found.append('the score does not match the sound: it claims %.0f %% of the energy, and %.0f %% when it is '
                         'moved to wrong times%s; look at it with plots/score_alignment.py'
                         % (100 * shares[0], 100 * moved.mean(), '; moved by %+.1f s it would match' % signed
                            if shares[best] > others.mean() + VERY_CLEAR * others.std() else ''))
        return found
