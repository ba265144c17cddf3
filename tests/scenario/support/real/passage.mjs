// Stands before a real service and hands everything on as it is; the answer to a change can be lost on its way.
import { createServer, request as ask } from 'node:http';

export class Passage {
  static async start(target) {
    const passage = new Passage();
    passage.effects = 0; // changes that were made
    passage.server = createServer((request, response) => passage.#hand(target, request, response));
    await new Promise((resolve) => passage.server.listen(0, '127.0.0.1', resolve));
    passage.url = `http://127.0.0.1:${passage.server.address().port}`;
    return passage;
  }

  // That of the next change that is made.
  cutChange() {
    this.isCutting = true;
  }

  #hand(target, request, response) {
    const isChange = !['GET', 'HEAD'].includes(request.method);
    const onward = ask(target + request.url, { method: request.method, headers: { ...request.headers, host: new URL(target).host } }, (answer) => {
      if (isChange && answer.statusCode < 300) {
        this.effects++;
        if (this.isCutting) {
          this.isCutting = false;
          answer.resume().on('end', () => request.socket.destroy());
          return;
        }
      }
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
