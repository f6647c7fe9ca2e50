/* The page of a run, which maintenance.live.js keeps up to date; and its form. */
(function () {
  'use strict';

  // A row that is new: hosts may be added to a run.
  function rowOf(body, row) {
    var tr = body.querySelector('tr[data-id="' + row.id + '"]');
    if (tr) { return tr; }
    tr = document.createElement('tr');
    tr.setAttribute('data-id', row.id);
    tr.setAttribute('data-host', row.host);
    row.slugs.forEach(function (slug) {
      var td = document.createElement('td');
      td.className = 'mnt-col-' + slug;
      tr.appendChild(td);
    });
    body.appendChild(tr);
    return tr;
  }

  // What a command writes is read from its end.
  function toTheEnd(root) {
    Array.prototype.forEach.call(root.querySelectorAll('.mnt-output[open] pre'), function (pre) {
      if (pre.shown) { return; }
      pre.shown = true;
      pre.scrollTop = pre.scrollHeight;
    });
  }

  function start(root) {
    var body = document.getElementById('mnt-run-hosts').tBodies[0];
    body.addEventListener('toggle', function () { toTheEnd(body); }, true);
    horizon.maintenance.keepUpToDate(root, function (data, replace) {
      data.rows.forEach(function (row) {
        var tr = rowOf(body, row);
        row.cells.forEach(function (html, i) { replace(tr.cells[i], row.id + ' ' + i, html); });
      });
      toTheEnd(body);
    }, {
      lost: gettext('No connection to Horizon. Reconnecting; the run itself continues.'),
      expired: gettext('Your session has ended. The run itself continues.'),
      forbidden: gettext('You are no longer permitted to see this run.')
    });
  }

  horizon.addInitFunction(function () {
    var root = document.getElementById('mnt-run');
    if (root) { start(root); }
    Array.prototype.forEach.call(document.querySelectorAll('.mnt-run-form, .mnt-run-review'),
      function (form) {
        horizon.maintenance.forms.once(form,
          gettext('Reading the hosts; this may take some seconds.'));
      });
  });
}());
