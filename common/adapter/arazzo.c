/* Workflows of Arazzo as actions with steps. */
#include "adapter/arazzo.h"

#include "adapter/arazzo_internal.h"
#include "base/assert.h"
#include "base/attr.h"
#include "json/json_pointer.h"

#include <string.h>

enum { ARENA_MAX = 32 << 20, POINTER_MAX = 4 << 10 };

/* --- inputs ----------------------------------------------------------------------------------- */

static void put_inputs(struct skeleton *skeleton, json inputs)
{
    struct buf *out = skeleton->import.out;
    json properties = skeleton->scope.inputs;
    json required   = json_get_text(inputs, "required");
    char names[ARAZZO_INPUTS_MAX][IMPORT_NAME_SIZE];
    size_t count = json_is(properties, JSON_OBJECT) ? json_count(properties) : 0;
    if (count > ARAZZO_INPUTS_MAX) {
        skeleton_say(skeleton, SEVERITY_ERROR, "inputs", "there are more than %d",
                     ARAZZO_INPUTS_MAX);
        return;
    }
    (void)buf_put_text(out, count == 0 ? "    params: {}\n" : "    params:\n      properties:\n");
    for (size_t i = 0; i < count; i++) {
        import_name(json_key_at(properties, i), "value", names[i]);
        bool is_taken = strcmp(names[i], "connection") == 0;
        for (size_t k = 0; k < i; k++) is_taken = is_taken || strcmp(names[i], names[k]) == 0;
        if (is_taken) {
            skeleton_say(skeleton, SEVERITY_ERROR, "inputs",
                         "the parameter `%s` would be another one's: rename the input", names[i]);
        }
        (void)buf_printf(out, "        %s: ", names[i]);
        import_put_schema(out, openapi_resolve(skeleton->root, json_value_at(properties, i)));
        (void)buf_put_byte(out, '\n');
    }
    if (count == 0) return;
    const char *comma = "";
    (void)buf_put_text(out, "      required: [");
    for (size_t i = 0; i < count; i++) {
        if (!import_is_in_list(required, json_key_at(properties, i))) continue;
        (void)buf_printf(out, "%s%s", comma, names[i]);
        comma = ", ";
    }
    (void)buf_put_text(out, "]\n");
}

/* --- steps ------------------------------------------------------------------------------------ */

/* Each once, at most as many as an action has; false: that was said. */
static bool check_steps(struct skeleton *skeleton, json steps)
{
    char names[ARAZZO_STEPS_MAX][IMPORT_NAME_SIZE];
    size_t count = json_is(steps, JSON_ARRAY) ? json_count(steps) : 0;
    if (count == 0 || count > ARAZZO_STEPS_MAX) {
        skeleton_say(skeleton, SEVERITY_ERROR, "steps",
                     "an action has 1 to %d steps: anything longer is a workflow of tutti",
                     ARAZZO_STEPS_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        import_name(openapi_text(json_at(steps, i), "stepId"), "step", names[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(names[i], names[k]) != 0) continue;
            skeleton_say(skeleton, SEVERITY_ERROR, "steps", "two steps would be `%s`: rename one",
                         names[i]);
            return false;
        }
    }
    return true;
}

static void put_steps(struct skeleton *skeleton, json workflow)
{
    json steps  = json_get_text(workflow, "steps");
    size_t back = skeleton_enter(skeleton, "steps");
    (void)buf_put_text(skeleton->import.out, "    steps:\n");
    for (size_t i = 0; i < json_count(steps); i++) {
        size_t of_one              = skeleton_enter_index(skeleton, i);
        skeleton->scope.step_count = i;
        skeleton_put_step(skeleton, workflow, json_at(steps, i));
        skeleton_leave(skeleton, of_one);
    }
    skeleton->scope.step_count = json_count(steps);
    skeleton_leave(skeleton, back);
}

/* --- workflows -------------------------------------------------------------------------------- */

/* The worst of its steps, as far as their methods say. */
static const char *effect_of(struct skeleton *skeleton, json steps)
{
    static const char *const ranks[] = {"read", "create", "update", "delete"};
    size_t worst                     = 0;
    const char *below                = NULL;
    for (size_t i = 0; i < json_count(steps); i++) {
        if (skeleton_find(skeleton, json_at(steps, i), &below, NULL) != STATUS_OK) continue;
        const char *effect = import_effect_of(skeleton->operation->method);
        for (size_t k = worst + 1; k < ARRAY_LEN(ranks); k++) {
            if (strcmp(effect, ranks[k]) == 0) worst = k;
        }
    }
    return ranks[worst];
}

static void put_example(struct skeleton *skeleton, json inputs)
{
    struct buf *out   = skeleton->import.out;
    json required     = json_get_text(inputs, "required");
    json properties   = skeleton->scope.inputs;
    const char *comma = "";
    (void)buf_put_text(out, "    example: {params: {");
    for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < json_count(properties); i++) {
        char name[IMPORT_NAME_SIZE];
        if (!import_is_in_list(required, json_key_at(properties, i))) continue;
        import_name(json_key_at(properties, i), "value", name);
        (void)buf_printf(out, "%s%s: ", comma, name);
        import_put_example_value(out,
                                 openapi_resolve(skeleton->root, json_value_at(properties, i)));
        comma = ", ";
    }
    (void)buf_put_text(out, "}}\n");
}

