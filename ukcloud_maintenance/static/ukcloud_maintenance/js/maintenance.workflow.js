/* The preflight and the Drain Host workflow: filters the instances, shows what a choice makes of
 * one, keeps summary and review in step, counts the reason's characters. Works in a modal and on
 * a page of its own. What is said of an instance is the server's HTML, sent along. */
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

  // As preflight.about of the server writes it.
  function about(seconds) {
    if (seconds < 90) { return number(Math.max(1, Math.ceil(seconds))) + ' s'; }
    if (seconds < 7200) { return number(Math.ceil(seconds / 60)) + ' min'; }
    return number(seconds / 3600, 1) + ' h';
  }

  function fill(text, values) {
    return text.replace(/%\((\w+)\)s/g, function (_all, name) { return values[name]; });
  }

  function counted(element, n) {
    return fill(element.getAttribute(n === 1 ? 'data-one' : 'data-many'), {n: number(n)});
  }

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
    var table = root.querySelector('.mnt-plan');
    var box = tools.querySelector('input');
    var said = tools.querySelector('.mnt-plan-count');
    var none = table.querySelector('.mnt-plan-none');
    var rows = table.querySelectorAll('tr[data-server]');
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
      none.hidden = shown > 0;
      said.textContent = wanted ? shown + ' ' + said.getAttribute('data-of') + ' ' + rows.length +
        ' ' + said.getAttribute('data-shown') : '';
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

  function choosable(root, form) {
    var rows = root.querySelectorAll('tr[data-server]');
    var sayings = root.querySelectorAll('.mnt-sayings > div');
    var locked = form.querySelector('[name=move_locked]');

    // What is as it was is not sent: Django takes a limited number of fields.
    function send(field, name, wanted) {
      if (wanted) { field.name = name; } else { field.removeAttribute('name'); }
    }

    function show(tr) {
      var select = tr.querySelector('select');
      if (!select) { return; }
      var note = tr.querySelector('.mnt-why');
      var option = select.options[select.selectedIndex];
      var left = locked && !locked.checked && option.hasAttribute('data-group-locked')
        ? '-locked' : '';
      var says = option.getAttribute('data-says' + left);
      send(select, 'choice-' + tr.getAttribute('data-server'), select.value);
      send(note, 'note-' + tr.getAttribute('data-server'), select.value);
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

  // -- summary and review ---------------------------------------------------------------------

  function seconds(root, moving, atOnce) {
    var rate = Number(root.getAttribute('data-rate'));
    var overhead = Number(root.getAttribute('data-overhead'));
    var free = [];
    var sum = 0;
    for (var i = 0; i < Math.max(1, atOnce); i += 1) { free.push(0); }
    moving.sort(function (a, b) { return b - a; }).forEach(function (bytes) {
      var next = free.indexOf(Math.min.apply(null, free));
      free[next] += bytes / rate + overhead;
      sum += bytes / rate + overhead;
    });
    return {least: Math.max.apply(null, free), most: sum};
  }

  function reckon(root, form, review) {
    var names = {};
    var moving = [];
    var live = 0;
    each(root.querySelectorAll('tr[data-server]'), function (tr) {
      var group = tr.getAttribute('data-group');
      var bytes = Number(tr.getAttribute('data-memory'));
      (names[group] = names[group] || []).push(tr.getAttribute('data-name'));
      if (group === 'live') { live += bytes; }
      if (group !== 'stays' && group !== 'blocked' && tr.hasAttribute('data-here')) {
        moving.push(bytes);
      }
    });

    function n(group) { return (names[group] || []).length; }

    each(review.querySelectorAll('[data-group]'), function (li) {
      var group = li.getAttribute('data-group');
      var list = li.querySelector('[data-names]');
      var memory = li.querySelector('[data-memory]');
      li.hidden = !n(group);
      li.querySelector('[data-count]').textContent = counted(li, n(group));
      if (list) { list.textContent = (names[group] || []).join(', '); }
      if (memory) { memory.textContent = size(live); }
    });
    var moves = n('live') + n('cold') + n('stopped') + n('confirm') > 0;
    var holds = {
      'moves': moves, 'not-moves': !moves, 'stops': n('stopped') > 0, 'not-stops': !n('stopped')
    };
    each(review.querySelectorAll('[data-if]'), function (li) {
      li.hidden = !holds[li.getAttribute('data-if')];
    });

    var said = [];
    each(root.querySelectorAll('.mnt-words > [data-group]'), function (word) {
      var group = word.getAttribute('data-group');
      var number = n(group) + (group === 'cold' ? n('stopped') : 0);
      if (number) { said.push(counted(word, number)); }
    });
    put('counts', said.join(', '));
    // The picture of the hosts is the server's; what moves now may not be what moves in it.
    var stale = root.querySelector('.mnt-stale');
    var now = JSON.stringify(moving);
    if (!root.hasAttribute('data-pictured')) { root.setAttribute('data-pictured', now); }
    if (stale) { stale.hidden = root.getAttribute('data-pictured') === now; }
    put('needed', size(moving.reduce(function (a, b) { return a + b; }, 0)));
    if (root.hasAttribute('data-rate') && moving.length) {
      var atOnce = Math.min(100, Number(form.querySelector('[name=max_concurrent]').value) || 1);
      var time = seconds(root, moving, atOnce);
      var least = about(time.least), most = about(time.most);
      form.mntTime = time;
      put('time', least === most ? fill(root.getAttribute('data-text-about'), {time: least})
        : fill(root.getAttribute('data-text-range'), {least: least, most: most}));
    }

    function put(name, text) {
      var element = root.querySelector('[data-summary=' + name + ']');
      if (element && element.textContent !== text) { element.textContent = text; }
    }
  }

  // -- the form of a plan: several hosts ------------------------------------------------------

  function lanes(n, all) {
    var free = [];
    for (var i = 0; i < Math.max(1, n); i += 1) { free.push(0); }
    all.forEach(function (one) { free[free.indexOf(Math.min.apply(null, free))] += one; });
    return Math.max.apply(null, free);
  }

  // As core.duration of the server reckons it.
  function planTime(root, form) {
    var rate = Number(root.getAttribute('data-plan-rate'));
    var overhead = Number(root.getAttribute('data-plan-overhead'));
    var element = root.querySelector('[data-summary=time]');
    if (!rate || !element) { return; }
    var atOnce = Math.min(100, Number(form.querySelector('[name=max_concurrent]').value) || 1);
    var pace = form.querySelector('[name=pace]:checked').value;
    var least = [], most = [], work = 0;
    each(root.querySelectorAll('.mnt-order tr[data-host]'), function (row) {
      var moving = [];
      each(root.querySelectorAll('.mnt-plan-host'), function (host) {
        if (host.getAttribute('data-host') !== row.getAttribute('data-host')) { return; }
        each(host.querySelectorAll('tr[data-server][data-here]'), function (tr) {
          var group = tr.getAttribute('data-group');
          if (group !== 'stays' && group !== 'blocked') {
            moving.push(Number(tr.getAttribute('data-memory')) / rate + overhead);
          }
        });
      });
      moving.sort(function (a, b) { return b - a; });
      if (!moving.length) { return; }
      var sum = moving.reduce(function (a, b) { return a + b; }, 0);
      least.push(lanes(atOnce, moving));
      most.push(sum);
      work += sum;
    });
    if (!most.length) { return; }
    var n = pace === '0' ? most.length
      : pace === '1' ? 1 : Number(form.querySelector('[name=hosts_at_once]').value) || 1;
    var floor = work / Math.max(1, Number(root.getAttribute('data-in-region')));
    n = Math.min(n, most.length);
    var a = about(Math.max(lanes(n, least), floor)), b = about(Math.max(lanes(n, most), floor));
    var text = a === b ? fill(root.getAttribute('data-text-about'), {time: a})
      : fill(root.getAttribute('data-text-range'), {least: a, most: b});
    if (element.textContent !== text) { element.textContent = text; }
  }

  function initPlan(form) {
    var root = form.querySelector('.mnt-plan-all');
    var review = form.querySelector('.mnt-review');
    language = root.getAttribute('data-language') || undefined;

    function update() {
      if (review && root.querySelector('.mnt-words')) { reckon(root, form, review); }
      planTime(root, form);
    }

    each(form.querySelectorAll('.mnt-plan-host'), function (host) {
      var block = host.querySelector('.mnt-preflight');
      if (!block) { return; }
      choosable(block, form);
      host.addEventListener('toggle', function () { keepHead(block.querySelector('.mnt-plan')); });
    });
    $(form).on('change', update);
    $(form).on('input', '[name=hosts_at_once]', function () {
      form.querySelector('[name=pace][value=n]').checked = true;
      update();
    });
    $(form).on('input change', '.has-error .form-control', function () {
      $(this).closest('.form-group').removeClass('has-error').find('.help-block').remove();
    });
    // Sent once: Horizon's way, to disable the buttons, would keep back which one was pressed.
    var sent = false;
    form.addEventListener('submit', function (event) {
      if (sent) { event.preventDefault(); }
      sent = true;
    });
    window.addEventListener('pageshow', function () { sent = false; });
    update();
    var wrong = form.querySelector('.has-error input, .has-error select');
    if (wrong) { wrong.focus(); }
  }

  // -- the workflow ---------------------------------------------------------------------------

  function init(container) {
    each($(container).find('.mnt-preflight').addBack('.mnt-preflight'), function (root) {
      if (root.hasAttribute('data-mnt-ready')) { return; }
      root.setAttribute('data-mnt-ready', '');
      filterable(root);
      keepHead(root.querySelector('.mnt-plan'));
    });
    var plan = $(container).find('form.mnt-plan-form')[0];
    if (plan && !plan.hasAttribute('data-mnt-ready')) {
      plan.setAttribute('data-mnt-ready', '');
      initPlan(plan);
    }
    // From the check on to the workflow, which takes its place: Horizon would keep both.
    $(container).find('.mnt-go-on').on('click', function () {
      $(this).closest('.modal').one('hidden.bs.modal', function () {
        $(this).remove();
      }).modal('hide');
    });
    var form = $(container).find('form.mnt-drain-form').addBack('form.mnt-drain-form')[0];
    if (!form || form.hasAttribute('data-mnt-ready')) { return; }
    form.setAttribute('data-mnt-ready', '');
    var root = form.querySelector('.mnt-preflight');
    language = (root && root.getAttribute('data-language')) || undefined;
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
      counter.textContent = left + ' ' + counter.getAttribute('data-text');
      text('reason', reason.value.trim() || '…');
      text('max_concurrent', form.querySelector('[name=max_concurrent]').value);
      text('destination', chosen('destination'));
      text('order', chosen('order'));
    }

    // When it begins and stops to start something, and whether that is long enough. Both times
    // are those of the user's zone, as is the server's word for now: only what lies between them
    // counts.
    var windowed = review.querySelector('[data-window]');
    var loaded = new Date();

    function minutes(value) { return Date.parse(value + 'Z') / 60000; }

    function showWindow() {
      var start = form.querySelector('[name=start_at]').value;
      var stop = form.querySelector('[name=stop_at]').value;
      var fit = '';
      ['begins', 'ends'].forEach(function (name) {
        var value = name === 'begins' ? start : stop;
        var at = value.replace('T', ' ') + ' ' + windowed.getAttribute('data-zone');
        text(name, !value ? windowed.getAttribute('data-text-' + name)
          : name === 'ends' ? at : fill(windowed.getAttribute('data-text-at'), {time: at}));
      });
      if (stop && form.mntTime) {
        var begin = start ? minutes(start)
          : minutes(windowed.getAttribute('data-now')) + (new Date() - loaded) / 60000;
        var seconds = 60 * (minutes(stop) - begin);
        if (seconds > 0) {
          fit = windowed.getAttribute(form.mntTime.most <= seconds ? 'data-fits'
            : form.mntTime.least <= seconds ? 'data-may' : 'data-not');
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

    if (root) { choosable(root, form); }
    $(form).on('input', update);
    if (windowed) { $(form).on('input', '[type=datetime-local]', showWindow); }
    $(form).on('change', updateAll);
    // An error is about what was entered before.
    $(form).on('input change', '.has-error .form-control', function () {
      $(this).closest('.form-group').removeClass('has-error').find('.help-block').remove();
    });
    // Enter would send the form from any step; here it goes on to the next one.
    $(form).on('keydown', 'input, select', function (event) {
      var next = $(form).find('.button-next:visible');
      if (event.key === 'Enter' && next.length) {
        event.preventDefault();
        next.trigger('click');
      }
    });
    each(form.querySelectorAll('[id$=_note]'), function (note) {
      var field = document.getElementById(note.id.replace(/_note$/, ''));
      if (field) { field.setAttribute('aria-describedby', note.id); }
    });
    // A field is there to be typed in as soon as its step is shown.
    $(form).on('shown.bs.tab', 'a[data-toggle=tab]', function () {
      var pane = document.querySelector(this.getAttribute('data-target'));
      var field = pane && pane.querySelector('input:not([type=hidden]), select');
      if (field) { field.focus(); }
      updateAll();
    });
    updateAll();
    var wrong = form.querySelector('.has-error input, .has-error select');
    if (wrong) { window.setTimeout(function () { wrong.focus(); }, 0); }
  }

  horizon.addInitFunction(function () {
    horizon.modals.addModalInitFunction(init);
    init(document);
  });
}());
