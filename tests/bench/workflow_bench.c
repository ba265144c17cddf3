/*
 * What it costs to register a workflow: a definition of 200 lines parsed, validated and compiled,
 * and what is made of it afterwards.
 *
 * Prints the best of several rounds, so that other work on the machine disturbs least: a row of
 * milliseconds and what they are of. Goal: 5 ms for the whole.
 */
#include "base/arena.h"
#include "base/assert.h"
#include "workflow/graph.h"
#include "workflow/plan.h"
#include "yaml/yaml.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 60, BLOCKS = 12, TEXT_MAX = 64 << 10 };

static const char head[] =
    "document:\n"
    "  dsl: '1.0.3'\n"
    "  namespace: bench\n"
    "  name: workflow\n"
    "  version: '1.0.0'\n"
    "input:\n"
    "  schema:\n"
    "    document: { type: object, required: [ items ] }\n"
    "use:\n"
    "  retries:\n"
    "    calm: { delay: PT1S, backoff: { exponential: {} }, limit: { attempt: "
    "{ count: 3 } } }\n"
    "do:\n";

/* 16 lines each: a call, a switch, a loop, and nine expressions. */
static const char block[] =
    "  - fetch%d:\n"
    "      if: .items | length > %d\n"
    "      try:\n"
    "        - get: { call: http, with: { method: GET, endpoint: 'https://example.com/{id}', "
    "query: { q: '${ .name | ascii_downcase }' } } }\n"
    "      catch: { errors: { with: { status: 503 } }, retry: calm }\n"
    "      output: { as: '${ { id: .id, total: ([ .rows[].price ] | add) } }' }\n"
    "  - choose%d:\n"
    "      switch:\n"
    "        - large: { when: '.total > 100 and (.id | startswith(\"x\"))', then: each%d }\n"
    "        - rest: { then: continue }\n"
    "  - each%d:\n"
    "      for: { each: item, in: '${ $workflow.input.items | map(select(.n > 3)) }' }\n"
    "      do:\n"
    "        - make: { set: { name: '${ \"\\($item.name) no. \\($index)\" }', sum: '${ "
    "$steps.fetch%d.total + ($item.n // 0) }' } }\n"
    "      metadata: { tutti: { parallel: 4 } }\n"
    "      export: { as: '${ $context + { last: . } }' }\n";

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void text_make(struct buf *text)
{
    (void)buf_put_text(text, head);
    for (int i = 0; i < BLOCKS; i++) (void)buf_printf(text, block, i, i, i, i, i, i);
}

static unsigned lines_of(str text)
{
    unsigned lines = 0;
    for (size_t i = 0; i < text.len; i++) lines += text.ptr[i] == '\n';
    return lines;
}

static double read_ms(str text, bool is_portable)
{
    const struct workflow_sources sources = {.is_portable = is_portable};
    double best                           = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start                    = now_ms();
        struct arena *arena             = arena_new(8 << 20);
        struct diagnostics *list        = diagnostics_new(arena);
        const struct workflow *workflow = NULL;
        status code                     = workflow_read_with(text, &sources, list, &workflow, NULL);
        ASSERT(code == STATUS_OK);
        workflow_unref(workflow);
        arena_free(arena);
        double spent = now_ms() - start;
        if (spent < best) best = spent;
    }
    return best;
}

static double parse_ms(str text)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start                   = now_ms();
        struct yaml_document *document = NULL;
        status code                    = yaml_parse(text, NULL, &document, NULL);
        ASSERT(code == STATUS_OK);
        yaml_document_free(document);
        double spent = now_ms() - start;
        if (spent < best) best = spent;
    }
    return best;
}

static double graph_ms(const struct workflow *workflow, enum graph_format format)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start                     = now_ms();
        CLEANUP(buf_done) struct buf out = buf_init(GRAPH_SIZE_MAX);
        status code                      = graph_print(workflow, format, NULL, &out, NULL);
        ASSERT(code == STATUS_OK);
        double spent = now_ms() - start;
        if (spent < best) best = spent;
    }
    return best;
}

static double plan_ms(const struct workflow *workflow)
{
    static const struct plan_defaults defaults = {};
    double best                                = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ms();
        json_unref(plan_new(workflow, &defaults));
        double spent = now_ms() - start;
        if (spent < best) best = spent;
    }
    return best;
}

int main(void)
{
    CLEANUP(buf_done) struct buf made = buf_init(TEXT_MAX);
    text_make(&made);
    str text                                                 = buf_str(&made);
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(8 << 20);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    struct error why                                         = {};
    status code = workflow_read(text, diagnostics_new(arena), &workflow, &why);
    if (code != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    (void)printf("%u lines, %u tasks\n", lines_of(text), workflow->task_count);
    (void)printf("%.3f parse_yaml\n", parse_ms(text));
    (void)printf("%.3f read\n", read_ms(text, false));
    (void)printf("%.3f read_portable\n", read_ms(text, true));
    (void)printf("%.3f plan\n", plan_ms(workflow));
    (void)printf("%.3f graph_json\n", graph_ms(workflow, GRAPH_JSON));
    (void)printf("%.3f graph_mermaid\n", graph_ms(workflow, GRAPH_MERMAID));
    (void)printf("%.3f graph_svg\n", graph_ms(workflow, GRAPH_SVG));
    return 0;
}
