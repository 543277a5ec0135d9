// Long work and trying things out: pages that are looked at again, uploads, and the playground.
import { local, say } from './app.js';

const $ = (selector, within = document) => within.querySelector(selector);

for (const one of document.querySelectorAll('[data-with-script]')) one.hidden = false;

/** The same place of another page. */
const part = (html, id) => new DOMParser().parseFromString(html, 'text/html').getElementById(id);

// What is going on is looked at again until it has come to its end.
const again = () => {
  const old = $('[data-again]');
  if (!old) return;
  const look = async () => {
    if (document.hidden) return setTimeout(look, 1000);
    let fresh;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
      fresh = answer.ok ? part(await answer.text(), old.id) : null;
    } catch {
      fresh = null;
    }
    if (!fresh) return setTimeout(look, 5000);
    const focused = old.contains(document.activeElement);
    old.replaceWith(fresh);
    local(fresh);
    for (const one of fresh.querySelectorAll('[data-without-script]')) one.hidden = true;
    for (const one of fresh.querySelectorAll('[data-copy]')) one.hidden = false;
    if (focused) document.getElementById('main').focus();
    if (!fresh.dataset.again) say($('.status', fresh)?.textContent ?? 'Done');
    return again();
  };
  setTimeout(look, Number(old.dataset.again));
};
again();

// An upload tells how far it is.
$('[data-upload]')?.addEventListener('submit', (event) => {
  const form = event.target;
  event.preventDefault();
  const [bar, far, button] = [$('progress', form), $('[data-far]', form), $('button', form)];
  const request = new XMLHttpRequest();
  bar.hidden = false;
  button.disabled = true;
  const ended = (words) => {
    far.textContent = words;
    bar.hidden = true;
    button.disabled = false;
  };
  request.upload.addEventListener('progress', ({ loaded, total }) => {
    bar.max = total;
    bar.value = loaded;
    far.textContent = loaded < total ? `${Math.floor((loaded / total) * 100)} %` : 'Uploaded. Now it is checked…';
  });
  request.addEventListener('load', () => {
    const page = part(request.responseText, 'main');
    if (!page) return ended(`The server answered with ${request.status}. Try again.`);
    history.pushState(null, '', request.responseURL);
    document.getElementById('main').replaceWith(page);
    for (const one of page.querySelectorAll('[data-without-script]')) one.hidden = true;
    for (const one of page.querySelectorAll('[data-copy]')) one.hidden = false;
    local(page);
    document.title = `${$('h1', page)?.textContent.trim() ?? ''} · Hookwright`;
    ($('[data-focus]', page) ?? page).focus();
    say($('.flash, .problem', page)?.textContent.trim() ?? '');
    return again();
  });
  request.addEventListener('error', () => ended('The connection was lost. Try again.'));
  request.open('POST', form.action);
  request.send(new FormData(form));
});
window.addEventListener('popstate', () => location.reload());

// What is typed is run after a moment, and what came of it shown beside it.
const form = $('[data-try]');
if (form) {
  const place = document.getElementById(form.dataset.try);
  const pane = $('[data-pane]', place);
  let timer;
  let running;
  const tell = (words) => {
    const said = document.createElement('p');
    said.className = 'flash bad';
    said.textContent = words;
    pane.replaceChildren(said);
  };
  const run = async () => {
    clearTimeout(timer);
    running?.abort();
    running = new AbortController();
    place.setAttribute('aria-busy', 'true');
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, { method: 'POST', headers: { 'x-part': 'tried' }, body, signal: running.signal });
      const html = await answer.text();
      if (!answer.ok || answer.redirected) throw new Error(answer.redirected ? 'your session has ended; sign in again' : `the server answered with ${answer.status}`);
      const fresh = new DOMParser().parseFromString(html, 'text/html');
      pane.replaceChildren(...fresh.body.childNodes);
      say($('[data-say]', pane)?.dataset.say ?? '');
    } catch (error) {
      if (error.name === 'AbortError') return;
      tell(`It could not be run: ${error.message}.`);
    }
    place.removeAttribute('aria-busy');
  };
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(run, 300);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    run();
  });
}
