#include "scheduler/engine/commands/start_key.h"

#include "base/assert.h"
#include "scheduler/engine/partition.h"

/* `$workflow` before there is a run: its input only, which the reader has checked (V21). */
static json variable_get(enum variable variable, const struct scope_variable *, void *context)
{
    return variable == VARIABLE_WORKFLOW ? *(const json *)context : json_invalid();
}

status start_key_eval(const struct workflow *workflow, json input, int64_t now_us,
                      const struct expr_limits *limits, struct arena *arena, str *ret_key,
                      struct error *reterr)
{
    *ret_key = (str){};
    if (!workflow->idempotency_key) return STATUS_OK;
    CLEANUP(json_unrefp)
    json given = json_is(input, JSON_INVALID) ? json_object_new(0) : json_ref(input);
    CLEANUP(json_unrefp) json start = json_object_new(1);
    json_object_put_text(&start, "input", json_ref(given));

    struct error why                 = {};
    CLEANUP(json_unrefp) json key    = json_invalid();
    const struct variables variables = {
        .get = variable_get, .context = &start, .now_us = now_us, .limits = limits};
    if (template_eval(workflow->idempotency_key, given, &variables, &key, &why) != STATUS_OK) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "the workflow's idempotencyKey: %s", why.text);
    }
    str text = json_is(key, JSON_TEXT) ? json_str(key) : (str){};
    if (text.len == 0 || text.len > START_KEY_MAX) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "the workflow's idempotencyKey: needs a text of 1 to %d bytes for this "
                         "input",
                         START_KEY_MAX);
    }
    char *copy = arena_strdup(arena, text);
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for a key");
    *ret_key = (str){copy, text.len};
    return STATUS_OK;
}

uint16_t start_key_partition(const struct workflow *workflow, str key, uint16_t count)
{
    char text[WORKFLOW_NAME_MAX + 1 + START_KEY_MAX];
    size_t name_len = strlen(workflow->name);
    ASSERT(key.len > 0 && key.len <= START_KEY_MAX);
    ASSERT(name_len <= WORKFLOW_NAME_MAX);
    memcpy(text, workflow->name, name_len);
    text[name_len] = '\x1f';
    memcpy(text + name_len + 1, key.ptr, key.len);
    return partition_of_text(str_from(workflow->namespace_), (str){text, name_len + 1 + key.len},
                             count);
}
