// Small definitions that several scenarios share.

// One HTTP call, `\${ .url }`, whose answer is the run's output.
export const FETCH = `
document: { dsl: '1.0.3', namespace: default, name: fetch, version: '1.0.0' }
do:
  - get: { call: http, with: { method: get, endpoint: '\${ .url }' } }
`;

// One HTTP call after the other: \${ .url }/<run's key>/<step>, so that the server can count each.
export const steps = (count) => `
document: { dsl: '1.0.3', namespace: default, name: steps, version: '1.0.0' }
do:
${Array.from({ length: count }, (_, i) => `  - step${i}: { call: http, with: { method: post, endpoint: '\${ "\\($workflow.input.url)/\\($workflow.input.key)/${i}" }', body: {} } }`).join('\n')}
output: { as: '\${ $workflow.input.key }' }
`;
