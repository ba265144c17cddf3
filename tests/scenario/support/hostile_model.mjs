// A model at an OpenAI-compatible endpoint that does everything wrong; the model's name says what.
import { createServer } from 'node:http';

const chunk = (delta, more = {}) => `data: ${JSON.stringify({ id: 'h1', object: 'chat.completion.chunk', created: 1, model: 'hostile', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`;
const ROLE = chunk({ role: 'assistant', content: '' });
const FINISH = `data: ${JSON.stringify({ id: 'h1', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`;
const ERROR = `data: ${JSON.stringify({ error: { message: 'the model is overloaded', type: 'overloaded_error' } })}\n\n`;
const PIECE = 'x'.repeat(1000);

const modes = {
  fine: ({ say, end }) => { say(chunk({ content: 'all is well' })); say(FINISH); say('data: [DONE]\n\n'); end(); },
  'cut-before': ({ say, cut }) => { say(ROLE); cut(); },
  'error-before': ({ say, end }) => { say(ROLE); say(ERROR); end(); },
  'malformed-before': ({ say, end }) => { say(ROLE); say('data: {"choices":[{"del\n\n'); end(); },
  empty: ({ say, end }) => { say(ROLE); say('data: [DONE]\n\n'); end(); },
  'ping-only': ({ say, every }) => { say(ROLE); every(20, ': ping\n\n'); },
  silent: () => {},
  chatter: ({ pour }) => pour(': ' + PIECE + '\n\n'),
  'cut-after': ({ say, cut }) => { say(ROLE); say(chunk({ content: 'so far' })); cut(); },
  'error-after': ({ say, end }) => { say(chunk({ content: 'so far' })); say(ERROR); end(); },
  stall: ({ say }) => { say(chunk({ content: 'so far' })); },
  endless: ({ say, every }) => { say(chunk({ content: 'so far' })); every(5, chunk({ content: ' more' })); },
  drip: ({ drip }) => drip(ROLE + chunk({ content: 'drop by drop é' }) + FINISH + 'data: [DONE]\n\n'),
  huge: ({ say, pour }) => { say(chunk({ content: 'so far' })); pour('data: ' + PIECE); },
  unended: ({ say, end }) => { say(chunk({ content: 'no done' })); say(FINISH); end(); },
  flood: ({ pour }) => pour(chunk({ content: PIECE.repeat(16) })),
  crlf: ({ say, end }) => {
    say(`: hello\r\n\r\n${ROLE}${chunk({ content: 'a', secret: 1 }, { unknown: { kept: true }, usage: { prompt_tokens: 3, completion_tokens: 1 } })}${FINISH}`.replaceAll('\n', '\r\n'));
    say('data: {"id":"h1","choices":[],\rdata: "usage":{"prompt_tokens":3,"completion_tokens":7}}\r\rdata: [DONE]\r\r');
    end();
  },
};

export class HostileModel {
  static async start() {
    const model = new HostileModel();
    model.open = new Map(); // mode -> connections that are open
    model.asked = [];
    model.sent = 0; // bytes poured
    model.server = createServer((message, answer) => {
      let body = '';
      message.on('data', (data) => (body += data));
      message.on('end', () => model.answer(JSON.parse(body), answer));
    });
    await new Promise((resolve) => model.server.listen(0, '127.0.0.1', resolve));
    model.url = `http://127.0.0.1:${model.server.address().port}`;
    return model;
  }

  answer(body, answer) {
    const mode = body.model;
    let timer;
    this.asked.push(body);
    this.open.set(mode, this.count(mode) + 1);
    answer.on('close', () => {
      clearInterval(timer);
      this.open.set(mode, this.count(mode) - 1);
    });
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.flushHeaders();
    const pour = (text) => {
      while (!answer.destroyed) {
        this.sent += text.length;
        if (!answer.write(text)) {
          answer.once('drain', () => pour(text));
          return;
        }
      }
    };
    modes[mode]({
      say: (text) => answer.write(text),
      end: () => answer.end(),
      cut: () => setImmediate(() => answer.destroy()),
      every: (ms, text) => (timer = setInterval(() => answer.write(text), ms)),
      drip: (text) => {
        const bytes = Buffer.from(text);
        let at = 0;
        timer = setInterval(() => (at < bytes.length ? answer.write(bytes.subarray(at, ++at)) : answer.end()), 1);
      },
      pour,
    });
  }

  count(mode) {
    return this.open.get(mode) ?? 0;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
