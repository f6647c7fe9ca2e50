/* What is requested without leaving the drain page: the buttons of its form, and dialogs. */
(function () {
  'use strict';

  //   done: function, called when something was requested
  // Gives {post}: ask with the page's form, for the rows of these ids; a dialog may be the answer.
  function dialogs(root, done) {
    var form = document.getElementById('mnt-post');
    var forms = horizon.maintenance.forms;
    var busy = false;

    function tell(messages) {
      messages.forEach(function (message) { horizon.alert(message[0], message[1]); });
    }

    function failed(xhr) {
      var said = xhr.responseJSON && xhr.responseJSON.messages;
      tell(said || [['error',
        xhr.status === 401 ? gettext('Your session has ended. The drain itself continues.')
          : xhr.status === 403 ? gettext('You are not permitted to do this.')
            : gettext('The request failed. Try again.')]]);
    }

    // ask(url, data, more): more(html) is called where the answer is a dialog again.
    function send(url, data, more) {
      if (busy) { return; }
      busy = true;
      $.ajax(url, {
        method: 'POST',
        data: data,
        headers: {Accept: 'application/json, text/html'}
      }).done(function (answer, status, xhr) {
        // Up to 2026.1 Horizon answers so where the session has ended.
        if (xhr.getResponseHeader('X-Horizon-Location')) {
          failed({status: 401});
          return more(null);
        }
        if (typeof answer === 'string') { return more(answer); }
        tell(answer.messages);
        more(null);
        done();
      }).fail(function (xhr) {
        failed(xhr);
        more(null);
      }).always(function () { busy = false; });
    }

    // All in one field: Django takes a limited number of them, and an address has a limit too.
    function post(url, rows, opener) {
      var data = [{name: 'csrfmiddlewaretoken', value: form.csrfmiddlewaretoken.value}];
      if (rows.length) { data.push({name: 'row', value: rows.join(',')}); }
      send(url, data, function (dialog) { if (dialog) { open(dialog, opener); } });
    }

    function show(url, opener) {
      if (busy) { return; }
      busy = true;
      $.ajax(url)
        .done(function (html) { open(html, opener); })
        .fail(failed)
        .always(function () { busy = false; });
    }

    function open(html, opener) {
      var modal = horizon.modals.success(html);
      bind(modal);
      if (opener) { forms.openedBy(opener); }
    }

    function bind(modal) {
      forms.focusFirst(modal[0]);
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
      var button = event.target.closest(
        'button[form=mnt-post]:not([data-verb]), button[form=mnt-one]');
      if (link && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        event.stopPropagation();
        show(link.getAttribute('href'), link);
      } else if (button) {
        event.preventDefault();
        post(button.getAttribute('formaction'), button.name === 'row' ? [button.value] : []);
      }
    });
    return {post: post};
  }

  horizon.maintenance.dialogs = dialogs;
}());
