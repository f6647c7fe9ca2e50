/* The record on the drain page: a section is loaded when it is opened, and requested again while
 * it is open, less often once the drain is over; the answer is 204 while there is nothing new. Filters and pages
 * of the timeline change in place. On the record's own pages the links and forms do it alone. */
(function () {
  'use strict';

  var EVERY = 5000;        // milliseconds between two looks
  var WHEN_OVER = 30000;   // the host is still verified to be safe to power off
  var SLOWEST = 60000;     // while it fails

  function each(list, act) { Array.prototype.forEach.call(list, act); }

  // -- what is shown, wherever it is ----------------------------------------------------------

  function ago(root) {
    if (!window.Intl || !window.Intl.RelativeTimeFormat) { return; }
    var words = new window.Intl.RelativeTimeFormat(document.documentElement.lang || undefined,
      {numeric: 'always'});
    each(root.querySelectorAll('[data-ago]'), function (element) {
      var s = (new Date() - new Date(element.getAttribute('data-ago'))) / 1000;
      if (s < 60) { return; }   // the server's own words: just now
      element.textContent = s < 3600 ? words.format(-Math.floor(s / 60), 'minute')
        : s < 86400 ? words.format(-Math.floor(s / 3600), 'hour')
          : words.format(-Math.floor(s / 86400), 'day');
    });
  }

  function dress(root) {
    each(root.querySelectorAll('.mnt-copy'), function (button) { button.hidden = false; });
    // The head of the lanes stays in sight; it takes the ground of whatever theme it stands on.
    each(root.querySelectorAll('.mnt-lanes-head'), function (head) {
      var colour = horizon.maintenance.ground(head);
      if (colour) {
        head.style.backgroundColor = colour;
        head.classList.add('mnt-sticky');
      }
    });
    ago(root);
  }

  // Put an ID into the clipboard; also where the page came without TLS, so that the browser has no
  // clipboard for it, or where it does not allow it to be used. What cannot be copied is shown. The
  // focus stays where it was.
  function copy(button) {
    var id = {text: button.getAttribute('data-copy')};
    function done() {
      horizon.alert('success', interpolate(gettext('Copied: %(text)s'), id, true));
    }
    function copySelected() {
      var area = document.createElement('textarea');
      area.value = id.text;
      area.className = 'sr-only';
      document.body.appendChild(area);
      area.select();
      if (document.execCommand('copy')) {
        done();
      } else {
        horizon.alert('error', interpolate(
          gettext('The browser does not allow copying. Copy it by hand: %(text)s'), id, true));
      }
      document.body.removeChild(area);
      button.focus();
    }
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(id.text).then(done, copySelected);
    } else {
      copySelected();
    }
  }

  // -- one section ----------------------------------------------------------------------------

  function section(details) {
    var body = details.querySelector('.mnt-section-body');
    var base = details.getAttribute('data-url');
    var query = '';
    var wanted = details.open;   // requested, whatever is shown; open, as the browser remembers it
    var typing = null;
    var answeredAt = 0;

    function record() { return body.querySelector('.mnt-record'); }

    // Whether the drain is over and its end is shown. It may go on: what failed is tried again.
    function over() {
      var shown = record();
      var drain = document.getElementById('mnt-drain');
      return shown && shown.getAttribute('data-over') === 'true' &&
        (!drain || drain.getAttribute('data-over') === 'true');
    }

    // Whether it is time to look at what is over.
    function due() { return new Date() - answeredAt >= WHEN_OVER; }

    // While it is open and seen.
    function url() {
      var shown = record();
      if (wanted) { return base + query; }
      if (!details.open || document.hidden || (over() && !due())) { return ''; }
      return shown ? horizon.maintenance.seen(base + query, shown.getAttribute('data-token'))
        : base + query;
    }

    function read(html) { return html.indexOf('data-record-list') !== -1 ? html : null; }

    function answered(html) {
      answeredAt = new Date();
      if (html !== null) {
        wanted = false;
        show(html);
      }
      var alert = body.querySelector('.mnt-record-alert');
      if (alert) { body.removeChild(alert); }
    }

    function ask() {
      wanted = true;
      asking.now();
    }

    function show(html) {
      var fresh = document.createElement('div');
      fresh.innerHTML = html;
      var shown = record();
      var next = fresh.querySelector('.mnt-record');
      if (!shown) {
        body.textContent = '';
        body.appendChild(next);
        dress(body);
        return;
      }
      var list = shown.querySelector('[data-record-list]');
      var scrolled = list.querySelector('.mnt-lanes');
      var top = scrolled ? scrolled.scrollTop : 0;
      var focused = place(list);
      var unfolded = {};
      each(list.querySelectorAll('[data-event] details[open]'), function (fold) {
        unfolded[fold.closest('[data-event]').getAttribute('data-event')] = true;
      });
      ['data-token', 'data-over'].forEach(function (name) {
        shown.setAttribute(name, next.getAttribute(name));
      });
      list.innerHTML = next.querySelector('[data-record-list]').innerHTML;
      each(list.querySelectorAll('[data-event] details'), function (fold) {
        fold.open = unfolded[fold.closest('[data-event]').getAttribute('data-event')] === true;
      });
      dress(list);
      var again = list.querySelector('.mnt-lanes');
      if (again) { again.scrollTop = top; }
      if (focused) { focused(); }
    }

    // How to find again what has the focus, in what comes in its place.
    function place(list) {
      var at = document.activeElement;
      if (!at || !list.contains(at)) { return null; }
      var tr = at.closest('[data-event]');
      var selector = tr ? '[data-event="' + tr.getAttribute('data-event') + '"] ' + at.tagName
        : at.rel ? 'a[rel="' + at.rel + '"]'
          : at.classList.contains('mnt-lanes') ? '.mnt-lanes'
            : at.href ? 'a[href="' + at.getAttribute('href') + '"]' : '';
      return selector && function () {
        var found = list.querySelector(selector);
        if (found) { found.focus({preventScroll: true}); }
      };
    }

    function failed(status, failures) {
      // What is shown already is not taken away at the first stumble.
      if (record() && failures < 3) { return; }
      var alert = body.querySelector('.mnt-record-alert');
      if (!alert) {
        alert = document.createElement('div');
        alert.className = 'alert alert-warning mnt-record-alert';
        alert.setAttribute('role', 'alert');
        body.insertBefore(alert, body.firstChild);
      }
      if (!record()) {
        body.textContent = '';
        body.appendChild(alert);
      }
      alert.textContent = status === 401 ? gettext('Your session has ended; log in again.')
        : gettext('Loading failed.');
      var button = document.createElement('button');
      button.type = 'button';
      button.className = 'btn btn-default btn-sm';
      button.textContent = gettext('Try Again');
      button.addEventListener('click', ask);
      alert.appendChild(document.createTextNode(' '));
      alert.appendChild(button);
    }

    // -- filter and pages ---------------------------------------------------------------------

    function filter(form) {
      var parts = [];
      each(form.elements, function (input) {
        if (input.name && input.value) {
          parts.push(input.name + '=' + encodeURIComponent(input.value));
        }
      });
      query = parts.length ? '?' + parts.join('&') : '';
      ask();
    }

    body.addEventListener('submit', function (event) {
      event.preventDefault();
      filter(event.target);
    });
    body.addEventListener('change', function (event) {
      if (event.target.tagName === 'SELECT') { filter(event.target.form); }
    });
    body.addEventListener('input', function (event) {
      if (event.target.type !== 'search') { return; }
      window.clearTimeout(typing);
      typing = window.setTimeout(function () { filter(event.target.form); }, 300);
    });
    body.addEventListener('click', function (event) {
      var link = event.target.closest('a');
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) { return; }
      if (link.rel === 'prev' || link.rel === 'next') {
        event.preventDefault();
        query = link.getAttribute('href');
        ask();
      } else if (link.hasAttribute('data-record-clear')) {
        event.preventDefault();
        var form = body.querySelector('form');
        each(form.elements, function (input) {
          if (input.name && input.name !== 'order') { input.value = ''; }
        });
        filter(form);
        form.elements[0].focus();
      }
    });

    details.addEventListener('toggle', function () {
      if (!details.open) {
        wanted = false;
      } else if (!record()) {
        body.textContent = gettext('Loading…');
        ask();
      } else {
        asking.now();
      }
    });
    if (details.open) { body.textContent = gettext('Loading…'); }
    var asking = horizon.maintenance.poll({
      url: url,
      every: function () { return details.open ? EVERY : 0; },
      slowest: SLOWEST,
      read: read,
      answered: answered,
      failed: failed,
      first: details.open ? 0 : undefined
    });
  }

  horizon.addInitFunction(function () {
    each(document.querySelectorAll('.mnt-record-page'), dress);
    each(document.querySelectorAll('.mnt-records'), function (root) {
      each(root.querySelectorAll('details.mnt-section'), section);
      window.setInterval(function () { ago(root); }, 30000);
    });
    document.addEventListener('click', function (event) {
      var button = event.target.closest && event.target.closest('.mnt-copy');
      if (button) { copy(button); }
    });
  });
}());