static void put_head(struct skeleton *skeleton, json workflow, const char *name, const char *effect)
{
    struct buf *out = skeleton->import.out;
    str summary     = import_words(openapi_text(workflow, "summary"));
    if (summary.len == 0) summary = import_words(openapi_text(workflow, "description"));
    (void)buf_printf(out, "\n  %s:\n    summary: ", name);
    import_put_text(out, summary.len > 0 ? summary : str_from(name));
    (void)buf_printf(out, "\n    effect: %s          # guessed from the methods\n", effect);
}

static void put_workflow(struct skeleton *skeleton, json workflow, const char *name)
{
    static const char *const skipped[] = {"dependsOn", "successActions", "failureActions"};
    struct buf *out                    = skeleton->import.out;
    json inputs  = openapi_resolve(skeleton->root, json_get_text(workflow, "inputs"));
    json steps   = json_get_text(workflow, "steps");
    json outputs = json_get_text(workflow, "outputs");
    if (!check_steps(skeleton, steps)) return;
    skeleton->scope = (struct arazzo_scope){
        .inputs = json_get_text(inputs, "properties"), .steps = steps, .arena = skeleton->arena};
    const char *effect = effect_of(skeleton, steps);
    put_head(skeleton, workflow, name, effect);
    for (size_t i = 0; i < ARRAY_LEN(skipped); i++) {
        if (json_count(json_get_text(workflow, skipped[i])) == 0) continue;
        skeleton_leave_out(skeleton, skipped[i], "    ", "an action has nothing like it");
    }
    put_inputs(skeleton, inputs);
    put_steps(skeleton, workflow);
    bool has_output = json_count(outputs) > 0 &&
                      skeleton_put_value(skeleton, "outputs", "    ", "output", outputs);
    if (!has_output) (void)buf_put_text(out, "    output: {}\n");
    if (strcmp(effect, "read") != 0) {
        (void)buf_put_text(out, "    # idempotency: what if it is done twice? natural, none, "
                                "{header: ...}, {lookup: [...]}, ...\n");
    }
    if (strcmp(effect, "create") == 0) {
        (void)buf_put_text(out, "    # compensate: [{action: ..., with: {...}}], or irreversible: "
                                "why\n");
    }
    put_example(skeleton, inputs);
}

