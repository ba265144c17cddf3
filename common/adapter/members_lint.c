/* Members that expressions name and that nothing has: they would be null, and nobody would know
 * why. Looked at is only what is closed: parameters, settings, and what the manifest itself names.
 * What a service answers is its own affair. */
#include "adapter/manifest_internal.h"
#include "base/attr.h"
#include "expr/reads.h"
#include "json/json_pointer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    LEVELS_MAX = 64, /* maps and lists in a value; a YAML document has no more */
    NAMES_MAX  = 64, /* that are compared for "did you mean" */
    WHOSE_MAX  = 200 /* bytes */,
};

/* What a map can have: the keys of another one, or some names. */
struct closed {
    json map;
    const char *names[NAMES_MAX];
    size_t count;
    char whose[WHOSE_MAX]; /* "`order` has no parameter" */
};

/* Where an expression stands. */
struct spot {
    struct reading *reading;
    const struct manifest_action *action; /* NULL: of none */
    const struct manifest_action *output; /* whose output `.output` is; NULL: unknown here */
};

/* --- where ------------------------------------------------------------------------------------ */

static json written(const struct manifest_action *action)
{
    return json_get_text(json_get_text(action->manifest->root, "actions"), action->name);
}

/* The key at `*at`, and behind it; keys of a manifest need no escapes. */
static str next_key(str pointer, size_t *at)
{
    size_t from = *at < pointer.len ? *at + 1 : pointer.len;
    size_t to   = from;
    while (to < pointer.len && pointer.ptr[to] != '/') to++;
    *at = to;
    return str_slice(pointer, from, to);
}

/* Whose output it is: of a compensation its action's, of `found` that of the action looked up. */
static const struct manifest_action *output_at(const struct manifest *manifest, str pointer,
                                               const struct manifest_action *action, str section)
{
    static const char found[] = "/found";
    size_t end                = pointer.len - (sizeof found - 1);
    bool is_found =
        pointer.len > sizeof found && str_is(str_slice(pointer, end, pointer.len), found);
    if (!action) return str_is(pointer, "/check/account") ? manifest->check : NULL;
    if (str_is(section, "compensate")) return action;
    if (!is_found) return NULL;
    json lookup = json_pointer_get(manifest->root, str_slice(pointer, 0, end));
    return manifest_action(manifest, json_str(json_get_text(lookup, "action")));
}

static struct spot spot_at(struct reading *reading, str pointer)
{
    const struct manifest *manifest = reading->manifest;
    struct spot spot                = {.reading = reading};
    size_t at                       = 0;
    bool is_in_action               = str_is(next_key(pointer, &at), "actions");
    str name                        = next_key(pointer, &at);
    if (is_in_action) spot.action = manifest_action(manifest, name);
    spot.output = output_at(manifest, pointer, spot.action, next_key(pointer, &at));
    return spot;
}

/* --- what there is ---------------------------------------------------------------------------- */

/* True, so that it can end a function. */
PRINTF_LIKE(2, 3)
static bool say(struct closed *closed, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(closed->whose, sizeof closed->whose, format, args);
    va_end(args);
    return true;
}

static void put_names(struct closed *closed, const char *const *names, size_t count)
{
    memcpy(closed->names, names, count * sizeof *names);
    closed->count = count;
}

/* All that a scope may hold (scope.h), and `request` of `auth: hmac`. */
static bool close_scope(struct closed *ret)
{
    static const char *const names[] = {"params",  "config",   "idempotency_key", "now",
                                        "derived", "before",   "current",         "steps",
                                        "item",    "response", "output",          "request"};
    put_names(ret, names, ARRAY_LEN(names));
    return say(ret, "expressions see no");
}

static bool close_response(struct closed *ret)
{
    static const char *const names[] = {"status", "headers", "body"};
    put_names(ret, names, ARRAY_LEN(names));
    return say(ret, "`.response` has no");
}

/* An output that is written as a map has these members, whatever they yield. */
static bool close_output(const struct manifest_action *action, struct closed *ret)
{
    if (!action) return false;
    ret->map = json_get_text(written(action), "output");
    return json_is(ret->map, JSON_OBJECT) && say(ret, "the output of `%s` has no", action->name);
}

static bool close_derived(const struct spot *spot, struct closed *ret)
{
    if (!spot->action) return false;
    ret->map = json_get_text(written(spot->action), "derive");
    return say(ret, "`derive` of `%s` makes no", spot->action->name);
}

static bool close_steps(const struct spot *spot, struct closed *ret)
{
    if (!spot->action) return false;
    for (size_t i = 0; i < spot->action->step_count; i++) {
        const char *id = spot->action->steps[i].id;
        if (id) ret->names[ret->count++] = id;
    }
    return say(ret, "`%s` has no step", spot->action->name);
}

static bool close_step(const struct spot *spot, str id, struct closed *ret)
{
    json steps = spot->action ? json_get_text(written(spot->action), "steps") : json_invalid();
    for (size_t i = 0; i < json_count(steps); i++) {
        json step = json_at(steps, i);
        if (!str_equal(json_str(json_get_text(step, "id")), id)) continue;
        ret->map = json_get_text(step, "output");
        return json_is(ret->map, JSON_OBJECT) &&
               say(ret, "the output of the step `" STR_FMT "` has no", STR_ARG(id));
    }
    return false;
}

/* --- parameters and settings ------------------------------------------------------------------ */

/* What else a schema says could let more in. Of files expressions see more than is given. */
static bool is_closed(json schema)
{
    static const char *const openings[] = {
        "$ref",  "$dynamicRef",       "allOf", "anyOf",  "not",
        "oneOf", "patternProperties", "if",    "format", "dependentSchemas"};
    for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
        if (!json_is(json_get_text(schema, openings[i]), JSON_INVALID)) return false;
    }
    return json_is(json_get_text(schema, "additionalProperties"), JSON_FALSE);
}

