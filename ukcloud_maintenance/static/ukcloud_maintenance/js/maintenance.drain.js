/* The drain page: its rows can be filtered and sorted. maintenance.live.js keeps it up to date;
 * maintenance.selection.js and maintenance.dialogs.js are for steering it. */
(function () {
  'use strict';

  function start(root) {
    var table = document.getElementById('mnt-progress');
    var body = table && table.tBodies[0];
    var tools = table && table.hasAttribute('data-tools') ? 1 : 0;  // cells before the first column

    function showRows(rows, replace) {
      if (!body) { return; }
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
          if (tools) { tr.appendChild(steering.cell(row)); }
          row.cells.forEach(function (cell, i) {
            var td = document.createElement('td');
            td.className = table.tHead.rows[0].cells[i + tools].className;
            tr.appendChild(td);
          });
          if (tools) { tr.appendChild(steering.actions(row)); }
          body.appendChild(tr);
        }
        tr.setAttribute('data-state', row.state);
        tr.setAttribute('data-name', row.name);
        tr.setAttribute('data-verbs', row.verbs.join(' '));
        tr.setAttribute('data-place', place);
        row.cells.forEach(function (cell, i) {
          var td = tr.cells[i + tools];
          replace(td, row.id + ' ' + i, cell[0]);
          if (cell[1] === null) { td.removeAttribute('data-key'); }
          else { td.setAttribute('data-key', cell[1]); }
        });
        delete known[row.id];
      });
      Object.keys(known).forEach(function (id) {
        if (tools) { steering.removed(known[id]); }
        body.removeChild(known[id]);
      });
      arrange();
      if (tools) { steering.update(); }
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
          (!wanted || textOf(tr).indexOf(wanted) !== -1);
        tr.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      var filtered = Boolean(wanted || state.value);
      clear.hidden = !filtered;
      none.hidden = !(filtered && !shown);
      var said = filtered ? interpolate(gettext('%(n)s of %(all)s shown'),
        {n: shown, all: rows.length}, true) : '';
      if (number.textContent !== said) { number.textContent = said; }
    }

    function textOf(tr) {
      return Array.prototype.slice.call(tr.cells, tools).map(function (td) {
        return td.textContent.toLowerCase();
      }).join(' ');
    }

    function sortable(th, column) {
      if (column < tools || th.classList.contains('mnt-col-actions')) { return; }
      var button = document.createElement('button');
      button.type = 'button';
      button.className = 'mnt-sort';
      button.textContent = th.textContent;
      th.textContent = '';
      th.appendChild(button);
      button.addEventListener('click', function () {
        order = {column: column, down: order.column === column && !order.down};
        Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other, i) {
          if (!other.hasAttribute('aria-sort')) { return; }
          other.setAttribute('aria-sort', i !== column ? 'none'
            : order.down ? 'descending' : 'ascending');
        });
        arrange();
      });
    }

    // -- an instance's ID for the clipboard -------------------------------------------------

    root.addEventListener('click', function (event) {
      var button = event.target.closest('.mnt-copy');
      if (!button) { return; }
      var id = button.getAttribute('data-copy');
      horizon.maintenance.copy(id, button, function () {
        horizon.alert('success', interpolate(gettext('Copied: %(text)s'), {text: id}, true));
      });
    });

    if (body) {
      Array.prototype.forEach.call(body.rows, function (tr, place) {
        tr.setAttribute('data-place', place);
      });
      Array.prototype.forEach.call(table.tHead.rows[0].cells, sortable);
      filter.hidden = false;
      filter.addEventListener('submit', function (event) { event.preventDefault(); });
      text.addEventListener('input', narrow);
      state.addEventListener('change', narrow);
      clear.addEventListener('click', function () {
        text.value = '';
        state.value = '';
        narrow();
        text.focus();
      });
      arrange();
    }

    function narrow() {
      arrange();
      if (tools) { steering.update(); }
    }

    var page = horizon.maintenance.keepUpToDate(root, showRows, {
      lost: gettext('No connection to Horizon. Reconnecting; the drain itself continues.'),
      expired: gettext('Your session has ended. The drain itself continues.'),
      forbidden: gettext('You are no longer permitted to see this drain.')
    });
    var dialogs = horizon.maintenance.dialogs(root, page.now);
    var steering = tools ? horizon.maintenance.selection(root, table, dialogs) : null;
  }

  horizon.addInitFunction(function () {
    var root = document.getElementById('mnt-drain');
    if (root) { start(root); }
  });
}());
