/* The hosts page: how far the drains are, by one request every ten seconds while one is shown. */
(function () {
  'use strict';

  var EVERY = 10000;  // milliseconds

  function start(table, url) {
    function show(cells) {
      Array.prototype.forEach.call(table.querySelectorAll('td[data-draining]'), function (td) {
        var html = cells[td.parentNode.getAttribute('data-host')];
        if (html === undefined || td.shown === html) { return; }
        var focused = td.contains(document.activeElement);
        td.shown = html;
        td.innerHTML = html;
        if (focused && td.querySelector('a')) { td.querySelector('a').focus(); }
        // Without a bar it is over, and does not change any more.
        if (!td.querySelector('.mnt-meter')) { td.removeAttribute('data-draining'); }
      });
    }

    function ask() {
      var request = new window.XMLHttpRequest();
      request.open('GET', url);
      request.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
      request.timeout = 2 * EVERY;
      request.onloadend = function () {
        if (request.status === 200) { show(JSON.parse(request.responseText).cells); }
        if (request.status === 401 || request.status === 403) { return; }
        if (table.querySelector('td[data-draining]')) { window.setTimeout(ask, EVERY); }
      };
      request.send();
    }

    window.setTimeout(ask, EVERY);
  }

  horizon.addInitFunction(function () {
    var table = document.getElementById('hosts');
    var url = table && table.getAttribute('data-updates');
    if (url) { start(table, url); }
  });
}());
