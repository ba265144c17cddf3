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
