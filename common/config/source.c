/* The three places options come from: the file, the environment, flags. */
#include "base/assert.h"
#include "base/utf8.h"
#include "config/config_internal.h"
#include "json/json_pointer.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    LEVELS_MAX  = 8,       /* of an option's path */
    POINTER_MAX = 4 << 10, /* bytes */
    DETAIL_MAX  = 500,     /* bytes */
    WORDS_MAX   = 1000,    /* bytes of a detail with its source */
};

static const char prefix[] = "TUTTI_";

bool config_put_source(const struct config *config, const struct config_source *source,
                       struct buf *out)
{
    switch (source->origin) {
    case CONFIG_FROM_NOWHERE: return buf_put_text(out, "not set");
    case CONFIG_FROM_DEFAULT: return buf_put_text(out, "default");
    case CONFIG_FROM_FILE:
        return buf_printf(out, "%s:%u:%u", config->sources.file, source->line, source->column);
    case CONFIG_FROM_ENVIRONMENT: return buf_printf(out, "environment %s", source->name);
    case CONFIG_FROM_FLAG: return buf_printf(out, "--set %s", source->name);
    }
    return false;
}

void config_loader_found(struct config_loader *loader, const struct config_source *source,
                         const char *hint, const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);

    CLEANUP(buf_done) struct buf words = buf_init(WORDS_MAX);
    if (source->origin == CONFIG_FROM_ENVIRONMENT || source->origin == CONFIG_FROM_FLAG) {
        (void)config_put_source(loader->config, source, &words);
        (void)buf_put_text(&words, ": ");
    }
    (void)buf_put_text(&words, detail);
    struct diagnostic *finding = diagnostics_add(loader->list, "", SEVERITY_ERROR,
                                                 str_from(source->pointer ? source->pointer : ""),
                                                 source->line, source->column, "%s", words.ptr);
    if (*hint) diagnostic_hint(loader->list, finding, "%s", hint);
}

/* Takes what a source says about an option. */
static void take(struct config_loader *loader, struct config_value *value, json given, bool is_text,
                 const struct config_source *source)
{
    json converted   = json_invalid();
    const char *hint = "";
    const char *problem =
        config_convert(value->option, given, is_text, loader->config->arena, &converted, &hint);
    if (problem) {
        config_loader_found(loader, source, hint, "`%s` %s", value->option->path, problem);
        return;
    }
    json_unref(value->value);
    value->value  = converted;
    value->source = *source;
}

static void found_unknown(struct config_loader *loader, const struct config_source *source,
                          str path)
{
    const char *near           = config_nearest(loader->config, path);
    char hint[CONFIG_PATH_MAX] = "";
    if (near) (void)snprintf(hint, sizeof hint, "did you mean `%s`?", near);
    config_loader_found(loader, source, hint, "there is no option `" STR_FMT "`", STR_ARG(path));
}

/* --- the file ----------------------------------------------------------------------------------
 */

/* One map of the file on the way down; `path` and `pointer` end where it does. */
struct level {
    json map;
    size_t position;
    size_t path_len;
    size_t pointer_len;
};

struct walk {
    struct level levels[LEVELS_MAX];
    size_t depth;
    struct buf path;    /* "scheduler.store" */
    struct buf pointer; /* "/scheduler/store" */
};

static void walk_done(struct walk *walk)
{
    buf_done(&walk->path);
    buf_done(&walk->pointer);
}

static void cut(struct buf *buf, size_t len)
{
    if (!buf->ptr) return;
    buf->len      = len;
    buf->ptr[len] = '\0';
    buf->is_full  = false;
}

static void enter(struct walk *walk, json map)
{
    ASSERT(walk->depth < LEVELS_MAX); /* no option lies deeper, and nothing else is entered */
    walk->levels[walk->depth++] =
        (struct level){.map = map, .path_len = walk->path.len, .pointer_len = walk->pointer.len};
}