static status put_workflows(struct skeleton *skeleton, struct error *reterr)
{
    json list   = json_get_text(skeleton->root, "workflows");
    size_t back = skeleton_enter(skeleton, "workflows");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        struct import *import = &skeleton->import;
        str id                = openapi_text(json_at(list, i), "workflowId");
        char name[IMPORT_NAME_SIZE];
        if (!import_is_wanted(skeleton->options->workflows, id)) continue;
        if (import->count == ARAZZO_WORKFLOWS_MAX) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                        "more than %d workflows: name those that are wanted", ARAZZO_WORKFLOWS_MAX);
        }
        import_action_name(import, id, name);
        memcpy(import->names[import->count++], name, IMPORT_NAME_SIZE);
        size_t of_one = skeleton_enter_index(skeleton, i);
        put_workflow(skeleton, json_at(list, i), name);
        skeleton_leave(skeleton, of_one);
    }
    skeleton_leave(skeleton, back);
    if (skeleton->import.count > 0) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "it has no such workflow");
}

/* --- the whole -------------------------------------------------------------------------------- */

bool arazzo_is(json document)
{
    return json_is(json_get_text(document, "arazzo"), JSON_TEXT);
}

static bool is_openapi(json source)
{
    str type = openapi_text(source, "type");
    return type.len == 0 || str_is(type, "openapi");
}

size_t arazzo_sources(json document, str ret_urls[ARAZZO_SOURCES_MAX])
{
    json list    = json_get_text(document, "sourceDescriptions");
    size_t count = json_is(list, JSON_ARRAY) ? json_count(list) : 0;
    if (count > ARAZZO_SOURCES_MAX) count = ARAZZO_SOURCES_MAX;
    for (size_t i = 0; i < count; i++) {
        json one    = json_at(list, i);
        ret_urls[i] = is_openapi(one) ? openapi_text(one, "url") : (str){};
    }
    return count;
}

/* The first OpenAPI among the sources; false: that was said. */
static bool choose_source(struct skeleton *skeleton)
{
    json list = json_get_text(skeleton->root, "sourceDescriptions");
    for (size_t i = 0; i < skeleton->options->source_count; i++) {
        json given         = skeleton->options->sources[i];
        struct error error = {};
        if (!json_is(given, JSON_OBJECT)) continue;
        skeleton->main        = json_at(list, i);
        skeleton->import.root = given;
        if (openapi_check(given, &skeleton->import.is_swagger, &error) == STATUS_OK) return true;
        skeleton_say(skeleton, SEVERITY_ERROR, "sourceDescriptions", "%s", error.text);
        return false;
    }
    skeleton_say(skeleton, SEVERITY_ERROR, "sourceDescriptions",
                 "there is no OpenAPI description among them");
    return false;
}

static status write(struct skeleton *skeleton, struct error *reterr)
{
    str version = openapi_text(skeleton->root, "arazzo");
    if (!str_starts_with(version, str_from("1.0."))) {
        skeleton_say(skeleton, SEVERITY_ERROR, "arazzo", "this version is not known here; 1.0 is");
    } else if (choose_source(skeleton)) {
        import_put_top(&skeleton->import);
        TRY(put_workflows(skeleton, reterr));
    }
    if (skeleton->list->errors > 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "there are mistakes in it");
    }
    if (!skeleton->import.out->is_full) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                "the manifest would be too large: name the workflows that are wanted");
}

static void skeleton_done(struct skeleton *skeleton)
{
    buf_done(&skeleton->pointer);
    arena_free(skeleton->arena);
}

status arazzo_skeleton(json document, const struct arazzo_options *options, struct buf *out,
                       struct diagnostics *list, struct error *reterr)
{
    const struct openapi_options naming = {.name = options->name};
    CLEANUP(skeleton_done)
    struct skeleton skeleton = {.root    = document,
                                .options = options,
                                .import  = {.options = &naming, .out = out},
                                .list    = list,
                                .pointer = buf_init(POINTER_MAX),
                                .arena   = arena_new(ARENA_MAX)};
    ASSERT(skeleton.arena);
    skeleton.operation = arena_alloc(skeleton.arena, sizeof *skeleton.operation);
    skeleton.import.names =
        arena_alloc(skeleton.arena, ARAZZO_WORKFLOWS_MAX * sizeof *skeleton.import.names);
    ASSERT(skeleton.operation && skeleton.import.names);
    return write(&skeleton, reterr);
}
