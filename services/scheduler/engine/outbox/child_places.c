/* Where a child run goes: which version of its workflow, in which partition; and what it takes. */
#include "scheduler/engine/commands/start_key.h"
#include "scheduler/engine/engine_internal.h"
#include "schema/schema.h"

status engine_resolve(struct engine *engine, const struct workflow_name *name,
                      const struct workflow **ret_workflow, struct error *reterr)
{
    struct definitions *definitions = engine->options.definitions;
    if (engine->partition->index == 0) {
        return definitions_resolve_within(definitions, engine->txn, name, ret_workflow, reterr);
    }
    struct store *system = engine->options.system_store;
    if (system) return definitions_resolve(definitions, system, name, ret_workflow, reterr);
    return fail(reterr, STATUS_UNAVAILABLE, "the system partition is not here");
}

static status check_input(struct engine *engine, const struct workflow *workflow, json input,
                          struct error *reterr)
{
    if (!workflow->input_schema) return STATUS_OK;
    struct error why = {};
    status fits      = schema_check(workflow->input_schema, input, engine->arena, NULL, &why);
    if (fits == STATUS_OK) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s/%s:%s: input: %s", workflow->namespace_,
                workflow->name, workflow->version, why.text);
}

status engine_key_of(struct engine *engine, const struct workflow *workflow, json input,
                     str *ret_key, struct error *reterr)
{
    return start_key_eval(workflow, input, engine->now_us, engine->options.limits.expressions,
                          engine->arena, ret_key, reterr);
}

static bool is_reached(const struct engine *engine, uint16_t partition)
{
    const struct engine_options *options = &engine->options;
    if (partition == engine->partition->index) return true;
    return options->has_partition && options->has_partition(partition, options->neighbours);
}

/* The owner of the key, if the workflow has one, and be it away for the moment: the order waits for
 * it. Else any that can be reached now. */
static status choose_partition(struct engine *engine, const struct workflow *workflow, json input,
                               uint16_t *ret_partition, struct error *reterr)
{
    uint16_t count = engine->partition->count;
    str key        = {};
    TRY(engine_key_of(engine, workflow, input, &key, reterr));
    if (key.len > 0) {
        *ret_partition = start_key_partition(workflow, key, count);
        return STATUS_OK;
    }
    uint16_t drawn = (uint16_t)(prng_next(&engine->random) % count);
    *ret_partition = is_reached(engine, drawn) ? drawn : engine->partition->index;
    return STATUS_OK;
}

static status version_copy(const struct workflow *workflow, size_t size, char *ret_version,
                           struct error *reterr)
{
    size_t len = strlen(workflow->version);
    if (len >= size) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the version of %s is too long",
                    workflow->name);
    }
    memcpy(ret_version, workflow->version, len + 1);
    return STATUS_OK;
}

static status find_place(const struct child_wish *wish, struct child_place *ret_place,
                         struct error *reterr, void *context)
{
    struct engine *engine           = context;
    const struct workflow_name name = {
        .namespace = wish->namespace, .name = wish->name, .version = wish->version};
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    TRY(engine_resolve(engine, &name, &workflow, reterr));
    TRY(check_input(engine, workflow, wish->input, reterr));
    TRY(choose_partition(engine, workflow, wish->input, &ret_place->partition, reterr));
    return version_copy(workflow, sizeof ret_place->version, ret_place->version, reterr);
}

static json text_member(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) && json_str(value).len > 0 ? value : json_invalid();
}

static status describe(const struct child_wish *wish, struct child_description *ret_description,
                       struct error *reterr, void *context)
{
    const struct workflow_name name = {
        .namespace = wish->namespace, .name = wish->name, .version = wish->version};
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    TRY(engine_resolve(context, &name, &workflow, reterr));
    TRY(version_copy(workflow, sizeof ret_description->version, ret_description->version, reterr));
    json document = json_get_text(workflow->document, "document");
    json schema   = json_get_text(json_get_text(workflow->document, "input"), "schema");
    json summary  = text_member(document, "summary");
    if (summary.kind == JSON_INVALID) summary = text_member(document, "title");
    ret_description->schema  = json_ref(json_get_text(schema, "document"));
    ret_description->summary = json_ref(summary);
    return STATUS_OK;
}

struct child_places engine_child_places(struct engine *engine)
{
    return (struct child_places){.find = find_place, .describe = describe, .context = engine};
}
