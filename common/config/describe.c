/* What is generated from the tables: effective values, the manual, the JSON Schema. */
#include "base/mem.h"
#include "base/utf8.h"
#include "config/config_internal.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { LEVELS_MAX = 8 }; /* of an option's path */

static const char *const kind_names[] = {
    [CONFIG_TEXT] = "text", [CONFIG_PATH] = "path",         [CONFIG_URL] = "URL",
    [CONFIG_URLS] = "URLs", [CONFIG_BOOL] = "bool",         [CONFIG_INT] = "number",
    [CONFIG_SIZE] = "size", [CONFIG_DURATION] = "duration", [CONFIG_ENUM] = "name",
    [CONFIG_LIST] = "list", [CONFIG_SECRET] = "secret",     [CONFIG_TREE] = "map",
};

/* --- effective values --------------------------------------------------------------------------
 */

static int value_compare(const void *a, const void *b)
{
    const struct config_value *const *left  = a;
    const struct config_value *const *right = b;
    return strcmp((*left)->option->path, (*right)->option->path);
}

/* Length of the part of `path` that starts at `from`. */
static size_t part_len(const char *path, size_t from)
{
    return strcspn(path + from, ".");
}

static void put_indent(size_t level, struct buf *out)
{
    for (size_t i = 0; i < level; i++) (void)buf_put_text(out, "  ");
}

/* The maps around an option that the one before it was not in. Returns its level. */
static size_t put_maps(const char *path, const char *before, struct buf *out)
{
    size_t level   = 0;
    size_t from    = 0;
    bool is_common = true;
    for (; path[from + part_len(path, from)] != '\0'; level++) {
        size_t len = part_len(path, from);
        is_common  = is_common && strncmp(path, before, from + len + 1) == 0;
        if (!is_common) {
            put_indent(level, out);
            (void)buf_put_str(out, (str){.ptr = path + from, .len = len});
            (void)buf_put_text(out, ":\n");
        }
        from += len + 1;
    }
    put_indent(level, out);
    (void)buf_put_text(out, path + from);
    (void)buf_put_text(out, ": ");
    return level;
}

/* Whether YAML takes a character as it is, in quotes and in comments (YAML 1.1, 5.1 and 5.4:
 * neither unprintable nor the end of a line). */
