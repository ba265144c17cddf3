/* Values: from the notation of people to that of a service's struct, and back. */
#include "base/assert.h"
#include "base/clock.h"
#include "config/config_internal.h"
#include "json/json_text.h"

#include <stdio.h>

static const struct {
    const char *name;
    uint64_t factor; /* bytes */
} units[] = {
    /* the largest that divides a size is the one it is printed with, so the binary ones come first
     */
    {"TiB", (uint64_t)1 << 40},
    {"GiB", (uint64_t)1 << 30},
    {"MiB", (uint64_t)1 << 20},
    {"KiB", (uint64_t)1 << 10},
    {"TB", 1'000'000'000'000},
    {"GB", 1'000'000'000},
    {"MB", 1'000'000},
    {"kB", 1'000},
    {"B", 1},
};

/* A whole number at the start of `text`; moves past it. */
static bool eat_number(str *text, uint64_t *ret_value)
{
    size_t digits  = 0;
    uint64_t value = 0;
    for (; digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9'; digits++) {
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(text->ptr[digits] - '0'), &value)) {
            return false;
        }
    }
    *text      = str_slice(*text, digits, text->len);
    *ret_value = value;
    return digits > 0;
}

static bool size_from_text(str text, uint64_t *ret_size)
{
    uint64_t number = 0;
    if (!eat_number(&text, &number)) return false;
    if (number == 0 && text.len == 0) {
        *ret_size = 0;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!str_is(text, units[i].name)) continue;
        if (__builtin_mul_overflow(number, units[i].factor, &number)) return false;
        if (number > INT64_MAX) return false;
        *ret_size = number;
        return true;
    }
    return false;
}

bool config_size_from(json value, uint64_t *ret_size)
{
    if (json_is(value, JSON_TEXT)) return size_from_text(json_str(value), ret_size);
    if (!json_is(value, JSON_INT) || value.integer != 0) return false;
    *ret_size = 0;
    return true;
}

bool config_duration_from(json value, int64_t *ret_ms)
{
    int64_t us = 0;
    if (json_is(value, JSON_INT) && value.integer == 0) {
        *ret_ms = 0;
        return true;
    }
    if (!json_is(value, JSON_TEXT)) return false;
    bool is_zero = str_is(json_str(value), "0");
    if (!is_zero && !duration_parse(json_str(value), &us)) return false;
    if (us % 1000 != 0) return false;
    *ret_ms = us / 1000;
    return true;
}

/* --- kinds -------------------------------------------------------------------------------------
 */

static bool is_named(const struct config_option *option, str name, int *ret_index)
{
    for (int i = 0; option->names && option->names[i]; i++) {
        if (!str_is(name, option->names[i])) continue;
        *ret_index = i;
        return true;
    }
    return false;
}

static bool integer_from(json given, bool is_text, int64_t *ret_value)
{
    if (!is_text) {
        if (!json_is(given, JSON_INT)) return false;
        *ret_value = given.integer;
        return true;
    }
    json number = json_invalid();
    if (json_parse(json_str(given), NULL, &number, NULL, NULL) != STATUS_OK) return false;
    bool is_int = json_is(number, JSON_INT);
    *ret_value  = is_int ? number.integer : 0;
    json_unref(number);
    return is_int;
}

static const char *convert_number(const struct config_option *option, json given, bool is_text,
                                  struct arena *arena, json *ret_value)
{
    int64_t number = 0;
    uint64_t size  = 0;
    if (option->kind == CONFIG_INT) {
        if (!integer_from(given, is_text, &number)) return "must be a whole number";
    } else if (option->kind == CONFIG_SIZE) {
        if (!config_size_from(given, &size)) return "must be a size with its unit, such as 64MiB";
        number = (int64_t)size;
    } else if (!config_duration_from(given, &number)) {
        return "must be a duration with its unit, such as 30s or 250ms";
    }
    CLEANUP(buf_done) struct buf limit = buf_init(CONFIG_PATH_MAX);
    bool is_below                      = number < option->min;
    if (is_below || (option->max != 0 && number > option->max)) {
        json bound = json_int(is_below ? option->min : option->max);
        (void)buf_put_text(&limit, is_below ? "must be at least " : "must be at most ");
        (void)config_put_value(option, bound, &limit);
        const char *words = arena_strdup(arena, buf_str(&limit));
        return words ? words : "is out of range";
    }
    *ret_value = json_int(number);
    return NULL;
}