/* The properties that the last key of the path is to be among. */
static bool close_within(json properties, const struct expr_read *read, struct closed *ret)
{
    bool is_known = true;
    for (size_t i = 1; i + 1 < read->count; i++) {
        json schema = json_get(properties, read->keys[i]);
        is_known    = is_closed(schema);
        properties  = json_get_text(schema, "properties");
        if (!json_is(properties, JSON_OBJECT)) return false;
        (void)say(ret, "`" STR_FMT "` has no member", STR_ARG(read->keys[i]));
    }
    ret->map = properties;
    return is_known;
}

static bool close_params(const struct spot *spot, const struct expr_read *read, struct closed *ret)
{
    const struct manifest *manifest = spot->reading->manifest;
    if (spot->action) {
        (void)say(ret, "`%s` has no parameter", spot->action->name);
        return close_within(json_get_text(spot->action->params, "properties"), read, ret);
    }
    for (size_t i = 0; i < manifest->action_count; i++) { /* what stands at the top is for all */
        json properties = json_get_text(manifest->actions[i].params, "properties");
        if (!json_is(json_get(properties, read->keys[1]), JSON_INVALID)) return false;
    }
    return say(ret, "no action has a parameter");
}

static bool close_config(const struct spot *spot, const struct expr_read *read, struct closed *ret)
{
    (void)say(ret, "`config` has no setting");
    return close_within(spot->reading->manifest->config, read, ret);
}

/* --- expressions ------------------------------------------------------------------------------ */

static bool close_read(const struct spot *spot, const struct expr_read *read, struct closed *ret)
{
    const str *keys = read->keys;
    if (read->count == 1) return close_scope(ret);
    if (str_is(keys[0], "params")) return close_params(spot, read, ret);
    if (str_is(keys[0], "config")) return close_config(spot, read, ret);
    if (str_is(keys[0], "steps") && read->count == 3) return close_step(spot, keys[1], ret);
    if (read->count > 2) return false;
    if (str_is(keys[0], "response")) return close_response(ret);
    if (str_is(keys[0], "output")) return close_output(spot->output, ret);
    if (str_is(keys[0], "derived")) return close_derived(spot, ret);
    if (str_is(keys[0], "steps")) return close_steps(spot, ret);
    bool is_before = str_is(keys[0], "before") || str_is(keys[0], "current");
    return is_before && spot->action && close_output(spot->action->before.action, ret);
}

static bool has(const struct closed *closed, str key)
{
    for (size_t i = 0; i < closed->count; i++) {
        if (str_is(key, closed->names[i])) return true;
    }
    return !json_is(json_get(closed->map, key), JSON_INVALID);
}

/* An expression that is looked at. */
struct looking {
    const struct spot *spot;
    str pointer;
};

static void look_at_read(const struct expr_read *read, void *context)
{
    const struct looking *looking = context;
    struct reading *reading       = looking->spot->reading;
    str key                       = read->keys[read->count - 1];
    struct closed closed          = {};
    if (!close_read(looking->spot, read, &closed) || has(&closed, key)) return;
    /* Behind the `=` that makes it an expression. */
    struct yaml_place place = yaml_place_in(reading->document, looking->pointer, read->offset + 1);
    struct diagnostic *finding =
        diagnostics_add(reading->list, "M04", SEVERITY_ERROR, looking->pointer, place.line,
                        place.column, "%s `" STR_FMT "`", closed.whose, STR_ARG(key));
    for (size_t i = 0; i < json_count(closed.map) && closed.count < NAMES_MAX; i++) {
        closed.names[closed.count++] = json_key_at(closed.map, i).ptr;
    }
    const char *near = nearest_name(key, closed.names, closed.count);
    if (near) diagnostic_hint(reading->list, finding, "did you mean `%s`?", near);
}

static void look_at_leaf(const struct spot *spot, json leaf)
{
    struct looking looking = {.spot = spot, .pointer = buf_str(&spot->reading->pointer)};
    if (!formula_is_expression(leaf)) return;
    str text = json_str(leaf);
    expr_reads(str_slice(text, 1, text.len), look_at_read, &looking);
}

/* A map or list, and how far it has been looked through. */
struct level {
    json container;
    size_t next, back;
};

static json enter_next(struct reading *reading, struct level *level)
{
    size_t i = level->next++;
    reading_leave(reading, level->back);
    if (json_is(level->container, JSON_OBJECT)) {
        (void)reading_enter(reading, json_key_at(level->container, i).ptr);
        return json_value_at(level->container, i);
    }
    (void)reading_enter_index(reading, i);
    return json_at(level->container, i);
}

/* All expressions within a value; `reading` stands at it. */
static void look_at_value(const struct spot *spot, json value)
{
    struct reading *reading         = spot->reading;
    struct level levels[LEVELS_MAX] = {{.container = value, .back = reading->pointer.len}};
    size_t depth                    = 1;
    look_at_leaf(spot, value);
    while (depth > 0) {
        struct level *top = &levels[depth - 1];
        if (top->next == json_count(top->container)) {
            depth--;
            continue;
        }
        json member = enter_next(reading, top);
        look_at_leaf(spot, member);
        if (depth == LEVELS_MAX) continue;
        levels[depth++] = (struct level){.container = member, .back = reading->pointer.len};
    }
}

void members_lint(struct reading *reading)
{
    for (const struct seen_formula *seen = reading->formulas; seen; seen = seen->next) {
        struct spot spot = spot_at(reading, str_from(seen->pointer));
        (void)buf_put_text(&reading->pointer, seen->pointer);
        look_at_value(&spot, seen->value);
        reading_leave(reading, 0);
    }
}
