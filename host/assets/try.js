// Trying things out: uploads that tell how far they are, and the playground, which runs what one types.
import { dress, say } from './app.js';

const $ = (selector, within = document) => within.querySelector(selector);
const read = (html) => new DOMParser().parseFromString(html, 'text/html');

const upload = $('[data-upload]');
upload?.addEventListener('submit', (event) => {
  event.preventDefault();
  const [bar, far, button] = [$('progress', upload), $('[data-far]', upload), $('button', upload)];
  const request = new XMLHttpRequest();
  const ended = (words) => {
    far.textContent = words;
    bar.hidden = true;
    button.disabled = false;
  };
  bar.hidden = false;
  button.disabled = true;
  request.upload.addEventListener('progress', ({ loaded, total }) => {
    bar.max = total;
    bar.value = loaded;
    far.textContent = loaded < total ? `${Math.floor((loaded / total) * 100)} %` : 'Uploaded. Now it is checked…';
  });
  request.addEventListener('load', () => {
    const main = $('main', read(request.responseText));
    if (!main) return ended(`The server answered with ${request.status}. Try again.`);
    dress(main);
    ended('');
    if (new URL(request.responseURL).pathname !== location.pathname) {
      // What it tells is told once, so its page is shown as it came; one that goes on changing is loaded.
      if ($('[data-refresh]', main)) return location.assign(request.responseURL);
      history.pushState(null, '', request.responseURL);
      document.title = `${$('h1', main).textContent.trim()} · Hookwright`;
      $('main').replaceWith(main);
      say($('.flash', main)?.textContent.trim() ?? '');
      main.focus();
      return undefined;
    }
    // The same page says at which step it was refused.
    for (const old of document.querySelectorAll('[data-refused]')) old.remove();
    const told = [...main.querySelectorAll('[data-refused]')];
    $('main .head').after(...told);
    told[0]?.focus();
    return undefined;
  });
  request.addEventListener('error', () => ended('The connection was lost. Try again.'));
  request.open('POST', upload.action);
  request.send(new FormData(upload));
});

window.addEventListener('popstate', () => location.reload());

const form = $('[data-try]');
if (form) {
  const place = document.getElementById(form.dataset.try);
  let pane = $('[data-pane]', place);
  let timer;
  let running;
  const fail = (words) => {
    const told = Object.assign(document.createElement('p'), { className: 'flash bad', textContent: words });
    told.setAttribute('role', 'alert');
    pane.replaceChildren(told);
  };
  const run = async () => {
    clearTimeout(timer);
    running?.abort();
    running = new AbortController();
    place.setAttribute('aria-busy', 'true');
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, { method: 'POST', headers: { accept: 'text/html' }, body, signal: running.signal });
      const made = $('[data-pane]', read(await answer.text()));
      if (!made) throw new Error(answer.redirected ? 'your session has ended; sign in again' : `the server answered with ${answer.status}`);
      dress(made);
      pane.replaceWith(made);
      pane = made;
      say($('[data-say]', pane)?.dataset.say ?? '');
    } catch (error) {
      if (error.name === 'AbortError') return;
      fail(error instanceof TypeError ? 'It could not be run: the server does not answer.' : `It could not be run: ${error.message}.`);
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
