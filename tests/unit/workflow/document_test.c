/* What is wrong with a definition outside its tasks: one row per finding. */
#include "findings.h"

#define SET "do: [ { a: { set: { b: 1 } } } ]\n"

static const struct finding_row rows[] = {
    /* V01 */
    {"text that does not parse", "document: [ a\n", "V01", 2, 1, "not closed", "quotes"},
    {"a duplicate key", HEAD "do: []\ndo: []\n", "V01", 3, 1, "`do` is there twice", "keep one"},
    /* V02, V03 */
    {"another version of the DSL",
     "document: { dsl: '1.1.0', namespace: n, name: w, version: 1.0.0 }\n" SET, "V02", 1, 18,
     "not a version of the DSL", "dsl: '1.0.3'"},
    {"a version after 1.0.3",
     "document: { dsl: '1.0.4', namespace: n, name: w, version: 1.0.0 }\n" SET, "V02", 1, 18,
     "`1.0.4`", "1.0.3"},
    {"an old version of the DSL",
     "document: { dsl: '0.9', namespace: n, name: w, version: 1.0.0 }\n" SET, "V02", 1, 18,
     "another grammar", "1.0.3"},
    {"a number as version of the DSL",
     "document: { dsl: 1.0, namespace: n, name: w, version: 1.0.0 }\n" SET, "V02", 1, 18, "a text",
     "1.0.3"},
    {"no name", "document: { dsl: '1.0.3', namespace: n, version: 1.0.0 }\n" SET, "V03", 1, 11,
     "needs `name`", ""},
    {"no document", SET, "V06", 1, 1, "needs `document`", ""},
    {"a name that is no label",
     "document: { dsl: '1.0.3', namespace: n, name: my_flow, version: 1.0.0 }\n" SET, "V03", 1, 47,
     "`my_flow`", "63 characters"},
    {"a namespace that ends in a hyphen",
     "document: { dsl: '1.0.3', namespace: n-, name: w, version: 1.0.0 }\n" SET, "V03", 1, 38,
     "`n-`", "letters"},
    {"a version of two numbers",
     "document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0' }\n" SET, "V03", 1, 59,
     "three numbers", "version: '1.2.0'"},
    {"a version that is a number",
     "document: { dsl: '1.0.3', namespace: n, name: w, version: 1.0 }\n" SET, "V03", 1, 59,
     "three numbers", "1.2.0"},
    {"a name that is a number",
     "document: { dsl: '1.0.3', namespace: n, name: 7, version: 1.0.0 }\n" SET, "V03", 1, 47,
     "not a number", "quotes"},
    /* V04 */
    {"an unknown key at the top", HEAD SET "tmeout: { after: PT1S }\n", "V04", 3, 1,
     "`tmeout` is not a property of a workflow", "`timeout`"},
    {"a key of another tool", HEAD "steps: []\n" SET, "V04", 2, 1, "`steps`", "`do`"},
    {"an unknown key of the document",
     "document: { dsl: 1.0.3, namespace: n, name: w, version: 1.0.0, description: x }\n" SET, "V04",
     1, 64, "`description`", "`summary`"},
    {"an unknown key of metadata.tutti",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "priorty: 3 } }\n" SET,
     "V04", 6, 24, "`priorty`", "`priority`"},
    /* V05: known, and not supported yet */
    {"another language", HEAD SET "evaluate: { language: js }\n", "V05", 3, 23,
     "language `js` is not supported yet", "jq"},
    {"a mode that is none", HEAD SET "evaluate: { mode: lose }\n", "V06", 3, 19, "`lose`",
     "`loose`"},
    {"mode loose", HEAD SET "evaluate: { mode: loose }\n", "V43 w", 3, 19,
     "every text that happens", "`${ … }`"},
    {"a schedule by events", HEAD SET "schedule: { on: { one: { with: { type: a } } } }\n", "V05",
     3, 13, "`on` is not supported yet", ""},
    /* V17 */
    {"a schedule of nothing", HEAD SET "schedule: {}\n", "V17", 3, 11, "says nothing", "`cron`"},
    {"a schedule of two kinds", HEAD SET "schedule: { every: PT1H, after: PT1H }\n", "V17", 3, 11,
     "two kinds", "one of"},
    {"an impossible minute", HEAD SET "schedule: { cron: '61 * * * *' }\n", "V17", 3, 19,
     "minute 61", "five fields"},
    {"a day that never comes", HEAD SET "schedule: { cron: '0 0 30 2 *' }\n", "V17", 3, 19,
     "never comes", "five fields"},
    {"a cron that is a map", HEAD SET "schedule: { cron: {} }\n", "V06", 3, 19, "is a text", "0 9"},
    {"read without on", HEAD SET "schedule: { every: PT1H, read: data }\n", "V17", 3, 11,
     "nothing without `on`", ""},
    {"every no time at all", HEAD SET "schedule: { every: PT0S }\n", "V17", 3, 20,
     "at least a second", "PT1S"},
    {"a computed schedule", HEAD SET "schedule: { after: '${ .x }' }\n", "V17", 3, 20,
     "is not computed", ""},
    {"a schedule that is a text", HEAD SET "schedule: hourly\n", "V06", 3, 11, "is a map", ""},
    {"another word of a schedule", HEAD SET "schedule: { every: PT1H, delay: PT1H }\n", "V04", 3,
     26, "`delay`", "`after`"},
    {"a schedule whose starts are all one",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "idempotencyKey: '${ .x }' } }\n" SET "schedule: { every: PT1H }\n",
     "V17", 8, 11, "make all of them one", "leave one"},
    {"use.functions", HEAD SET "use: { functions: [] }\n", "V06", 3, 19, "a group of `use`", ""},
    {"use.extensions", HEAD SET "use: { extensions: {} }\n", "V06", 3, 20, "`extensions` is", ""},
    {"use.catalogs", HEAD SET "use: { catalogs: {} }\n", "V05", 3, 8, "not supported yet", ""},
    {"saga that is no boolean",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "saga: yes } }\n" SET,
     "V06", 6, 30, "`true` or `false`", ""},
    /* E7 on the document: nothing that differs from start to start */
    {"the run's id in a key of the document",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "idempotencyKey: '${ $workflow.id }' } }\n" SET,
     "V21", 6, 43, "sees only `$workflow.input`", ".order"},
    {"the whole of $workflow in a key of the document",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "idempotencyKey: '${ $workflow | tojson }' } }\n" SET,
     "V21", 6, 43, "sees only `$workflow.input`", ".order"},
    {"the context in a key of the document",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "idempotencyKey: '${ $context.x }' } }\n" SET,
     "V21", 6, 44, "`$context` is not available", "the input"},
    {"a key of the document that is no expression",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "idempotencyKey: once } }\n" SET,
     "V06", 6, 40, "an expression is needed", "${"},
    {"a schema from elsewhere",
     HEAD SET "input: { schema: { resource: { endpoint: 'https://a' } } }\n", "V05", 3, 20,
     "not supported yet", ""},
    {"a schema of another format", HEAD SET "input: { schema: { format: avro, document: {} } }\n",
     "V05", 3, 28, "`avro`", ""},
    /* V06 */
    {"tasks that are no list", HEAD "do: { a: { set: { b: 1 } } }\n", "V06", 2, 5, "are a list",
     "- "},
    {"no tasks", HEAD, "V06", 1, 1, "needs `do`", ""},
    {"a title that is a number",
     "document: { dsl: 1.0.3, namespace: n, name: w, version: 1.0.0, title: 7 }\n" SET, "V06", 1,
     71, "not a number", "quotes"},
    {"a schema without a document", HEAD SET "input: { schema: { format: json } }\n", "V06", 3, 18,
     "needs `document`", ""},
    {"a budget of nothing",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "budget: {} } }\n" SET,
     "V06", 6, 32, "`budget` needs", ""},
    {"a priority above 9",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "priority: 10 } }\n" SET,
     "V06", 6, 34, "not between 0 and 9", ""},
    {"money that is none",
     "document:\n  dsl: 1.0.3\n  namespace: n\n  name: w\n  version: 1.0.0\n  metadata: { tutti: { "
     "budget: { usd: '1.2.3' } } }\n" SET,
     "V06", 6, 39, "`usd`", ""},
    {"two kinds of backoff",
     HEAD SET "use: { retries: { r: { backoff: { constant: {}, linear: {} } } } }\n", "V06", 3, 33,
     "exactly one", "exponential"},
    {"a schema that is none", HEAD SET "input: { schema: { document: { type: strng } } }\n", "V06",
     3, 38, "in the schema", ""},
    /* V07 */
    {"a key that is nearly one", HEAD SET "timeout: { after: { minute: 1 } }\n", "V07", 3, 19,
     "unknown key `minute`", "`minutes`"},
    {"a short form", HEAD SET "timeout: { after: 5m }\n", "V07", 3, 19, "`5m`", "`PT5M`"},
    {"an empty duration", HEAD SET "timeout: { after: PT }\n", "V07", 3, 19, "`PT`", "PT30S"},
    {"a negative duration", HEAD SET "timeout: { after: { seconds: -1 } }\n", "V07", 3, 19,
     "negative", "PT30S"},
    {"a month", HEAD SET "timeout: { after: P1M }\n", "V07", 3, 19, "no fixed length", "P1D"},
    {"jitter the wrong way round",
     HEAD SET "use: { retries: { r: { jitter: { from: PT2S, to: PT1S } } } }\n", "V07", 3, 32,
     "longer", "swap"},
    /* V12, V13 */
    {"a policy named none", HEAD SET "use: { retries: { none: { delay: PT1S } } }\n", "V12", 3, 19,
     "`none`", "rename"},
    {"an unknown timeout", HEAD SET "timeout: PT5M\n", "V13", 3, 10,
     "no timeout `PT5M` in `use.timeouts`", "{ after: PT5M }"},
    /* V43 */
    {"a policy that nobody uses", HEAD SET "use: { retries: { r: { delay: PT1S } } }\n", "V43 w", 3,
     19, "nobody uses the retry `r`", "remove"},
};

int main(void)
{
    return run_findings("workflow document", rows, ARRAY_LEN(rows));
}
