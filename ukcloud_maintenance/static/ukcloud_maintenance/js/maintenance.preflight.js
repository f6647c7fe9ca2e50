/* The preflight: filters the instances, keeps the heads of their tables in sight, and shows what a
 * choice makes of one. On the page of a preflight, in the Drain Host workflow, in a modal or not.
 * What is said of an instance is the server's HTML, sent along. */
(function () {
  'use strict';

  var language;            // the page's, as the server writes its numbers
  var UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

  function each(list, f) { Array.prototype.forEach.call(list, f); }

  function number(value, digits) {
    try {
      return value.toLocaleString(language, {maximumFractionDigits: digits || 0});
    } catch (e) { return String(value); }
  }

  // As formats.size of the server writes it.
  function size(bytes) {
    var step = 0;
    while (bytes >= 1024 && step < UNITS.length - 1) { bytes /= 1024; step += 1; }
    return number(bytes, step === 0 || bytes >= 100 ? 0 : 1) + ' ' + UNITS[step];
  }

  // As formats.about of the server writes it.
  function about(seconds) {
    function said(text, n) { return interpolate(text, {n: n}, true); }
    if (seconds < 90) { return said(gettext('%(n)s s'), number(Math.max(1, Math.ceil(seconds)))); }
    if (seconds < 7200) { return said(gettext('%(n)s min'), number(Math.ceil(seconds / 60))); }
    return said(gettext('%(n)s h'), number(seconds / 3600, 1));
  }

  // What the server counts, in its words: COUNTED and REVIEWED in preflight/words.py.
  var COUNTED = {
    live: function (n) { return ngettext('%(n)s leaves live', '%(n)s leave live', n); },
    cold: function (n) { return ngettext('%(n)s cold', '%(n)s cold', n); },
    confirm: function (n) {
      return ngettext('%(n)s to be confirmed', '%(n)s to be confirmed', n);
    },
    stays: function (n) { return ngettext('%(n)s stays', '%(n)s stay', n); },
    blocked: function (n) { return ngettext('%(n)s blocked', '%(n)s blocked', n); }
  };
  var REVIEWED = {
    live: function (n) {
      return ngettext('%(n)s instance is live-migrated', '%(n)s instances are live-migrated', n);
    },
    stopped: function (n) {
      return ngettext('%(n)s running instance is stopped, moved and started again:',
        '%(n)s running instances are stopped, moved and started again:', n);
    },
    cold: function (n) {
      return ngettext('%(n)s instance that is shut off is moved and stays shut off:',
        '%(n)s instances that are shut off are moved and stay shut off:', n);
    },
    confirm: function (n) {
      return ngettext('The resize of %(n)s instance is confirmed:',
        'The resizes of %(n)s instances are confirmed:', n);
    },
    stays: function (n) {
      return ngettext('%(n)s instance stays on this host:',
        '%(n)s instances stay on this host:', n);
    },
    blocked: function (n) {
      return ngettext('%(n)s instance is currently blocked:',
        '%(n)s instances are currently blocked:', n);
    }
  };

  function counted(words, n) { return interpolate(words(n), {n: number(n)}, true); }

  // -- the instances --------------------------------------------------------------------------

  // A head that stays needs a ground, or the rows would show through: that of what it stands on.
  function keepHead(table) {
    var ground = '';
    for (var at = table; at && at !== document; at = at.parentNode) {
      var colour = window.getComputedStyle(at).backgroundColor;
      if (!/^(transparent|rgba\(.*, 0\))$/.test(colour)) { ground = colour; break; }
    }
    each(table.tHead.rows[0].cells, function (th) { th.style.backgroundColor = ground || '#fff'; });
    table.classList.add('mnt-sticky');
  }

  function filterable(root) {
    var tools = root.querySelector('.mnt-plan-tools');
    var box = tools.querySelector('input');
    var said = tools.querySelector('.mnt-plan-count');
    var tables = root.querySelectorAll('.mnt-plan');
    var rows = root.querySelectorAll('.mnt-plan tr[data-server]');
    if (rows.length < 8) { return; }
    // Read once: a select holds the texts of all its choices.
    var texts = Array.prototype.map.call(rows, function (tr) {
      return Array.prototype.map.call(tr.cells, function (cell) {
        return cell.className.indexOf('mnt-choice') === -1 ? cell.textContent : '';
      }).join(' ').toLowerCase();
    });
    tools.hidden = false;
    box.addEventListener('input', function () {
      var wanted = box.value.trim().toLowerCase();
      var shown = 0;
      each(rows, function (tr, i) {
        tr.hidden = Boolean(wanted) && texts[i].indexOf(wanted) === -1;
        shown += tr.hidden ? 0 : 1;
      });
      each(tables, function (table) {
        var found = table.querySelectorAll('tr[data-server]:not([hidden])').length > 0;
        var host = table.closest('details');
        table.querySelector('.mnt-plan-none').hidden = found;
        if (host && wanted) { host.open = found; }
      });
      said.textContent = wanted ? interpolate(gettext('%(n)s of %(all)s shown'),
        {n: shown, all: rows.length}, true) : '';
    });
    box.addEventListener('keydown', function (event) {
      if (event.key === 'Enter') { event.preventDefault(); event.stopPropagation(); }
      if (event.key === 'Escape' && box.value) {
        event.preventDefault();
        event.stopPropagation();
        box.value = '';
        box.dispatchEvent(new Event('input'));
      }
    });
  }

  // -- the choices ----------------------------------------------------------------------------

  // Of one host: the sayings are told apart by their places in it.
  function choosable(root, form) {
    var rows = root.querySelectorAll('tr[data-server]');
    var sayings = root.querySelectorAll('.mnt-sayings > div');
    var locked = form.querySelector('[name=move_locked]');

    // Sent in one field for all of them, see listed: Django takes a limited number of fields.
    each(root.querySelectorAll('.mnt-choice select, .mnt-why'), function (field) {
      field.removeAttribute('name');
      field.disabled = false;
    });

    function show(tr) {
      var select = tr.querySelector('select');
      if (!select) { return; }
      var note = tr.querySelector('.mnt-why');
      var option = select.options[select.selectedIndex];
      var left = locked && !locked.checked && option.hasAttribute('data-group-locked')
        ? '-locked' : '';
      var says = option.getAttribute('data-says' + left);
      note.hidden = !select.value;
      tr.setAttribute('data-group', option.getAttribute('data-group' + left));
      tr.classList.toggle('mnt-chosen', Boolean(select.value));
      if (tr.getAttribute('data-shown') !== says) {
        tr.querySelector('.mnt-said').innerHTML = sayings[says].innerHTML;
        tr.setAttribute('data-shown', says);
      }
    }

    function showAll() { each(rows, show); }

    $(root).on('change', 'select', function () { show($(this).closest('tr')[0]); });
    if (locked) { $(locked).on('change', showAll); }
    showAll();
  }

  // Keep the field that is sent in step with what is chosen for all instances of a form, as
  // workflow/entered.py reads it. What it has of instances that are not shown stays.
  function listed(form) {
    var field = form.querySelector('[name=choices]');
    var rows = form.querySelectorAll('tr[data-server]');
    var shown = {};
    each(rows, function (tr) { shown[tr.getAttribute('data-server')] = true; });
    var others = field.value.split(/\r?\n/).filter(function (line) {
      return line && !shown[line.split(' ')[0]];
    });

    function write() {
      var lines = others.slice();
      each(rows, function (tr) {
        var select = tr.querySelector('select');
        if (select && select.value) {
          lines.push([tr.getAttribute('data-server'), select.value,
            tr.querySelector('.mnt-why').value.trim()].join(' '));
        }
      });
      field.value = lines.join('\n');
    }

    $(form).on('change', '.mnt-choice select, .mnt-why', write);
    $(form).on('input', '.mnt-why', write);
    form.addEventListener('submit', write, true);
    write();
  }

  function init(container) {
    each($(container).find('.mnt-preflight').addBack('.mnt-preflight'), function (root) {
      if (root.hasAttribute('data-mnt-ready')) { return; }
      root.setAttribute('data-mnt-ready', '');
      language = root.getAttribute('data-language') || undefined;
      if (root.querySelector('.mnt-plan-tools')) { filterable(root); }
      each(root.querySelectorAll('.mnt-plan'), function (table) {
        var host = table.closest('details');
        if (!host) { keepHead(table); return; }
        host.addEventListener('toggle', function () { keepHead(table); });
      });
    });
    // From the preflight on to the workflow, which takes its place: Horizon would keep both.
    $(container).find('.mnt-go-on').on('click', function () {
      $(this).closest('.modal').one('hidden.bs.modal', function () {
        $(this).remove();
      }).modal('hide');
    });
  }

  horizon.maintenance = horizon.maintenance || {};
  horizon.maintenance.preflight = {
    COUNTED: COUNTED, REVIEWED: REVIEWED, about: about, choosable: choosable, counted: counted,
    each: each, listed: listed, number: number, size: size
  };

  horizon.addInitFunction(function () {
    horizon.modals.addModalInitFunction(init);
    init(document);
  });
}());
