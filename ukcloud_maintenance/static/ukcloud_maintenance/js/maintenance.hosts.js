/* The hosts page: how far the drains are, and which hosts are safe to power off, by one request
 * every ten seconds while there is one that may change. The page of a host and that of a drain:
 * the panel that says whether the host is safe to power off, every five seconds. */
(function () {
  'use strict';

  var EVERY = 10000;        // milliseconds
  var WHOLE_EVERY = 60000;  // the list as a whole: it costs Nova a few requests
  var PANEL_EVERY = 5000;
  var SLOWEST = 60000;      // while there is no answer

  // What keeps a page from being kept up to date, by the status of the answer.
  var CAUSES = {401: 'expired', 403: 'forbidden', 404: 'forbidden', 409: 'region'};

  /* Ask again and again.
   *   answered: function (data), data is null for nothing new; whether to go on
   *   outOfDate: function (cause), 'lost', 'expired', 'region', 'forbidden', or '' after an answer
   * Gives {now}: ask at once, also where it was not to go on. */
  function watch(url, every, answered, outOfDate, first) {
    var goesOn = true;
    return horizon.maintenance.poll({
      url: url,
      every: function () { return goesOn ? every : 0; },
      slowest: SLOWEST,
      first: first,
      answered: function (data) {
        outOfDate('');
        goesOn = answered(data);
      },
      failed: function (status, failures) {
        var cause = CAUSES[status] || (failures > 1 ? 'lost' : '');
        if (cause) { outOfDate(cause); }
      }
    });
  }

  function replace(element, html) {
    if (element.shown === html) { return; }
    var focused = element.contains(document.activeElement) && document.activeElement;
    element.shown = html;
    element.innerHTML = html;
    if (focused) {
      var again = (focused.id && document.getElementById(focused.id)) || element.querySelector('a');
      if (again) { again.focus(); }
    }
  }

  // Say that what `shown` shows is no longer kept up to date, and why. Somebody may be about to
  // switch a host off because of it.
  function notice(box, shown, concerns) {
    return function (cause) {
      Array.prototype.forEach.call(box.querySelectorAll('[data-when]'), function (sentence) {
        sentence.hidden = sentence.getAttribute('data-when') !== cause;
      });
      box.hidden = !cause || !concerns(shown);
      shown.classList.toggle('mnt-quiet', !box.hidden);
    };
  }

  function mayBeSafe(shown) {
    return shown.querySelector('.mnt-safety, td[data-watch]') !== null;
  }

  function startHosts(table, url) {
    var box = document.querySelector('.mnt-out-of-date');
    var cells = watch(function () { return url; }, EVERY, function (data) {
      if (!data) { return true; }
      var watched = table.querySelectorAll('td[data-watch]');
      Array.prototype.forEach.call(watched, function (td) {
        var html = data.cells[td.parentNode.getAttribute('data-host')];
        // No longer told of, it is over, and long enough ago: what was said no longer holds.
        if (html === undefined) { td.removeAttribute('data-watch'); }
        replace(td, html || '');
      });
      return table.querySelector('td[data-watch]') !== null;
    }, notice(box, table.tBodies[0], mayBeSafe));
    var say = notice(box, table.tBodies[0], function () { return true; });
    keepWhole(table, say, function () {
      if (table.querySelector('td[data-watch]')) { cells.now(); }
    });
  }

  // The list as a whole, as Nova has it by now: states, services, counts and buttons. What is
  // checked, and what has the focus, stays so.
  function keepWhole(table, say, done) {
    horizon.maintenance.poll({
      url: function () {
        return document.querySelector('.modal.in, .dropdown.open') ? '' : window.location.href;
      },
      every: function () { return WHOLE_EVERY; },
      slowest: SLOWEST * 5,
      read: function (text) {
        var page = new window.DOMParser().parseFromString(text, 'text/html');
        return page.getElementById('hosts');
      },
      answered: function (fresh) {
        if (!fresh) { return; }
        // Another region was chosen in another tab: its hosts are none of these.
        if (fresh.getAttribute('data-updates') !== table.getAttribute('data-updates')) {
          return say('region');
        }
        say('');
        showRows(table.tBodies[0], fresh.tBodies[0]);
        done();
      },
      failed: function (status, failures) {
        var cause = CAUSES[status] || (failures > 1 ? 'lost' : '');
        if (cause) { say(cause); }
      },
      first: WHOLE_EVERY
    });
  }

  function showRows(body, fresh) {
    var before = {};
    Array.prototype.forEach.call(body.rows, function (tr) { before[tr.id] = tr; });
    var rows = Array.prototype.map.call(fresh.rows, function (tr) {
      var known = before[tr.id];
      delete before[tr.id];
      if (!known) { return document.importNode(tr, true); }
      Array.prototype.forEach.call(tr.cells, function (cell, i) {
        showCell(known.cells[i], cell);
      });
      return known;
    });
    Object.keys(before).forEach(function (id) { body.removeChild(before[id]); });
    rows.forEach(function (tr, i) {
      // A row that is moved loses the focus that is inside of it.
      if (body.rows[i] !== tr) { body.insertBefore(tr, body.rows[i] || null); }
    });
  }

  function showCell(old, cell) {
    if (old.classList.contains('mnt-box') ||
        old.innerHTML === cell.innerHTML) { return; }
    var focused = old.contains(document.activeElement);
    old.innerHTML = cell.innerHTML;
    old.shown = undefined;
    if (cell.hasAttribute('data-watch')) { old.setAttribute('data-watch', ''); }
    if (focused && old.querySelector('a')) { old.querySelector('a').focus(); }
  }

  function startPanel(panel) {
    var body = panel.querySelector('.mnt-panel-body');
    var said = panel.querySelector('.mnt-panel-said');
    var old = panel.querySelector('.mnt-panel-old');
    var token = panel.getAttribute('data-token');
    var url = panel.getAttribute('data-url');

    watch(function () {
      return horizon.maintenance.seen(url, token);
    }, PANEL_EVERY, function (data) {
      if (!data) { return true; }
      var before = body.querySelector('.mnt-safety');
      var verdict = before && before.textContent;
      token = data.token;
      replace(body, data.html);
      var now = body.querySelector('.mnt-safety');
      if (now && now.textContent !== verdict) {
        said.textContent = data.announcement;
        if (old) { old.hidden = false; }
      }
      return true;
    }, notice(panel.querySelector('.mnt-out-of-date'), body, mayBeSafe),
    token ? PANEL_EVERY : 0);
  }

  horizon.addInitFunction(function () {
    var table = document.getElementById('hosts');
    var url = table && table.getAttribute('data-updates');
    if (url) { startHosts(table, url); }
    Array.prototype.forEach.call(document.querySelectorAll('.mnt-panel'), startPanel);
  });
}());
