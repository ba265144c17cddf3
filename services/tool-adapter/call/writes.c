#include "tool-adapter/call/writes.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "http/url.h"
#include "pii/pii.h"
#include "json/json_text.h"

#include <strings.h>

enum { HOST_MAX = URL_HOST_MAX + 8, PATH_MAX_BYTES = 8 << 10 };

bool writes_are_made_by(str method)
{
    static const char *const reading[] = {"GET", "HEAD", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < ARRAY_LEN(reading); i++) {
        bool is_it = method.len == strlen(reading[i]) &&
                     strncasecmp(method.ptr, reading[i], method.len) == 0;
        if (is_it) return false;
    }
    return true;
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_clean(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return false;
    }
    return utf8_valid_prefix(text) == text.len;
}

static void put_segment(str segment, bool is_strict, struct buf *out)
{
    bool is_long = is_strict && segment.len > WRITE_SEGMENT_MAX;
    bool is_kept = !is_long && pii_kinds_in(segment, PII_DEFAULT) == 0;
    (void)buf_put_str(out, is_kept ? segment : str_from("***"));
}

static void put_segments(str path, bool is_strict, struct buf *out)
{
    size_t from = 0;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        put_segment(str_slice(path, from, i), is_strict, out);
        if (i < path.len) (void)buf_put_byte(out, '/');
        from = i + 1;
    }
}

/* Secrets are looked for in what the path says, not in how it is encoded. */
static void put_path(str path, const struct json_mask *mask, struct buf *out)
{
    CLEANUP(buf_done) struct buf plain = buf_init(PATH_MAX_BYTES);
    CLEANUP(json_unrefp) json masked   = json_invalid();
    bool is_read = url_decode(&plain, path, false) && is_clean(buf_str(&plain));
    str text     = is_read ? buf_str(&plain) : path;
    if (mask) {
        CLEANUP(json_unrefp) json value = json_text_new(text);
        masked                          = json_mask_apply(mask, value);
        text                            = json_str(masked);
    }
    put_segments(text, !mask, out);
}

static const char *copy_of(struct arena *arena, str text, size_t size_max)
{
    str head         = str_slice(text, 0, size_max);
    const char *copy = arena_strdup(arena, str_slice(head, 0, utf8_valid_prefix(head)));
    return copy ? copy : "";
}

static void set_address(struct arena *arena, const struct written *written, Pb__AuditWrite *write)
{
    CLEANUP(buf_done) struct buf host = buf_init(HOST_MAX);
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    struct url url                    = {};
    write->host                       = copy_of(arena, written->host, HOST_MAX);
    if (written->url.len == 0 || !url_parse(written->url, &url)) return;
    bool is_usual = url.port == (url.is_https ? 443 : 80);
    (void)buf_put_str(&host, url.host);
    if (!is_usual) (void)buf_printf(&host, ":%u", url.port);
    put_path(url.path, written->mask, &path);
    write->host = copy_of(arena, buf_str(&host), HOST_MAX);
    write->path = copy_of(arena, buf_str(&path), WRITE_PATH_MAX);
}

/* --- writes ----------------------------------------------------------------------------------- */

void writes_add(struct writes *writes, const struct written *written)
{
    if (!writes->items) {
        writes->items = arena_alloc(writes->arena, WRITES_MAX * sizeof(Pb__AuditWrite *));
    }
    Pb__AuditWrite *write = arena_alloc(writes->arena, sizeof *write);
    if (!writes->items || !write || writes->count == WRITES_MAX) return;
    pb__audit_write__init(write);
    set_address(writes->arena, written, write);
    write->method                  = copy_of(writes->arena, written->method, WRITE_PATH_MAX);
    write->http_status             = (uint32_t)written->http_status;
    write->class_                  = written->class;
    write->bytes                   = written->bytes;
    write->duration_ms             = written->duration_ms > 0 ? (uint64_t)written->duration_ms : 0;
    write->time_us                 = clock_unix_us();
    writes->items[writes->count++] = write;
}

void writes_name(struct writes *writes, const struct writes_of *of)
{
    uint8_t *hmac = NULL;
    if (writes->count == 0) return;
    if (of->key && of->params.len > 0) hmac = arena_alloc(writes->arena, SHA256_SIZE);
    if (hmac) hmac_sha256((bytes){of->key, SHA256_SIZE}, bytes_from(of->params), hmac);
    const char *function   = copy_of(writes->arena, str_from(of->function), WRITE_PATH_MAX);
    const char *connection = copy_of(writes->arena, str_from(of->connection), WRITE_PATH_MAX);
    for (size_t i = 0; i < writes->count; i++) {
        Pb__AuditWrite *write = writes->items[i];
        write->function       = function;
        write->connection     = connection;
        if (hmac) write->params_hmac = (ProtobufCBinaryData){.data = hmac, .len = SHA256_SIZE};
    }
}

void writes_report(struct writes *writes, struct worker_job *job)
{
    const Pb__LeasedJob *leased = job->leased;
    for (size_t i = 0; i < writes->count; i++) {
        Pb__AuditWrite *write = writes->items[i];
        write->run            = leased->run;
        write->namespace_     = leased->namespace_;
        write->task           = leased->task;
        write->job            = leased->id;
        write->attempt        = leased->attempt;
        write->undo           = leased->undoes;
    }
    job->writes      = writes->items;
    job->write_count = writes->count;
}
