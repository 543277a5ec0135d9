// A list that is watched. What is new is told; rows move only when somebody asks for it.
import { dress, say } from './app.js';

const bar = document.querySelector('[data-live-list]');
const button = bar?.querySelector('[data-live-show]');
const on = bar?.querySelector('[data-live-on]');
const PAUSE = 2000;
const key = (row) => row.querySelector('[data-open]')?.getAttribute('href');
const body = () => document.querySelector('table[data-rows] tbody');
const rows = (within) => [...within.querySelectorAll('table[data-rows] tbody tr')];

let stream = null;
let fresh = [];
let last = 0;
let planned = 0;

const look = async () => {
  planned = 0;
  last = Date.now();
  const first = new URL(location.href);
  first.searchParams.delete('cursor');
  const answer = await fetch(first, { headers: { accept: 'text/html' } }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  dress(page);
  const known = new Map(rows(document).map((row) => [key(row), row]));
  fresh = rows(page).filter((row) => !known.has(key(row)));
  for (const row of rows(page)) {
    // How it stands changes in place: the row, its tick and the focus stay.
    const here = known.get(key(row));
    if (!here || here.contains(document.activeElement)) continue;
    [...row.cells].forEach((cell, index) => {
      const old = here.cells[index];
      if (!cell.matches('.tickbox') && old && old.innerHTML !== cell.innerHTML) old.replaceWith(cell.cloneNode(true));
    });
  }
  const was = button.hidden;
  button.hidden = !fresh.length;
  button.textContent = `${fresh.length >= 50 ? '50 or more' : fresh.length} new, show`;
  if (was && fresh.length) say(button.textContent);
  if (on.checked && rows(document).some((row) => row.querySelector('.status.busy'))) plan();
};
const plan = () => {
  if (planned || document.hidden) return;
  planned = setTimeout(look, Math.max(0, last + PAUSE - Date.now()));
};
const start = () => {
  if (stream || !on.checked) return;
  stream = new EventSource('/live');
  stream.addEventListener('deliveries', plan);
};
const end = () => { stream?.close(); stream = null; };

if (bar) {
  bar.hidden = false;
  on.addEventListener('change', () => { if (on.checked) { start(); plan(); } else end(); });
  button.addEventListener('click', () => {
    const into = body();
    if (!into || new URL(location.href).searchParams.has('cursor')) {
      const first = new URL(location.href);
      first.searchParams.delete('cursor');
      location.assign(first);
      return;
    }
    into.prepend(...fresh);
    fresh[0]?.querySelector('[data-open]')?.focus();
    say(`${fresh.length} added at the top`);
    fresh = [];
    button.hidden = true;
  });
  // A tab that nobody sees costs nothing.
  document.addEventListener('visibilitychange', () => { if (document.hidden) end(); else { start(); plan(); } });
  window.addEventListener('pagehide', end);
  window.addEventListener('pageshow', start);
  start();
  plan();
}
