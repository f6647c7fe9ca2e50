/* The plan page, which maintenance.live.js keeps up to date; every ten seconds also once all drains
 * are over, as the hosts are still verified to be safe to power off. And the form that asks for a
 * plan: its hosts go up and down without asking the server. */
(function () {
  'use strict';

  var WHEN_OVER = 10000;   // milliseconds between two updates

  function start(root) {
    var body = document.getElementById('mnt-plan-hosts').tBodies[0];
    horizon.maintenance.keepUpToDate(root, WHEN_OVER, function (rows, replace) {
      rows.forEach(function (row) {
        var tr = body.querySelector('tr[data-id="' + row.id + '"]');
        if (!tr) { return; }
        row.cells.forEach(function (html, i) { replace(tr.cells[i], row.id + ' ' + i, html); });
      });
    });
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
