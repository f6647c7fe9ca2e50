/* The Drain Host workflow, for one host or several: keeps summary, estimate and review in step with
 * what is chosen, puts the hosts in order, counts the reason's characters. Works in a modal and on
 * a page of its own. */
(function () {
  'use strict';

  var p = horizon.maintenance.preflight;
  var few = horizon.maintenance.few;
  var forms = horizon.maintenance.forms;
  var SCHEDULER = '*scheduler';  // the destination that is the scheduler's choice, see fields.py
  var about = p.about, counted = p.counted, each = p.each;

  function put(element, text) {
    if (element && element.textContent !== text) { element.textContent = text; }
  }

  // -- what the instances come to -------------------------------------------------------------

  // Of all instances below: their names by group, what has to be copied, what finds no place.
  function tally(root) {
    var found = {names: {}, moving: [], live: 0, lost: []};
    each(root.querySelectorAll('tr[data-server]'), function (tr) {
      var group = tr.getAttribute('data-group');
      var bytes = Number(tr.getAttribute('data-memory'));
      var name = tr.getAttribute('data-name');
      var leaves = group !== 'stays' && group !== 'blocked';
      (found.names[group] = found.names[group] || []).push(name);
      if (group === 'live') { found.live += bytes; }
      if (leaves && tr.hasAttribute('data-here')) { found.moving.push(bytes); }
      if (leaves && tr.hasAttribute('data-unplaced')) { found.lost.push(name); }
    });
    found.n = function (group) { return (found.names[group] || []).length; };
    return found;
  }

  function countsText(found) {
    var said = [];
    Object.keys(p.COUNTED).forEach(function (group) {
      var n = found.n(group) + (group === 'cold' ? found.n('stopped') : 0);
      if (n) { said.push(counted(p.COUNTED[group], n)); }
    });
    return said.join(', ');
  }

  // -- how long it takes, as core.copying.duration of the server reckons it -------------------

  function lanes(n, all) {
    var free = [];
    for (var i = 0; i < Math.max(1, n); i += 1) { free.push(0); }
    all.forEach(function (one) { free[free.indexOf(Math.min.apply(null, free))] += one; });
    return Math.max.apply(null, free);
  }

  function timeOfHost(root, form, moving) {
    var rate = Number(root.getAttribute('data-rate'));
    var overhead = Number(root.getAttribute('data-overhead'));
    var atOnce = Math.min(100, Number(form.querySelector('[name=max_concurrent]').value) || 1);
    var all = moving.slice().sort(function (a, b) { return b - a; }).map(function (bytes) {
      return bytes / rate + overhead;
    });
    return {least: lanes(atOnce, all), most: all.reduce(function (a, b) { return a + b; }, 0)};
  }

  function hostsAtOnce(form) {
    var pace = form.querySelector('[name=pace]:checked');
    var entered = form.querySelector('[name=hosts_at_once]');
    if (!pace || pace.value === '1') { return 1; }
    return pace.value === '0' ? 0 : Number(entered.value) || 1;
  }

  // Of those hosts that have something to be moved, in their order.
  function timeOfPlan(root, form, times) {
    var n = hostsAtOnce(form);
    var work = times.reduce(function (sum, one) { return sum + one.most; }, 0);
    var floor = work / Math.max(1, Number(root.getAttribute('data-in-region')));
    function over(name) {
      var all = times.map(function (one) { return one[name]; });
      return Math.max(lanes(Math.min(n || all.length, all.length), all), floor);
    }
    return {least: over('least'), most: over('most')};
  }

  function timeText(time) { return between(about(time.least), about(time.most)); }

  function between(least, most) {
    return least === most ? interpolate(gettext('about %(time)s'), {time: least}, true)
      : interpolate(gettext('about %(least)s to %(most)s'), {least: least, most: most}, true);
  }

  // -- summary and review ---------------------------------------------------------------------

  function reckon(root, form, review) {
    var found = tally(root);

    each(review.querySelectorAll('li[data-group]'), function (li) {
      var group = li.getAttribute('data-group');
      li.hidden = !found.n(group);
      li.querySelector('[data-count]').textContent = counted(p.REVIEWED[group], found.n(group));
      put(li.querySelector('[data-names]'), few(found.names[group] || []));
      put(li.querySelector('[data-memory]'), p.size(found.live));
    });
    var moves = found.n('live') + found.n('cold') + found.n('stopped') + found.n('confirm') > 0;
    var stops = found.n('stopped') > 0;
    var holds = {'moves': moves, 'not-moves': !moves, 'stops': stops, 'not-stops': !stops};
    each(review.querySelectorAll('[data-if]'), function (li) {
      li.hidden = !holds[li.getAttribute('data-if')];
    });

    summary('counts', countsText(found));
    summary('needed', p.size(found.moving.reduce(function (a, b) { return a + b; }, 0)));
    // The picture of the hosts is the server's; what moves now, or where to, may not be that of it.
    var to = form.querySelector('[name=destination]').value;
    var now = JSON.stringify([found.moving, to === SCHEDULER ? '' : to]);
    if (!root.hasAttribute('data-pictured')) { root.setAttribute('data-pictured', now); }
    var isStale = root.getAttribute('data-pictured') !== now;
    each(form.querySelectorAll('.mnt-stale'), function (stale) { stale.hidden = !isStale; });
    each(form.querySelectorAll('[data-placing]'), function (said) {
      said.hidden = isStale || said.getAttribute('data-placing') !== to;
    });
    var rows = hostRows(form);
    form.mntTime = null;
    if (rows.length) {
      form.mntTime = reckonHosts(root, form, rows);
    } else if (root.hasAttribute('data-rate') && found.moving.length) {
      form.mntTime = timeOfHost(root, form, found.moving);
    }
    if (form.mntTime) { summary('time', timeText(form.mntTime)); }

    function summary(name, text) {
      each(form.querySelectorAll('[data-summary=' + name + ']'), function (element) {
        put(element, text);
      });
    }
  }

  // -- several hosts ----------------------------------------------------------------------------

  function hostRows(form) {
    return Array.prototype.slice.call(
      form.querySelectorAll('.mnt-review-hosts tr[data-host]'));
  }

  // What each host comes to, in its part of the preflight and in the review; the time of all.
  function reckonHosts(root, form, rows) {
    var times = [];
    var parts = {};
    each(root.querySelectorAll('.mnt-of-host'), function (part) {
      parts['of ' + part.getAttribute('data-host')] = part;
    });
    rows.forEach(function (row) {
      var part = parts['of ' + row.getAttribute('data-host')];
      if (!part || !part.querySelector('tr[data-server]')) { return; }
      var found = tally(part);
      var counts = countsText(found);
      put(part.querySelector('[data-host-counts]'), counts);
      put(row.querySelector('[data-host-counts]'), counts);
      var time = '\u2013';
      if (root.hasAttribute('data-rate') && found.moving.length) {
        var one = timeOfHost(root, form, found.moving);
        times.push(one);
        time = timeText(one);
      }
      put(part.querySelector('[data-host-time]'), time);
      put(row.querySelector('[data-host-time]'), time);
      showRemainders(row, found);
    });
    return times.length ? timeOfPlan(root, form, times) : null;
  }

  function showRemainders(row, found) {
    var any = false;
    each(row.querySelectorAll('[data-remainder]'), function (rest) {
      var group = rest.getAttribute('data-remainder');
      var names = group === 'unplaced' ? found.lost : found.names[group] || [];
      rest.hidden = !names.length;
      any = any || names.length > 0;
      // What it was before is as the server wrote it: shortened.
      var key = names.join('\n');
      if (!rest.hasAttribute('data-was')) { rest.setAttribute('data-was', key); }
      if (rest.getAttribute('data-was') !== key) {
        put(rest.querySelector('[data-names]'), few(names));
        rest.setAttribute('data-was', key);
      }
    });
    row.querySelector('[data-remains]').hidden = any;
  }

  // Hosts go up and down without asking the server; the review follows.
  function orderable(table, form, changed) {
    var said = document.getElementById('mnt-order-said');

    function rows() { return Array.prototype.slice.call(table.tBodies[0].rows); }

    function host(tr) { return tr.getAttribute('data-host'); }

    function number(list) {
      list.forEach(function (tr, i) {
        put(tr.querySelector('.mnt-place'), String(i + 1));
        var up = tr.querySelector('.mnt-up'), down = tr.querySelector('.mnt-down');
        if (up) { up.disabled = i === 0; }
        if (down) { down.disabled = i === list.length - 1; }
      });
    }

    function reviewInOrder() {
      var reviewed = hostRows(form);
      if (!reviewed.length) { return; }
      var names = rows().map(host);
      reviewed.sort(function (a, b) { return names.indexOf(host(a)) - names.indexOf(host(b)); });
      reviewed.forEach(function (tr) { tr.parentNode.appendChild(tr); });
      number(reviewed);
    }

    table.addEventListener('click', function (event) {
      var button = event.target.closest('.mnt-up, .mnt-down');
      if (!button) { return; }
      event.preventDefault();
      var tr = button.closest('tr');
      var all = rows();
      var up = button.classList.contains('mnt-up');
      var other = all[all.indexOf(tr) + (up ? -1 : 1)];
      if (!other) { return; }
      tr.parentNode.insertBefore(up ? tr : other, up ? other : tr);
      number(rows());
      reviewInOrder();
      (button.disabled ? tr.querySelector('.mnt-up:not(:disabled), .mnt-down:not(:disabled)')
        : button).focus();
      said.textContent = interpolate(gettext('%(host)s is now number %(n)s.'),
        {host: host(tr), n: rows().indexOf(tr) + 1}, true);
      changed();
    });
  }

  function paceText(n) {
    return n === 0 ? gettext('all at once') : n === 1 ? gettext('one after another')
      : interpolate(ngettext('%(n)s at a time', '%(n)s at a time', n), {n: p.number(n)}, true);
  }

  // Horizon sends the form of a modal without the button that was pressed.
  function updatable(form) {
    $(form).on('click', 'button[name=do]', function () {
      $(form).find('input[name=do]').remove();
      $('<input type="hidden" name="do">').val(this.value).appendTo(form);
    });
  }

  // -- the workflow ---------------------------------------------------------------------------

  function init(container) {
    var form = $(container).find('form.mnt-drain-form').addBack('form.mnt-drain-form')[0];
    if (!form || form.hasAttribute('data-mnt-ready')) { return; }
    form.setAttribute('data-mnt-ready', '');
    horizon.modals.init_wizard();
    var root = form.querySelector('.mnt-preflight');
    var order = document.getElementById('mnt-order');
    var reason = form.querySelector('[name=reason]');
    var counter = form.querySelector('.mnt-counter');
    var review = form.querySelector('.mnt-review');

    function text(name, value) {
      each(review.querySelectorAll('[data-review=' + name + ']'), function (element) {
        element.textContent = value;
      });
    }

    function chosen(name) {
      var select = form.querySelector('[name=' + name + ']');
      return select.options[select.selectedIndex].textContent;
    }

    function update() {
      var left = reason.maxLength - reason.value.length;
      counter.textContent = interpolate(
        ngettext('%(n)s character left', '%(n)s characters left', left), {n: left}, true);
      text('reason', reason.value.trim() || '…');
      text('max_concurrent', form.querySelector('[name=max_concurrent]').value);
      text('destination', chosen('destination'));
      text('order', chosen('order'));
      each(review.querySelectorAll('[data-review=pace]'), function (element) {
        put(element, paceText(hostsAtOnce(form)));
      });
    }

    // When it begins and stops to start something, and whether that is long enough. Both times
    // are those of the user's zone, as is the server's word for now: only what lies between them
    // counts.
    var windowed = review.querySelector('[data-window]');
    var loaded = new Date();

    function minutes(value) { return Date.parse(value + 'Z') / 60000; }

    function showWindow() {
      var start = form.querySelector('[name=start_at]').value;
      var now = windowed.getAttribute('data-now');
      var begin = start ? minutes(start) : minutes(now) + (new Date() - loaded) / 60000;
      var stop = form.querySelector('[name=stop_at]').value;
      var fit = '';
      function at(value) {
        return value.replace('T', ' ') + ' ' + windowed.getAttribute('data-zone');
      }
      text('begins', start ? interpolate(gettext('at %(time)s'), {time: at(start)}, true)
        : gettext('at once'));
      text('ends', stop ? at(stop) : gettext('no end'));
      function clock(seconds) {
        var at = new Date(60000 * begin + 1000 * seconds).toISOString();
        return at.slice(0, 10) === now.slice(0, 10) ? at.slice(11, 16)
          : at.slice(0, 10) + ' ' + at.slice(11, 16);
      }
      if (form.mntTime && !isNaN(begin)) {
        text('expected_end', between(clock(form.mntTime.least), clock(form.mntTime.most)));
      }
      if (stop && form.mntTime) {
        var seconds = 60 * (minutes(stop) - begin);
        if (seconds > 0) {
          fit = form.mntTime.most <= seconds
            ? gettext('According to the estimate, the drain fits into the window.')
            : form.mntTime.least <= seconds
              ? gettext('According to the estimate, the drain may not fit into the window: it fits only if Nova runs as many migrations at once as allowed.')
              : gettext('According to the estimate, the drain does not fit into the window: the last instances would wait until somebody resumes it.');
        }
      }
      each(form.querySelectorAll('[data-fit]'), function (element) {
        element.hidden = !fit;
        if (element.textContent !== fit) { element.textContent = fit; }
      });
      var action = form.querySelector('[name=timeout_action]:checked');
      each(review.querySelectorAll('[data-timeout]'), function (element) {
        element.hidden = !action || element.getAttribute('data-timeout') !== action.value;
      });
    }

    function updateAll() {
      update();
      if (root) { reckon(root, form, review); }
      if (windowed) { showWindow(); }
    }

    var hosts = root ? root.querySelectorAll('.mnt-of-host') : [];
    each(hosts.length ? hosts : root ? [root] : [], function (one) { p.choosable(one, form); });
    p.listed(form);
    if (order) { orderable(order, form, updateAll); }
    if ($(form).closest('.modal').length) {
      updatable(form);
    } else {
      forms.once(form, gettext('This may take some seconds.'));
    }
    $(form).on('input', '[name=hosts_at_once]', function () {
      form.querySelector('[name=pace][value=n]').checked = true;
      updateAll();
    });
    $(form).on('input', update);
    if (windowed) { $(form).on('input', '[type=datetime-local]', showWindow); }
    $(form).on('change', updateAll);
    // Enter would send the form from any step; here it goes on to the next one.
    $(form).on('keydown', 'input, select', function (event) {
      var next = $(form).find('.button-next:visible');
      if (event.key === 'Enter' && next.length) {
        event.preventDefault();
        next.trigger('click');
      }
    });
    // A step is read from its beginning.
    $(form).on('shown.bs.tab', 'a[data-toggle=tab]', function () {
      var pane = document.querySelector(this.getAttribute('data-target'));
      var first = pane && (forms.firstWrong(pane) || pane.querySelector('.mnt-step'));
      each(form.querySelectorAll('.wizard-tabs a'), function (one) { one.removeAttribute('aria-current'); });
      this.setAttribute('aria-current', 'step');
      if (first) { forms.focusOn(first); }
      updateAll();
    });
    var dialog = $(form).closest('.modal')[0];
    if (dialog) {
      dialog.setAttribute('role', 'dialog');
      dialog.setAttribute('aria-modal', 'true');
      dialog.setAttribute('aria-labelledby', 'mnt-dialog-title');
    }
    updateAll();
  }

  horizon.addInitFunction(function () {
    horizon.modals.addModalInitFunction(init);
    init(document);
  });
}());
