/* The drain page: one request every two seconds for the whole page, answered with 204 while
 * nothing changed. What is shown is the server's HTML; only pieces that changed are replaced, so
 * that filter, order, scroll position, focus and unfolded messages stay as they are. */
(function () {
  'use strict';

  var EVERY = 2000;        // milliseconds between two updates
  var SLOWEST = 30000;     // while the connection is lost
  var PATIENCE = 20000;    // for one answer

  function start(root) {
    var table = document.getElementById('mnt-progress');
    var body = table && table.tBodies[0];
    var banner = document.getElementById('mnt-connection');
    var announce = document.getElementById('mnt-announce');
    var token = root.getAttribute('data-token');
    var over = root.getAttribute('data-over') === 'true';
    var failures = 0;
    var timer = null;
    var request = null;
    var seenAt = new Date();
    var skew = 0;          // the server's clock minus the browser's, in milliseconds
    var suffix = document.title.replace(/^.*( - )/, '$1');

    // -- asking -----------------------------------------------------------------------------

    function later(wait) {
      window.clearTimeout(timer);
      timer = over ? null : window.setTimeout(ask, wait);
    }

    function ask() {
      window.clearTimeout(timer);
      if (over || request) { return; }
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
      if (status === 204) {
        return well();
      }
      if (text) {
        try { data = JSON.parse(text); } catch (e) { data = null; }
      }
      if (data) {
        show(data);
        return well();
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

    function well() {
      failures = 0;
      seenAt = new Date();
      banner.hidden = true;
      banner.textContent = '';
      later(EVERY);
    }

    function link() {
      var a = document.createElement('a');
      a.className = 'alert-link';
      a.href = root.getAttribute('data-login');
      a.textContent = root.getAttribute('data-text-login');
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
        banner.appendChild(document.createTextNode(' '));
      });
      banner.hidden = false;
      tick();
    }

    // -- showing ----------------------------------------------------------------------------

    // What the server sent last, to compare with: a browser rewrites the HTML that it is given.
    var sent = {};

    function replace(element, key, html) {
      if (sent[key] === html) { return; }
      var focused = element.contains(document.activeElement) && document.activeElement;
      var open = element.querySelector('details[open]') !== null;
      sent[key] = html;
      element.innerHTML = html;
      if (open && element.querySelector('details')) {
        element.querySelector('details').open = true;
      }
      if (focused) {
        var again = focused.id ? document.getElementById(focused.id)
          : element.querySelector('a, button, summary');
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
      if (body) {
        showRows(data.rows);
        arrange();
      }
      if (data.announcement && announce.textContent !== data.announcement) {
        announce.textContent = data.announcement;
      }
      tick();
    }

    function showRows(rows) {
      var known = {};
      Array.prototype.forEach.call(body.rows, function (tr) {
        if (tr.hasAttribute('data-id')) { known[tr.getAttribute('data-id')] = tr; }
      });
      var empty = body.querySelector('tr.empty');
      if (empty && rows.length) { body.removeChild(empty); }
      rows.forEach(function (row, place) {
        var tr = known[row.id];
        if (!tr) {
          tr = document.createElement('tr');
          tr.setAttribute('data-id', row.id);
          row.cells.forEach(function (cell, i) {
            var td = document.createElement('td');
            td.className = table.tHead.rows[0].cells[i].className;
            tr.appendChild(td);
          });
          body.appendChild(tr);
        }
        tr.setAttribute('data-state', row.state);
        tr.setAttribute('data-place', place);
        row.cells.forEach(function (cell, i) {
          var td = tr.cells[i];
          replace(td, row.id + ' ' + i, cell[0]);
          if (cell[1] === null) { td.removeAttribute('data-key'); }
          else { td.setAttribute('data-key', cell[1]); }
        });
        delete known[row.id];
      });
      Object.keys(known).forEach(function (id) { body.removeChild(known[id]); });
    }

    // -- elapsed ----------------------------------------------------------------------------

    function two(n) { return (n < 10 ? '0' : '') + n; }

    function tick() {
      root.querySelectorAll('[data-since]').forEach(function (element) {
        var since = new Date(element.getAttribute('data-since'));
        var s = Math.max(0, Math.floor((new Date().getTime() + skew - since) / 1000));
        var h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
        element.textContent = (h ? h + ':' + two(m) : m) + ':' + two(s % 60);
      });
    }

    // -- filter and order -------------------------------------------------------------------

    var filter = root.querySelector('form.mnt-js');
    var text = document.getElementById('mnt-rows-q');
    var state = document.getElementById('mnt-rows-state');
    var clear = document.getElementById('mnt-rows-clear');
    var number = document.getElementById('mnt-rows-count');
    var none = document.getElementById('mnt-rows-none');
    var collator = window.Intl && window.Intl.Collator
      ? new window.Intl.Collator(undefined, {numeric: true, sensitivity: 'base'}) : null;
    var order = {column: -1, down: false};

    function sortKey(tr) {
      if (order.column < 0) { return Number(tr.getAttribute('data-place')); }
      var td = tr.cells[order.column];
      var key = td.hasAttribute('data-key') ? td.getAttribute('data-key') : td.textContent.trim();
      return key !== '' && !isNaN(key) ? Number(key) : key;
    }

    function compare(a, b) {
      if (typeof a === 'number' && typeof b === 'number') { return a - b; }
      if (collator) { return collator.compare(String(a), String(b)); }
      return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
    }

    function arrange() {
      var rows = Array.prototype.filter.call(body.rows, function (tr) {
        return tr.hasAttribute('data-id');
      });
      var sorted = rows.map(function (tr) { return {tr: tr, key: sortKey(tr)}; });
      sorted.sort(function (a, b) {
        var difference = compare(a.key, b.key) * (order.down ? -1 : 1);
        return difference || a.tr.getAttribute('data-place') - b.tr.getAttribute('data-place');
      });
      var moved = sorted.some(function (item, i) { return item.tr !== rows[i]; });
      if (moved) {
        // A row that is moved loses the focus that is inside of it.
        var focused = body.contains(document.activeElement) && document.activeElement;
        sorted.forEach(function (item) { body.appendChild(item.tr); });
        if (focused) { focused.focus(); }
      }
      var wanted = text.value.trim().toLowerCase();
      var shown = 0;
      rows.forEach(function (tr) {
        var fits = (!state.value || tr.getAttribute('data-state') === state.value) &&
          (!wanted || tr.textContent.toLowerCase().indexOf(wanted) !== -1);
        tr.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      var filtered = Boolean(wanted || state.value);
      clear.hidden = !filtered;
      none.hidden = !(filtered && !shown);
      var said = filtered ? shown + ' ' + root.getAttribute('data-text-of') + ' ' + rows.length +
        ' ' + root.getAttribute('data-text-shown') : '';
      if (number.textContent !== said) { number.textContent = said; }
    }

    function sortable(th, column) {
      var button = document.createElement('button');
      button.type = 'button';
      button.className = 'mnt-sort';
      button.textContent = th.textContent;
      th.textContent = '';
      th.appendChild(button);
      button.addEventListener('click', function () {
        order = {column: column, down: order.column === column && !order.down};
        Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other, i) {
          other.setAttribute('aria-sort', i !== column ? 'none'
            : order.down ? 'descending' : 'ascending');
        });
        arrange();
      });
    }

    if (body) {
      Array.prototype.forEach.call(body.rows, function (tr, place) {
        tr.setAttribute('data-place', place);
      });
      Array.prototype.forEach.call(table.tHead.rows[0].cells, sortable);
      filter.hidden = false;
      filter.addEventListener('submit', function (event) { event.preventDefault(); });
      text.addEventListener('input', arrange);
      state.addEventListener('change', arrange);
      clear.addEventListener('click', function () {
        text.value = '';
        state.value = '';
        arrange();
        text.focus();
      });
      arrange();
    }

    document.addEventListener('visibilitychange', function () {
      if (!document.hidden) { ask(); }
    });
    window.addEventListener('online', ask);
    window.setInterval(tick, 1000);
    later(EVERY);
  }

  horizon.addInitFunction(function () {
    var root = document.getElementById('mnt-drain');
    if (root) { start(root); }
  });
}());
