/* The plan page: one request every two seconds, answered with 204 while nothing changed; every ten
 * seconds once all drains are over, as the hosts are still verified to be safe to power off. What is
 * shown is the server's HTML; only pieces that changed are replaced, so that focus stays.
 * And the form that asks for a plan: its hosts go up and down without asking the server. */
(function () {
  'use strict';

  var EVERY = 2000;        // milliseconds between two updates
  var WHEN_OVER = 10000;   // … once all drains are over
  var SLOWEST = 30000;     // while the connection is lost
  var PATIENCE = 20000;    // for one answer

  function start(root) {
    var body = document.getElementById('mnt-plan-hosts').tBodies[0];
    var banner = document.getElementById('mnt-connection');
    var announce = document.getElementById('mnt-announce');
    var token = root.getAttribute('data-token');
    var over = root.getAttribute('data-over') === 'true';
    var suffix = document.title.replace(/^.*( - )/, '$1');
    var failures = 0;
    var timer = null;
    var request = null;
    var seenAt = new Date();
    var skew = 0;          // the server's clock minus the browser's, in milliseconds
    var sent = {};         // what the server sent last: a browser rewrites the HTML it is given

    function later(wait) {
      window.clearTimeout(timer);
      timer = window.setTimeout(ask, wait);
    }

    function ask() {
      window.clearTimeout(timer);
      if (request) { return; }
      request = new window.XMLHttpRequest();
      request.open('GET', root.getAttribute('data-url') + '?seen=' + encodeURIComponent(token));
      request.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
      request.timeout = PATIENCE;
      request.onloadend = answered;
      request.send();
    }

    function answered() {
      var status = request.status;
      var text = status === 200 ? request.responseText : '';
      var data = null;
      request = null;
      if (text) {
        try { data = JSON.parse(text); } catch (e) { data = null; }
      }
      if (data) { show(data); }
      if (data || status === 204) {
        failures = 0;
        seenAt = new Date();
        banner.hidden = true;
        banner.textContent = '';
        later(over ? WHEN_OVER : EVERY);
        return;
      }
      failures += 1;
      if (status === 401) {
        say([root.getAttribute('data-text-expired'), link()]);
      } else if (status === 403 || status === 404) {
        say([root.getAttribute('data-text-forbidden'), link()]);
      } else if (failures > 1) {
        say([root.getAttribute('data-text-lost'), root.getAttribute('data-text-age'), age()]);
      }
      later(Math.min(SLOWEST, EVERY * Math.pow(2, failures - 1)));
    }

    function link() {
      var a = document.createElement('a');
      a.className = 'alert-link';
      a.href = root.getAttribute('data-login');
      a.textContent = root.getAttribute('data-text-login');
      return a;
    }

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
        banner.appendChild(document.createTextNode(' '));
      });
      banner.hidden = false;
      tick();
    }

    function replace(element, key, html) {
      if (sent[key] === html) { return; }
      var focused = element.contains(document.activeElement) && document.activeElement;
      sent[key] = html;
      element.innerHTML = html;
      if (focused) {
        var again = (focused.id && document.getElementById(focused.id)) ||
          element.querySelector('a, button');
        if (again) { again.focus(); }
      }
    }

    function show(data) {
      token = data.token;
      over = data.over;
      skew = new Date(data.now) - new Date();
      document.title = data.title + suffix;
      root.querySelectorAll('[data-part]').forEach(function (element) {
        var name = element.getAttribute('data-part');
        replace(element, 'part ' + name, data.parts[name] || '');
      });
      data.rows.forEach(function (row) {
        var tr = body.querySelector('tr[data-id="' + row.id + '"]');
        if (!tr) { return; }
        row.cells.forEach(function (html, i) { replace(tr.cells[i], row.id + ' ' + i, html); });
      });
      if (data.announcement && announce.textContent !== data.announcement) {
        announce.textContent = data.announcement;
      }
      tick();
    }

    function two(n) { return (n < 10 ? '0' : '') + n; }

    function tick() {
      root.querySelectorAll('[data-since]').forEach(function (element) {
        var since = new Date(element.getAttribute('data-since'));
        var s = Math.max(0, Math.floor((new Date().getTime() + skew - since) / 1000));
        var h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
        element.textContent = (h ? h + ':' + two(m) : m) + ':' + two(s % 60);
      });
    }

    document.addEventListener('visibilitychange', function () {
      if (!document.hidden) { ask(); }
    });
    window.addEventListener('online', ask);
    window.setInterval(tick, 1000);
    later(EVERY);
  }

  // -- the order of the hosts, in the form ------------------------------------------------------

  function orderable(table) {
    var said = document.getElementById('mnt-order-said');

    function rows() {
      return Array.prototype.filter.call(table.tBodies[0].rows, function (tr) {
        return tr.querySelector('.mnt-up');
      });
    }

    function number() {
      var all = rows();
      all.forEach(function (tr, i) {
        tr.querySelector('.mnt-place').textContent = String(i + 1);
        tr.querySelector('.mnt-up').disabled = i === 0;
        tr.querySelector('.mnt-down').disabled = i === all.length - 1;
      });
    }

    table.addEventListener('click', function (event) {
      var button = event.target.closest && event.target.closest('.mnt-up, .mnt-down');
      if (!button) { return; }
      event.preventDefault();
      var tr = button.closest('tr');
      var all = rows();
      var up = button.classList.contains('mnt-up');
      var other = all[all.indexOf(tr) + (up ? -1 : 1)];
      if (!other) { return; }
      tr.parentNode.insertBefore(up ? tr : other, up ? other : tr);
      number();
      (button.disabled ? tr.querySelector('.mnt-up:not(:disabled), .mnt-down:not(:disabled)')
        : button).focus();
      said.textContent = table.getAttribute('data-text-moved')
        .replace('%(host)s', tr.getAttribute('data-host'))
        .replace('%(n)s', rows().indexOf(tr) + 1);
    });
  }

  horizon.addInitFunction(function () {
    var root = document.getElementById('mnt-plan');
    var table = document.getElementById('mnt-order');
    if (root) { start(root); }
    if (table) { orderable(table); }
  });
}());
