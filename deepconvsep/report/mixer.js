// The mixer of a page: every sound of a song is an audio element, and all of them play in step, silent ones too, so that
// what is heard changes at the same place. Media elements, not Web Audio, because a page opened from a disk may not read files.
'use strict';
(function () {
  var AHEAD = 0.012, LOST = 0.25;   // seconds out of step: above the first a player is sped up or slowed down, above the second moved
  var LONGEST = 900;   // seconds of a song up to which its files are fetched whole: not every server can seek
  var calm = matchMedia('(prefers-reduced-motion: reduce)');
  var songs = [], active = null;

  function text(seconds) {
    seconds = Math.floor(seconds + 1e-6);
    return Math.floor(seconds / 60) + ':' + String(seconds % 60).padStart(2, '0');
  }

  function press(buttons, pressed) {
    buttons.forEach(function (button) { button.setAttribute('aria-pressed', String(pressed(button))); });
  }

  // Resolves when a player can play at its place, or after a while in any case.
  function ready(player) {
    return new Promise(function (resolve) {
      var events = ['canplay', 'seeked', 'error'];
      function check(event) {
        if (event !== true && !player.error && (player.seeking || player.readyState < 3)) return;
        events.forEach(function (name) { player.removeEventListener(name, check); });
        resolve();
      }
      events.forEach(function (name) { player.addEventListener(name, check); });
      setTimeout(check, 4000, true);
      check();
    });
  }

  function drawWave(track) {
    var digits = track.element.dataset.wave, count = digits.length / 2, upper = '', lower = '';
    for (var point = 0; point < count; point++) {
      var height = parseInt(digits.substr(2 * point, 2), 16) / 255 * 48 + 0.4;
      upper += 'L' + point + ' ' + (50 - height).toFixed(1);
      lower = 'L' + point + ' ' + (50 + height).toFixed(1) + lower;
    }
    var svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    var path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    svg.setAttribute('viewBox', '0 0 ' + Math.max(count - 1, 1) + ' 100');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    path.setAttribute('d', 'M0 50' + upper + lower + 'Z');
    svg.appendChild(path);
    track.picture.insertBefore(svg, track.head);
  }

  function Song(section) {
    function all(selector) { return Array.from(section.querySelectorAll(selector)); }
    var song = this, seek = section.querySelector('.seek'), button = section.querySelector('.play');
    var clock = section.querySelector('.clock'), message = section.querySelector('.message');
    var tracks = all('.track').map(function (element) {
      var row = element.closest('.row');
      return {element: element, kind: element.dataset.kind, row: row, part: row.dataset.part,
        player: element.querySelector('audio'), head: element.querySelector('.head'),
        picture: element.querySelector('.picture')};
    });
    var rows = all('.row').filter(function (row) { return row.dataset.part !== 'mixture'; });
    var length = Number(seek.max), place = 0, playing = false, loaded = null, token = 0;
    var listen = 'separated', before = 'separated', muted = new Set(), solo = new Set();
    var master = tracks[0].player;   // the mixture, whose clock counts
    var hasReferences = tracks.some(function (track) { return track.kind === 'reference'; });

    function heard(track) {
      if (track.kind !== listen) return false;
      return track.kind === 'mixture' || !muted.has(track.part) && (!solo.size || solo.has(track.part));
    }

    function apply() {
      tracks.forEach(function (track) {
        track.player.muted = !heard(track);
        track.element.classList.toggle('heard', heard(track));
        // where one picture has room: that of what is listened to, if there is one
        var kinds = tracks.filter(function (other) { return other.part === track.part; });
        var wanted = listen === 'reference' && kinds.length > 1 ? 'reference' : kinds[0].kind;
        track.element.classList.toggle('shown', track.kind === wanted);
      });
      all('.row').forEach(function (row) {
        row.classList.toggle('silent', !tracks.some(function (track) { return track.row === row && heard(track); }));
      });
      rows.forEach(function (row) {
        press([row.querySelector('.mute')], function () { return muted.has(row.dataset.part); });
        press([row.querySelector('.solo')], function () { return solo.has(row.dataset.part); });
      });
      press(all('[data-listen]'), function (choice) { return choice.dataset.listen === listen; });
    }

    function draw() {
      seek.value = place;
      seek.setAttribute('aria-valuetext', text(place) + ' of ' + text(length));
      clock.textContent = text(place) + ' / ' + text(length);
      button.textContent = playing ? 'Pause' : 'Play';
      tracks.forEach(function (track) {
        track.head.hidden = !place && !playing;
        track.head.style.left = 100 * Math.min(1, place / (Number(track.picture.dataset.seconds) || 1)) + '%';
      });
    }

    // Served over a network, files are fetched whole, since a plain server can't be asked for their middle.
    function load() {
      if (loaded) return loaded;
      var count = 0;
      loaded = Promise.all(tracks.map(function (track) {
        track.player.preload = 'auto';
        if (!/^http/.test(location.protocol) || length > LONGEST) return null;
        return fetch(track.player.src).then(function (answer) {
          if (!answer.ok) throw new Error(answer.status);
          return answer.blob();
        }).then(function (blob) {
          message.textContent = 'Loading ' + (++count) + ' of ' + tracks.length;
          track.player.src = URL.createObjectURL(blob);
        }).catch(function () {});   // the element itself goes on with its address
      })).then(function () { message.textContent = ''; });
      return loaded;
    }

    function move(to) {
      place = Math.max(0, Math.min(length, to));
      if (playing) start(); else draw();
    }

    function placePlayers() {
      return tracks.filter(function (track) {
        // a stem that is a little shorter than the mixture has ended
        return !track.player.error && !(place >= track.player.duration - 0.01);
      }).map(function (track) {
        if (Math.abs(track.player.currentTime - place) > 0.001) track.player.currentTime = place;
        track.player.playbackRate = 1;
        return track.player;
      });
    }

    function start() {
      var mine = ++token;
      songs.forEach(function (other) { if (other !== song) other.pause(); });
      active = song;
      if (place >= length - 0.05) place = 0;
      playing = true;
      tracks.forEach(function (track) { track.player.pause(); });
      draw();
      load().then(function () {
        return Promise.all(tracks.map(function (track) { return track.player.readyState ? null : ready(track.player); }));
      }).then(function () {
        return mine === token ? Promise.all(placePlayers().map(function (player) {
          return ready(player).then(function () { return player; });
        })) : [];
      }).then(function (players) {
        if (mine !== token) return;
        var failed = tracks.filter(function (track) { return track.player.error; });
        if (failed.length) message.textContent = failed.length + ' of ' + tracks.length + ' sounds can\'t be played here';
        return Promise.all(players.map(function (player) { return player.play(); })).then(function () {
          if (mine === token) follow(mine);
        });
      }).catch(function (error) {
        if (mine !== token) return;
        song.pause();
        message.textContent = error.name === 'NotAllowedError' ? 'Ready: press Play again' : 'This sound can\'t be played here';
      });
    }

    function follow(mine) {
      var checked = 0;
      function frame(now) {
        if (mine !== token || !playing) return;
        place = Math.min(length, master.currentTime);
        if (master.ended || master.error) { place = length; song.pause(); return; }
        if (now - checked > 200) { checked = now; keepInStep(); }
        draw();
        if (calm.matches) setTimeout(function () { frame(performance.now()); }, 250); else requestAnimationFrame(frame);
      }
      frame(performance.now());
    }

    function keepInStep() {
      tracks.slice(1).forEach(function (track) {
        var player = track.player, late = master.currentTime - player.currentTime;
        if (player.paused || player.ended || player.seeking) return;
        if (Math.abs(late) > LOST) player.currentTime = master.currentTime;
        player.playbackRate = Math.abs(late) > AHEAD && Math.abs(late) <= LOST ? 1 + Math.max(-0.05, Math.min(0.05, late)) : 1;
      });
    }

    song.pause = function () {
      token++;
      if (playing && loaded && !master.seeking && master.readyState && place < length) place = Math.min(length, master.currentTime);
      playing = false;
      tracks.forEach(function (track) { track.player.pause(); });
      draw();
    };
    song.toggle = function () { if (playing) song.pause(); else start(); };
    song.skip = function (seconds) { move(place + seconds); };
    song.listen = function (kind) {
      if (kind === 'reference' && !hasReferences) return;
      if (kind !== 'mixture') before = kind;
      listen = kind;
      apply();
    };
    song.compare = function () { song.listen(listen === 'separated' ? 'reference' : 'separated'); };
    song.mixture = function () { song.listen(listen === 'mixture' ? before : 'mixture'); };
    song.change = function (set, part) {
      if (!rows.some(function (row) { return row.dataset.part === part; })) return;
      if (set.has(part)) set.delete(part); else set.add(part);
      if (listen === 'mixture') listen = before;
      // who asks to hear a stem hears it
      if (set === solo && solo.has(part)) muted.delete(part);
      apply();
    };
    song.mute = function (part) { song.change(muted, part); };
    song.solo = function (part) { song.change(solo, part); };
    song.view = function (kind) {
      kind = kind || (section.classList.contains('waves') ? 'spectrogram' : 'waveform');
      section.classList.toggle('waves', kind === 'waveform');
      press(all('[data-view]'), function (choice) { return choice.dataset.view === kind; });
    };
    song.state = function () {
      return {place: place, playing: playing, length: length, players: tracks.map(function (track) {
        return {part: track.part, kind: track.kind, muted: track.player.muted, paused: track.player.paused,
          time: track.player.currentTime};
      })};
    };

    tracks.forEach(function (track) {
      track.player.controls = false;
      drawWave(track);
      track.picture.addEventListener('click', function (event) {
        var box = track.picture.getBoundingClientRect();
        active = song;
        move((event.clientX - box.left) / box.width * Number(track.picture.dataset.seconds));
      });
    });
    rows.forEach(function (row) {
      if ('extra' in row.dataset) muted.add(row.dataset.part);
      row.querySelector('.mute').addEventListener('click', function () { song.mute(row.dataset.part); });
      row.querySelector('.solo').addEventListener('click', function () { song.solo(row.dataset.part); });
    });
    all('[data-listen]').forEach(function (choice) {
      choice.addEventListener('click', function () { song.listen(choice.dataset.listen); });
    });
    all('[data-view]').forEach(function (choice) {
      choice.addEventListener('click', function () { song.view(choice.dataset.view); });
    });
    button.addEventListener('click', song.toggle);
    seek.addEventListener('input', function () { move(Number(seek.value)); });
    section.addEventListener('pointerdown', function () { if (!active || !active.state().playing) active = song; });
    section.classList.add('mixing');
    apply();
    draw();
  }

  // A button that was clicked gives the keyboard back, so that the space bar goes on to play and pause.
  document.addEventListener('click', function (event) {
    if (event.detail && event.target.closest('button, input')) document.activeElement.blur();
  });

  document.addEventListener('keydown', function (event) {
    var digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
    if (!active || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === ' ' && !event.target.closest('button, a, summary')) { if (!event.repeat) active.toggle(); }
    else if (event.key === 'ArrowLeft') active.skip(-5);
    else if (event.key === 'ArrowRight') active.skip(5);
    else if (digit && digit[1] === '0') active.mixture();
    else if (digit && event.shiftKey) active.mute(digit[1]);
    else if (digit) active.solo(digit[1]);
    else if (event.key === 'r') active.compare();
    else if (event.key === 'v') active.view();
    else return;
    event.preventDefault();
  });

  document.querySelectorAll('section.song').forEach(function (section) { songs.push(new Song(section)); });
  active = songs[0] || null;
  window.mixer = songs;
})();
