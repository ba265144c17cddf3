#include "tool-adapter/files/file_arguments.h"

#include "base/clock.h"
#include "base/hash.h"
#include "config/config.h"

#include <inttypes.h>
#include <string.h>

enum { LEVELS_MAX = 64 /* of arguments within each other; JSON here has no more */ };

static bool has_format(json property, const char *format)
{
    json given = json_get_text(property, "format");
    return json_is(given, JSON_TEXT) && str_is(json_str(given), format);
}

static json properties_of(const struct manifest_action *action)
{
    return json_get_text(action->params, "properties");
}

/* --- where they lie ----------------------------------------------------------------------------
 */

/* A value within the arguments, and what the manifest says of it. */
struct place {
    str name; /* of the argument that it is, or lies in */
    json schema, value;
    bool is_argument;
};

typedef status place_fn(const struct place *place, void *context, struct error *reterr);

struct level {
    json schema, value;
    size_t next;
};

/* What the members of a map, or the items of a list, are by `properties` and `items`. */
static bool next_within(struct level *level, str *ret_key, json *ret_schema, json *ret_value)
{
    bool is_map = json_is(level->value, JSON_OBJECT);
    json inner  = json_get_text(level->schema, is_map ? "properties" : "items");
    if (!json_is(inner, JSON_OBJECT)) return false;
    size_t at = level->next++;
    if (at >= json_count(is_map ? inner : level->value)) return false;
    *ret_key    = is_map ? json_key_at(inner, at) : (str){};
    *ret_schema = is_map ? json_value_at(inner, at) : inner;
    *ret_value  = is_map ? json_get(level->value, *ret_key) : json_at(level->value, at);
    return true;
}

/* Long lists of numbers are not gone through. */
static bool may_hold_files(json schema, json value)
{
    json items = json_get_text(schema, "items");
    if (json_is(value, JSON_OBJECT)) return true;
    return json_is(value, JSON_ARRAY) &&
           (has_format(items, "file") || json_count(json_get_text(items, "properties")) > 0 ||
            !json_is(json_get_text(items, "items"), JSON_INVALID));
}

/* Visits all that there is, as far as the manifest tells of it, until one fails. */
static status places_visit(const struct manifest_action *action, json params, place_fn *visit,
                           void *context, struct error *reterr)
{
    struct level levels[LEVELS_MAX] = {{.schema = action->params, .value = params}};
    size_t depth                    = 1;
    struct place place              = {};
    str key                         = {};
    while (depth > 0) {
        if (!next_within(&levels[depth - 1], &key, &place.schema, &place.value)) {
            depth--;
            continue;
        }
        place.is_argument = depth == 1;
        if (place.is_argument) place.name = key;
        TRY(visit(&place, context, reterr));
        if (depth == LEVELS_MAX || !may_hold_files(place.schema, place.value)) continue;
        levels[depth++] = (struct level){.schema = place.schema, .value = place.value};
    }
    return STATUS_OK;
}

/* The id of the stored file that stands there; JSON_INVALID: none does. */
static json id_at(const struct place *place)
{
    bool is_blob = place->is_argument && has_format(place->schema, "blob") &&
                   json_is(place->value, JSON_OBJECT);
    if (is_blob) return json_get_text(place->value, "file");
    return has_format(place->schema, "file") ? place->value : json_invalid();
}

/* --- which there are ---------------------------------------------------------------------------
 */

struct finding {
    str *ids;
    size_t count;
};

static status take(const struct place *place, void *context, struct error *)
{
    struct finding *found = context;
    json id               = id_at(place);
    bool is_there         = json_is(id, JSON_TEXT) && found->count <= FILE_SET_MAX;
    if (is_there) found->ids[found->count++] = json_str(id);
    return STATUS_OK;
}

size_t file_arguments_find(const struct manifest_action *action, json params,
                           str ret_ids[FILE_SET_MAX + 1])
{
    struct finding found = {.ids = ret_ids};
    (void)places_visit(action, params, take, &found, NULL);
    return found.count;
}

/* --- what they are -----------------------------------------------------------------------------
 */

/* `text/plain`, or `text/...` for any of its kind, which is written with a star. */
static bool is_like(str pattern, str type)
{
    bool is_kind = pattern.len > 1 && pattern.ptr[pattern.len - 1] == '*';
    if (!is_kind) return str_equal(pattern, type);
    str kind = str_slice(pattern, 0, pattern.len - 1);
    return type.len >= kind.len && memcmp(type.ptr, kind.ptr, kind.len) == 0;
}

static bool fits_type(json patterns, const char *type)
{
    bool fits = json_count(patterns) == 0;
    for (size_t i = 0; i < json_count(patterns); i++) {
        json one = json_at(patterns, i);
        fits     = fits || (json_is(one, JSON_TEXT) && is_like(json_str(one), str_from(type)));
    }
    return fits;
}

