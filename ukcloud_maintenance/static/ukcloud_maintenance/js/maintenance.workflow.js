/* The Drain Host workflow: counts the reason's characters, and keeps the review in step with the
 * options. Works in a modal and on a page of its own. */
(function () {
  'use strict';

  function init(container) {
    var form = $(container).find('form.mnt-drain-form').addBack('form.mnt-drain-form')[0];
    if (!form || form.hasAttribute('data-mnt-ready')) { return; }
    form.setAttribute('data-mnt-ready', '');
    var reason = form.querySelector('[name=reason]');
    var counter = form.querySelector('.mnt-counter');
    var review = form.querySelector('.mnt-review');

    function text(name, value) {
      Array.prototype.forEach.call(
        review.querySelectorAll('[data-review=' + name + ']'),
        function (element) { element.textContent = value; });
    }

    function update() {
      var left = reason.maxLength - reason.value.length;
      counter.textContent = left + ' ' + counter.getAttribute('data-text');
      text('reason', reason.value.trim() || '…');
      text('max_concurrent', form.querySelector('[name=max_concurrent]').value);
      text('destination', form.querySelector('[name=destination]').value ||
        review.getAttribute('data-scheduler'));
    }

    $(form).on('input change', update);
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
    Array.prototype.forEach.call(form.querySelectorAll('[id$=_note]'), function (note) {
      var field = document.getElementById(note.id.replace(/_note$/, ''));
      if (field) { field.setAttribute('aria-describedby', note.id); }
    });
    // A field is there to be typed in as soon as its step is shown.
    $(form).on('shown.bs.tab', 'a[data-toggle=tab]', function () {
      var pane = document.querySelector(this.getAttribute('data-target'));
      var field = pane && pane.querySelector('input:not([type=hidden]), select');
      if (field) { field.focus(); }
      update();
    });
    update();
    var wrong = form.querySelector('.has-error input, .has-error select');
    if (wrong) { window.setTimeout(function () { wrong.focus(); }, 0); }
  }

  horizon.addInitFunction(function () {
    horizon.modals.addModalInitFunction(init);
    init(document);
  });
}());
