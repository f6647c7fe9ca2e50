/* The selected instances of the drain page: check boxes, the buttons for what is selected, and the
 * same in a menu on each row. What can be done with a row is told with each update, in data-verbs. */
(function () {
  'use strict';

  function selection(root, table, dialogs) {
    var body = table.tBodies[0];
    var bar = document.getElementById('mnt-steering');
    var all = document.getElementById('mnt-all');
    var none = document.getElementById('mnt-unselect');
    var count = bar.querySelector('.mnt-selected');
    var told = bar.querySelector('.mnt-told');
    var buttons = Array.prototype.slice.call(bar.querySelectorAll('button[data-verb]'));
    var gone = [];         // names of selected ones that are no longer part of the drain
    var last = null;       // the row that was selected last: where a range begins

    function put(element, text) {
      if (element.textContent !== text) { element.textContent = text; }
    }

    function rows() {
      return Array.prototype.filter.call(body.rows, function (tr) {
        return tr.hasAttribute('data-id');
      });
    }

    function box(tr) { return tr.querySelector('input[name=row]'); }

    function verbs(tr) {
      return (tr.getAttribute('data-verbs') || '').split(' ').filter(Boolean);
    }

    function able(chosen, verb) {
      return chosen.filter(function (tr) { return verbs(tr).indexOf(verb) !== -1; });
    }

    function ids(list) {
      return list.map(function (tr) { return tr.getAttribute('data-id'); });
    }

    function name(tr) { return tr.getAttribute('data-name'); }

    function update() {
      var known = rows();
      var chosen = known.filter(function (tr) { return box(tr).checked; });
      var shown = known.filter(function (tr) {
        return !tr.hidden && (verbs(tr).length || box(tr).checked);
      });
      var marked = shown.filter(function (tr) { return box(tr).checked; });
      var unfit = chosen.filter(function (tr) { return !verbs(tr).length; });
      var focused = bar.contains(document.activeElement) && document.activeElement;

      known.forEach(function (tr) {
        tr.classList.toggle('mnt-marked', box(tr).checked);
        var menu = tr.querySelector('.mnt-menu');
        var empty = !verbs(tr).length;
        if (empty && (menu.contains(document.activeElement) ||
                      (!box(tr).checked && document.activeElement === box(tr)))) {
          tr.querySelector('a').focus();
        }
        menu.classList.toggle('mnt-void', empty);
        // What is checked stays to be seen, until it is unchecked.
        box(tr).classList.toggle('mnt-void', empty && !box(tr).checked);
      });
      all.checked = shown.length > 0 && marked.length === shown.length;
      all.indeterminate = marked.length > 0 && !all.checked;
      all.hidden = !shown.length;

      buttons.forEach(function (button) {
        var fits = able(chosen, button.getAttribute('data-verb')).length;
        var single = button.hasAttribute('data-one');
        button.hidden = !fits || (single && chosen.length > 1);
        put(button.querySelector('.mnt-fits'), chosen.length > 1 ? '(' + fits + ')' : '');
      });
      none.hidden = !chosen.length && !gone.length;
      put(count, !chosen.length ? gettext('Select instances to act on several at once.')
        : interpolate(ngettext('%(n)s selected', '%(n)s selected', chosen.length),
          {n: chosen.length}, true));
      count.classList.toggle('mnt-quiet', !chosen.length);
      var said = [];
      var unseen = chosen.length - marked.length;
      function tell(text, values) { said.push(interpolate(text, values, true)); }
      if (unseen) {
        tell(ngettext('%(n)s of them is not shown by the filter.',
          '%(n)s of them are not shown by the filter.', unseen), {n: unseen});
      }
      if (unfit.length) {
        tell(gettext('No action is available now for: %(names)s.'),
          {names: horizon.maintenance.few(unfit.map(name))});
      }
      if (gone.length) {
        tell(gettext('No longer part of the drain: %(names)s.'), {names: horizon.maintenance.few(gone)});
      }
      put(told, said.join(' '));
      told.hidden = !said.length;
      if (focused && (focused.hidden || !document.contains(focused))) {
        var next = buttons.filter(function (button) { return !button.hidden; })[0] || all;
        next.focus();
      }
      // After the end there may be nothing left that anybody can do.
      var idle = root.getAttribute('data-over') === 'true' &&
        !known.some(function (tr) { return verbs(tr).length; });
      table.classList.toggle('mnt-idle', idle);
      bar.classList.toggle('mnt-idle', idle);
    }

    function run(verb, list, opener) {
      var button = buttons.filter(function (one) {
        return one.getAttribute('data-verb') === verb;
      })[0];
      // A dialog also says which of them it cannot be done for.
      var asks = button.hasAttribute('data-confirm');
      dialogs.post(button.getAttribute('formaction'), ids(asks ? list : able(list, verb)), opener);
    }

    // -- the menu of a row

    function menu(tr) {
      var holder = document.createElement('div');
      var toggle = document.createElement('button');
      var list = document.createElement('ul');
      holder.className = 'dropdown mnt-menu';
      toggle.type = 'button';
      toggle.className = 'btn btn-default btn-xs dropdown-toggle';
      toggle.setAttribute('data-toggle', 'dropdown');
      toggle.setAttribute('aria-haspopup', 'true');
      toggle.setAttribute('aria-expanded', 'false');
      toggle.setAttribute('aria-label',
        interpolate(gettext('Actions for %(name)s'), {name: name(tr)}, true));
      toggle.innerHTML = '<span class="fa fa-ellipsis-v" aria-hidden="true"></span>';
      list.className = 'dropdown-menu';
      list.setAttribute('role', 'menu');
      holder.appendChild(toggle);
      holder.appendChild(list);
      return holder;
    }

    function fill(holder) {
      var tr = holder.closest('tr');
      var list = holder.querySelector('ul');
      list.textContent = '';
      buttons.forEach(function (button) {
        var verb = button.getAttribute('data-verb');
        if (verbs(tr).indexOf(verb) === -1) { return; }
        var item = document.createElement('li');
        var link = document.createElement('a');
        item.setAttribute('role', 'presentation');
        link.setAttribute('role', 'menuitem');
        link.setAttribute('data-verb', verb);
        link.href = '#';
        link.tabIndex = -1;
        link.title = button.title;
        link.appendChild(button.querySelector('.fa').cloneNode(true));
        link.appendChild(document.createTextNode(
          ' ' + button.querySelector('.mnt-verb').textContent));
        item.appendChild(link);
        list.appendChild(item);
      });
    }

    // The table scrolls sideways, which would cut a menu off: it stands above the page.
    function place() {
      var holder = body.querySelector('.mnt-menu.open');
      if (!holder) { return; }
      var list = holder.querySelector('ul');
      var at = holder.querySelector('button').getBoundingClientRect();
      var below = at.bottom + list.offsetHeight < document.documentElement.clientHeight;
      list.style.left = Math.max(0, at.right - list.offsetWidth) + 'px';
      list.style.top = (below ? at.bottom : at.top - list.offsetHeight) + 'px';
    }

    $(body).on('show.bs.dropdown', '.mnt-menu', function () { fill(this); });
    $(body).on('shown.bs.dropdown', '.mnt-menu', place);
    window.addEventListener('scroll', place, true);
    window.addEventListener('resize', place);
    $(body).on('click', '.mnt-menu a[data-verb]', function (event) {
      var holder = this.closest('.mnt-menu');
      event.preventDefault();
      run(this.getAttribute('data-verb'), [this.closest('tr')], holder.querySelector('button'));
      holder.querySelector('button').focus();
    });

    // -- the check boxes

    function range(tr) {
      var shown = rows().filter(function (one) { return !one.hidden; });
      var from = shown.indexOf(last), to = shown.indexOf(tr);
      if (from < 0 || to < 0) { return; }
      shown.slice(Math.min(from, to), Math.max(from, to) + 1).forEach(function (one) {
        box(one).checked = box(tr).checked;
      });
    }

    body.addEventListener('click', function (event) {
      if (event.target.name !== 'row') { return; }
      var tr = event.target.closest('tr');
      if (event.shiftKey && last) { range(tr); }
      last = tr;
      update();
    });
    all.addEventListener('change', function () {
      rows().forEach(function (tr) {
        if (!tr.hidden) { box(tr).checked = all.checked && verbs(tr).length > 0; }
      });
      update();
    });
    none.addEventListener('click', function () {
      rows().forEach(function (tr) { box(tr).checked = false; });
      gone = [];
      update();
      all.focus();
    });
    bar.addEventListener('click', function (event) {
      var button = event.target.closest('button[data-verb]');
      if (!button) { return; }
      event.preventDefault();
      run(button.getAttribute('data-verb'), rows().filter(function (tr) {
        return box(tr).checked;
      }), button);
    });

    // The buttons stay in sight below Horizon's own bar, on the ground of whatever theme it is.
    function keep() {
      var top = document.querySelector('.navbar-fixed-top');
      bar.style.top = (top ? top.offsetHeight : 0) + 'px';
      bar.style.backgroundColor = horizon.maintenance.ground(bar.parentNode) || '#fff';
      bar.classList.add('mnt-kept');
    }

    keep();
    rows().forEach(function (tr) {
      tr.querySelector('td.mnt-col-actions').appendChild(menu(tr));
    });
    root.querySelectorAll('.mnt-js-only').forEach(function (element) { element.hidden = false; });
    update();

    return {
      update: function () { update(); place(); },
      // The first cell of a row that joins.
      cell: function (row) {
        var td = document.createElement('td');
        var input = document.createElement('input');
        td.className = 'mnt-col-tools';
        input.type = 'checkbox';
        input.name = 'row';
        input.value = row.id;
        input.setAttribute('form', 'mnt-post');
        input.setAttribute('aria-label',
          interpolate(gettext('Select %(name)s'), {name: row.name}, true));
        td.appendChild(input);
        return td;
      },
      // And its last one.
      actions: function (row) {
        var td = document.createElement('td');
        var tr = document.createElement('tr');
        td.className = 'mnt-col-actions';
        tr.setAttribute('data-name', row.name);
        td.appendChild(menu(tr));
        return td;
      },
      removed: function (tr) {
        if (box(tr).checked) { gone.push(name(tr)); }
        if (last === tr) { last = null; }
      }
    };
  }

  horizon.maintenance.selection = selection;
}());