static struct config_source file_source(struct config_loader *loader, const struct walk *walk,
                                        bool of_key)
{
    const struct config *config = loader->config;
    str pointer                 = buf_str(&walk->pointer);
    struct yaml_place place     = of_key ? yaml_key_place(config->document, pointer)
                                         : yaml_place_of(config->document, pointer);
    return (struct config_source){
        .origin  = CONFIG_FROM_FILE,
        .line    = place.line,
        .column  = place.column,
        .pointer = config_keep(loader->config, pointer),
    };
}

/* A member of the file: an option, a map on the way to some, another program's, or a mistake. */
static void take_member(struct config_loader *loader, struct walk *walk, json given)
{
    str path                   = buf_str(&walk->path);
    struct config_value *value = config_value_at(loader->config, path);
    if (value) {
        struct config_source source = file_source(loader, walk, false);
        if (!json_is(given, JSON_NULL)) take(loader, value, given, false, &source);
        return;
    }
    if (walk->depth == 1 && config_is_foreign_section(loader->config, path)) return;
    if (!config_has_below(loader->config, path)) {
        struct config_source source = file_source(loader, walk, true);
        found_unknown(loader, &source, path);
        return;
    }
    if (json_is(given, JSON_OBJECT)) {
        enter(walk, given);
    } else if (!json_is(given, JSON_NULL)) {
        struct config_source source = file_source(loader, walk, false);
        config_loader_found(loader, &source, "", "`" STR_FMT "` must be a map", STR_ARG(path));
    }
}

static void walk_file(struct config_loader *loader, json root)
{
    CLEANUP(walk_done)
    struct walk walk = {.path = buf_init(CONFIG_PATH_MAX), .pointer = buf_init(POINTER_MAX)};
    enter(&walk, root);
    while (walk.depth > 0) {
        struct level *level = &walk.levels[walk.depth - 1];
        cut(&walk.path, level->path_len);
        cut(&walk.pointer, level->pointer_len);
        if (level->position == json_count(level->map)) {
            walk.depth--;
            continue;
        }
        str key    = json_key_at(level->map, level->position);
        json given = json_value_at(level->map, level->position++);
        if (walk.path.len > 0) (void)buf_put_byte(&walk.path, '.');
        (void)buf_put_str(&walk.path, key);
        (void)json_pointer_add(&walk.pointer, key);
        if (walk.path.is_full || memchr(key.ptr, '.', key.len)) {
            struct config_source source = file_source(loader, &walk, true);
            config_loader_found(loader, &source, "", "there is no option of this name");
            continue;
        }
        take_member(loader, &walk, given);
    }
}

void config_read_file(struct config_loader *loader, str text)
{
    struct config *config = loader->config;
    if (yaml_parse(text, loader->list, &config->document, NULL) != STATUS_OK) return;
    json root = yaml_root(config->document);
    if (json_is(root, JSON_OBJECT)) {
        walk_file(loader, root);
    } else if (!json_is(root, JSON_NULL)) {
        struct config_source source = {.origin = CONFIG_FROM_FILE, .line = 1, .column = 1};
        config_loader_found(loader, &source, "", "the file must be a map of sections");
    }
}

/* --- environment and flags ---------------------------------------------------------------------
 */

/* Sets one member of a tree: "openai.base_url". The maps on the way are made as needed. */
static void put_below(struct config_loader *loader, struct config_value *value, str rest, str text,
                      const struct config_source *source)
{
    str names[LEVELS_MAX];
    json maps[LEVELS_MAX]; /* views; JSON_INVALID: none yet */
    size_t count = 0;
    json at      = value->value;
    if (utf8_valid_prefix(rest) != rest.len) {
        config_loader_found(loader, source, "write the name in UTF-8", "is not named in UTF-8");
        return;
    }
    for (size_t from = 0, i = 0; i <= rest.len; i++) {
        if (i < rest.len && rest.ptr[i] != '.') continue;
        if (count == LEVELS_MAX || json_is(at, JSON_ARRAY)) {
            config_loader_found(loader, source, "set the whole list", "cannot be set one by one");
            return;
        }
        names[count]  = str_slice(rest, from, i);
        maps[count++] = at;
        at            = json_get(at, str_slice(rest, from, i));
        from          = i + 1;
    }
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    if (yaml_parse(text, NULL, &document, NULL) != STATUS_OK) {
        config_loader_found(loader, source, "put it in quotes", "the value must be YAML");
        return;
    }
    json child = json_ref(yaml_root(document));
    while (count-- > 0) {
        bool is_map = json_is(maps[count], JSON_OBJECT);
        json map    = is_map ? json_ref(maps[count]) : json_object_new(1);
        json_object_put(&map, names[count], child);
        child = map;
    }
    json_unref(value->value);
    value->value  = child;
    value->source = *source;
}