static const char *one_of(const struct config_option *option, struct arena *arena)
{
    CLEANUP(buf_done) struct buf words = buf_init(CONFIG_PATH_MAX);
    (void)buf_put_text(&words, "must be one of");
    for (size_t i = 0; option->names && option->names[i]; i++) {
        (void)buf_printf(&words, "%s %s", i > 0 ? "," : "", option->names[i]);
    }
    const char *kept = arena_strdup(arena, buf_str(&words));
    return kept ? kept : "must be one of the names of the manual";
}

static const char *check_url(const struct config_option *option, str text, struct arena *arena,
                             const char **ret_hint)
{
    int index        = 0;
    const char *mark = text.len ? memmem(text.ptr, text.len, "://", 3) : NULL;
    if (!mark) return "must be a URL such as tcp://127.0.0.1:7000";
    str scheme = str_slice(text, 0, (size_t)(mark - text.ptr));
    if (option->names && !is_named(option, scheme, &index)) {
        *ret_hint = one_of(option, arena);
        return "has a scheme that cannot be used here";
    }
    return NULL;
}

static bool parts_urls(char c)
{
    return c == ',' || c == ' ';
}

static const char *check_urls(const struct config_option *option, str text, struct arena *arena,
                              const char **ret_hint)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        while (i < text.len && !parts_urls(text.ptr[i])) i++;
        if (i > from) {
            const char *wrong = check_url(option, str_slice(text, from, i), arena, ret_hint);
            if (wrong) return wrong;
            count++;
        }
        while (i < text.len && parts_urls(text.ptr[i])) i++;
    }
    return count > 0 ? NULL : check_url(option, text, arena, ret_hint);
}

static const char *convert_text(const struct config_option *option, json given, struct arena *arena,
                                json *ret_value, const char **ret_hint)
{
    int index = 0;
    if (!json_is(given, JSON_TEXT)) {
        *ret_hint = "put it in quotes";
        return "must be a text";
    }
    str text = json_str(given);
    if (memchr(text.ptr, '\0', text.len)) return "must not hold a NUL";
    if (option->kind == CONFIG_ENUM && !is_named(option, text, &index)) {
        return one_of(option, arena);
    }
    if (option->kind == CONFIG_PATH && text.len == 0) return "must be a path";
    const char *wrong = NULL;
    if (option->kind == CONFIG_URL) wrong = check_url(option, text, arena, ret_hint);
    if (option->kind == CONFIG_URLS) wrong = check_urls(option, text, arena, ret_hint);
    if (wrong) return wrong;
    *ret_value = json_ref(given);
    return NULL;
}

/* "a, b" as a list; "" is the empty one. */
static json split_list(str text)
{
    json list   = json_array_new(0);
    size_t from = 0;
    for (size_t i = 0; i <= text.len && text.len > 0; i++) {
        if (i < text.len && text.ptr[i] != ',') continue;
        json_array_push(&list, json_text_new(str_trim(str_slice(text, from, i), " ")));
        from = i + 1;
    }
    return list;
}

static const char *convert_list(const struct config_option *option, json given, bool is_text,
                                struct arena *arena, json *ret_value)
{
    int index                      = 0;
    CLEANUP(json_unrefp) json list = is_text ? split_list(json_str(given)) : json_ref(given);
    if (!json_is(list, JSON_ARRAY)) return "must be a list of texts";
    if (json_count(list) > CONFIG_ITEMS_MAX) return "must have at most 256 entries";
    for (size_t i = 0; i < json_count(list); i++) {
        json item = json_at(list, i);
        if (!json_is(item, JSON_TEXT)) return "must be a list of texts";
        if (option->names && !is_named(option, json_str(item), &index)) {
            return one_of(option, arena);
        }
    }
    *ret_value = json_take(&list);
    return NULL;
}

static const char *convert_secret(json given, bool is_text, json *ret_value, const char **ret_hint)
{
    json name = is_text ? given : json_get_text(given, "secret");
    if (!json_is(name, JSON_TEXT) || (!is_text && json_count(given) != 1)) {
        *ret_hint = "write {secret: NAME}, and put the value into a file of that name";
        return "is a secret, which is given by reference only";
    }
    *ret_value = json_ref(name);
    return NULL;
}

static const char *check_tree(const struct config_option *option, json given, json *ret_value)
{
    bool is_list = option->flags & CONFIG_IS_LIST;
    if (!json_is(given, is_list ? JSON_ARRAY : JSON_OBJECT)) {
        return is_list ? "must be a list" : "must be a map";
    }
    *ret_value = json_ref(given);
    return NULL;
}

