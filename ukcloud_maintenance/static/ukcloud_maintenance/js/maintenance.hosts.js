/* The hosts page: how far the drains are, and which hosts are safe to power off, by one request
 * every ten seconds while there is one that may change. The page of a host and that of a drain:
 * the panel that says whether the host is safe to power off, every five seconds. */
(function () {
  'use strict';

  var EVERY = 10000;        // milliseconds
  var PANEL_EVERY = 5000;
  var SLOWEST = 60000;      // while there is no answer

  // Ask again and again; `answered` is given what was sent, or null for nothing new, and says
  // whether to go on. Where no answer comes, `outOfDate` is told the cause: 'lost', 'expired',
  // 'region', 'forbidden', or '' once there is an answer again.
  function watch(url, every, answered, outOfDate, first) {
    var goesOn = true;
    horizon.maintenance.poll({
      url: url,
      every: function () { return goesOn ? every : 0; },
      slowest: SLOWEST,
      first: first,
      answered: function (data) {
        outOfDate('');
        goesOn = answered(data);
      },
      failed: function (status, failures) {
        var known = {401: 'expired', 403: 'forbidden', 404: 'forbidden', 409: 'region'};
        var cause = known[status] || (failures > 1 ? 'lost' : '');
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
  function notice(box, shown) {
    return function (cause) {
      Array.prototype.forEach.call(box.querySelectorAll('[data-when]'), function (sentence) {
        sentence.hidden = sentence.getAttribute('data-when') !== cause;
      });
      box.hidden = !cause || !shown.querySelector('.mnt-safety, td[data-watch]');
      shown.classList.toggle('mnt-quiet', !box.hidden);
    };
  }

  function startHosts(table, url) {
    var box = document.querySelector('.mnt-out-of-date');
    watch(function () { return url; }, EVERY, function (data) {
      if (!data) { return true; }
      var watched = table.querySelectorAll('td[data-watch]');
      Array.prototype.forEach.call(watched, function (td) {
        var html = data.cells[td.parentNode.getAttribute('data-host')];
        // Not told of any more, it is over, and long enough ago: what was said no longer holds.
        if (html === undefined) { td.removeAttribute('data-watch'); }
        replace(td, html || '');
      });
      return table.querySelector('td[data-watch]') !== null;
    }, notice(box, table.tBodies[0]));
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
    }, notice(panel.querySelector('.mnt-out-of-date'), body), token ? PANEL_EVERY : 0);
  }

  horizon.addInitFunction(function () {
    var table = document.getElementById('hosts');
    var url = table && table.getAttribute('data-updates');
    if (url) { startHosts(table, url); }
    Array.prototype.forEach.call(document.querySelectorAll('.mnt-panel'), startPanel);
  });
}());
