// The certificate as a page of its own, without Horizon's frame and scripts.
(function () {
  'use strict';

  document.getElementById('print').addEventListener('click', function () { window.print(); });
}());
