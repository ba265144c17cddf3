#include "media/media_type.h"

#include "base/attr.h"
#include "base/mem.h"

#include <magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OFFICE "application/vnd.openxmlformats-officedocument."
#define PLAIN  "text/plain"

struct media_types {
    pthread_mutex_t mutex;
    magic_t magic;
    const char *const *kept; /* borrowed */
    size_t kept_count;
};

/* --- names -------------------------------------------------------------------------------------
 */

static bool is(const char *type, const char *name)
{
    return strcmp(type, name) == 0;
}

static bool is_one_of(const char *type, const char *const *names)
{
    for (; *names; names++) {
        if (is(type, *names)) return true;
    }
    return false;
}

/* What is kept if nothing is said. */
static const char *const usual[] = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    PLAIN,
    "text/markdown",
    "text/csv",
    "text/html",
    "text/xml",
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "application/pdf",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp"};

static const char *const scripts[] = {"text/x-shellscript", "text/x-msdos-batch", NULL};

/* What a machine would run, as libmagic and others call it. */
static bool is_program(const char *type)
{
    static const char *const programs[] = {"application/x-executable",
                                           "application/x-pie-executable",
                                           "application/x-sharedlib",
                                           "application/x-object",
                                           "application/x-dosexec",
                                           "application/x-msdownload",
                                           "application/x-mach-binary",
                                           "application/java-archive",
                                           "application/x-sh",
                                           "application/x-java-applet",
                                           "application/x-ms-installer",
                                           "application/x-msi",
                                           "application/vnd.microsoft.portable-executable",
                                           NULL};
    return is_one_of(type, programs) || is_one_of(type, scripts);
}

static bool is_kept_type(const struct media_types *types, const char *type)
{
    for (size_t i = 0; i < types->kept_count; i++) {
        if (is(type, types->kept[i])) return true;
    }
    return false;
}

/* What the bytes of one may look like, besides itself. */
static bool may_look_like(const char *declared, const char *found)
{
    static const char *const texts[] = {
        "text/markdown",        "text/csv",        "text/html", "text/xml", "application/json",
        "application/x-ndjson", "application/xml", NULL};
    static const char *const xml[]  = {"text/xml", "application/xml", "text/html", NULL};
    static const char *const json[] = {"application/json", "application/x-ndjson", NULL};
    bool is_text                    = is_one_of(found, texts) || is(found, PLAIN);
    if (is(declared, found)) return true;
    if (is(declared, PLAIN) || is(declared, "text/markdown")) return is_text;
    if (is(found, PLAIN)) return is_one_of(declared, texts);
    if (is_one_of(declared, xml)) return is_one_of(found, xml);
    if (is_one_of(declared, json)) return is_one_of(found, json);
    if (is(declared, "text/csv")) return is_text;
    return str_starts_with(str_from(declared), str_from(OFFICE)) && is(found, "application/zip");
}

/* --- what is found and what is said ------------------------------------------------------------
 */

/* Source code and letters are text; what a shell would run is not kept. */
static void simplify(const struct media_types *types, char type[static MEDIA_TYPE_SIZE])
{
    if (is(type, "application/csv")) (void)snprintf(type, MEDIA_TYPE_SIZE, "text/csv");
    bool is_mail = is(type, "message/rfc822") || is(type, "application/x-wine-extension-ini");
    bool is_text = str_starts_with(str_from(type), str_from("text/"));
    if (is_kept_type(types, type) || is_one_of(type, scripts) || !(is_text || is_mail)) return;
    (void)snprintf(type, MEDIA_TYPE_SIZE, PLAIN);
}

static status find(struct media_types *types, bytes head, char ret_type[static MEDIA_TYPE_SIZE],
                   struct error *reterr)
{
    size_t len = head.len < MEDIA_TYPE_HEAD ? head.len : MEDIA_TYPE_HEAD;
    (void)pthread_mutex_lock(&types->mutex);
    const char *found = magic_buffer(types->magic, head.ptr, len);
    if (found) (void)snprintf(ret_type, MEDIA_TYPE_SIZE, "%s", found);
    (void)pthread_mutex_unlock(&types->mutex);
    if (!found) return fail(reterr, STATUS_UNAVAILABLE, "the file cannot be looked at now");
    simplify(types, ret_type);
    return STATUS_OK;
}

