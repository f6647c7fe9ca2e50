/* The hosts page: which hosts are selected, on all its pages and whatever is filtered or sorted.
 * It is remembered by the tab of the browser, one list for each region. Without this script the
 * form sends what is checked on the page. */
(function () {
  'use strict';

  var KEY = 'ukcloud_maintenance.selected.';
  var ASKED = 'ukcloud_maintenance.asked';   // of which region a plan was requested

  function read(key) {
    try {
      var found = JSON.parse(window.sessionStorage.getItem(key) || '[]');
      return Array.isArray(found) ? found.filter(function (one) {
        return typeof one === 'string';
      }) : [];
    } catch (e) { return []; }
  }

  function write(key, hosts) {
    try { window.sessionStorage.setItem(key, JSON.stringify(hosts)); } catch (e) { /* full */ }
  }

  function start(form, table) {
    var key = KEY + form.getAttribute('data-region');
    var most = Number(form.getAttribute('data-max'));
    var buttons = form.querySelectorAll('#mnt-drain-selected, #mnt-roll-selected');
    var said = document.getElementById('mnt-selected');
    var none = document.getElementById('mnt-select-none');
    var all = document.getElementById('mnt-all');
    var set = document.getElementById('mnt-set');
    var boxes = table ? Array.prototype.slice.call(
      table.querySelectorAll('td.mnt-box input')) : [];
    var selected = read(key);
    var sets = {};
    var last = null;      // the box that was used last, for a range with Shift
    var failed = false;

    function has(host) { return selected.indexOf(host) !== -1; }

    function put(host, wanted) {
      if (wanted && !has(host)) { selected.push(host); }
      if (!wanted) { selected = selected.filter(function (one) { return one !== host; }); }
    }

    function show() {
      write(key, selected);
      var here = 0;
      boxes.forEach(function (box) {
        box.checked = has(box.value);
        here += box.checked ? 1 : 0;
        box.parentNode.parentNode.classList.toggle('mnt-is-selected', box.checked);
      });
      if (all) {
        all.checked = boxes.length > 0 && here === boxes.length;
        all.indeterminate = here > 0 && here < boxes.length;
      }
      var n = selected.length;
      var words = [];
      function tell(text, number) { words.push(interpolate(text, {n: number}, true)); }
      if (n) { tell(ngettext('%(n)s host selected.', '%(n)s hosts selected.', n), n); }
      if (n > here) {
        tell(ngettext('%(n)s of them is not shown here.', '%(n)s of them are not shown here.',
          n - here), n - here);
      }
      if (n > most) {
        tell(ngettext('A plan takes at most %(n)s host.', 'A plan takes at most %(n)s hosts.',
          most), most);
      }
      if (failed) { words.push(gettext('The aggregates could not be read.')); }
      said.textContent = words.join(' ');
      none.hidden = n === 0;
      Array.prototype.forEach.call(buttons, function (button) {
        button.disabled = n === 0 || n > most;
      });
    }

    boxes.forEach(function (box, place) {
      box.addEventListener('click', function (event) {
        var from = event.shiftKey && last !== null ? last : place;
        boxes.slice(Math.min(from, place), Math.max(from, place) + 1).forEach(function (one) {
          put(one.value, box.checked);
        });
        last = place;
        show();
      });
    });
    if (all) {
      all.hidden = false;
      all.addEventListener('change', function () {
        boxes.forEach(function (box) { put(box.value, all.checked); });
        show();
      });
    }
    none.addEventListener('click', function () {
      selected = [];
      show();
      (boxes[0] || set).focus();
    });

    // All of them, on whatever page they are.
    set.addEventListener('change', function () {
      (sets[set.value] || []).forEach(function (host) { put(host, true); });
      if (sets[set.value]) { set.value = ''; }
      show();
    });

    function offer(found) {
      var group = document.createElement('optgroup');
      group.label = gettext('Aggregates');
      found.zones.forEach(function (one) { sets['zone:' + one.name] = one.hosts; });
      found.aggregates.forEach(function (one) {
        var option = document.createElement('option');
        option.value = 'aggregate:' + one.name;
        option.textContent = one.name;
        option.disabled = one.hosts.length === 0;
        sets[option.value] = one.hosts;
        group.appendChild(option);
      });
      if (found.aggregates.length) { set.insertBefore(group, set.options[0].nextSibling); }
      // Somebody may have chosen while this was read.
      if (set.value) { set.dispatchEvent(new Event('change')); }
    }

    // Nova is asked which hosts they have only when somebody turns to them.
    var asked = false;
    function load() {
      if (asked) { return; }
      asked = true;
      var request = new window.XMLHttpRequest();
      request.open('GET', form.getAttribute('data-sets'));
      request.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
      request.onloadend = function () {
        var found = null;
        if (request.status === 200) {
          try { found = JSON.parse(request.responseText); } catch (e) { found = null; }
        }
        failed = !found;
        asked = !failed;
        if (found) { offer(found); }
        show();
      };
      request.send();
    }
    ['pointerenter', 'focus', 'change'].forEach(function (turned) {
      set.addEventListener(turned, load);
    });

    form.addEventListener('submit', function () {
      Array.prototype.forEach.call(form.querySelectorAll('[type=hidden][name=host]'),
        function (field) { form.removeChild(field); });
      var shown = boxes.map(function (box) { return box.value; });
      selected.forEach(function (host) {
        if (shown.indexOf(host) !== -1) { return; }
        var field = document.createElement('input');
        field.type = 'hidden';
        field.name = 'host';
        field.value = host;
        form.appendChild(field);
      });
      set.value = '';
    });
    horizon.maintenance.forms.once(form, gettext('Reading the hosts; this may take some seconds.'));
    // Back from the next page: the browser shows the boxes as they were, or as it likes.
    window.addEventListener('pageshow', function () {
      selected = read(key);
      show();
    });
    show();
  }

  // -- once it is a plan or a drain, nothing is selected ------------------------------

  function keep(region) {
    try {
      if (region === null) {
        window.sessionStorage.removeItem(ASKED);
      } else {
        window.sessionStorage.setItem(ASKED, region);
      }
    } catch (e) { /* nothing is kept */ }
  }

  // The form for what was selected. Any other page than what was requested after it: it was refused.
  function asking(form) {
    form.addEventListener('submit', function (event) {
      var value = event.submitter && event.submitter.value;
      keep(value === 'drain' || value === 'request' ? form.getAttribute('data-selected') : null);
    });
  }

  // The page of a plan, of a run or of a drain: the one that was just requested, or any other.
  function planned() {
    try {
      var region = window.sessionStorage.getItem(ASKED);
      if (region !== null) { window.sessionStorage.removeItem(KEY + region); }
    } catch (e) { /* nothing is kept */ }
    keep(null);
  }

  horizon.addInitFunction(function () {
    var form = document.getElementById('mnt-select');
    if (form) { start(form, document.getElementById('hosts')); }
    var asked = document.querySelector('form[data-selected]');
    if (asked) { asking(asked); }
    var shown = document.querySelector('#mnt-plan, #mnt-drain, #mnt-run');
    if (shown) { planned(); } else { keep(null); }
  });
}());
