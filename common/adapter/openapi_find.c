#include "adapter/openapi_find.h"

#include "base/attr.h"
#include "http/http.h"
#include "http/url.h"
#include "json/json_map.h"
#include "json/json_pointer.h"

#include <string.h>
#include <strings.h>

enum {
    ID_SHOWN_MAX = 100,   /* bytes */
    WORD_MIN     = 3,     /* letters */
    LIKE_MAX     = 200,   /* bytes of a name that is compared with others */
    GUESSES_MAX  = 5'000, /* of one look at a description; others are as good as unlike */
};

static const char *const methods[] = {"get",   "head",   "post",    "put",
                                      "patch", "delete", "options", "trace"};

status openapi_check(json root, bool *ret_is_swagger, struct error *reterr)
{
    bool is_openapi = str_starts_with(openapi_text(root, "openapi"), str_from("3."));
    *ret_is_swagger = str_is(openapi_text(root, "swagger"), "2.0");
    if (is_openapi || *ret_is_swagger) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "neither OpenAPI 3.x nor Swagger 2.0: it does not begin with `openapi: 3.…` or "
                "`swagger: \"2.0\"`");
}

/* --- references ------------------------------------------------------------------------------- */

/* The document that `reference` means as seen from `base`, and the place in it. The place stays as
 * it is: URLs would escape it. */
static bool split(str base, str reference, struct buf *ret_url, str *ret_place)
{
    const char *hash = reference.len > 0 ? memchr(reference.ptr, '#', reference.len) : NULL;
    size_t len       = hash ? (size_t)(hash - reference.ptr) : reference.len;
    struct url parts = {};
    *ret_place       = hash ? str_slice(reference, len + 1, reference.len) : (str){.ptr = ""};
    if (!url_resolve(base, str_slice(reference, 0, len), ret_url)) return false;
    const char *end = ret_url->len > 0 ? memchr(ret_url->ptr, '#', ret_url->len) : NULL;
    return !end && url_parse(buf_str(ret_url), &parts);
}

static json foreign(const struct openapi_library *library, str reference)
{
    CLEANUP(buf_done) struct buf url = buf_init(HTTP_URL_MAX);
    str place                        = {};
    if (library->url.len == 0 || !split(library->url, reference, &url, &place)) {
        return json_invalid();
    }
    if (str_equal(buf_str(&url), library->url)) return json_pointer_get(library->root, place);
    for (size_t i = 0; i < library->part_count; i++) {
        if (!str_equal(buf_str(&url), library->parts[i].url)) continue;
        return json_pointer_get(library->parts[i].root, place);
    }
    if (library->wanted && library->wanted->len == 0) {
        (void)buf_put_str(library->wanted, buf_str(&url));
    }
    return json_invalid();
}

json openapi_follow(const struct openapi_library *library, json node)
{
    for (size_t i = 0; i < OPENAPI_REFS_MAX; i++) {
        json ref = json_get_text(node, "$ref");
        if (!json_is(ref, JSON_TEXT)) return node;
        if (library->followed && ++*library->followed > OPENAPI_FOLLOWED_MAX) break;
        str pointer   = json_str(ref);
        bool is_local = pointer.len > 0 && pointer.ptr[0] == '#';
        node = is_local ? json_pointer_get(library->root, str_slice(pointer, 1, pointer.len))
                        : foreign(library, pointer);
    }
    return json_invalid();
}

json openapi_follow_member(const struct openapi_library *library, json map, const char *name)
{
    return openapi_follow(library, json_get_text(map, name));
}

json openapi_resolve(json root, json node)
{
    const struct openapi_library alone = {.root = root};
    return openapi_follow(&alone, node);
}

json openapi_member(json root, json map, const char *name)
{
    return openapi_resolve(root, json_get_text(map, name));
}

struct moving {
    str base;
    size_t values;
};

static json move(str key, json value, void *context)
{
    struct moving *moving            = context;
    CLEANUP(buf_done) struct buf url = buf_init(HTTP_URL_MAX);
    CLEANUP(buf_done) struct buf all = buf_init(2 * HTTP_URL_MAX);
    str place                        = {};
    moving->values++;
    if (!str_is(key, "$ref") || !json_is(value, JSON_TEXT)) return json_invalid();
    if (!split(moving->base, json_str(value), &url, &place)) return json_invalid();
    (void)buf_put_str(&all, buf_str(&url));
    (void)buf_put_byte(&all, '#');
    return buf_put_str(&all, place) ? json_text_lossy(buf_str(&all)) : json_invalid();
}

json openapi_part_new(json document, str url, size_t *values)
{
    struct moving moving = {.base = url};
    json part            = json_map_values(document, move, &moving);
    *values += moving.values;
    return part;
}

/* --- operations ------------------------------------------------------------------------------- */

str openapi_text(json map, const char *name)
{
    json value = json_get_text(map, name);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){.ptr = ""};
}

