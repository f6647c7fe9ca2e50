"""What can be wrong of the looks of a page, found by the browser itself: a list of sentences."""

#: What every script starts with: who is ours, who is seen, and how a fault names an element.
HEAD = """
    const scope = document.querySelector(arguments[0]);
    const seen = one => one.checkVisibility({visibilityProperty: true, opacityProperty: true})
      && !one.closest('.sr-only') && one.getClientRects().length > 0;
    const all = selector => [...scope.querySelectorAll(selector)].filter(seen);
    const name = one => one.localName + (one.id ? '#' + one.id : '')
      + [...one.classList].map(each => '.' + each).join('')
      + ' ' + JSON.stringify((one.textContent || one.value || '').trim().slice(0, 40));
    const faults = [];
"""
#: Nothing is beyond the edge, but in a region that says its name and can be scrolled by keyboard.
SIDEWAYS = """
    const width = document.documentElement.clientWidth;
    const scrolls = one => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX);
    const cuts = one => ['hidden', 'clip'].includes(getComputedStyle(one).overflowX);
    const held = one => {
      for (let at = one.parentElement; at && at !== document.body; at = at.parentElement) {
        if (cuts(at) || scrolls(at) && !at.matches('.modal')) { return true; }
      }
      return false;
    };
    for (const one of [scope, ...all('*')]) {
      if (one.getBoundingClientRect().right > width + 1 && !held(one)
          && getComputedStyle(one).position !== 'fixed') {
        faults.push(name(one) + ' ends at ' + Math.round(one.getBoundingClientRect().right));
      }
      if (one.localName !== 'svg' && scrolls(one) && !one.matches('.modal, textarea, input')
          && one.scrollWidth > one.clientWidth + 1
          && !(one.tabIndex === 0 && one.getAttribute('role') === 'region'
            && (one.ariaLabel || one.hasAttribute('aria-labelledby')))) {
        faults.push(name(one) + ' is scrolled sideways, and has no name or no focus');
      }
    }
"""
#: A table that is wider than its place: what is said in it must be scrolled for.
WIDE = """
    for (const one of all('*')) {
      if (['auto', 'scroll'].includes(getComputedStyle(one).overflowX)
          && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0) {
        faults.push(name(one) + ' is ' + one.scrollWidth + ' of ' + one.clientWidth + ' wide');
      }
    }
"""
#: Where words are not whole: cut off without a way to read them, or on top of each other.
CUT = """
    for (const one of all('*')) {
      const style = getComputedStyle(one);
      if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
          && ['hidden', 'clip'].includes(style.overflowX) && one.textContent.trim()
          && !one.title && !one.querySelector('[title]')) {
        faults.push(name(one) + ' is cut off');
      }
      if (style.overflowX === 'visible' && !one.closest('svg') && one.childElementCount === 0
          && style.display === 'block' && one.clientWidth > 0
          && one.scrollWidth > one.clientWidth + 1) {
        faults.push(name(one) + ' is wider than its box');
      }
    }
    const boxes = [];
    const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const one = node.parentElement;
      if (!node.data.trim() || !one || !seen(one) || one.closest('svg, select')) { continue; }
      const range = document.createRange();
      range.selectNodeContents(node);
      let clip = {left: -1e6, top: -1e6, right: 1e6, bottom: 1e6};
      for (let at = one; at && at !== document.body; at = at.parentElement) {
        if (getComputedStyle(at).overflowX !== 'visible') {
          const box = at.getBoundingClientRect();
          clip = {left: Math.max(clip.left, box.left), top: Math.max(clip.top, box.top),
            right: Math.min(clip.right, box.right), bottom: Math.min(clip.bottom, box.bottom)};
        }
      }
      for (const r of range.getClientRects()) {
        const box = {left: Math.max(r.left, clip.left), right: Math.min(r.right, clip.right),
          top: Math.max(r.top, clip.top), bottom: Math.min(r.bottom, clip.bottom), one};
        if (box.right > box.left + 1 && box.bottom > box.top + 1) { boxes.push(box); }
      }
    }
    const floats = one => {
      for (let at = one; at && at !== scope; at = at.parentElement) {
        if (!['static', 'relative'].includes(getComputedStyle(at).position)) { return true; }
      }
      return false;
    };
    boxes.sort((a, b) => a.top - b.top);
    boxes.forEach((a, at) => {
      for (let next = at + 1; next < boxes.length && boxes[next].top < a.bottom - 4; next += 1) {
        const b = boxes[next];
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (a.one !== b.one && wide > 2 && high > 4 && !floats(a.one) && !floats(b.one)) {
          faults.push(name(a.one) + ' is written over ' + name(b.one));
        }
      }
    });
    const pen = document.createElement('canvas').getContext('2d');
    for (const one of all('input, select')) {
      const said = one.localName === 'select'
        ? one.selectedOptions.length && one.selectedOptions[0].text : one.placeholder;
      const style = getComputedStyle(one);
      pen.font = style.font;
      if (said && pen.measureText(said.trim()).width > one.clientWidth
          - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) + 1) {
        faults.push(name(one) + ' has no room for ' + said.trim());
      }
    }
    for (const one of all('.btn')) {
      if (one.closest('.mnt-menu')) { continue; }
      const line = parseFloat(getComputedStyle(one).lineHeight);
      const lines = Math.round((one.clientHeight - parseFloat(getComputedStyle(one).paddingTop)
        - parseFloat(getComputedStyle(one).paddingBottom)) / line);
      if (lines > arguments[1]) { faults.push(name(one) + ' has ' + lines + ' lines'); }
    }
"""
#: What is told by its ground alone, which a system with colours of its own takes away.
GROUND = """
    for (const one of all('.label, .mnt-meter, .progress, .btn, .form-control, .alert')) {
      if (one.matches('.btn-link')) { continue; }
      const style = getComputedStyle(one);
      if (style.borderTopStyle === 'none' || parseFloat(style.borderTopWidth) === 0) {
        faults.push(name(one) + ' has no outline');
      }
    }
    for (const one of all('.progress-bar, .mnt-meter > span')) {
      const ground = getComputedStyle(one).backgroundColor;
      const beside = getComputedStyle(one.parentElement).backgroundColor;
      if (one.getBoundingClientRect().width > 1 && ground === beside
          && getComputedStyle(one).backgroundImage === 'none') {
        faults.push(name(one) + ' looks like what it is in');
      }
    }
"""
#: What moves, or would as soon as it changed.
MOVES = """
    for (const one of all('*')) {
      const style = getComputedStyle(one);
      const long = text => text.split(',').some(each => parseFloat(each) > 0.01);
      if (long(style.transitionDuration) || style.animationName !== 'none'
          && long(style.animationDuration)) {
        faults.push(name(one) + ' moves: ' + style.transitionProperty + ' '
          + style.transitionDuration + ', ' + style.animationName);
      }
    }
"""
#: Nothing shows where the focus is.
UNFOCUSED = """
    const off = document.createElement('style');
    off.textContent = '* { transition: none !important }';
    document.head.append(off);
    const before = document.activeElement;
    const look = one => ['outlineStyle', 'outlineWidth', 'boxShadow', 'borderColor',
      'backgroundColor', 'textDecorationLine', 'color', 'backgroundImage', 'backgroundSize']
      .map(each => getComputedStyle(one)[each]).join();
    for (const one of all('a[href], button, input, select, textarea, summary, [tabindex="0"]')) {
      if (one.disabled || one.type === 'hidden') { continue; }
      one.blur();
      const blurred = look(one);
      one.focus({preventScroll: true, focusVisible: true});
      if (document.activeElement === one && look(one) === blurred) {
        faults.push(name(one) + ' does not show the focus');
      }
    }
    if (before) { before.focus({preventScroll: true}); }
    off.remove();
"""


def faults(window, script: str, scope: str, *more) -> list[str]:
    """What ``script`` finds wrong in ``scope`` as it is shown now, each fault once."""
    found = window.driver.execute_script(HEAD + script + "return faults;", scope, *more)
    return list(dict.fromkeys(found))


def emulate(window, width: int | None = None, zoom: float = 1, **features: str) -> None:
    """A window of ``width`` CSS pixels, and what the system of its user prefers."""
    if width:
        window.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": zoom, "mobile": False},
        )
    wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
