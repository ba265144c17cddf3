// Reads a PNG of eight bits per channel as the standard says (W3C PNG, sections 5, 7, 9): its size and the colours of its pixels.
import assert from 'node:assert/strict';
import { inflateSync } from 'node:zlib';

const CHANNELS = { 2: 3, 6: 4 };

function paeth(a, b, c) {
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

export function readPng(bytes) {
  assert.equal(bytes.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n');
  const data = [];
  for (let at = 8; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    if (bytes.subarray(at + 4, at + 8).toString() === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + size));
    at += size + 12;
  }
  const [width, height, depth, kind] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes[24], bytes[25]];
  assert.equal(depth, 8);
  const step = CHANNELS[kind];
  const line = width * step;
  const raw = inflateSync(Buffer.concat(data));
  const pixels = Buffer.alloc(line * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (line + 1)];
    for (let x = 0; x < line; x++) {
      const at = y * line + x;
      const left = x >= step ? pixels[at - step] : 0;
      const up = y > 0 ? pixels[at - line] : 0;
      const corner = x >= step && y > 0 ? pixels[at - line - step] : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      pixels[at] = raw[y * (line + 1) + 1 + x] + guess;
    }
  }
  return { width, height, colour: (x, y) => pixels.subarray(y * line + x * step, y * line + x * step + 3).toString('hex') };
}
