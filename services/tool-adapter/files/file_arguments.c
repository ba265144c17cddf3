#include "tool-adapter/files/file_arguments.h"

#include "base/clock.h"
#include "base/hash.h"
#include "config/config.h"

#include <inttypes.h>
#include <string.h>

static bool has_format(json property, const char *format)
{
    json given = json_get_text(property, "format");
    return json_is(given, JSON_TEXT) && str_is(json_str(given), format);
}

static json properties_of(const struct manifest_action *action)
{
    return json_get_text(action->params, "properties");
}

/* --- which there are ---------------------------------------------------------------------------
 */

struct finding {
    str *ids;
    size_t count;
};

static void take(struct finding *found, json id)
{
    bool is_there = json_is(id, JSON_TEXT) && found->count <= FILE_SET_MAX;
    if (is_there) found->ids[found->count++] = json_str(id);
}

/* Members of the objects of a list. */
static void take_list(struct finding *found, json property, json list)
{
    json members = json_get_text(json_get_text(property, "items"), "properties");
    for (size_t i = 0; i < json_count(members); i++) {
        if (!has_format(json_value_at(members, i), "file")) continue;
        for (size_t k = 0; k < json_count(list); k++) {
            json one = json_at(list, k);
            if (!json_is(one, JSON_OBJECT)) continue;
            take(found, json_get(one, json_key_at(members, i)));
        }
    }
}

size_t file_arguments_find(const struct manifest_action *action, json params,
                           str ret_ids[FILE_SET_MAX + 1])
{
    struct finding found = {.ids = ret_ids};
    json properties      = properties_of(action);
    if (!json_is(params, JSON_OBJECT)) return 0;
    for (size_t i = 0; i < json_count(properties); i++) {
        json property = json_value_at(properties, i);
        json value    = json_get(params, json_key_at(properties, i));
        bool is_blob  = has_format(property, "blob") && json_is(value, JSON_OBJECT);
        if (is_blob) take(&found, json_get_text(value, "file"));
        if (has_format(property, "file")) take(&found, value);
        if (json_is(value, JSON_ARRAY)) take_list(&found, property, value);
    }
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

static status check(str name, json property, const struct stored_file *file, struct error *reterr)
{
    uint64_t size_max = 0;
    bool has_max      = config_size_from(json_get_text(property, "max_size"), &size_max);
    if (has_max && file->data.len > size_max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`" STR_FMT "`: the file `%s` has %zu bytes, at most %" PRIu64 " are taken",
                    STR_ARG(name), file->id, file->data.len, size_max);
    }
    if (fits_type(json_get_text(property, "mime"), file->media_type)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "`" STR_FMT "`: the file `%s` is %s, which is not taken", STR_ARG(name), file->id,
                file->media_type);
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

/* Members of the objects of a list. */
static status check_list(str name, json property, json list, const struct file_set *files,
                         struct error *reterr)
{
    json members = json_get_text(json_get_text(property, "items"), "properties");
    for (size_t i = 0; i < json_count(members); i++) {
        json member = json_value_at(members, i);
        for (size_t k = 0; has_format(member, "file") && k < json_count(list); k++) {
            json one = json_at(list, k);
            if (!json_is(one, JSON_OBJECT)) continue;
            json id = json_get(one, json_key_at(members, i));
            const struct stored_file *file =
                json_is(id, JSON_TEXT) ? file_set_find(files, json_str(id)) : NULL;
            if (file) TRY(check(name, member, file, reterr));
        }
    }
    return STATUS_OK;
}

status file_arguments_fill(const struct manifest_action *action, const struct file_set *files,
                           json *params, struct error *reterr)
{
    json properties = properties_of(action);
    for (size_t i = 0; i < json_count(properties); i++) {
        str name      = json_key_at(properties, i);
        json property = json_value_at(properties, i);
        json value    = json_get(*params, name);
        json id       = json_is(value, JSON_OBJECT) ? json_get_text(value, "file") : value;
        bool is_blob  = has_format(property, "blob") && json_is(value, JSON_OBJECT);
        if (json_is(value, JSON_ARRAY)) TRY(check_list(name, property, value, files, reterr));
        if (!json_is(id, JSON_TEXT) || !(is_blob || has_format(property, "file"))) continue;
        const struct stored_file *file = file_set_find(files, json_str(id));
        if (!file) continue;
        TRY(check(name, property, file, reterr));
        if (!is_blob) continue;
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
