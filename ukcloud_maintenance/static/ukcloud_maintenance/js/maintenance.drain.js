/* The drain page: its rows can be filtered and sorted. maintenance.live.js keeps it up to date;
 * maintenance.selection.js and maintenance.dialogs.js are for steering it. */
(function () {
  'use strict';

  function start(root) {
    var table = document.getElementById('mnt-progress');
    var body = table && table.tBodies[0];
    var tools = table && table.hasAttribute('data-tools') ? 1 : 0;  // cells before the first column

    // What is new: rows that changed, and what can be requested now for the others. Only an answer
    // that is whole has all rows.
    function showRows(data, replace) {
      if (!body) { return; }
      var known = {};
      rowsOf(body).forEach(function (tr) { known[tr.getAttribute('data-id')] = tr; });
      var empty = body.querySelector('tr.empty');
      if (empty && data.rows.length) { body.removeChild(empty); }
      data.rows.forEach(function (row) {
        var tr = known[row.id] || body.appendChild(newRow(row));
        put(tr, 'data-state', row.state);
        put(tr, 'data-name', row.name);
        put(tr, 'data-verbs', row.verbs.join(' '));
        put(tr, 'data-place', row.place);
        row.cells.forEach(function (cell, i) {
          var td = tr.cells[i + tools];
          replace(td, row.id + ' ' + i, cell[0]);
          put(td, 'data-key', cell[1]);
        });
        tr.mntText = null;
        delete known[row.id];
      });
      Object.keys(data.verbs).forEach(function (id) {
        if (known[id]) { put(known[id], 'data-verbs', data.verbs[id].join(' ')); }
      });
      if (data.whole) {
        Object.keys(known).forEach(function (id) {
          if (tools) { steering.removed(known[id]); }
          body.removeChild(known[id]);
        });
      }
      arrange();
      if (tools) { steering.update(); }
    }

    function newRow(row) {
      var tr = document.createElement('tr');
      tr.setAttribute('data-id', row.id);
      if (tools) { tr.appendChild(steering.cell(row)); }
      row.cells.forEach(function (cell, i) {
        var td = document.createElement('td');
        td.className = table.tHead.rows[0].cells[i + tools].className;
        tr.appendChild(td);
      });
      if (tools) { tr.appendChild(steering.actions(row)); }
      return tr;
    }

    function rowsOf(section) {
      return Array.prototype.filter.call(section.rows, function (tr) {
        return tr.hasAttribute('data-id');
      });
    }

    // An attribute as it is to be; without a value where that is null. What is so already is not
    // touched: each touch of a table of hundreds of rows costs the browser.
    function put(element, name, value) {
      if (value === null) { return element.removeAttribute(name); }
      if (element.getAttribute(name) !== String(value)) { element.setAttribute(name, value); }
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
      var rows = rowsOf(body);
      var sorted = rows.map(function (tr) { return {tr: tr, key: sortKey(tr)}; });
      sorted.sort(function (a, b) {
        return compare(a.key, b.key) * (order.down ? -1 : 1) ||
          a.tr.getAttribute('data-place') - b.tr.getAttribute('data-place') ||
          a.tr.getAttribute('data-id') - b.tr.getAttribute('data-id');
      });
      move(sorted.map(function (item) { return item.tr; }));
      var wanted = text.value.trim().toLowerCase();
      var shown = 0;
      rows.forEach(function (tr) {
        var fits = (!state.value || tr.getAttribute('data-state') === state.value) &&
          (!wanted || textOf(tr).indexOf(wanted) !== -1);
        if (tr.hidden === fits) { tr.hidden = !fits; }
        shown += fits ? 1 : 0;
      });
      var filtered = Boolean(wanted || state.value);
      clear.hidden = !filtered;
      none.hidden = !(filtered && !shown);
      var said = filtered ? interpolate(gettext('%(n)s of %(all)s shown'),
        {n: shown, all: rows.length}, true) : '';
      if (number.textContent !== said) { number.textContent = said; }
    }

    // Into this order, by moving as few rows as can be.
    function move(sorted) {
      var focused = body.contains(document.activeElement) && document.activeElement;
      var moved = false;
      var at = body.firstElementChild;
      sorted.forEach(function (tr) {
        // What stands before the next one that fits goes further down: its turn comes later.
        if (at && at !== tr && at.nextElementSibling === tr) { at = tr; }
        if (at === tr) {
          at = tr.nextElementSibling;
        } else {
          body.insertBefore(tr, at);
          moved = true;
        }
      });
      // A row that is moved loses the focus that is inside of it.
      if (moved && focused && document.activeElement !== focused) { focused.focus(); }
    }

    // What a row is found by, until it is shown otherwise.
    function textOf(tr) {
      tr.mntText = tr.mntText || Array.prototype.slice.call(tr.cells, tools).map(function (td) {
        return td.textContent.toLowerCase();
      }).join(' ');
      return tr.mntText;
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

    if (body) {
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