static status check(const struct place *place, void *context, struct error *reterr)
{
    json id           = id_at(place);
    uint64_t size_max = 0;
    bool has_max      = config_size_from(json_get_text(place->schema, "max_size"), &size_max);
    const struct stored_file *file = NULL;
    if (json_is(id, JSON_TEXT)) file = file_set_find(context, json_str(id));
    if (!file) return STATUS_OK;
    if (has_max && file->data.len > size_max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`" STR_FMT "`: the file `%s` has %zu bytes, at most %" PRIu64 " are taken",
                    STR_ARG(place->name), file->id, file->data.len, size_max);
    }
    if (fits_type(json_get_text(place->schema, "mime"), file->media_type)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "`" STR_FMT "`: the file `%s` is %s, which is not taken", STR_ARG(place->name),
                file->id, file->media_type);
}

static json shown_new(const char *id, const char *name, const char *mime, int64_t size,
                      const char *sha256)
{
    json shown = json_object_new(5);
    json_object_put_text(&shown, "file", json_text_from(id));
    json_object_put_text(&shown, "name", json_text_from(name));
    json_object_put_text(&shown, "mime", json_text_from(mime));
    json_object_put_text(&shown, "size", json_int(size));
    json_object_put_text(&shown, "sha256", json_text_from(sha256));
    return shown;
}

status file_arguments_fill(const struct manifest_action *action, const struct file_set *files,
                           json *params, struct error *reterr)
{
    json properties = properties_of(action);
    TRY(places_visit(action, *params, check, (void *)(uintptr_t)files, reterr));
    for (size_t i = 0; i < json_count(properties); i++) {
        str name   = json_key_at(properties, i);
        json id    = json_get_text(json_get(*params, name), "file");
        bool is_it = has_format(json_value_at(properties, i), "blob") && json_is(id, JSON_TEXT);
        const struct stored_file *file = is_it ? file_set_find(files, json_str(id)) : NULL;
        if (!file) continue;
        json_object_put(params, name,
                        shown_new(file->id, file->name, file->media_type, (int64_t)file->data.len,
                                  file->sha256));
    }
    return STATUS_OK;
}

/* --- what came along ---------------------------------------------------------------------------
 */

/* A blob within the arguments. */
struct inline_blob {
    str name; /* of the argument */
    bool is_text;
    size_t size; /* of all of it */
    str declared;
    bytes head;
};

static status read_inline(json value, char head[static MEDIA_TYPE_HEAD], struct inline_blob *blob,
                          struct error *reterr)
{
    enum { HEAD_CHARS = MEDIA_TYPE_HEAD / 3 * 4 };
    blob->is_text = json_is(value, JSON_TEXT);
    if (blob->is_text) {
        str text   = json_str(value);
        blob->size = text.len;
        blob->head = (bytes){.ptr = text.ptr, .len = text.len};
        return STATUS_OK;
    }
    str base64 = json_str(json_get_text(value, "base64"));
    json mime  = json_get_text(value, "mime");
    size_t len = 0;
    if (!base64_decode(str_slice(base64, 0, HEAD_CHARS), head, &len)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/" STR_FMT "/base64: is no base64",
                    STR_ARG(blob->name));
    }
    blob->size = base64.len / 4 * 3;
    for (size_t i = base64.len; i > 0 && base64.ptr[i - 1] == '='; i--) blob->size--;
    blob->head     = (bytes){.ptr = head, .len = len};
    blob->declared = json_is(mime, JSON_TEXT) ? json_str(mime) : (str){};
    return STATUS_OK;
}

/* Of one of which nothing is said: what looks like text may be any kind of it. */
static bool may_be(json patterns, const struct inline_blob *blob, struct media_types *types,
                   const char *found)
{
    bool is_text = blob->is_text || str_starts_with(str_from(found), str_from("text/"));
    char type[MEDIA_TYPE_SIZE];
    if (fits_type(patterns, found) || (is_text && fits_type(patterns, "text/plain"))) return true;
    for (size_t i = 0; is_text && i < json_count(patterns); i++) {
        json one     = json_at(patterns, i);
        str word     = json_is(one, JSON_TEXT) ? json_str(one) : (str){};
        bool is_kind = word.len > 0 && word.ptr[word.len - 1] != '*';
        if (is_kind && media_type_look(types, blob->head, word, type, NULL) == STATUS_OK) {
            return true;
        }
    }
    return false;
}

