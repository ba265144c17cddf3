/* Workflows of Arazzo as actions with steps. */
#include "adapter/arazzo.h"

#include "adapter/arazzo_internal.h"
#include "adapter/manifest.h"
#include "adapter/openapi_internal.h"
#include "base/assert.h"
#include "base/attr.h"
#include "base/utf8.h"
#include "json/json_map.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_MAX = 32 << 20, POINTER_MAX = 4 << 10, WHY_MAX = ERROR_TEXT_MAX };

/* What is being turned into a manifest. */
struct skeleton {
    json root;
    const struct arazzo_options *options;
    struct import import; /* of the source whose operations are called */
    json main;            /* that source's entry */
    struct diagnostics *list;
    struct buf pointer;  /* where it is being read */
    struct arena *arena; /* of one workflow */
    struct arazzo_scope scope;
    struct operation *operation; /* scratch */
};

/* --- what is said ----------------------------------------------------------------------------- */

PRINTF_LIKE(4, 5)
static void say(struct skeleton *skeleton, enum severity severity, const char *below,
                const char *format, ...)
{
    char text[WHY_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t back = skeleton->pointer.len;
    if (*below) (void)json_pointer_add(&skeleton->pointer, str_from(below));
    (void)diagnostics_add(skeleton->list, "", severity, buf_str(&skeleton->pointer), 0, 0, "%s",
                          text);
    skeleton->pointer.len = back;
}

/* What is not taken over: a warning, and a comment where it is missed. */
static void leave_out(struct skeleton *skeleton, const char *below, const char *indent,
                      const char *why)
{
    struct buf *out = skeleton->import.out;
    say(skeleton, SEVERITY_WARNING, below, "not taken over: %s", why);
    (void)buf_printf(out, "%s# not taken over: %s: ", indent, below);
    for (const char *c = why; *c; c++) {
        bool is_plain = *c >= ' ' && *c < 0x7f;
        (void)buf_put_byte(out, is_plain ? *c : '?');
    }
    (void)buf_put_byte(out, '\n');
}

/* An expression that cannot be: wrong ones are errors, others are left out. */
static void complain(struct skeleton *skeleton, const char *below, const char *indent, status code,
                     const struct error *why)
{
    if (code == STATUS_UNIMPLEMENTED) {
        leave_out(skeleton, below, indent, why->text);
    } else {
        say(skeleton, SEVERITY_ERROR, below, "%s", why->text);
    }
}

static size_t enter(struct skeleton *skeleton, const char *name)
{
    size_t back = skeleton->pointer.len;
    (void)json_pointer_add(&skeleton->pointer, str_from(name));
    return back;
}

static size_t enter_index(struct skeleton *skeleton, size_t index)
{
    size_t back = skeleton->pointer.len;
    (void)json_pointer_add_index(&skeleton->pointer, index);
    return back;
}

static void leave(struct skeleton *skeleton, size_t back)
{
    skeleton->pointer.len = back;
}

/* --- values ----------------------------------------------------------------------------------- */

struct filling {
    const struct arazzo_scope *scope;
    status code;
    struct error error;
};

static json fill(str, json value, void *context)
{
    struct filling *filling = context;
    const char *formula     = NULL;
    if (!json_is(value, JSON_TEXT) || filling->code != STATUS_OK) return json_invalid();
    filling->code = arazzo_text(filling->scope, json_str(value), &formula, &filling->error);
    return filling->code == STATUS_OK ? json_text_from(formula) : json_invalid();
}

/* JSON is YAML, but for characters that YAML does not take as they are. */
static void put_json(struct buf *out, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(MANIFEST_SIZE_MAX);
    (void)json_print(value, JSON_COMPACT, &text);
    str from      = buf_str(&text);
    size_t offset = 0;
    while (offset < from.len) {
        uint32_t c = utf8_next(from, &offset);
        if (c >= ' ' && c < 0x7f) {
            (void)buf_put_byte(out, (char)c);
        } else {
            (void)buf_printf(out, "\\U%08" PRIx32, c);
        }
    }
}

/* A value with runtime expressions in it, as the manifest has them; false: that was said, and
 * nothing was written. */
static bool put_value(struct skeleton *skeleton, const char *below, const char *indent,
                      const char *head, json value)
{
    struct filling filling = {.scope = &skeleton->scope};
    CLEANUP(json_unrefp)
    json made = json_is(value, JSON_TEXT) ? fill((str){}, value, &filling)
                                          : json_map_values(value, fill, &filling);
    if (filling.code != STATUS_OK) {
        complain(skeleton, below, indent, filling.code, &filling.error);
        return false;
    }
    (void)buf_printf(skeleton->import.out, "%s%s: ", indent, head);
    put_json(skeleton->import.out, made);
    (void)buf_put_byte(skeleton->import.out, '\n');
    return true;
}

/* --- inputs ----------------------------------------------------------------------------------- */

static void put_inputs(struct skeleton *skeleton, json inputs)
{
    struct buf *out = skeleton->import.out;
    json properties = skeleton->scope.inputs;
    json required   = json_get_text(inputs, "required");
    char names[ARAZZO_INPUTS_MAX][IMPORT_NAME_SIZE];
    size_t count = json_is(properties, JSON_OBJECT) ? json_count(properties) : 0;
    if (count > ARAZZO_INPUTS_MAX) {
        say(skeleton, SEVERITY_ERROR, "inputs", "there are more than %d", ARAZZO_INPUTS_MAX);
        return;
    }
    (void)buf_put_text(out, count == 0 ? "    params: {}\n" : "    params:\n      properties:\n");
    for (size_t i = 0; i < count; i++) {
        import_name(json_key_at(properties, i), "value", names[i]);
        bool is_taken = strcmp(names[i], "connection") == 0;
        for (size_t k = 0; k < i; k++) is_taken = is_taken || strcmp(names[i], names[k]) == 0;
        if (is_taken) {
            say(skeleton, SEVERITY_ERROR, "inputs",
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

/* --- requests --------------------------------------------------------------------------------- */

/* {reference: $components.parameters.NAME, value?} or itself. */
static json parameter_of(const struct skeleton *skeleton, json given, json *ret_value)
{
    static const char begin[] = "$components.parameters.";
    str reference             = openapi_text(given, "reference");
    json own                  = json_get_text(given, "value");
    if (str_starts_with(reference, str_from(begin))) {
        json all = json_get_text(json_get_text(skeleton->root, "components"), "parameters");
        given    = json_get(all, str_slice(reference, sizeof begin - 1, reference.len));
    }
    *ret_value = json_is(own, JSON_INVALID) ? json_get_text(given, "value") : own;
    return given;
}

/* The value that a step gives for a place of its request; the step's own before the workflow's. */
static json given_value(const struct skeleton *skeleton, json workflow, json step, const char *in,
                        str name)
{
    const json lists[] = {json_get_text(step, "parameters"), json_get_text(workflow, "parameters")};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        for (size_t i = 0; json_is(lists[k], JSON_ARRAY) && i < json_count(lists[k]); i++) {
            json value = json_invalid();
            json one   = parameter_of(skeleton, json_at(lists[k], i), &value);
            bool fits  = str_is(openapi_text(one, "in"), in);
            if (fits && str_equal(openapi_text(one, "name"), name)) return value;
        }
    }
    return json_invalid();
}

/* One piece of an address: what stands there, percent-encoded. */
static void put_segment(struct skeleton *skeleton, json workflow, json step, str name,
                        struct buf *out)
{
    CLEANUP(json_unrefp) json text = json_invalid();
    json value                     = given_value(skeleton, workflow, step, "path", name);
    const char *formula            = NULL;
    struct error error             = {};
    if (json_is(value, JSON_INVALID)) {
        say(skeleton, SEVERITY_ERROR, "parameters", "the path needs a value for `%.*s`",
            name.len < 60 ? (int)name.len : 60, name.ptr);
        return;
    }
    text        = json_is(value, JSON_TEXT) ? json_ref(value) : json_to_text_new(value);
    status code = arazzo_text(&skeleton->scope, json_str(text), &formula, &error);
    if (code != STATUS_OK) {
        say(skeleton, SEVERITY_ERROR, "parameters", "%s", error.text);
        return;
    }
    if (formula[0] == '=') {
        (void)buf_printf(out, " + ((%s) | tostring | @uri)", formula + 1);
        return;
    }
    CLEANUP(json_unrefp) json literal = json_text_from(formula);
    (void)buf_put_text(out, " + (");
    (void)json_print(literal, JSON_COMPACT, out);
    (void)buf_put_text(out, " | @uri)");
}

static void put_plain(struct buf *out, str text)
{
    CLEANUP(json_unrefp) json literal = json_text_lossy(text);
    (void)buf_put_text(out, " + ");
    (void)json_print(literal, JSON_COMPACT, out);
}

/* A path with names in it is an address that is put together: names in braces of manifests are
 * those of parameters alone. */
static void put_address(struct skeleton *skeleton, json workflow, json step)
{
    CLEANUP(buf_done) struct buf made = buf_init(ARAZZO_TEXT_MAX);
    struct buf *out                   = skeleton->import.out;
    str path                          = skeleton->operation->path;
    (void)buf_put_text(&made, "=(.config.base_url | rtrimstr(\"/\"))");
    bool has_names = false;
    for (size_t from = 0; from < path.len;) {
        const char *open  = memchr(path.ptr + from, '{', path.len - from);
        size_t at         = open ? (size_t)(open - path.ptr) : path.len;
        const char *close = open ? memchr(open, '}', path.len - at) : NULL;
        size_t end        = close ? (size_t)(close - path.ptr) : path.len;
        if (at > from) put_plain(&made, str_slice(path, from, at));
        if (close) put_segment(skeleton, workflow, step, str_slice(path, at + 1, end), &made);
        has_names = has_names || close;
        from      = close ? end + 1 : path.len;
    }
    (void)buf_put_text(out, has_names ? "          url: " : "          path: ");
    import_put_text(out, has_names ? buf_str(&made) : path);
    (void)buf_put_byte(out, '\n');
}

static void put_place(struct skeleton *skeleton, json workflow, json step, const char *in,
                      const char *key)
{
    const json lists[] = {json_get_text(workflow, "parameters"), json_get_text(step, "parameters")};
    CLEANUP(json_unrefp) json made = json_object_new(4);
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) { /* the step's own come later, and win */
        for (size_t i = 0; json_is(lists[k], JSON_ARRAY) && i < json_count(lists[k]); i++) {
            json value = json_invalid();
            json one   = parameter_of(skeleton, json_at(lists[k], i), &value);
            str name   = openapi_text(one, "name");
            if (!str_is(openapi_text(one, "in"), in) || name.len == 0) continue;
            if (json_is(value, JSON_INVALID)) continue;
            json_object_put(&made, name, json_ref(value));
        }
    }
    if (json_count(made) == 0) return;
    if (strcmp(in, "cookie") == 0) {
        leave_out(skeleton, "parameters", "          ", "cookies");
        return;
    }
    (void)put_value(skeleton, "parameters", "          ", key, made);
}

static json replaced(struct skeleton *skeleton, json body)
{
    json payload = json_ref(json_get_text(body, "payload"));
    json list    = json_get_text(body, "replacements");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        str target     = openapi_text(json_at(list, i), "target");
        json value     = json_get_text(json_at(list, i), "value");
        bool is_member = target.len > 1 && target.ptr[0] == '/' &&
                         !memchr(target.ptr + 1, '/', target.len - 1) &&
                         !memchr(target.ptr, '~', target.len) && json_is(payload, JSON_OBJECT);
        if (is_member && !json_is(value, JSON_INVALID)) {
            json_object_put(&payload, str_slice(target, 1, target.len), json_ref(value));
            continue;
        }
        leave_out(skeleton, "requestBody", "          ", "a replacement below the first level");
    }
    return payload;
}

static void put_body(struct skeleton *skeleton, json step)
{
    json body                         = json_get_text(step, "requestBody");
    str type                          = openapi_text(body, "contentType");
    CLEANUP(json_unrefp) json payload = replaced(skeleton, body);
    bool is_form                      = str_is(type, "application/x-www-form-urlencoded");
    bool is_json                      = type.len == 0 || str_is(type, "application/json");
    if (json_is(payload, JSON_INVALID)) return;
    if (!is_form && !is_json) {
        leave_out(skeleton, "requestBody", "          ",
                  "a body of another type than JSON or form");
        return;
    }
    if (json_is(payload, JSON_TEXT) && json_str(payload).ptr[0] != '$') {
        leave_out(skeleton, "requestBody", "          ", "a payload that is given as text");
        return;
    }
    (void)put_value(skeleton, "requestBody", "          ", is_form ? "form" : "body", payload);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void put_criteria(struct skeleton *skeleton, json step)
{
    json list                        = json_get_text(step, "successCriteria");
    CLEANUP(buf_done) struct buf all = buf_init(ARAZZO_TEXT_MAX);
    size_t back                      = enter(skeleton, "successCriteria");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        json one           = json_at(list, i);
        json kind          = json_get_text(one, "type");
        str type           = json_is(kind, JSON_TEXT) ? json_str(kind) : openapi_text(kind, "type");
        str condition      = openapi_text(one, "condition");
        str context        = openapi_text(one, "context");
        size_t of_one      = enter_index(skeleton, i);
        const char *jq     = NULL;
        struct error error = {};
        status code        = STATUS_OK;
        if (type.len == 0 || str_is(type, "simple")) {
            code = arazzo_condition(&skeleton->scope, condition, &jq, &error);
        } else if (str_is(type, "regex")) {
            code = arazzo_regex(&skeleton->scope, context, condition, &jq, &error);
        } else {
            code = fail(&error, STATUS_UNIMPLEMENTED,
                        "a criterion of another type than simple or "
                        "regex");
        }
        if (code != STATUS_OK) complain(skeleton, "condition", "        ", code, &error);
        if (code == STATUS_OK) (void)buf_printf(&all, "%s%s", all.len > 0 ? " and " : "=", jq);
        leave(skeleton, of_one);
    }
    leave(skeleton, back);
    if (all.len == 0) return;
    (void)buf_put_text(skeleton->import.out, "        ok_when: ");
    import_put_text(skeleton->import.out, buf_str(&all));
    (void)buf_put_byte(skeleton->import.out, '\n');
}

static status find(const struct skeleton *skeleton, json step, const char **ret_below,
                   struct error *reterr)
{
    const struct arazzo_called called = {.description = skeleton->import.root,
                                         .name        = openapi_text(skeleton->main, "name"),
                                         .step        = step};
    return arazzo_find(&called, ret_below, skeleton->operation, reterr);
}

static void put_request(struct skeleton *skeleton, json workflow, json step)
{
    struct buf *out    = skeleton->import.out;
    const char *method = skeleton->operation->method;
    (void)buf_put_text(out, "        request:\n          method: ");
    for (; *method; method++) (void)buf_put_byte(out, (char)(*method - 'a' + 'A'));
    (void)buf_put_byte(out, '\n');
    put_address(skeleton, workflow, step);
    put_place(skeleton, workflow, step, "query", "query");
    put_place(skeleton, workflow, step, "header", "headers");
    put_place(skeleton, workflow, step, "cookie", "");
    put_body(skeleton, step);
}

static void put_step(struct skeleton *skeleton, json workflow, json step)
{
    static const char *const skipped[] = {"onSuccess", "onFailure"};
    struct buf *out                    = skeleton->import.out;
    json outputs                       = json_get_text(step, "outputs");
    char name[IMPORT_NAME_SIZE];
    import_name(openapi_text(step, "stepId"), "step", name);
    const char *below  = NULL;
    struct error error = {};
    if (openapi_text(step, "workflowId").len > 0) {
        say(skeleton, SEVERITY_ERROR, "workflowId",
            "an action has no other one inside: name the workflows that are wanted "
            "(--operations), and call both from a workflow of tutti");
        return;
    }
    if (find(skeleton, step, &below, &error) != STATUS_OK) {
        say(skeleton, SEVERITY_ERROR, below, "%s", error.text);
        return;
    }
    (void)buf_printf(out, "      - id: %s\n", name);
    put_request(skeleton, workflow, step);
    put_criteria(skeleton, step);
    for (size_t i = 0; i < ARRAY_LEN(skipped); i++) {
        json given = json_get_text(step, skipped[i]);
        if (json_count(given) == 0) continue;
        leave_out(skeleton, skipped[i], "        ",
                  "jumps and retries: a job is tried again by its task's policy");
    }
    if (json_count(outputs) > 0)
        (void)put_value(skeleton, "outputs", "        ", "output", outputs);
}

/* Each once, at most as many as an action has; false: that was said. */
static bool check_steps(struct skeleton *skeleton, json steps)
{
    char names[ARAZZO_STEPS_MAX][IMPORT_NAME_SIZE];
    size_t count = json_is(steps, JSON_ARRAY) ? json_count(steps) : 0;
    if (count == 0 || count > ARAZZO_STEPS_MAX) {
        say(skeleton, SEVERITY_ERROR, "steps",
            "an action has 1 to %d steps: anything longer is a workflow of tutti",
            ARAZZO_STEPS_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        import_name(openapi_text(json_at(steps, i), "stepId"), "step", names[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(names[i], names[k]) != 0) continue;
            say(skeleton, SEVERITY_ERROR, "steps", "two steps would be `%s`: rename one", names[i]);
            return false;
        }
    }
    return true;
}

static void put_steps(struct skeleton *skeleton, json workflow)
{
    json steps  = json_get_text(workflow, "steps");
    size_t back = enter(skeleton, "steps");
    (void)buf_put_text(skeleton->import.out, "    steps:\n");
    for (size_t i = 0; i < json_count(steps); i++) {
        size_t of_one              = enter_index(skeleton, i);
        skeleton->scope.step_count = i;
        put_step(skeleton, workflow, json_at(steps, i));
        leave(skeleton, of_one);
    }
    skeleton->scope.step_count = json_count(steps);
    leave(skeleton, back);
}

/* --- workflows -------------------------------------------------------------------------------- */

/* The worst of its steps, as far as their methods say. */
static const char *effect_of(struct skeleton *skeleton, json steps)
{
    static const char *const ranks[] = {"read", "create", "update", "delete"};
    size_t worst                     = 0;
    const char *below                = NULL;
    for (size_t i = 0; i < json_count(steps); i++) {
        if (find(skeleton, json_at(steps, i), &below, NULL) != STATUS_OK) continue;
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
        leave_out(skeleton, skipped[i], "    ", "an action has nothing like it");
    }
    put_inputs(skeleton, inputs);
    put_steps(skeleton, workflow);
    bool has_output =
        json_count(outputs) > 0 && put_value(skeleton, "outputs", "    ", "output", outputs);
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
    size_t back = enter(skeleton, "workflows");
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
        size_t of_one = enter_index(skeleton, i);
        put_workflow(skeleton, json_at(list, i), name);
        leave(skeleton, of_one);
    }
    leave(skeleton, back);
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
        say(skeleton, SEVERITY_ERROR, "sourceDescriptions", "%s", error.text);
        return false;
    }
    say(skeleton, SEVERITY_ERROR, "sourceDescriptions",
        "there is no OpenAPI description among them");
    return false;
}

static status write(struct skeleton *skeleton, struct error *reterr)
{
    str version = openapi_text(skeleton->root, "arazzo");
    if (!str_starts_with(version, str_from("1.0."))) {
        say(skeleton, SEVERITY_ERROR, "arazzo", "this version is not known here; 1.0 is");
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
