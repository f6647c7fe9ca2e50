/* The forms and dialogs of the panel: where the focus goes, errors beside their fields, and that
 * something happens once a form was sent. */
(function () {
  'use strict';

  // What is entered; a button is none: what cannot be undone must not have the focus at first.
  var FIELDS = 'input:not([type=hidden]):not([type=submit]):not([disabled]), ' +
    'select:not([disabled]), textarea:not([disabled])';
  var opener = null;       // what has opened the dialog

  function each(list, f) { Array.prototype.forEach.call(list, f); }

  function isShown(element) { return element.getClientRects().length > 0; }

  function shown(root, selector) {
    return Array.prototype.filter.call(root.querySelectorAll(selector), isShown);
  }

  // -- the focus ------------------------------------------------------------------------------

  // With what belongs to it in view: its label above, and what is wrong with it below.
  function focusOn(element) {
    element.focus();
    (element.closest('.form-group') || element).scrollIntoView({block: 'nearest'});
  }

  // What is wrong, or null: the first field, or what is said of the whole form.
  function firstWrong(root) {
    var fields = shown(root, '.has-error input:not([type=hidden]), .has-error select, ' +
      '.has-error textarea');
    var said = shown(root, 'form .alert-danger, .modal-body .alert-danger')[0];
    if (fields.length) { return fields[0]; }
    if (said) { said.tabIndex = -1; }
    return said || null;
  }

  // Of a dialog: what is wrong, or where a step begins, or the first field, or the way back.
  function firstOf(modal) {
    var fields = shown(modal, FIELDS);
    var radio = fields[0] && fields[0].type === 'radio' &&
      modal.querySelector('[name="' + fields[0].name + '"]:checked:not([disabled])');
    return firstWrong(modal) || shown(modal, '.mnt-step')[0] || radio || fields[0] ||
      shown(modal, '.modal-footer .cancel')[0] || null;
  }

  function focusFirst(modal) {
    var first = firstOf(modal);
    if (first) { focusOn(first); }
  }

  function openedBy(element) { opener = element; }

  // What opened it may be gone meanwhile, or drawn anew; a menu was closed.
  function goBack() {
    if (!opener || document.querySelector('#modal_wrapper .modal')) { return; }
    var menu = opener.closest('.mnt-menu');
    var again = opener;
    if (menu && !isShown(opener)) { again = menu.querySelector('.dropdown-toggle'); }
    if (!document.contains(again) && opener.getAttribute('href')) {
      again = Array.prototype.filter.call(document.querySelectorAll('a.ajax-modal'), function (a) {
        return a.getAttribute('href') === opener.getAttribute('href');
      })[0];
    }
    if (again && document.contains(again) && isShown(again)) { again.focus(); }
    opener = null;
  }

  document.addEventListener('click', function (event) {
    var link = event.target.closest && event.target.closest('.mnt-page a.ajax-modal');
    if (link) { openedBy(link); }
  }, true);

  function startDialog(modal) {
    var ours = $(modal).filter('[ng-non-bindable]').add($(modal).has('.mnt-drain-form'))[0];
    if (!ours) { return; }
    window.setTimeout(function () { focusFirst(ours); }, 0);
    $(ours).one('shown.bs.modal', function () { focusFirst(ours); });
  }

  // -- errors ---------------------------------------------------------------------------------

  // {field: [HTML, …]} of a step, as the server sends them: each beside its field, and tied to it.
  function showErrors(form, errors) {
    each(form.querySelectorAll('.mnt-errors'), function (place) { place.textContent = ''; });
    each(form.querySelectorAll('.has-error, [aria-invalid]'), function (element) {
      element.classList.remove('has-error');
      element.removeAttribute('aria-invalid');
    });
    $(form).find('.form-group > .help-block, label > .help-block').remove();
    Object.keys(errors).forEach(function (name) {
      var place = document.getElementById('id_' + name + '_error');
      if (!place) { return; }
      place.closest('.form-group').classList.add('has-error');
      each(form.querySelectorAll('[name="' + name + '"]'), function (field) {
        field.setAttribute('aria-invalid', 'true');
      });
      errors[name].forEach(function (html) {
        $('<span class="help-block"></span>').html(html).appendTo(place);
      });
    });
    var wrong = firstWrong(form);
    if (wrong) { focusOn(wrong); }
  }

  // Horizon's script puts them beside some kinds of fields alone, once its request is over.
  $(document).ajaxSuccess(function (event, xhr, settings) {
    var form = document.querySelector('form.mnt-drain-form');
    var found = xhr.responseJSON;
    if (!form || !settings.headers || !('X-Horizon-Validate-Step-Start' in settings.headers)) {
      return;
    }
    var errors = {};
    if (found && found.has_errors) {
      Object.keys(found.errors).forEach(function (step) { $.extend(errors, found.errors[step]); });
    }
    window.setTimeout(function () { showErrors(form, errors); }, 0);
  });

  // An error is about what was entered before.
  function forget(event) {
    var group = event.target.closest('.has-error');
    if (!group || !group.querySelector('.mnt-errors')) { return; }
    group.classList.remove('has-error');
    each(group.querySelectorAll('.mnt-errors'), function (place) { place.textContent = ''; });
    each(group.querySelectorAll('[aria-invalid]'), function (field) {
      field.removeAttribute('aria-invalid');
    });
  }
  ['input', 'change'].forEach(function (changed) {
    document.addEventListener(changed, forget);
  });

  // -- that something happens -----------------------------------------------------------------

  // A form that is sent once, and says so, until the reader is back on the page.
  //   wait: what is said meanwhile
  function once(form, wait) {
    var undo = null;
    form.addEventListener('submit', function (event) {
      if (undo) { event.preventDefault(); return; }
      if (event.defaultPrevented) { return; }
      undo = busy(event.submitter || form.querySelector('.btn-primary[type=submit]'), wait);
    });
    window.addEventListener('pageshow', function () {
      if (undo) { undo(); }
      undo = null;
    });
  }

  // Its name still has to be sent, so that it is not disabled; the form is not sent again.
  function busy(button, wait) {
    if (!button) { return function () { /* nothing to undo */ }; }
    var said = document.createElement('span');
    var icon = document.createElement('span');
    said.className = 'mnt-note mnt-wait';
    said.setAttribute('role', 'status');
    icon.className = 'fa fa-spinner mnt-spin';
    icon.setAttribute('aria-hidden', 'true');
    button.setAttribute('aria-busy', 'true');
    button.setAttribute('aria-disabled', 'true');
    button.classList.add('mnt-busy');
    button.insertBefore(icon, button.firstChild);
    button.insertAdjacentElement('afterend', said);
    window.setTimeout(function () { said.textContent = wait; }, 0);
    return function () {
      [icon, said].forEach(function (one) { one.parentNode.removeChild(one); });
      button.removeAttribute('aria-busy');
      button.removeAttribute('aria-disabled');
      button.classList.remove('mnt-busy');
    };
  }

  horizon.maintenance = horizon.maintenance || {};
  horizon.maintenance.forms = {
    firstWrong: firstWrong, focusFirst: focusFirst, focusOn: focusOn, once: once, openedBy: openedBy
  };

  horizon.addInitFunction(function () {
    horizon.modals.addModalInitFunction(startDialog);
    $(document).on('hidden.bs.modal', '.modal', function () { window.setTimeout(goBack, 0); });
    var page = document.querySelector('.mnt-page');
    var wrong = page && firstWrong(page);
    if (wrong) { focusOn(wrong); }
  });
}());
