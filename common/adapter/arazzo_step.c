/* One step: the request of the operation that it calls, and what it expects of the answer. */
#include "adapter/arazzo_internal.h"
#include "base/attr.h"
#include "json/json_text.h"

#include <string.h>

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
        skeleton_say(skeleton, SEVERITY_ERROR, "parameters", "the path needs a value for `%.*s`",
                     name.len < 60 ? (int)name.len : 60, name.ptr);
        return;
    }
    text        = json_is(value, JSON_TEXT) ? json_ref(value) : json_to_text_new(value);
    status code = arazzo_text(&skeleton->scope, json_str(text), &formula, &error);
    if (code != STATUS_OK) {
        skeleton_say(skeleton, SEVERITY_ERROR, "parameters", "%s", error.text);
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
        skeleton_leave_out(skeleton, "parameters", "          ", "cookies");
        return;
    }
    (void)skeleton_put_value(skeleton, "parameters", "          ", key, made);
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
        skeleton_leave_out(skeleton, "requestBody", "          ",
                           "a replacement below the first level");
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
        skeleton_leave_out(skeleton, "requestBody", "          ",
                           "a body of another type than JSON or form");
        return;
    }
    if (json_is(payload, JSON_TEXT) && json_str(payload).ptr[0] != '$') {
        skeleton_leave_out(skeleton, "requestBody", "          ",
                           "a payload that is given as text");
        return;
    }
    (void)skeleton_put_value(skeleton, "requestBody", "          ", is_form ? "form" : "body",
                             payload);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void put_criteria(struct skeleton *skeleton, json step)
{
    json list                        = json_get_text(step, "successCriteria");
    CLEANUP(buf_done) struct buf all = buf_init(ARAZZO_TEXT_MAX);
    size_t back                      = skeleton_enter(skeleton, "successCriteria");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        json one           = json_at(list, i);
        json kind          = json_get_text(one, "type");
        str type           = json_is(kind, JSON_TEXT) ? json_str(kind) : openapi_text(kind, "type");
        str condition      = openapi_text(one, "condition");
        str context        = openapi_text(one, "context");
        size_t of_one      = skeleton_enter_index(skeleton, i);
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
        if (code != STATUS_OK) skeleton_complain(skeleton, "condition", "        ", code, &error);
        if (code == STATUS_OK) (void)buf_printf(&all, "%s%s", all.len > 0 ? " and " : "=", jq);
        skeleton_leave(skeleton, of_one);
    }
    skeleton_leave(skeleton, back);
    if (all.len == 0) return;
    (void)buf_put_text(skeleton->import.out, "        ok_when: ");
    import_put_text(skeleton->import.out, buf_str(&all));
    (void)buf_put_byte(skeleton->import.out, '\n');
}

status skeleton_find(const struct skeleton *skeleton, json step, const char **ret_below,
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

void skeleton_put_step(struct skeleton *skeleton, json workflow, json step)
{
    static const char *const skipped[] = {"onSuccess", "onFailure"};
    struct buf *out                    = skeleton->import.out;
    json outputs                       = json_get_text(step, "outputs");
    char name[IMPORT_NAME_SIZE];
    import_name(openapi_text(step, "stepId"), "step", name);
    const char *below  = NULL;
    struct error error = {};
    if (openapi_text(step, "workflowId").len > 0) {
        skeleton_say(skeleton, SEVERITY_ERROR, "workflowId",
                     "an action has no other one inside: name the workflows that are wanted "
                     "(--operations), and call both from a workflow of tutti");
        return;
    }
    if (skeleton_find(skeleton, step, &below, &error) != STATUS_OK) {
        skeleton_say(skeleton, SEVERITY_ERROR, below, "%s", error.text);
        return;
    }
    (void)buf_printf(out, "      - id: %s\n", name);
    put_request(skeleton, workflow, step);
    put_criteria(skeleton, step);
    for (size_t i = 0; i < ARRAY_LEN(skipped); i++) {
        json given = json_get_text(step, skipped[i]);
        if (json_count(given) == 0) continue;
        skeleton_leave_out(skeleton, skipped[i], "        ",
                           "jumps and retries: a job is tried again by its task's policy");
    }
    if (json_count(outputs) == 0) return;
    (void)skeleton_put_value(skeleton, "outputs", "        ", "output", outputs);
}