static const char *convert_tree(const struct config_option *option, json given, bool is_text,
                                json *ret_value)
{
    if (!is_text) return check_tree(option, given, ret_value);
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    if (yaml_parse(json_str(given), NULL, &document, NULL) != STATUS_OK) return "must be YAML";
    return check_tree(option, yaml_root(document), ret_value);
}

const char *config_convert(const struct config_option *option, json given, bool is_text,
                           struct arena *arena, json *ret_value, const char **ret_hint)
{
    *ret_hint = "";
    switch (option->kind) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_URL:
    case CONFIG_URLS:
    case CONFIG_ENUM: return convert_text(option, given, arena, ret_value, ret_hint);
    case CONFIG_BOOL:
        if (is_text) {
            bool is_true = str_is(json_str(given), "true");
            if (!is_true && !str_is(json_str(given), "false")) return "must be true or false";
            given = json_bool(is_true);
        }
        if (!json_is_bool(given)) return "must be true or false";
        *ret_value = given;
        return NULL;
    case CONFIG_INT:
    case CONFIG_SIZE:
    case CONFIG_DURATION: return convert_number(option, given, is_text, arena, ret_value);
    case CONFIG_LIST: return convert_list(option, given, is_text, arena, ret_value);
    case CONFIG_SECRET: return convert_secret(given, is_text, ret_value, ret_hint);
    case CONFIG_TREE: return convert_tree(option, given, is_text, ret_value);
    }
    return "is of no known kind";
}

/* --- back to people ----------------------------------------------------------------------------
 */

static bool put_size(uint64_t size, struct buf *out)
{
    if (size == 0) return buf_put_text(out, "0");
    size_t i = 0;
    while (size % units[i].factor != 0) i++; /* the last divides all */
    return buf_printf(out, "%llu%s", (unsigned long long)(size / units[i].factor), units[i].name);
}

bool config_put_value(const struct config_option *option, json value, struct buf *out)
{
    char text[TIME_TEXT_SIZE];
    switch (option->kind) {
    case CONFIG_SIZE: return put_size((uint64_t)value.integer, out);
    case CONFIG_DURATION:
        if (value.integer == 0) return buf_put_text(out, "0");
        duration_format(value.integer * 1000, text);
        return buf_put_text(out, text);
    case CONFIG_ENUM: return buf_put_str(out, json_str(value));
    case CONFIG_SECRET:
        (void)buf_put_text(out, "{secret: ");
        (void)json_print(value, JSON_COMPACT, out);
        return buf_put_byte(out, '}');
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_URL:
    case CONFIG_URLS:
    case CONFIG_BOOL:
    case CONFIG_INT:
    case CONFIG_LIST:
    case CONFIG_TREE: break;
    }
    return json_print(value, JSON_COMPACT, out); /* which is YAML */
}

/* --- to the struct -----------------------------------------------------------------------------
 */

static struct config_list list_from(json value, struct arena *arena)
{
    size_t count       = json_count(value);
    const char **items = arena_alloc(arena, (count + 1) * sizeof *items);
    ASSERT(items != NULL); /* CONFIG_ITEMS_MAX pointers for each option fit the arena */
    for (size_t i = 0; i < count; i++) items[i] = json_str(json_at(value, i)).ptr;
    return (struct config_list){.items = items, .count = count};
}

void config_fill(const struct config_value *value, struct arena *arena, void *options)
{
    void *field   = (char *)options + value->offset;
    json given    = value->value;
    bool is_there = !json_is(given, JSON_INVALID);
    int index     = 0;
    switch (value->option->kind) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_URL:
    case CONFIG_URLS: *(const char **)field = is_there ? json_str(given).ptr : NULL; break;
    case CONFIG_BOOL: *(bool *)field = json_is(given, JSON_TRUE); break;
    case CONFIG_INT:
    case CONFIG_DURATION: *(int64_t *)field = is_there ? given.integer : 0; break;
    case CONFIG_SIZE: *(uint64_t *)field = is_there ? (uint64_t)given.integer : 0; break;
    case CONFIG_ENUM:
        if (is_there) (void)is_named(value->option, json_str(given), &index);
        *(int *)field = index;
        break;
    case CONFIG_LIST: *(struct config_list *)field = list_from(given, arena); break;
    case CONFIG_SECRET:
        *(struct config_secret *)field =
            (struct config_secret){.name = is_there ? json_str(given).ptr : NULL};
        break;
    case CONFIG_TREE: *(json *)field = given; break;
    }
}
