// The workflows of the engine bench for Restate: one and ten durable steps, each a short text.
// Started in the folder whose node_modules has the SDK: node restate.mjs PORT
import { createRequire } from "node:module";

const { serve, service } = createRequire(`${process.cwd()}/`)("@restatedev/restate-sdk");

const durableSteps = (count) => async (context) => {
  let result;
  for (let step = 1; step <= count; step++) {
    result = await context.run(`s${step}`, () => ({ result: `result-${step}` }));
  }
  return result;
};

await serve({
  services: [
    service({ name: "bench", handlers: { step1: durableSteps(1), step10: durableSteps(10) } }),
  ],
  port: Number(process.argv[2]),
});
