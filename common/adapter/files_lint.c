/* Files among the parameters: where they may lie, and limits of what is none. A limit that is
 * written down and not in force is worse than none. */
#include "adapter/manifest_internal.h"

enum { LEVELS_MAX = 64 /* of schemas in schemas; JSON here has no more */ };

/* Keywords whose values are schemas, or hold them by name or in a list. Only the first two lead to
 * values in which files are looked for. */
static const struct {
    const char *name;
    bool holds_many, leads_on;
} inner[] = {
    {"properties", true, true},
    {"items", false, true},
    {"additionalProperties", false, false},
    {"patternProperties", true, false},
    {"prefixItems", true, false},
    {"contains", false, false},
    {"anyOf", true, false},
    {"oneOf", true, false},
    {"allOf", true, false},
    {"not", false, false},
    {"if", false, false},
    {"then", false, false},
    {"else", false, false},
    {"$defs", true, false},
    {"dependentSchemas", true, false},
    {"unevaluatedItems", false, false},
    {"propertyNames", false, false},
    {"unevaluatedProperties", false, false},
};

/* A schema, and how far it has been looked through. */
struct level {
    json schema;
    size_t keyword, next;
    size_t back; /* of its place */
    bool is_reached;
};

static bool has_format(json schema, const char *name)
{
    json format = json_get_text(schema, "format");
    return json_is(format, JSON_TEXT) && str_is(json_str(format), name);
}

static void refuse(struct reading *reading, const char *key, const char *why)
{
    size_t back = reading_enter(reading, key);
    (void)reading_refuse(reading, "M02", "%s", why);
    reading_leave(reading, back);
}

static void lint_one(struct reading *reading, const struct level *level, bool is_parameter)
{
    static const char *const limits[] = {"max_size", "mime"};
    json schema                       = level->schema;
    bool is_whole                     = has_format(schema, "blob") || has_format(schema, "keep");
    bool is_file                      = has_format(schema, "file");
    if (is_whole && !is_parameter) {
        refuse(reading, "format", "only a parameter as a whole can have this format");
    } else if (is_file && !level->is_reached) {
        refuse(reading, "format", "files are looked for in `properties` and `items` only");
    }
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        bool is_there = !json_is(json_get_text(schema, limits[i]), JSON_INVALID);
        if (!is_there || is_file || has_format(schema, "blob")) continue;
        refuse(reading, limits[i], "a limit of files: it needs `format: blob` or `format: file`");
    }
}

/* The next schema within `level`, and its place, which is entered. False: there is no more. */
static bool next_inner(struct reading *reading, struct level *level, struct level *ret_inner)
{
    for (; level->keyword < ARRAY_LEN(inner); level->keyword++, level->next = 0) {
        json value   = json_get_text(level->schema, inner[level->keyword].name);
        bool is_many = inner[level->keyword].holds_many;
        bool is_map  = json_is(value, JSON_OBJECT);
        if (!is_map && !(is_many && json_is(value, JSON_ARRAY))) continue;
        size_t at    = level->next++;
        size_t count = is_many ? json_count(value) : 1;
        if (at >= count) continue;
        size_t back = reading_enter(reading, inner[level->keyword].name);
        if (is_many && is_map) (void)reading_enter(reading, json_key_at(value, at).ptr);
        if (is_many && !is_map) (void)reading_enter_index(reading, at);
        if (is_many) value = is_map ? json_value_at(value, at) : json_at(value, at);
        *ret_inner =
            (struct level){.schema     = value,
                           .back       = back,
                           .is_reached = level->is_reached && inner[level->keyword].leads_on};
        return true;
    }
    return false;
}

void files_lint(struct reading *reading, json parameter)
{
    struct level levels[LEVELS_MAX] = {{.schema = parameter, .is_reached = true}};
    size_t depth                    = 1;
    lint_one(reading, &levels[0], true);
    while (depth > 0) {
        struct level *top = &levels[depth - 1];
        struct level found;
        if (!next_inner(reading, top, &found)) {
            if (--depth > 0) reading_leave(reading, top->back);
            continue;
        }
        lint_one(reading, &found, false);
        if (depth == LEVELS_MAX) {
            reading_leave(reading, found.back);
        } else {
            levels[depth++] = found;
        }
    }
}
