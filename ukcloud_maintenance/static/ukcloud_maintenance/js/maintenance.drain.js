/* The drain page: its rows can be filtered, sorted, selected and steered; maintenance.live.js keeps
 * it up to date, until the drain is over. */
(function () {
  'use strict';

  function start(root) {
    var table = document.getElementById('mnt-progress');
    var body = table && table.tBodies[0];
    var tools = table && table.hasAttribute('data-tools') ? 1 : 0;  // cells before the first column

    function showRows(rows, replace) {
      if (!body) { return; }
      var known = {};
      Array.prototype.forEach.call(body.rows, function (tr) {
        if (tr.hasAttribute('data-id')) { known[tr.getAttribute('data-id')] = tr; }
      });
      var empty = body.querySelector('tr.empty');
      if (empty && rows.length) { body.removeChild(empty); }
      rows.forEach(function (row, place) {
        var tr = known[row.id];
        if (!tr) {
          tr = document.createElement('tr');
          tr.setAttribute('data-id', row.id);
          if (tools) { tr.appendChild(steering.cell(row)); }
          row.cells.forEach(function (cell, i) {
            var td = document.createElement('td');
            td.className = table.tHead.rows[0].cells[i + tools].className;
            tr.appendChild(td);
          });
          body.appendChild(tr);
        }
        tr.setAttribute('data-state', row.state);
        tr.setAttribute('data-name', row.name);
        tr.setAttribute('data-verbs', row.verbs.join(' '));
        tr.setAttribute('data-place', place);
        row.cells.forEach(function (cell, i) {
          var td = tr.cells[i + tools];
          replace(td, row.id + ' ' + i, cell[0]);
          if (cell[1] === null) { td.removeAttribute('data-key'); }
          else { td.setAttribute('data-key', cell[1]); }
        });
        delete known[row.id];
      });
      Object.keys(known).forEach(function (id) {
        if (tools) { steering.removed(known[id]); }
        body.removeChild(known[id]);
      });
      arrange();
      if (tools) { steering.update(); }
    }

    // -- filter and order -------------------------------------------------------------------

    var filter = root.querySelector('form.mnt-js');
    var text = document.getElementById('mnt-rows-q');
    var state = document.getElementById('mnt-rows-state');
    var clear = document.getElementById('mnt-rows-clear');
    var number = document.getElementById('mnt-rows-count');
    var none = document.getElementById('mnt-rows-none');
    var collator = window.Intl && window.Intl.Collator
      ? new window.Intl.Collator(undefined, {numeric: true, sensitivity: 'base'}) : null;
    var order = {column: -1, down: false};

    function sortKey(tr) {
      if (order.column < 0) { return Number(tr.getAttribute('data-place')); }
      var td = tr.cells[order.column];
      var key = td.hasAttribute('data-key') ? td.getAttribute('data-key') : td.textContent.trim();
      return key !== '' && !isNaN(key) ? Number(key) : key;
    }

    function compare(a, b) {
      if (typeof a === 'number' && typeof b === 'number') { return a - b; }
      if (collator) { return collator.compare(String(a), String(b)); }
      return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
    }

    function arrange() {
      var rows = Array.prototype.filter.call(body.rows, function (tr) {
        return tr.hasAttribute('data-id');
      });
      var sorted = rows.map(function (tr) { return {tr: tr, key: sortKey(tr)}; });
      sorted.sort(function (a, b) {
        var difference = compare(a.key, b.key) * (order.down ? -1 : 1);
        return difference || a.tr.getAttribute('data-place') - b.tr.getAttribute('data-place');
      });
      var moved = sorted.some(function (item, i) { return item.tr !== rows[i]; });
      if (moved) {
        // A row that is moved loses the focus that is inside of it.
        var focused = body.contains(document.activeElement) && document.activeElement;
        sorted.forEach(function (item) { body.appendChild(item.tr); });
        if (focused) { focused.focus(); }
      }
      var wanted = text.value.trim().toLowerCase();
      var shown = 0;
      rows.forEach(function (tr) {
        var fits = (!state.value || tr.getAttribute('data-state') === state.value) &&
          (!wanted || textOf(tr).indexOf(wanted) !== -1);
        tr.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      var filtered = Boolean(wanted || state.value);
      clear.hidden = !filtered;
      none.hidden = !(filtered && !shown);
      var said = filtered ? shown + ' ' + root.getAttribute('data-text-of') + ' ' + rows.length +
        ' ' + root.getAttribute('data-text-shown') : '';
      if (number.textContent !== said) { number.textContent = said; }
    }

    function textOf(tr) {
      return Array.prototype.slice.call(tr.cells, tools).map(function (td) {
        return td.textContent.toLowerCase();
      }).join(' ');
    }

    function sortable(th, column) {
      if (column < tools) { return; }
      var button = document.createElement('button');
      button.type = 'button';
      button.className = 'mnt-sort';
      button.textContent = th.textContent;
      th.textContent = '';
      th.appendChild(button);
      button.addEventListener('click', function () {
        order = {column: column, down: order.column === column && !order.down};
        Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other, i) {
          if (i < tools) { return; }
          other.setAttribute('aria-sort', i !== column ? 'none'
            : order.down ? 'descending' : 'ascending');
        });
        arrange();
      });
    }

    if (body) {
      Array.prototype.forEach.call(body.rows, function (tr, place) {
        tr.setAttribute('data-place', place);
      });
      Array.prototype.forEach.call(table.tHead.rows[0].cells, sortable);
      filter.hidden = false;
      filter.addEventListener('submit', function (event) { event.preventDefault(); });
      text.addEventListener('input', narrow);
      state.addEventListener('change', narrow);
      clear.addEventListener('click', function () {
        text.value = '';
        state.value = '';
        narrow();
        text.focus();
      });
      arrange();
    }

    function narrow() {
      arrange();
      if (tools) { steering.update(); }
    }

    var page = horizon.maintenance.keepUpToDate(root, 0, showRows);
    var dialogs = asking(root, page.now);
    var steering = tools ? selecting(root, table, dialogs) : null;
  }

  // -- asking for something -------------------------------------------------------------------

  // What is asked for without leaving the page: buttons of the page's form, and dialogs.
  function asking(root, done) {
    var form = document.getElementById('mnt-post');
    var busy = false;

    function tell(messages) {
      messages.forEach(function (message) { horizon.alert(message[0], message[1]); });
    }

    function failed(xhr) {
      var said = xhr.responseJSON && xhr.responseJSON.messages;
      var name = xhr.status === 401 ? 'expired' : xhr.status === 403 ? 'denied' : 'failed';
      tell(said || [['error', root.getAttribute('data-text-' + name)]]);
    }

    // ask(url, data, more): more(html) is called where the answer is a dialog again.
    function send(url, data, more) {
      if (busy) { return; }
      busy = true;
      $.ajax(url, {
        method: 'POST',
        data: data,
        headers: {Accept: 'application/json, text/html'}
      }).done(function (answer) {
        if (typeof answer === 'string') { return more(answer); }
        tell(answer.messages);
        more(null);
        done();
      }).fail(function (xhr) {
        failed(xhr);
        more(null);
      }).always(function () { busy = false; });
    }

    function post(url, rows) {
      var data = [{name: 'csrfmiddlewaretoken', value: form.csrfmiddlewaretoken.value}];
      rows.forEach(function (id) { data.push({name: 'row', value: id}); });
      send(url, data, function (dialog) { if (dialog) { open(dialog); } });
    }

    function show(url, rows, opener) {
      if (busy) { return; }
      busy = true;
      $.ajax(url, {data: rows.map(function (id) { return {name: 'row', value: id}; })})
        .done(function (html) { open(html, opener); })
        .fail(failed)
        .always(function () { busy = false; });
    }

    function open(html, opener) {
      var modal = horizon.modals.success(html);
      bind(modal);
      modal.one('hidden.bs.modal', function () {
        // The focus goes back to where it came from, if that is still there.
        if (opener && document.contains(opener) && opener.offsetParent) { opener.focus(); }
      });
    }

    function bind(modal) {
      var first = modal.find('.has-error :input:visible, [type=radio]:checked, select').first();
      (first.length ? first : modal.find('.modal-footer .cancel')).trigger('focus');
      modal.find('form.mnt-steer').on('submit', function (event) {
        event.preventDefault();
        event.stopPropagation();  // Horizon would load the page again
        var button = $(this).find('[type=submit]').prop('disabled', true);
        send(this.getAttribute('action'), $(this).serializeArray(), function (again) {
          if (again) {
            modal.html($($.parseHTML(again)).filter('.modal').html());
            bind(modal);
          } else {
            button.prop('disabled', false);
            modal.modal('hide');
          }
        });
      });
    }

    root.addEventListener('click', function (event) {
      var link = event.target.closest('a.ajax-modal');
      var button = event.target.closest('button[form=mnt-post]:not([data-verb])');
      if (link && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        event.stopPropagation();
        show(link.getAttribute('href'), [], link);
      } else if (button) {
        event.preventDefault();
        post(button.getAttribute('formaction'), []);
      }
    });
    return {post: post, show: show};
  }

  // -- the selected instances -----------------------------------------------------------------

  // Check boxes, the buttons for what is selected, and the same in a menu on each row. What can
  // be done with a row is told with each update, in data-verbs.
  function selecting(root, table, dialogs) {
    var body = table.tBodies[0];
    var bar = document.getElementById('mnt-steering');
    var all = document.getElementById('mnt-all');
    var none = document.getElementById('mnt-unselect');
    var count = bar.querySelector('.mnt-selected');
    var told = bar.querySelector('.mnt-told');
    var buttons = Array.prototype.slice.call(bar.querySelectorAll('button[data-verb]'));
    var gone = [];         // names of selected ones that are no part of the drain any more
    var last = null;       // the row that was selected last: where a range begins

    function words(name, values) {
      return root.getAttribute('data-text-' + name).replace(/%\((\w+)\)s/g, function (_all, key) {
        return values[key];
      });
    }

    function put(element, text) {
      if (element.textContent !== text) { element.textContent = text; }
    }

    function few(names) {
      var shown = names.slice(0, 5);
      if (names.length > 5) { shown.push(words('more', {n: names.length - 5})); }
      return shown.join(', ');
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
      var shown = known.filter(function (tr) { return !tr.hidden; });
      var marked = shown.filter(function (tr) { return box(tr).checked; });
      var unfit = chosen.filter(function (tr) { return !verbs(tr).length; });
      var focused = bar.contains(document.activeElement) && document.activeElement;

      known.forEach(function (tr) {
        tr.classList.toggle('mnt-marked', box(tr).checked);
        var menu = tr.querySelector('.mnt-menu');
        var empty = !verbs(tr).length;
        if (empty && menu.contains(document.activeElement)) { box(tr).focus(); }
        menu.classList.toggle('mnt-void', empty);
      });
      all.checked = shown.length > 0 && marked.length === shown.length;
      all.indeterminate = marked.length > 0 && !all.checked;

      buttons.forEach(function (button) {
        var fits = able(chosen, button.getAttribute('data-verb')).length;
        var single = button.hasAttribute('data-one');
        button.hidden = !fits || (single && chosen.length > 1);
        put(button.querySelector('.mnt-fits'), chosen.length > 1 ? '(' + fits + ')' : '');
      });
      none.hidden = !chosen.length && !gone.length;
      put(count, !chosen.length ? words('none', {})
        : words(chosen.length === 1 ? 'selected-one' : 'selected-many', {n: chosen.length}));
      count.classList.toggle('mnt-quiet', !chosen.length);
      var said = [];
      var unseen = chosen.length - marked.length;
      if (unseen) { said.push(words('hidden', {n: unseen}) + '.'); }
      if (unfit.length) { said.push(words('unfit', {names: few(unfit.map(name))})); }
      if (gone.length) { said.push(words('gone', {names: few(gone)})); }
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
      var url = button.getAttribute('formaction');
      if (button.hasAttribute('data-confirm')) {
        dialogs.show(url, ids(list), opener);
      } else {
        dialogs.post(url, ids(able(list, verb)));
      }
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
      toggle.setAttribute('aria-label', words('menu', {name: name(tr)}));
      toggle.innerHTML = '<span class="fa fa-ellipsis-vertical" aria-hidden="true"></span>';
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
      list.style.left = at.left + 'px';
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
      rows().forEach(function (tr) { if (!tr.hidden) { box(tr).checked = all.checked; } });
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
      var ground = '';
      for (var at = bar.parentNode; at && at !== document; at = at.parentNode) {
        var colour = window.getComputedStyle(at).backgroundColor;
        if (!/^(transparent|rgba\(.*, 0\))$/.test(colour)) { ground = colour; break; }
      }
      bar.style.top = (top ? top.offsetHeight : 0) + 'px';
      bar.style.backgroundColor = ground || '#fff';
      bar.classList.add('mnt-kept');
    }

    keep();
    rows().forEach(function (tr) { tr.cells[0].appendChild(menu(tr)); });
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
        input.setAttribute('aria-label', words('select', {name: row.name}));
        td.appendChild(input);
        var tr = document.createElement('tr');
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

  horizon.addInitFunction(function () {
    var root = document.getElementById('mnt-drain');
    if (root) { start(root); }
  });
}());
