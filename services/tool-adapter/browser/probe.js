// What a step looks for on a page, and what it does there without a mouse or keyboard (page_probe.h).
//
// What may be done to an element is what Playwright asks for (playwright.dev/docs/actionability): it is visible (has a box, and is not hidden),
// stable (the box stays for a frame), enabled, for `fill` editable, and for a click what a click at its middle reaches. Beyond that exactly one
// visible element has to match: what is done here may not be undone.
//
// A page cannot change this: it has objects and prototypes of its own. What a document can put in the place of its functions are names
// (`<form name=querySelectorAll>`), so those are taken from the prototype. A secret is set in the turn in which the host was looked at: between
// two turns the page may be another.
async (ask) => {
  const of = Document.prototype;
  const done = { next: 'done' };
  const boxOf = (one) => [...one.getClientRects()].find(({ width, height }) => width > 0 && height > 0);
  const isShown = (one) => boxOf(one) && getComputedStyle(one).visibility === 'visible';
  const words = (one) => one ? '<' + [one.localName, one.id && '#' + one.id, ...[...one.classList].map((name) => '.' + name)].filter(Boolean).join('').slice(0, 4000) + '>' : 'nothing';
  // `of` is the page's own and is cut where it is known what must not be seen.
  const again = (seen, one) => ({ next: 'again', seen, of: one && words(one) }), wrong = (seen, one) => ({ next: 'wrong', seen, of: one && words(one) });
  const frame = () => new Promise((next) => { requestAnimationFrame(next); setTimeout(next, 200); });
  const changed = (one) => { one.dispatchEvent(new InputEvent('input', { bubbles: true, composed: true })); one.dispatchEvent(new Event('change', { bubbles: true })); return done; };
  if (!ask.selector) { scrollBy({ top: ask.count, behavior: 'instant' }); return done; }
  let all;
  try { all = [...of.querySelectorAll.call(document, ask.selector)].slice(0, 1000); } catch { return wrong('the browser does not know this selector'); }
  const shown = all.filter(isShown);
  if (ask.kind === 'wait_for') {
    const isThere = [shown.length > 0, shown.length === 0, all.length > 0][ask.state];
    return isThere ? done : again(all.length + ' match, ' + shown.length + ' of them visible');
  }
  if (all.length === 0) return again('nothing matches');
  if (shown.length === 0) return again('it is not visible');
  if (shown.length > 1) return wrong(shown.length + ' visible elements match: name one of them');
  const [one] = shown;
  one.scrollIntoViewIfNeeded(true);
  if (ask.kind === 'scroll') { one.scrollIntoView({ behavior: 'instant' }); return done; }
  const first = boxOf(one);
  await frame();
  const box = boxOf(one);
  if (!first || !box || ['left', 'top', 'width', 'height'].some((side) => first[side] !== box[side])) return again('it moves');
  if (one.matches(':disabled') || one.closest('[aria-disabled="true"]')) return again('it is disabled');
  if (ask.kind === 'click') {
    const x = (Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2, y = (Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2;
    let hit = of.elementFromPoint.call(document, x, y);
    for (let inner = hit; (inner = inner?.shadowRoot?.elementFromPoint(x, y)) && inner !== hit;) hit = inner;
    const label = hit?.closest('label');
    for (let at = hit; at; at = at.parentNode ?? at.host) if (at === one) return { next: 'click', x, y };
    if (label && label.control === one) return { next: 'click', x, y };
    return hit ? again(' covers it', hit) : again('it is outside of the window');
  }
  if (ask.kind === 'select') {
    if (!(one instanceof HTMLSelectElement)) return wrong(' is no <select>', one);
    const options = [...one.options];
    const wanted = ask.value.map((value) => options.find((option) => option.value === value) ?? options.find((option) => option.label.trim() === value));
    if (wanted.includes(undefined)) return again('it has no such option (value ' + wanted.indexOf(undefined) + ')');
    if (!one.multiple && wanted.length !== 1) return wrong('it takes one value');
    for (const option of options) option.selected = wanted.includes(option);
    return changed(one);
  }
  const isInput = one instanceof HTMLInputElement, isField = isInput || one instanceof HTMLTextAreaElement;
  if (ask.kind !== 'press') {
    if (one.readOnly) return again('it is read-only');
    if (isInput ? ['button', 'checkbox', 'file', 'hidden', 'image', 'radio', 'reset', 'submit'].includes(one.type) : !isField && !one.isContentEditable) return wrong(' is no field for text', one);
  }
  if (ask.kind === 'fill' && isField && (ask.hosts || ['color', 'date', 'datetime-local', 'month', 'range', 'time', 'week'].includes(one.type))) {
    if (ask.hosts && !ask.hosts.some((host) => host.toLowerCase() === location.hostname)) return wrong('`secret_hosts` of the connection does not name the host of this page');
    const proto = isInput ? HTMLInputElement.prototype : HTMLTextAreaElement.prototype;
    one.focus();
    Object.getOwnPropertyDescriptor(proto, 'value').set.call(one, ask.text);
    return one.value === '' && ask.text !== '' ? wrong('it does not take this value') : changed(one);
  }
  if (ask.hosts) return wrong('a secret is filled into an <input> or <textarea> alone');
  one.focus();
  if (ask.kind === 'fill') isField ? one.select() : getSelection().selectAllChildren(one);
  if (ask.kind === 'type' && !isField) { getSelection().selectAllChildren(one); getSelection().collapseToEnd(); }
  if (ask.kind === 'type' && isField) { try { one.setSelectionRange(one.value.length, one.value.length); } catch { /* types without a selection begin at their end */ } }
  return one.matches(':focus') || one.matches(':focus-within') ? { next: 'write' } : again('it does not take the focus');
}