static void take_text(struct config_loader *loader, str path, str text,
                      const struct config_source *source)
{
    size_t dot = 0;
    while (dot < path.len && path.ptr[dot] != '.') dot++;
    if (config_is_foreign_section(loader->config, str_slice(path, 0, dot))) return;

    str rest                        = {};
    CLEANUP(json_unrefp) json given = json_text_lossy(text);
    struct config_value *value      = config_value_at(loader->config, path);
    if (value && value->option->kind == CONFIG_SECRET) {
        const char *hint = "set its member `secret` to the NAME of a secret";
        config_loader_found(loader, source, hint, "is a secret, which is given by reference only");
        return;
    }
    if (!value) {
        value = config_value_around(loader->config, path, &rest);
        if (value && value->option->kind == CONFIG_TREE) {
            put_below(loader, value, rest, text, source);
            return;
        }
    }
    if (value) {
        take(loader, value, given, true, source);
    } else {
        found_unknown(loader, source, path);
    }
}

/* TUTTI_SCHEDULER__STORE__PATH is scheduler.store.path. False: no option, but perhaps TUTTI_CONFIG.
 */
static bool path_from(str name, char path[static CONFIG_PATH_MAX], size_t *ret_len)
{
    size_t len  = 0;
    bool is_one = false;
    for (size_t i = sizeof prefix - 1; i < name.len; i++) {
        if (len == CONFIG_PATH_MAX) return false;
        char c = name.ptr[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (c == '_' && i + 1 < name.len && name.ptr[i + 1] == '_') {
            c      = '.';
            is_one = true;
            i++;
        }
        path[len++] = c;
    }
    *ret_len = len;
    return is_one;
}

void config_read_environment(struct config_loader *loader)
{
    char *const *variable = loader->config->sources.environment;
    for (; variable && *variable; variable++) {
        str whole        = str_from(*variable);
        const char *mark = memchr(whole.ptr, '=', whole.len);
        if (!mark || !str_starts_with(whole, str_from(prefix))) continue;
        char path[CONFIG_PATH_MAX];
        size_t len = 0;
        str name   = str_slice(whole, 0, (size_t)(mark - whole.ptr));
        if (!path_from(name, path, &len)) continue;
        struct config_source source = {
            .origin  = CONFIG_FROM_ENVIRONMENT,
            .name    = config_keep(loader->config, name),
            .pointer = "",
        };
        take_text(loader, (str){.ptr = path, .len = len}, str_slice(whole, name.len + 1, whole.len),
                  &source);
    }
}

void config_read_flags(struct config_loader *loader)
{
    const struct config_sources *sources = &loader->config->sources;
    for (size_t i = 0; i < sources->flag_count; i++) {
        str whole        = str_from(sources->flags[i]);
        const char *mark = whole.len ? memchr(whole.ptr, '=', whole.len) : NULL;
        str path         = mark ? str_slice(whole, 0, (size_t)(mark - whole.ptr)) : whole;
        struct config_source source = {
            .origin  = CONFIG_FROM_FLAG,
            .name    = config_keep(loader->config, path),
            .pointer = "",
        };
        if (!mark) {
            config_loader_found(loader, &source, "write --set path=value", "has no value");
            continue;
        }
        take_text(loader, path, str_slice(whole, path.len + 1, whole.len), &source);
    }
}
