// What pages can do when scripts are on. Without it every form still works.
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

/** Tells whoever listens to the page instead of looking at it. */
export const say = (text) => {
  const said = $('#said');
  if (said) said.textContent = text;
};

const SHOWN_WITH_SCRIPT = '[data-copy], [data-show], [data-palette], [data-with-script]';
export const dress = (within) => {
  for (const one of $$('[data-without-script]', within)) one.hidden = true;
  for (const one of $$(SHOWN_WITH_SCRIPT, within)) one.hidden = false;
  local(within);
};

// Times also in the zone of whoever looks.
const zone = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
export const local = (within) => {
  for (const time of $$('time[datetime]', within)) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) time.title = `${zone.format(at)} here\n${time.title}`;
  }
};
dress(document);

// A part of a page is asked for with the form as it stands, and put in its place: the server makes the same page as without
// scripts, and only that part of it is taken.
let latest = 0;
const ask = async (form, fields, part) => {
  const mine = (latest += 1);
  const place = document.getElementById(part);
  place?.classList.add('busy-now');
  try {
    const answer = await fetch(form.action, { method: 'POST', body: new URLSearchParams(fields), headers: { accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const made = page.getElementById(part);
    if (!made) {
      // A page of its own: signed out meanwhile, refused, or done.
      if (answer.redirected) location.assign(answer.url); else fail($('main', page)?.textContent);
      return;
    }
    if (mine !== latest && !form.matches('[action$="/trigger"], [action$="/test"]')) return;
    dress(made);
    const here = document.getElementById(part);
    if (here) here.replaceWith(made); else result(made);
  } catch {
    fail('The server does not answer. Nothing is known of what was asked for.');
  } finally {
    place?.classList.remove('busy-now');
  }
};

const fail = (text) => result(element('p', { className: 'error', role: 'alert' }, (text ?? '').trim() || 'It was refused.'));
const result = (made) => {
  const box = dialog('Result', (into) => {
    const close = element('button', { className: 'button', type: 'button' }, 'Close');
    close.addEventListener('click', () => into.close());
    into.append(made, close);
  });
  box.classList.add('result');
};

document.addEventListener('submit', async (event) => {
  const button = event.submitter;
  if (event.defaultPrevented || !button?.dataset.part) return;
  event.preventDefault();
  button.disabled = true;
  const fields = new FormData(event.target);
  if (button.name) fields.append(button.name, button.value);
  await ask(event.target, fields, button.dataset.part);
  button.disabled = false;
  if (document.contains(button)) button.focus();
});

let waiting = 0;
const typed = (field, wait) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const fields = new FormData(field.form);
    fields.append('do', field.dataset.live);
    ask(field.form, fields, field.dataset.part);
  }, wait);
};
document.addEventListener('input', (event) => {
  if (event.target.matches('input[data-live], textarea[data-live]')) typed(event.target, 500);
  const narrow = event.target.closest('[data-narrow]');
  if (narrow) {
    const text = narrow.value.trim().toLowerCase();
    for (const group of $$('.group', $(narrow.dataset.narrow))) {
      const picks = $$('.pick', group);
      for (const pick of picks) pick.hidden = !pick.textContent.toLowerCase().includes(text);
      group.hidden = picks.every((pick) => pick.hidden);
    }
  }
});
document.addEventListener('change', (event) => {
  if (event.target.matches('select[data-live]')) typed(event.target, 0);
  if (event.target.matches('[data-all]')) {
    for (const box of $$('tbody input[type="checkbox"]')) box.checked = event.target.checked;
  }
});

// Empty filters do not stand in the URL.
document.addEventListener('formdata', (event) => {
  if (!event.target.matches('[data-tidy]')) return;
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
});

// What was typed is not lost by a slip.
let changed = false;
for (const form of $$('form[data-guard]')) {
  form.addEventListener('input', () => { changed = true; });
  form.addEventListener('submit', (event) => { if (!event.defaultPrevented) changed = false; });
}
window.addEventListener('beforeunload', (event) => { if (changed) event.preventDefault(); });

// Long work is looked at again by itself.
const refresh = async (id) => {
  const here = document.getElementById(id);
  if (!here?.dataset.refresh) return;
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
  const made = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById(id);
  if (!made) return;
  dress(made);
  here.replaceWith(made);
  if (made.dataset.refresh) setTimeout(() => refresh(id), 1000); else location.reload();
};
for (const one of $$('[data-refresh]')) setTimeout(() => refresh(one.id), 1000);

document.addEventListener('click', async (event) => {
  const copy = event.target.closest('[data-copy]');
  if (copy) {
    await navigator.clipboard?.writeText(copy.dataset.copy);
    say('Copied');
    copy.dataset.done = '';
  }
  const show = event.target.closest('[data-show]');
  if (show) {
    const field = document.getElementById(show.dataset.show);
    const shown = field.type === 'password';
    field.type = shown ? 'text' : 'password';
    show.textContent = shown ? 'Hide' : 'Show';
    show.setAttribute('aria-pressed', String(shown));
  }
  if (event.target.closest('[data-palette]')) palette();
});

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-submit]')) event.target.form.requestSubmit();
});

// What destroys is asked about first; the words stand in the page.
document.addEventListener('submit', (event) => {
  const words = event.submitter?.dataset.confirm;
  if (words && !window.confirm(words)) event.preventDefault();
});

$('[data-focus]')?.focus();