bool openapi_type_is(str type, const char *wanted)
{
    size_t len      = strlen(wanted);
    const char *end = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    if (end) type.len = (size_t)(end - type.ptr);
    while (type.len > 0 && type.ptr[type.len - 1] == ' ') type.len--;
    if (wanted[0] != '+') return type.len == len && strncasecmp(type.ptr, wanted, len) == 0;
    return type.len > len && strncasecmp(type.ptr + type.len - len, wanted, len) == 0;
}

bool openapi_type_is_json(str type)
{
    return openapi_type_is(type, "application/json") || openapi_type_is(type, "+json") ||
           openapi_type_is(type, "*/*") || openapi_type_is(type, "application/*");
}

/* Of the documents that are not there, the one that has the operation most likely. */
struct guess {
    str id;
    struct buf url;
    size_t likeness, count;
};

static void guess_done(struct guess *guess)
{
    buf_done(&guess->url);
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z');
}

/* Whatever their case is. */
static bool has_word(str text, str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (strncasecmp(text.ptr + i, word.ptr, word.len) == 0) return true;
    }
    return false;
}

/* The next word of "listPet_owners"; empty at the end. */
static str next_word(str text, size_t *at)
{
    while (*at < text.len && !is_letter(text.ptr[*at])) ++*at;
    size_t from = *at;
    while (*at < text.len && is_letter(text.ptr[*at]) &&
           (*at == from || !is_upper(text.ptr[*at]) || is_upper(text.ptr[*at - 1]))) {
        ++*at;
    }
    return str_slice(text, from, *at);
}

/* How many letters of the operation's words are in a path or an address: names of operations are
 * made of those of their paths. Only the order in which documents are looked through hangs on it.
 */
static size_t likeness_of(str id, str path, str url)
{
    size_t sum = 0;
    size_t at  = 0;
    id         = str_slice(id, 0, LIKE_MAX);
    path       = str_slice(path, 0, LIKE_MAX);
    if (url.len > LIKE_MAX) url = str_slice(url, url.len - LIKE_MAX, url.len); /* its own name */
    for (str word = next_word(id, &at); word.len > 0; word = next_word(id, &at)) {
        bool is_plural = word.len > WORD_MIN && word.ptr[word.len - 1] == 's';
        if (is_plural) word.len--;
        bool is_there = word.len >= WORD_MIN && (has_word(path, word) || has_word(url, word));
        if (is_there) sum += word.len;
    }
    return sum;
}

/* What is behind a reference of the path, or a guess more. */
static json look_into(const struct openapi_library *library, json node, str path,
                      struct guess *guess)
{
    struct openapi_library asking        = *library;
    CLEANUP(buf_done) struct buf missing = buf_init(HTTP_URL_MAX);
    if (library->wanted) asking.wanted = &missing;
    json found = openapi_follow(&asking, node);
    if (missing.len == 0) return found;
    bool is_far     = guess->count++ >= GUESSES_MAX;
    size_t likeness = is_far ? 0 : likeness_of(guess->id, path, buf_str(&missing));
    if (guess->url.len > 0 && likeness <= guess->likeness) return found;
    buf_clear(&guess->url);
    (void)buf_put_str(&guess->url, buf_str(&missing));
    guess->likeness = likeness;
    return found;
}

static bool find(const struct openapi_library *library, struct guess *guess,
                 struct openapi_operation *ret_operation)
{
    json paths = json_get_text(library->root, "paths");
    for (size_t i = 0; json_is(paths, JSON_OBJECT) && i < json_count(paths); i++) {
        str path = json_key_at(paths, i);
        if (path.len == 0 || path.ptr[0] != '/') continue;
        json item = look_into(library, json_value_at(paths, i), path, guess);
        for (size_t k = 0; k < ARRAY_LEN(methods); k++) {
            json self      = look_into(library, json_get_text(item, methods[k]), path, guess);
            *ret_operation = (struct openapi_operation){
                .method = methods[k], .path = path, .item = item, .self = self};
            bool is_it = json_is(self, JSON_OBJECT) &&
                         json_is(json_get_text(self, "operationId"), JSON_TEXT) &&
                         str_equal(openapi_text(self, "operationId"), guess->id);
            if (is_it) return true;
        }
    }
    return false;
}

status openapi_find(const struct openapi_library *library, str id,
                    struct openapi_operation *ret_operation, struct error *reterr)
{
    CLEANUP(guess_done) struct guess guess = {.id = id, .url = buf_init(HTTP_URL_MAX)};
    if (find(library, &guess, ret_operation)) return STATUS_OK;
    if (library->wanted && library->wanted->len == 0 && guess.url.len > 0) {
        (void)buf_put_str(library->wanted, buf_str(&guess.url));
        if (library->is_search) *library->is_search = true;
    }
    return fail(reterr, STATUS_NOT_FOUND, "the description has no operation `%.*s`",
                (int)(id.len < ID_SHOWN_MAX ? id.len : ID_SHOWN_MAX), id.ptr);
}
