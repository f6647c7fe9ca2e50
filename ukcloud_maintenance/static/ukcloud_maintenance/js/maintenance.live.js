/* A page that is kept up to date: one request every two seconds for the whole page, answered with
 * 204 while nothing changed. What is shown is the server's HTML; only pieces that changed are
 * replaced, so that filter, order, scroll position, focus and unfolded messages stay as they are.
 * A banner says when there is no connection, and how old is what is shown. */
(function () {
  'use strict';

  var EVERY = 2000;        // milliseconds between two updates
  var WHEN_OVER = 10000;   // once all is over: the hosts are still verified to be safe to power off
  var SLOWEST = 30000;     // while the connection is lost

  /* Keep what is inside of `root` up to date.
   *   rows: function (data, replace), to show the rows of an update
   *   texts: {lost, expired, forbidden}, why the page is out of date
   * Gives {now}: ask at once, also of what was over, as it may be reopened. */
  function keep(root, rows, texts) {
    var banner = document.getElementById('mnt-connection');
    var announce = document.getElementById('mnt-announce');
    var token = root.getAttribute('data-token');
    var announced = root.getAttribute('data-announced');
    var over = root.getAttribute('data-over') === 'true';
    var suffix = document.title.replace(/^.*( - )/, '$1');
    var seenAt = new Date();
    var skew = 0;          // the server's clock minus the browser's, in milliseconds
    var sent = {};         // what the server sent last: a browser rewrites the HTML it is given

    // -- asking -----------------------------------------------------------------------------

    function answered(data) {
      if (data) { show(data); }
      seenAt = new Date();
      banner.hidden = true;
      banner.textContent = '';
    }

    function failed(status, failures, text) {
      if (status === 401) {
        say([texts.expired, ' ', link()]);
      } else if (status === 403 || status === 404) {
        // as: it belongs to another region than the one that is chosen now
        var data = horizon.maintenance.json(text);
        say([(data && data.message) || texts.forbidden, ' ', link()]);
      } else if (failures > 1) {
        var around = gettext('Age of this data: %(age)s').split('%(age)s');
        say([texts.lost, ' ', around[0], age(), around[1]]);
      }
    }

    // -- the banner -------------------------------------------------------------------------

    function link() {
      var a = document.createElement('a');
      a.className = 'alert-link';
      a.href = root.getAttribute('data-login');
      a.textContent = gettext('Log in again');
      return a;
    }

    // How old it is, ticking; in the server's time, as all that ticks here.
    function age() {
      var span = document.createElement('span');
      span.setAttribute('data-since', new Date(seenAt.getTime() + skew).toISOString());
      span.setAttribute('aria-hidden', 'true');
      return span;
    }

    function say(pieces) {
      if (!banner.hidden && banner.getAttribute('data-said') === pieces[0]) { return; }
      banner.textContent = '';
      banner.setAttribute('data-said', pieces[0]);
      banner.className = 'alert alert-warning';
      pieces.forEach(function (piece) {
        banner.appendChild(typeof piece === 'string' ? document.createTextNode(piece) : piece);
      });
      banner.hidden = false;
      tick();
    }

    // -- showing ----------------------------------------------------------------------------

    function replace(element, key, html) {
      if (sent[key] === html) { return; }
      if (sent[key] === undefined && element.innerHTML === html) {
        sent[key] = html;
        return;
      }
      var focused = element.contains(document.activeElement) && document.activeElement;
      var open = {};
      element.querySelectorAll('details[open]').forEach(function (details) {
        open[details.className] = true;
      });
      sent[key] = html;
      element.innerHTML = html;
      element.querySelectorAll('details').forEach(function (details) {
        details.open = Boolean(open[details.className]);
      });
      if (focused) {
        var next = (focused.id && document.getElementById(focused.id)) ||
          element.querySelector('a, button, summary');
        if (next) { next.focus(); }
      }
    }

    function show(data) {
      token = data.token;
      over = data.over;
      root.setAttribute('data-over', String(over));
      skew = new Date(data.now) - new Date();
      document.title = data.title + suffix;
      root.querySelectorAll('[data-part]').forEach(function (element) {
        var name = element.getAttribute('data-part');
        replace(element, 'part ' + name, data.parts[name] || '');
      });
      rows(data, replace);
      // What was so when the page came is no news.
      if (data.announcement !== announced) {
        announced = data.announcement;
        announce.textContent = announced;
      }
      var worth = notable();
      if (worth.some(function (one) { return noticed.indexOf(one) === -1; })) {
        notify(data.title, announced);
      }
      noticed = worth;
      tick();
    }

    // -- a notice on the desktop, for whoever requested it in this browser -------------------

    var noticed = notable();
    var bell = document.getElementById('mnt-notify');
    var WANTED = 'maintenance.notify';

    // What somebody is told of once: each that needs a person, and the end.
    function notable() {
      var found = Array.prototype.map.call(root.querySelectorAll('[data-needs]'), function (one) {
        return one.getAttribute('data-needs');
      });
      return over ? found.concat('over') : found;
    }

    // A browser may refuse its storage, and a notice without a service worker: then there is none,
    // and the page goes on.
    function wanted() {
      try {
        return window.localStorage.getItem(WANTED) === 'yes' &&
          window.Notification.permission === 'granted';
      } catch (refused) {
        return false;
      }
    }

    function showBell() {
      bell.setAttribute('aria-pressed', String(wanted()));
      bell.classList.toggle('active', wanted());
    }

    function notify(title, text) {
      if (!bell || !window.Notification || !wanted()) { return; }
      try {
        new window.Notification(title, {body: text, tag: root.getAttribute('data-url')});
      } catch (refused) {
        bell.hidden = true;
      }
    }

    // Browsers permit it where the page came with TLS alone.
    if (bell && window.Notification && window.isSecureContext) {
      bell.hidden = false;
      showBell();
      bell.addEventListener('click', function () {
        if (wanted()) {
          window.localStorage.removeItem(WANTED);
          return showBell();
        }
        window.Notification.requestPermission().then(function (permission) {
          if (permission === 'granted') {
            window.localStorage.setItem(WANTED, 'yes');
          } else {
            horizon.alert('info',
              gettext('Notifications of this site are blocked in the browser.'));
          }
          showBell();
        });
      });
    }

    // -- elapsed and remaining times --------------------------------------------------------

    function two(n) { return (n < 10 ? '0' : '') + n; }

    function time(s) {
      var h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
      return (h ? h + ':' + two(m) : m) + ':' + two(s % 60);
    }

    function put(element, text) {
      if (element.textContent !== text) { element.textContent = text; }
    }

    function tick() {
      var at = new Date().getTime() + skew;
      root.querySelectorAll('[data-since]').forEach(function (element) {
        var since = new Date(element.getAttribute('data-since'));
        put(element, time(Math.max(0, Math.floor((at - since) / 1000))));
      });
      root.querySelectorAll('[data-until]').forEach(function (element) {
        var until = new Date(element.getAttribute('data-until'));
        put(element, time(Math.max(0, Math.ceil((until - at) / 1000))));
      });
    }

    window.setInterval(tick, 1000);
    var asking = horizon.maintenance.poll({
      url: function () { return horizon.maintenance.seen(root.getAttribute('data-url'), token); },
      every: function () { return over ? WHEN_OVER : EVERY; },
      slowest: SLOWEST,
      answered: answered,
      failed: failed
    });
    return {
      now: function () {
        over = false;
        asking.now();
      }
    };
  }

  horizon.maintenance.keepUpToDate = keep;
}());
