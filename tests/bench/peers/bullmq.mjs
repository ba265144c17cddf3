// The workflows of the engine bench for BullMQ. It has no steps; nearest to one is an awaited
// updateProgress(), which is written, but which a second attempt would have to read by itself.
// Started in the folder whose node_modules has the packages:
//   node bullmq.mjs work REDIS_PORT             does the jobs
//   node bullmq.mjs serve REDIS_PORT HTTP_PORT  POST /step1, /step10: adds a job, answers its result
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Queue, QueueEvents, Worker } = createRequire(`${process.cwd()}/`)("bullmq");
const [mode, redisPort, httpPort] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(redisPort) };
const name = "bench";

async function doSteps(job) {
  let result;
  for (let step = 1; step <= job.data.steps; step++) {
    result = { result: `result-${step}` };
    if (job.data.steps > 1) await job.updateProgress(result);
  }
  return result;
}

if (mode === "work") {
  new Worker(name, doSteps, { connection, concurrency: 256 });
} else {
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  const waiting = new Map(); // job id to the response that waits for it
  let number = 0;
  events.on("completed", ({ jobId, returnvalue }) => {
    const response = waiting.get(jobId);
    waiting.delete(jobId);
    response?.writeHead(200, { "Content-Type": "application/json" });
    response?.end(JSON.stringify(returnvalue));
  });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  createServer((request, response) => {
    request.resume();
    request.on("end", async () => {
      const jobId = `j${process.pid}-${number++}`;
      waiting.set(jobId, response);
      await queue.add("run", { steps: request.url === "/step10" ? 10 : 1 }, { jobId });
    });
  }).listen(Number(httpPort), "127.0.0.1");
}
