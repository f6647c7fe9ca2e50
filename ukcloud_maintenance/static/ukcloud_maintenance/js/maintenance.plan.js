/* The plan page, which maintenance.live.js keeps up to date. */
(function () {
  'use strict';

  function start(root) {
    var body = document.getElementById('mnt-plan-hosts').tBodies[0];
    horizon.maintenance.keepUpToDate(root, function (data, replace) {
      data.rows.forEach(function (row) {
        var tr = body.querySelector('tr[data-id="' + row.id + '"]');
        if (!tr) { return; }
        row.cells.forEach(function (html, i) { replace(tr.cells[i], row.id + ' ' + i, html); });
      });
    }, {
      lost: gettext('No connection to Horizon. Reconnecting; the drains themselves continue.'),
      expired: gettext('Your session has ended. The drains themselves continue.'),
      forbidden: gettext('You are no longer permitted to see this plan.')
    });
  }

  horizon.addInitFunction(function () {
    var root = document.getElementById('mnt-plan');
    if (root) { start(root); }
  });
}());
