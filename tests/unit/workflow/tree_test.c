/* What a definition becomes: the tree that the engine walks. */
#include "findings.h"
#include "json/json_text.h"

#define SECOND INT64_C(1'000'000)

static const struct task *task_at(const struct workflow *workflow, const char *reference)
{
    const struct task *task = workflow_task_at(workflow, str_from(reference));
    if (!task) fail_msg("no %s", reference);
    assert_ptr_equal(task, &workflow->tasks[task->index]);
    return task;
}

static void the_document(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w =
        read_text("document:\n  dsl: 1.0.0\n  namespace: Team-1\n  name: w\n  version: 1.2.0-rc.1\n"
                  "  title: A title\n  summary: x\n  tags: { a: b }\n"
                  "  metadata: { other: { any: thing }, tutti: { priority: 7,"
                  " budget: { usd: '0.50', tokens: 1000 } } }\n"
                  "timeout: { after: PT1H }\ndo: []\n");
    assert_string_equal(w->namespace_, "Team-1");
    assert_string_equal(w->name, "w");
    assert_string_equal(w->version, "1.2.0-rc.1");
    assert_string_equal(w->title, "A title");
    assert_int_equal(w->priority, 7);
    assert_int_equal(w->budget.usd_nanos, 500'000'000);
    assert_int_equal(w->budget.tokens, 1'000);
    assert_int_equal(w->timeout.us, 3'600 * SECOND);
    assert_int_equal(w->task_count, 0);
    assert_int_equal(w->root.count, 0);
}

static void defaults(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w = read_text(TASKS "- a: { set: { b: 1 } }\n");
    assert_string_equal(w->title, "");
    assert_int_equal(w->priority, PRIORITY_DEFAULT);
    assert_int_equal(w->budget.usd_nanos, 0);
    assert_int_equal(w->timeout.us, 0);
    assert_null(w->timeout.computed);
    const struct task *a = task_at(w, "/do/0/a");
    assert_int_equal(a->kind, TASK_SET);
    assert_int_equal(a->parent, TASK_NONE);
    assert_int_equal(a->line, 3);
    assert_int_equal(a->column, 3);
    assert_null(a->condition);
    assert_null(a->input_from);
    assert_int_equal(a->then.kind, FLOW_CONTINUE);
    assert_true(a->weight == 1);
    assert_int_equal(a->priority, PRIORITY_INHERIT);
    assert_false(a->has_own_retry);
    assert_false(a->is_output_kept);
    assert_int_equal(a->set->kind, TEMPLATE_CONSTANT);
}

/* Preorder, so that an index is a place in the document. */
static void tasks_stand_in_document_order(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w =
        read_text(TASKS "- a:\n"
                        "    do:\n"
                        "      - b: { fork: { branches: [ { c: { set: { x: 1 } } },"
                        " { d: { set: { x: 1 } } } ] } }\n"
                        "      - e: { set: { x: 1 } }\n"
                        "- f:\n"
                        "    try: [ { g: { set: { x: 1 } } } ]\n"
                        "    catch: { do: [ { h: { set: { x: 1 } } } ] }\n"
                        "- i: { for: { in: .x }, do: [ { j: { set: { x: 1 } } } ] }\n");
    static const struct {
        const char *reference;
        task_index parent;
        uint32_t position;
    } wanted[] = {
        {"/do/0/a", TASK_NONE, 0},
        {"/do/0/a/do/0/b", 0, 0},
        {"/do/0/a/do/0/b/fork/branches/0/c", 1, 0},
        {"/do/0/a/do/0/b/fork/branches/1/d", 1, 1},
        {"/do/0/a/do/1/e", 0, 1},
        {"/do/1/f", TASK_NONE, 1},
        {"/do/1/f/try/0/g", 5, 0},
        {"/do/1/f/catch/do/0/h", 5, 0},
        {"/do/2/i", TASK_NONE, 2},
        {"/do/2/i/do/0/j", 8, 0},
    };
    assert_int_equal(w->task_count, ARRAY_LEN(wanted));
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_string_equal(w->tasks[i].reference, wanted[i].reference);
        assert_int_equal(w->tasks[i].index, i);
        assert_int_equal(w->tasks[i].parent, wanted[i].parent);
        assert_int_equal(w->tasks[i].position, wanted[i].position);
    }
    assert_int_equal(w->root.count, 3);
    assert_int_equal(w->root.tasks[2], 8);
    assert_int_equal(w->tasks[1].fork.branches.tasks[1], 3);
    assert_int_equal(w->tasks[5].try_.handler.tasks[0], 7);
    assert_true(w->tasks[5].try_.has_handler);
    assert_null(workflow_task_at(w, str_from("/do/3/x")));
}

static void references_are_escaped(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena          = arena_new(8 << 20);
    struct diagnostics *list                          = diagnostics_new(arena);
    CLEANUP(workflow_unrefp) const struct workflow *w = NULL;
    assert_int_equal(workflow_read(str_from(TASKS "- a/b~c: { wait: PT1S }\n"), list, &w, NULL),
                     STATUS_OK);
    assert_string_equal(w->tasks[0].name, "a/b~c");
    assert_string_equal(w->tasks[0].reference, "/do/0/a~1b~0c");
}

static void flow(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w =
        read_text(TASKS "- a: { switch: [ { x: { when: .x, then: c } }, { y: { then: exit } } ] }\n"
                        "- b: { set: { x: 1 }, then: end }\n"
                        "- c: { try: [], catch: { then: b }, then: continue }\n"
                        "- d: { set: { x: 1 }, then: b }\n");
    const struct task *a = &w->tasks[0];
    assert_int_equal(a->choice.case_count, 2);
    assert_string_equal(a->choice.cases[0].name, "x");
    assert_non_null(a->choice.cases[0].when);
    assert_int_equal(a->choice.cases[0].then.kind, FLOW_GOTO);
    assert_int_equal(a->choice.cases[0].then.position, 2);
    assert_null(a->choice.cases[1].when);
    assert_int_equal(a->choice.cases[1].then.kind, FLOW_EXIT);
    assert_int_equal(w->tasks[1].then.kind, FLOW_END);
    assert_true(w->tasks[2].try_.has_then);
    assert_int_equal(w->tasks[2].try_.then.position, 1);
    assert_false(w->tasks[2].try_.has_handler);
    assert_int_equal(w->tasks[3].then.position, 1);
}

static void loops(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w =
        read_text(TASKS "- a: { for: { in: .x }, do: [] }\n"
                        "- b:\n"
                        "    for: { each: row, at: n, in: [ 1, '${ .x }' ] }\n"
                        "    while: $row != null and $n < 3\n"
                        "    do: [ { c: { set: { x: '${ $row }' } } } ]\n"
                        "    metadata: { tutti: { parallel: 1000 } }\n");
    const struct for_body *a = &w->tasks[0].loop;
    assert_string_equal(a->each, "item");
    assert_string_equal(a->at, "index");
    assert_int_equal(a->in->kind, TEMPLATE_EXPRESSION);
    assert_int_equal(a->parallel, 0);
    assert_int_equal(a->body.count, 0);
    const struct for_body *b = &w->tasks[1].loop;
    assert_int_equal(b->in->kind, TEMPLATE_ARRAY);
    assert_int_equal(b->parallel, 1'000);
    assert_int_equal(b->while_->scope_count, 2);
    assert_string_equal(b->while_->scope[0].name, "row");
    assert_int_equal(b->while_->scope[0].kind, SCOPE_ITEM);
    assert_int_equal(b->while_->scope[1].task, 1);
    assert_int_equal(b->while_->scope[1].kind, SCOPE_INDEX);

    const struct expression *inner = w->tasks[2].set->items[0]->expression;
    assert_int_equal(inner->variables_used, 1U << VARIABLE_STANDARD_COUNT);
    assert_string_equal(inner->source, " $row ");
    assert_int_equal(inner->line, 7);
}

static void catches(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w =
        read_text(HEAD "use:\n"
                       "  retries:\n"
                       "    r:\n"
                       "      when: $problem.status > 400\n"
                       "      delay: { seconds: 2 }\n"
                       "      backoff: { exponential: { multiplier: 1.5, maxDelay: PT1M } }\n"
                       "      jitter: { from: PT0S, to: '${ .jitter }' }\n"
                       "      limit: { attempt: { count: 3, duration: PT5S }, duration: PT1M }\n"
                       "do:\n"
                       "- a:\n"
                       "    try: [ { b: { call: llm.chat, with: { model: m, prompt: p } } } ]\n"
                       "    catch:\n"
                       "      errors: { with: { type: 'https://x', status: 503, details: d } }\n"
                       "      as: problem\n"
                       "      when: $problem.title\n"
                       "      exceptWhen: .x\n"
                       "      retry: r\n"
                       "      do: [ { c: { set: { x: '${ $problem }' } } } ]\n");
    const struct try_body *a = &w->tasks[0].try_;
    assert_string_equal(a->as, "problem");
    assert_string_equal(a->with.type, "https://x");
    assert_int_equal(a->with.status, 503);
    assert_string_equal(a->with.detail, "d");
    assert_non_null(a->when);
    assert_non_null(a->except_when);
    assert_non_null(a->retry->when);
    assert_int_equal(a->retry->delay.us, 2 * SECOND);
    assert_int_equal(a->retry->backoff, BACKOFF_EXPONENTIAL);
    assert_int_equal(a->retry->multiplier_percent, 150);
    assert_int_equal(a->retry->delay_max.us, 60 * SECOND);
    assert_int_equal(a->retry->jitter_from.us, 0);
    assert_non_null(a->retry->jitter_to.computed);
    assert_int_equal(a->retry->retries_max, 3);
    assert_int_equal(a->retry->attempt_duration.us, 5 * SECOND);
    assert_int_equal(a->retry->total_duration.us, 60 * SECOND);
    assert_int_equal(w->tasks[1].call.has_default_retry, false);
}

static void the_job_default(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w =
        read_text(TASKS "- chat: { call: 'llm.chat:1@default', with: { model: m, prompt: p } }\n"
                        "- http: { call: http, with: { method: GET, endpoint: 'https://x' } }\n"
                        "- none: { call: llm.chat, with: { model: m, prompt: p }, metadata: { "
                        "tutti: { retry: none } } }\n"
                        "- own: { call: llm.chat, with: { model: m, prompt: p }, metadata: { "
                        "tutti: { retry: { delay: PT1S } } } }\n"
                        "- tried: { try: [ { in: { call: llm.chat, with: { model: m, prompt: p } } "
                        "} ], catch: { do: [] } }\n");
    const struct task *chat = task_at(w, "/do/0/chat");
    assert_true(chat->call.has_default_retry);
    assert_string_equal(chat->call.function, "llm.chat");
    assert_string_equal(chat->call.queue, "llm");
    const struct task *http = task_at(w, "/do/1/http");
    assert_false(http->call.has_default_retry);
    assert_string_equal(http->call.queue, "tools");
    const struct task *none = task_at(w, "/do/2/none");
    assert_true(none->has_own_retry);
    assert_null(none->retry);
    assert_false(none->call.has_default_retry);
    assert_int_equal(task_at(w, "/do/3/own")->retry->delay.us, SECOND);
    assert_true(task_at(w, "/do/4/tried/try/0/in")->call.has_default_retry);
}

/* What an expression hides is checked when it is known. */
static void arguments_may_be_expressions(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w = read_text(
        TASKS
        "- a: { call: llm.chat, with: { model: '${ .m }', messages: '${ .l }', temperature: '${ .t "
        "}',"
        " tools: [ { x: '${ .y }' } ], schema: { enum: '${ .e }' }, json: '${ .j }' } }\n"
        "- b: { call: llm.chat, with: { assistant: a, messages: [ { role: '${ .r }' } ] } }\n");
    assert_int_equal(w->tasks[0].call.with->kind, TEMPLATE_OBJECT);
    assert_int_equal(w->tasks[1].call.with->kind, TEMPLATE_OBJECT);
}

static void events(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w = read_text(
        TASKS
        "- a:\n"
        "    listen:\n"
        "      read: envelope\n"
        "      to:\n"
        "        all:\n"
        "          - with: { type: 'order[.].*', data: '${ .x > 3 }', source: 'C++', count: 3 }\n"
        "            correlate: { run: { from: .subject, expect: '${ $workflow.id }' }, k: { from: "
        ".data.k } }\n"
        "          - with: { type: other }\n"
        "- b: { listen: { to: { any: [] } } }\n"
        "- c: { emit: { event: { with: { type: t, data: { x: '${ .x }' } } } } }\n");
    const struct listen_body *a = &w->tasks[0].listen;
    assert_int_equal(a->to.mode, LISTEN_ALL);
    assert_int_equal(a->read, LISTEN_ENVELOPE);
    assert_int_equal(a->to.filter_count, 2);
    const struct event_filter *first = &a->to.filters[0];
    assert_int_equal(first->attribute_count, 4);
    assert_string_equal(first->attributes[0].name, "type");
    assert_non_null(first->attributes[0].pattern);
    assert_non_null(first->attributes[1].expr);
    assert_int_equal(first->attributes[1].literal.kind, JSON_INVALID);
    assert_int_equal(first->attributes[3].literal.kind, JSON_INT);
    assert_null(first->attributes[3].pattern);
    assert_int_equal(first->correlation_count, 2);
    assert_string_equal(first->correlations[0].name, "run");
    assert_non_null(first->correlations[0].expect);
    assert_null(first->correlations[1].expect);
    assert_int_equal(w->tasks[1].listen.to.mode, LISTEN_ANY);
    assert_int_equal(w->tasks[1].listen.to.filter_count, 0);
    assert_int_equal(w->tasks[1].listen.read, LISTEN_DATA);
    assert_int_equal(w->tasks[2].emit->kind, TEMPLATE_OBJECT);
}

static void approvals(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w = read_text(
        TASKS "- a:\n"
              "    listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 } } } }\n"
              "    timeout: { after: PT24H }\n"
              "    metadata:\n"
              "      tutti:\n"
              "        phase: Review\n"
              "        weight: 2.5\n"
              "        priority: 0\n"
              "        approval: { title: Publish?, approvers: [ 'team:a', me ], payload: { x: '${ "
              ".x }' },"
              " editable: true, form: { type: object } }\n");
    const struct task *a = &w->tasks[0];
    assert_string_equal(a->phase, "Review");
    assert_true(a->weight > 2.4 && a->weight < 2.6);
    assert_int_equal(a->priority, 0);
    assert_int_equal(a->timeout.us, 86'400 * SECOND);
    const struct approval_rule *approval = a->listen.approval;
    assert_int_equal(approval->approvers->kind, TEMPLATE_CONSTANT);
    assert_int_equal(json_count(approval->approvers->constant), 2);
    assert_true(approval->is_editable);
    assert_int_equal(approval->payload->kind, TEMPLATE_OBJECT);
    assert_int_equal(approval->form->kind, TEMPLATE_CONSTANT);
    assert_int_equal(approval->title->kind, TEMPLATE_CONSTANT);
}

static void named_definitions(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w = read_text(
        HEAD "use:\n"
             "  timeouts: { soon: { after: '${ .t }' } }\n"
             "  errors: { bad: { type: 'https://bad', status: 409, title: '${ .x }' } }\n"
             "  authentications: { me: { basic: { username: u, password: '${ .p }' } } }\n"
             "timeout: { after: PT1S }\n"
             "do:\n"
             "- a: { call: http, with: { method: get, endpoint: { uri: 'https://x/{id}', "
             "authentication: { use: me } } }, timeout: soon }\n"
             "- b: { raise: { error: bad } }\n");
    const struct task *a = &w->tasks[0];
    assert_non_null(a->timeout.computed);
    const struct template *with = a->call.with;
    assert_int_equal(with->kind, TEMPLATE_OBJECT);
    CLEANUP(json_unrefp) json keys = json_to_text_new(with->keys);
    assert_string_equal(json_str(keys).ptr, "[\"method\",\"endpoint\",\"authentication\"]");
    assert_int_equal(with->items[1]->kind, TEMPLATE_URI);
    const struct error_template *raised = &w->tasks[1].raise;
    assert_int_equal(raised->type->kind, TEMPLATE_CONSTANT);
    assert_int_equal(raised->title->kind, TEMPLATE_EXPRESSION);
    assert_null(raised->detail);
}

/* --- identity ----------------------------------------------------------------------------------
 */

static void the_source_reads_back(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *w =
        read_text(TASKS "- b: &x { set: { z: 1, a: [ 1.0, '${ .x }' ] } }\n- c: *x\n");
    CLEANUP(json_unrefp) json source                      = workflow_source_new(w);
    CLEANUP(workflow_unrefp) const struct workflow *again = read_text(json_str(source).ptr);
    assert_memory_equal(w->digest, again->digest, SHA256_SIZE);
    assert_int_equal(again->task_count, 2);

    CLEANUP(workflow_unrefp)
    const struct workflow *other = read_text(TASKS "- b: { set: { z: 2 } }\n");
    assert_memory_not_equal(w->digest, other->digest, SHA256_SIZE);
}

static void references_count(void **state)
{
    (void)state;
    const struct workflow *w = read_text(TASKS "- a: { wait: PT1S }\n");
    assert_ptr_equal(workflow_ref(w), w);
    workflow_unref(w);
    assert_int_equal(w->tasks[0].wait.us, SECOND);
    workflow_unref(w);
    workflow_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document),
        cmocka_unit_test(defaults),
        cmocka_unit_test(tasks_stand_in_document_order),
        cmocka_unit_test(references_are_escaped),
        cmocka_unit_test(flow),
        cmocka_unit_test(loops),
        cmocka_unit_test(catches),
        cmocka_unit_test(the_job_default),
        cmocka_unit_test(arguments_may_be_expressions),
        cmocka_unit_test(events),
        cmocka_unit_test(approvals),
        cmocka_unit_test(named_definitions),
        cmocka_unit_test(the_source_reads_back),
        cmocka_unit_test(references_count),
    };
    return cmocka_run_group_tests_name("workflow tree", tests, NULL, NULL);
}
