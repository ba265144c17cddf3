// Pages as people's sites have them, with a robots.txt.
import { Refusal } from './world.mjs';

const page = (text) => ({ text, headers: { 'content-type': 'text/html; charset=utf-8' } });

export const website = {
  name: 'web',
  base: null, // it goes where it is told
  seed() {},
  allows: () => true,
  refuse: ({ status }) => ({ status, text: 'no such page', headers: { 'content-type': 'text/plain' } }),
  routes: {
    'GET /robots.txt': () => ({ text: 'User-agent: *\nDisallow: /private\n', headers: { 'content-type': 'text/plain' } }),
    'GET /': () => page('<!doctype html><title>Rival</title><h1>Wheels</h1><h2>That roll</h2><a href="/more">More</a>'),
    'GET /more': () => page('<!doctype html><title>More</title><h1>More wheels</h1>'),
    'GET /gone': () => { throw new Refusal(404, 'gone'); },
  },
};