static status check_type(json patterns, const struct inline_blob *blob, struct media_types *types,
                         struct error *reterr)
{
    char type[MEDIA_TYPE_SIZE];
    struct error why = {};
    if (json_count(patterns) == 0 || !types) return STATUS_OK;
    status code = media_type_look(types, blob->head, blob->declared, type, &why);
    if (code != STATUS_OK) {
        return fail(reterr, code, "/" STR_FMT ": %s", STR_ARG(blob->name), why.text);
    }
    bool is_said = blob->declared.len > 0;
    if (is_said ? fits_type(patterns, type) : may_be(patterns, blob, types, type)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/" STR_FMT ": is %s, which is not taken",
                STR_ARG(blob->name), type);
}

static status look(str name, json property, json value, struct media_types *types,
                   struct error *reterr)
{
    char head[MEDIA_TYPE_HEAD];
    struct inline_blob blob = {.name = name};
    uint64_t size_max       = 0;
    bool has_max            = config_size_from(json_get_text(property, "max_size"), &size_max);
    TRY(read_inline(value, head, &blob, reterr));
    if (has_max && blob.size > size_max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "/" STR_FMT ": has %zu bytes, at most %" PRIu64 " are taken", STR_ARG(name),
                    blob.size, size_max);
    }
    return check_type(json_get_text(property, "mime"), &blob, types, reterr);
}

status file_arguments_look(const struct manifest_action *action, json params,
                           struct media_types *types, struct error *reterr)
{
    json properties = properties_of(action);
    for (size_t i = 0; i < json_count(properties); i++) {
        str name      = json_key_at(properties, i);
        json property = json_value_at(properties, i);
        json value    = json_get(params, name);
        bool is_here =
            json_is(value, JSON_TEXT) ||
            (json_is(value, JSON_OBJECT) && json_is(json_get_text(value, "base64"), JSON_TEXT));
        if (!is_here || !has_format(property, "blob")) continue;
        TRY(look(name, property, value, types, reterr));
    }
    return STATUS_OK;
}

/* --- their bytes -------------------------------------------------------------------------------
 */

static status decode(const char *name, str base64, struct arena *arena, str *ret_blob,
                     struct error *reterr)
{
    size_t size = 0;
    char *data  = arena_alloc(arena, base64.len + 1);
    if (!data) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    if (!base64_decode(base64, data, &size)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` is no base64", name);
    }
    *ret_blob = (str){.ptr = data, .len = size};
    return STATUS_OK;
}

status file_arguments_blob(json params, const char *name, const struct file_set *files,
                           struct arena *arena, str *ret_blob, struct error *reterr)
{
    json value  = name ? json_get_text(params, name) : json_invalid();
    json base64 = json_get_text(value, "base64");
    json id     = json_get_text(value, "file");
    if (!name) return STATUS_OK;
    if (json_is(value, JSON_TEXT)) {
        *ret_blob = json_str(value);
        return STATUS_OK;
    }
    if (json_is(id, JSON_TEXT)) {
        const struct stored_file *file = file_set_find(files, json_str(id));
        if (!file) return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s`: no stored file", name);
        *ret_blob = (str){.ptr = file->data.ptr, .len = file->data.len};
        return STATUS_OK;
    }
    if (json_is(base64, JSON_TEXT)) return decode(name, json_str(base64), arena, ret_blob, reterr);
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "`%s`: give a text, {base64: ...} or {file: the id of a stored file}", name);
}

/* --- answers -----------------------------------------------------------------------------------
 */

static str text_of(json map, const char *name)
{
    json value = json_get_text(map, name);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

status file_arguments_keep(const struct manifest_action *action, json params, int64_t now_us,
                           bool *ret_keeps, struct file_keep *ret_keep, struct error *reterr)
{
    json properties = properties_of(action);
    *ret_keeps      = false;
    for (size_t i = 0; i < json_count(properties); i++) {
        json value = json_get(params, json_key_at(properties, i));
        if (!has_format(json_value_at(properties, i), "keep") || !json_is(value, JSON_OBJECT)) {
            continue;
        }
        str expires = text_of(value, "expires_in");
        int64_t us  = 0;
        if (expires.len > 0 && (!duration_parse(expires, &us) || us <= 0)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "`" STR_FMT ".expires_in`: a duration like 24h, 30d or PT1H",
                        STR_ARG(json_key_at(properties, i)));
        }
        *ret_keeps = true;
        *ret_keep  = (struct file_keep){.name       = text_of(value, "name"),
                                        .subject    = text_of(value, "subject"),
                                        .expires_us = us > 0 ? now_us + us : 0};
    }
    return STATUS_OK;
}

json file_arguments_shown(const Pb__StoredFile *file)
{
    char hex[2 * SHA256_SIZE + 1] = "";
    if (file->sha256.len == SHA256_SIZE) hex_encode(file->sha256.data, SHA256_SIZE, hex);
    return shown_new(file->id, file->name, file->media_type, file->size, hex);
}
