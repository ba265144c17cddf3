/* Which operations or workflows of a description are wanted: names, separated by commas. */
#include "adapter/openapi_internal.h"
#include "base/diagnostic.h"

#include <string.h>

enum { ID_MAX = 200 /* bytes that are kept */, NAME_SHOWN_MAX = 80 /* bytes */ };

/* The next name, without blanks around it; empty ones are passed over. False: there is no more. */
static bool next_name(const char **at, str *ret_name)
{
    while (**at) {
        size_t len = strcspn(*at, ",");
        *ret_name  = str_trim((str){.ptr = *at, .len = len}, " \t\r\n");
        *at += len + ((*at)[len] == ',');
        if (ret_name->len > 0) return true;
    }
    return false;
}

bool import_is_wanted(const char *list, str id)
{
    str name;
    if (!list) return true;
    while (next_name(&list, &name)) {
        if (str_equal(name, id)) return true;
    }
    return false;
}

void import_note_id(struct import *import, str id)
{
    if (import->id_count == IMPORT_IDS_MAX) return;
    const char *kept = arena_strdup(import->arena, str_slice(id, 0, ID_MAX));
    if (kept) import->ids[import->id_count++] = kept;
}

static bool is_among(str name, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(name, ids[i])) return true;
    }
    return false;
}

status import_check_wanted(const char *list, const char *const *ids, size_t count,
                           struct error *reterr)
{
    str name;
    if (!list || count == IMPORT_IDS_MAX) return STATUS_OK; /* perhaps it is one of the others */
    while (next_name(&list, &name)) {
        if (is_among(name, ids, count)) continue;
        const char *near = nearest_name(name, ids, count);
        return fail(reterr, STATUS_NOT_FOUND, "it has no operation `%.*s`%s%.80s%s",
                    (int)(name.len < NAME_SHOWN_MAX ? name.len : NAME_SHOWN_MAX), name.ptr,
                    near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
    }
    return STATUS_OK;
}