// Keys.
const dialog = (title, fill) => {
  const box = document.createElement('dialog');
  box.className = 'dialog';
  box.setAttribute('aria-label', title);
  fill(box);
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
};

const element = (name, attributes = {}, ...children) => {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
};

const palette = () => {
  if ($('dialog[open]')) return;
  const links = $$('.side a').map((link) => ({ words: link.textContent.trim(), href: link.href }));
  links.push({ words: 'My account', href: '/account' });
  for (const link of $$('.head a.button, [data-command]')) links.push({ words: link.textContent.trim(), href: link.href });
  dialog('Go to', (box) => {
    const input = element('input', { type: 'text', ariaLabel: 'Go to', placeholder: 'Go to a page, or type an id' });
    const list = element('ul', { className: 'choices' });
    input.setAttribute('role', 'combobox');
    input.setAttribute('aria-expanded', 'true');
    list.id = 'palette-list';
    list.setAttribute('role', 'listbox');
    input.setAttribute('aria-controls', list.id);
    let at = 0;
    const places = { evt: 'events', whk: 'webhooks', dlv: 'deliveries', job: 'jobs', sch: 'schedules' };
    const found = () => {
      const text = input.value.trim();
      const place = places[text.split('_')[0]];
      const byId = /^[a-z]{3}_\w+$/.test(text) && place ? [{ words: `Open ${text}`, href: `/${place}/${text}` }] : [];
      return [...byId, ...links.filter((link) => link.words.toLowerCase().includes(text.toLowerCase()))];
    };
    const draw = () => {
      const all = found();
      at = Math.max(0, Math.min(at, all.length - 1));
      list.replaceChildren(...all.map((link, index) => {
        const item = element('li', { id: `choice-${index}` }, element('a', { href: link.href, tabIndex: -1 }, link.words));
        item.setAttribute('role', 'option');
        item.setAttribute('aria-selected', String(index === at));
        return item;
      }));
      if (all.length) input.setAttribute('aria-activedescendant', `choice-${at}`);
      else list.replaceChildren(element('li', { className: 'quiet' }, 'Nothing is called that'));
      $('[aria-selected="true"]', list)?.scrollIntoView({ block: 'nearest' });
    };
    input.addEventListener('input', () => { at = 0; draw(); });
    input.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowDown') at += 1;
      else if (event.key === 'ArrowUp') at -= 1;
      else if (event.key === 'Enter') { const to = found()[at]; if (to) location.assign(to.href); } else return;
      event.preventDefault();
      draw();
    });
    box.append(input, list);
    draw();
  });
};

const help = () => {
  if ($('dialog[open]')) return;
  const keys = [
    ['?', 'this list'], ['/', 'search or filter'], ['j  k', 'next and previous row'], ['Enter  o', 'open the row'],
    ['x', 'choose the row'], ['r', 'retry'], ['t', 'test or trigger'], ['e', 'edit'], ['Ctrl K', 'go to a page'], ['Esc', 'close'],
    ...$$('.side a[data-go]').map((link) => [`g ${link.dataset.go}`, link.textContent.trim()]),
  ];
  dialog('Keys', (box) => {
    const close = element('button', { className: 'button', type: 'button' }, 'Close');
    close.addEventListener('click', () => box.close());
    const list = element('dl', { className: 'keys' });
    for (const [key, words] of keys) list.append(element('dt', {}, element('kbd', {}, key)), element('dd', {}, words));
    box.append(element('h2', {}, 'Keys'), list, element('p', { className: 'quiet' }, 'They can be switched off in My account.'), close);
  });
};

const rows = () => $$('table[data-rows] tbody tr').filter((row) => $('[data-open]', row));
const row = () => rows().find((one) => one.contains(document.activeElement));
const move = (by) => {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(row());
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
  $('[data-open]', next).focus();
};

let going = 0;
document.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    if (!$('.side')) return;
    event.preventDefault();
    palette();
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') {
    event.target.closest?.('form')?.requestSubmit();
    return;
  }
  const typing = event.target.closest?.('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]');
  if (!('keys' in document.body.dataset) || typing || event.ctrlKey || event.metaKey || event.altKey || $('dialog[open]')) return;
  const done = () => event.preventDefault();
  if (going && Date.now() - going < 1500) {
    going = 0;
    const link = $$('.side a[data-go]').find((one) => one.dataset.go === event.key);
    if (link) { done(); link.click(); }
    return;
  }
  const press = (name) => {
    const button = $(`[data-key="${name}"]`, row() ?? document) ?? $(`main [data-key="${name}"]`);
    if (button) { done(); button.focus(); button.click(); }
  };
  switch (event.key) {
    case 'g': going = Date.now(); break;
    case '?': done(); help(); break;
    case '/': { const field = $('[data-search]') ?? $('main input[type="search"]'); if (field) { done(); field.focus(); } break; }
    case 'j': case 'k': {
      done();
      const step = event.key === 'j' ? '[data-next]' : '[data-previous]';
      if (rows().length) move(event.key === 'j' ? 1 : -1); else $(step)?.click();
      break;
    }
    case 'o': { const link = row() && $('[data-open]', row()); if (link) { done(); link.click(); } break; }
    case 'x': { const box = row() && $('input[type="checkbox"]', row()); if (box) { done(); box.click(); } break; }
    case 'r': case 't': case 'e': press(event.key); break;
    default:
  }
});
