/* Asking the server again and again, for every page that keeps itself up to date: one request at a
 * time, less often while there is no answer, and at once when the page is seen again or there is a
 * network again. And what the scripts of these pages have in common. */
(function () {
  'use strict';

  var PATIENCE = 20000;    // milliseconds for one answer

  function json(text) {
    try { return JSON.parse(text); } catch (e) { return null; }
  }

  /* Ask for what is new.
   *   url: function, the address of the next request; empty: do not ask this time
   *   every: function, milliseconds to the next one; 0: no more, until `now`
   *   slowest: milliseconds between two while there is no answer
   *   read: function (text), what an answer holds, or null if it is none of ours; JSON by default
   *   answered: function (data), data is null for nothing new (204)
   *   failed: function (status, failures, text)
   *   first: milliseconds to the first request, 0 for at once; as `every` by default
   * Gives {now}: ask at once, whatever is in progress; its answer is dropped. */
  function poll(options) {
    var read = options.read || json;
    var failures = 0;
    var timer = null;
    var request = null;

    function later(wait) {
      window.clearTimeout(timer);
      timer = wait ? window.setTimeout(ask, wait) : null;
    }

    function ask() {
      if (request) { return; }
      var url = options.url();
      if (!url) { return later(options.every()); }
      later(0);
      var sent = request = new window.XMLHttpRequest();
      sent.open('GET', url);
      sent.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
      sent.timeout = PATIENCE;
      sent.onloadend = function () {
        if (sent !== request) { return; }
        request = null;
        ended(sent);
      };
      sent.send();
    }

    function ended(sent) {
      var data = sent.status === 200 ? read(sent.responseText) : null;
      if (data !== null || sent.status === 204) {
        failures = 0;
        options.answered(data);
        if (!request) { later(options.every()); }
        return;
      }
      failures += 1;
      options.failed(sent.status, failures, sent.responseText);
      later(Math.min(options.slowest, options.every() * Math.pow(2, failures - 1)));
    }

    function now() {
      var old = request;
      request = null;
      if (old) { old.abort(); }
      ask();
    }

    function again() {
      if (!document.hidden && timer) { ask(); }
    }

    document.addEventListener('visibilitychange', again);
    window.addEventListener('online', again);
    if (options.first === 0) { ask(); } else { later(options.first || options.every()); }
    return {now: now};
  }

  // An address with what was seen last.
  function seen(url, token) {
    return url + (url.indexOf('?') === -1 ? '?' : '&') + 'seen=' + encodeURIComponent(token);
  }

  // The colour of the ground that an element stands on, of whatever theme; empty where none has
  // one. What stays in sight while the rest scrolls needs it.
  function ground(element) {
    for (var at = element; at && at !== document; at = at.parentNode) {
      var colour = window.getComputedStyle(at).backgroundColor;
      if (!/^(transparent|rgba\(.*, 0\))$/.test(colour)) { return colour; }
    }
    return '';
  }

  // Some names, and how many more there are: as formats.abbreviate does it.
  function few(names) {
    var more = names.length - 6;
    var shown = names.slice(0, 6).join(', ');
    return more <= 0 ? shown : interpolate(
      ngettext('%(names)s and %(n)s more', '%(names)s and %(n)s more', more),
      {names: shown, n: more}, true);
  }

  horizon.maintenance = {
    poll: poll, json: json, seen: seen, ground: ground, few: few
  };
}());