/* "Text/HTML; charset=utf-8" -> "text/html"; "": nothing was said. */
static void read_declared(str declared, char ret_type[static MEDIA_TYPE_SIZE])
{
    static const char *const nothing[] = {"application/octet-stream",
                                          "application/x-www-form-urlencoded", NULL};
    size_t len                         = 0;
    for (; len < declared.len && len < MEDIA_TYPE_SIZE - 1; len++) {
        char c = declared.ptr[len];
        if (c == ';' || c == ' ' || c == '\t') break;
        ret_type[len] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    ret_type[len] = '\0';
    if (is(ret_type, "text/x-markdown")) (void)snprintf(ret_type, MEDIA_TYPE_SIZE, "text/markdown");
    if (is_one_of(ret_type, nothing)) ret_type[0] = '\0';
}

/* A name that stands in an answer: without what might be no text. */
static const char *shown(const char *type)
{
    for (const char *c = type; *c; c++) {
        if (*c <= ' ' || *c > '~') return "?";
    }
    return type;
}

status media_type_of(struct media_types *types, bytes head, str declared,
                     char ret_type[static MEDIA_TYPE_SIZE], struct error *reterr)
{
    char said[MEDIA_TYPE_SIZE];
    TRY(find(types, head, ret_type, reterr));
    read_declared(declared, said);
    bool is_kept = is_kept_type(types, said[0] ? said : ret_type);
    bool is_said = said[0] && may_look_like(said, ret_type);
    if (is_kept && !said[0]) return STATUS_OK;
    if (is_kept && is_said) {
        (void)snprintf(ret_type, MEDIA_TYPE_SIZE, "%s", said);
        return STATUS_OK;
    }
    if (is_kept && is_kept_type(types, ret_type)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "media_type_mismatch",
                         "the file is said to be %s and looks like %s", shown(said), ret_type);
    }
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "media_type_not_allowed",
                     "files of the type %s are not kept",
                     is_kept || !said[0] ? shown(ret_type) : shown(said));
}

/* Those of which no other file begins like them. */
static bool has_signature(const char *type)
{
    static const char *const types[] = {"application/pdf", "image/png",  "image/jpeg",
                                        "image/gif",       "image/webp", NULL};
    return is_one_of(type, types);
}

static bool contradicts(const char *said, const char *found)
{
    static const char *const unknown[] = {"application/octet-stream", "application/x-empty",
                                          "inode/x-empty", NULL};
    if (may_look_like(said, found) || is_one_of(found, unknown)) return false;
    return has_signature(said) || has_signature(found);
}

status media_type_look(struct media_types *types, bytes head, str declared,
                       char ret_type[static MEDIA_TYPE_SIZE], struct error *reterr)
{
    char said[MEDIA_TYPE_SIZE];
    TRY(find(types, head, ret_type, reterr));
    read_declared(declared, said);
    if (is(said, "image/jpg")) (void)snprintf(said, sizeof said, "image/jpeg");
    if (!said[0]) return STATUS_OK;
    if (contradicts(said, ret_type)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "media_type_mismatch",
                         "the file is said to be %s and looks like %s", shown(said), ret_type);
    }
    (void)snprintf(ret_type, MEDIA_TYPE_SIZE, "%s", said);
    return STATUS_OK;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* "image/png": in lower case, as types are compared here. */
static bool is_type(const char *text)
{
    const char *slash = strchr(text, '/');
    bool is_fine      = slash && slash != text && slash[1] && strlen(text) < MEDIA_TYPE_SIZE;
    for (const char *c = text; *c; c++) {
        bool is_name = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr("+-._", *c);
        is_fine      = is_fine && (is_name || c == slash);
    }
    return is_fine;
}

static status check_types(const char *const *kept, size_t count, struct error *reterr)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_type(kept[i])) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "files.types: `%s` is no media type such as image/png", shown(kept[i]));
        }
        if (is_program(kept[i])) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "files.types: programs and scripts are never kept: %s", kept[i]);
        }
    }
    return STATUS_OK;
}

status media_types_new(const char *const *kept, size_t count, struct media_types **ret_types,
                       struct error *reterr)
{
    TRY(check_types(kept, count, reterr));
    struct media_types *types = mem_new(1, sizeof *types);
    (void)pthread_mutex_init(&types->mutex, NULL);
    *ret_types        = types;
    types->kept       = count > 0 ? kept : usual;
    types->kept_count = count > 0 ? count : ARRAY_LEN(usual);
    types->magic      = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR);
    if (types->magic && magic_load(types->magic, NULL) == 0) return STATUS_OK;
    media_types_freep(ret_types);
    return fail(reterr, STATUS_UNAVAILABLE, "the table of libmagic cannot be read: %m");
}

void media_types_freep(struct media_types **ref)
{
    struct media_types *types = *ref;
    if (!types) return;
    if (types->magic) magic_close(types->magic);
    (void)pthread_mutex_destroy(&types->mutex);
    free(types);
    *ref = NULL;
}