static bool is_plain(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
    return c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

/* JSON leaves characters as they are that YAML refuses or folds. They are escaped: texts are in
 * double quotes, which know \u. */
static void put_escaped(str text, struct buf *out)
{
    for (size_t at = 0; at < text.len;) {
        str rest  = str_slice(text, at, text.len);
        size_t ok = utf8_valid_prefix(rest);
        for (size_t from = at, end = at + ok; at < end; from = at) {
            uint32_t c = utf8_next(text, &at);
            if (is_plain(c)) {
                (void)buf_put_str(out, str_slice(text, from, at));
            } else {
                (void)buf_printf(out, "\\u%04x", c);
            }
        }
        if (at < text.len) { /* the name of a file need not be UTF-8 */
            (void)buf_put_byte(out, '?');
            at++;
        }
    }
}

bool config_print(const struct config *config, struct buf *out)
{
    CLEANUP(buf_done) struct buf line  = buf_init(out->len_max);
    const struct config_value **sorted = mem_new(config->count, sizeof *sorted);
    for (size_t i = 0; i < config->count; i++) sorted[i] = &config->values[i];
    qsort(sorted, config->count, sizeof *sorted, value_compare);
    const char *before = "";
    for (size_t i = 0; i < config->count; i++) {
        const struct config_value *value = sorted[i];
        (void)put_maps(value->option->path, before, out);
        before = value->option->path;
        buf_clear(&line);
        if (json_is(value->value, JSON_INVALID)) {
            (void)buf_put_text(&line, "null");
        } else {
            (void)config_put_value(value->option, value->value, &line);
        }
        (void)buf_put_text(&line, "  # ");
        (void)config_put_source(config, &value->source, &line);
        put_escaped(buf_str(&line), out);
        (void)buf_put_byte(out, '\n');
    }
    free(sorted);
    return !out->is_full && !line.is_full;
}

/* --- the manual --------------------------------------------------------------------------------
 */

static void put_range(const struct config_option *option, struct buf *out)
{
    if (option->min != 0) {
        (void)buf_put_text(out, ", at least ");
        (void)config_put_value(option, json_int(option->min), out);
    }
    if (option->max != 0) {
        (void)buf_put_text(out, ", at most ");
        (void)config_put_value(option, json_int(option->max), out);
    }
    for (size_t i = 0; option->names && option->names[i]; i++) {
        (void)buf_printf(out, "%s`%s`", i > 0 ? " " : ": ", option->names[i]);
    }
}

static void put_manual_row(const struct config_option *option, struct buf *out)
{
    bool is_rows = option->flags & CONFIG_IS_LIST;
    (void)buf_printf(out, "| `%s` | %s", option->path,
                     is_rows ? "list of maps" : kind_names[option->kind]);
    put_range(option, out);
    if (option->fallback) {
        (void)buf_printf(out, " | `%s`", option->fallback);
    } else {
        (void)buf_put_text(out, option->flags & CONFIG_REQUIRED ? " | required" : " | ");
    }
    (void)buf_printf(out, " | %s | %s |\n",
                     option->flags & CONFIG_RELOADABLE ? "reload" : "restart",
                     option->doc ? option->doc : "");
}

bool config_print_manual(const struct config_program *program, struct buf *out)
{
    (void)buf_put_text(out,
                       "| option | kind | default | a change needs | |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < program->set_count; i++) {
        for (size_t k = 0; k < program->sets[i].count; k++) {
            put_manual_row(&program->sets[i].options[k], out);
        }
    }
    return !out->is_full;
}

/* --- the schema --------------------------------------------------------------------------------
 */

static json typed(const char *type)
{
    json schema = json_object_new(4);
    json_object_put_text(&schema, "type", json_text_from(type));
    return schema;
}

static json names_of(const struct config_option *option)
{
    json list = json_array_new(4);
    for (size_t i = 0; option->names && option->names[i]; i++) {
        json_array_push(&list, json_text_from(option->names[i]));
    }
    return list;
}

static json patterned(const char *pattern)
{
    json schema = json_object_new(2);
    json types  = json_array_new(2);
    json_array_push(&types, json_text_from("string"));
    json_array_push(&types, json_text_from("integer"));
    json_object_put_text(&schema, "type", types);
    json_object_put_text(&schema, "pattern", json_text_from(pattern));
    json_object_put_text(&schema, "maximum", json_int(0)); /* a number has a unit, but for 0 */
    return schema;
}

static json secret_schema(void)
{
    json properties = json_object_new(1);
    json_object_put_text(&properties, "secret", typed("string"));
    json required = json_array_new(1);
    json_array_push(&required, json_text_from("secret"));
    json schema = typed("object");
    json_object_put_text(&schema, "properties", properties);
    json_object_put_text(&schema, "required", required);
    json_object_put_text(&schema, "additionalProperties", json_bool(false));
    return schema;
}

static json schema_of(const struct config_option *option)
{
    json schema = json_invalid();
    switch (option->kind) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_URL:
    case CONFIG_URLS: return typed("string");
    case CONFIG_BOOL: return typed("boolean");
    case CONFIG_INT:
        schema = typed("integer");
        if (option->min != 0) json_object_put_text(&schema, "minimum", json_int(option->min));
        if (option->max != 0) json_object_put_text(&schema, "maximum", json_int(option->max));
        return schema;
    case CONFIG_SIZE: return patterned("^(0|[0-9]+([KMGT]i|[kMGT])?B)$");
    case CONFIG_DURATION: return patterned("^(0|[0-9]+(ms|s|m|h|d)|P.+)$");
    case CONFIG_ENUM:
        schema = json_object_new(2);
        json_object_put_text(&schema, "enum", names_of(option));
        return schema;
    case CONFIG_LIST:
        schema = typed("array");
        json_object_put_text(&schema, "items", typed("string"));
        json_object_put_text(&schema, "maxItems", json_int(CONFIG_ITEMS_MAX));
        return schema;
    case CONFIG_SECRET: return secret_schema();
    case CONFIG_TREE: return typed(option->flags & CONFIG_IS_LIST ? "array" : "object");
    }
    return schema;
}

static json closed_map(void)
{
    json schema = typed("object");
    json_object_put_text(&schema, "properties", json_object_new(4));
    json_object_put_text(&schema, "additionalProperties", json_bool(false));
    return schema;
}

/* Puts an option's schema where its path says, through maps that are made as needed. */
static void put_schema(json *root, const struct config_option *option)
{
    const char *path = option->path;
    str names[LEVELS_MAX];
    json maps[LEVELS_MAX]; /* views of the schemas on the way */
    size_t count = 0;
    json at      = *root;
    for (size_t from = 0; count < LEVELS_MAX;) {
        size_t len    = part_len(path, from);
        names[count]  = (str){.ptr = path + from, .len = len};
        maps[count++] = at;
        at            = json_get(json_get_text(at, "properties"), names[count - 1]);
        if (path[from + len] == '\0') break;
        from += len + 1;
    }
    json child = schema_of(option);
    if (option->doc) json_object_put_text(&child, "description", json_text_from(option->doc));
    while (count-- > 0) {
        json map        = json_is(maps[count], JSON_OBJECT) ? json_ref(maps[count]) : closed_map();
        json properties = json_ref(json_get_text(map, "properties"));
        json_object_put(&properties, names[count], child);
        json_object_put_text(&map, "properties", properties);
        child = map;
    }
    json_unref(*root);
    *root = child;
}

bool config_print_schema(const struct config_program *program, struct buf *out)
{
    CLEANUP(json_unrefp) json root = closed_map();
    json_object_put_text(&root, "$schema",
                         json_text_from("https://json-schema.org/draft/2020-12/schema"));
    json_object_put_text(&root, "title", json_text_from(program->name));
    for (size_t i = 0; i < program->set_count; i++) {
        for (size_t k = 0; k < program->sets[i].count; k++) {
            put_schema(&root, &program->sets[i].options[k]);
        }
    }
    return json_print(root, JSON_PRETTY, out);
}
