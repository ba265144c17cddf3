// A model at an OpenAI-compatible endpoint that says the next word when the test says so, and counts what it was asked.
import { createServer } from 'node:http';

const chunk = (delta, finish = null) => `data: ${JSON.stringify({ id: 'p1', object: 'chat.completion.chunk', created: 1, model: 'paced', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

export class PacedModel {
  static async start() {
    const model = new PacedModel();
    model.asked = []; // bodies
    model.calls = []; // answers that have not ended: the latest last
    model.status = 200;
    model.server = createServer((message, answer) => {
      let body = '';
      message.on('data', (data) => (body += data));
      message.on('end', () => model.#take(JSON.parse(body), answer));
    });
    await new Promise((resolve) => model.server.listen(0, '127.0.0.1', resolve));
    model.url = `http://127.0.0.1:${model.server.address().port}`;
    return model;
  }

  #take(body, answer) {
    this.asked.push(body);
    if (this.status !== 200) {
      answer.writeHead(this.status, { 'content-type': 'application/json' });
      answer.end('{"error":{"message":"no"}}');
      return;
    }
    if (body.stream) {
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      answer.flushHeaders();
    }
    const call = { body, answer, isOpen: true };
    answer.on('close', () => {
      call.isOpen = false;
      this.calls.splice(this.calls.indexOf(call), 1);
    });
    this.calls.push(call);
  }

  get open() {
    return this.calls.length;
  }

  // Of the latest call.
  say(text) {
    this.calls.at(-1).answer.write(chunk({ content: text }));
  }

  // Ends it: with the last words, if it is a stream, or with `text` as the whole answer.
  end(text = '') {
    const { answer, body } = this.calls.at(-1);
    if (body.stream) {
      answer.end(`${chunk({}, 'stop')}data: {"id":"p1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\ndata: [DONE]\n\n`);
    } else {
      answer.setHeader('content-type', 'application/json');
      answer.end(JSON.stringify({ id: 'p1', object: 'chat.completion', created: 1, model: 'paced', choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }], usage: { prompt_tokens: 5, completion_tokens: 7 } }));
    }
  }

  // A route `paced` to it alone, with prices; `llm` is more of the section.
  config(llm = {}) {
    return {
      llm: {
        providers: { paced: { type: 'openai-compatible', base_url: `${this.url}/v1` } },
        prices: { 'paced/paced': { input: '1', output: '10' } },
        routes: { paced: { targets: [{ model: 'paced/paced' }], retry: { attempts: 1 } } },
        ...llm,
      },
    };
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
