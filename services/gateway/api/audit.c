#include "gateway/api/audit.h"

#include "auth/role.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    NOTES_ARENA_MAX = 8 << 20, /* bytes */
    KEY_MAX         = 2'048,   /* bytes of all texts of a note */
    ROLES_MAX       = 128,     /* bytes */
    PATH_MAX_BYTES  = 8 << 10, /* bytes */
    STOPPING_MS     = 20,      /* between tries to be told before the end */
};
#define RUN_PATH "/v1/runs/{id}"

/* What is handed over together. */
struct notes {
    struct arena *arena;                           /* of the records */
    struct map *alike;                             /* their texts -> Pb__AuditRecord */
    Pb__AuditRecord *records[AUDIT_NOTES_MAX + 1]; /* one more says what did not fit */
    size_t count;
    uint32_t lost;
    char id[API_RPC_ID_LEN + 1]; /* of the request that takes them */
};

struct audit {
    struct api *api;
    bool is_on;
    struct loop_timer timer;
    pthread_mutex_t mutex;
    struct notes *fresh;   /* guarded by the mutex, as all that follows */
    struct notes *leaving; /* next to be told, or on its way; NULL: nothing is */
    bool is_telling;       /* an answer is to come */
    bool is_stopping;
};

/* --- notes -------------------------------------------------------------------------------------
 */

static struct notes *notes_new(void)
{
    struct notes *notes = mem_new(1, sizeof *notes);
    notes->arena        = arena_new(NOTES_ARENA_MAX);
    notes->alike        = map_new(AUDIT_NOTES_MAX);
    return notes;
}

static void notes_free(struct notes *notes)
{
    if (!notes) return;
    arena_free(notes->arena);
    map_free(notes->alike);
    free(notes);
}

static const char *copy_of(struct notes *notes, const char *text)
{
    const char *copy = *text ? arena_strdup(notes->arena, str_from(text)) : "";
    return copy ? copy : "";
}

/* Its texts together: what is the same of two that are alike. */
static void print_key(const Pb__AuditRecord *record, struct buf *out)
{
    const char *const texts[] = {record->namespace_, record->key_id, record->action,
                                 record->resource,   record->result, record->code,
                                 record->address};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) (void)buf_printf(out, "%s\x1f", texts[i]);
}

static Pb__AuditRecord *record_copy(struct notes *notes, const Pb__AuditRecord *record)
{
    Pb__AuditRecord *copy = arena_alloc(notes->arena, sizeof *copy);
    ASSERT(copy);
    *copy            = *record;
    copy->namespace_ = copy_of(notes, record->namespace_);
    copy->key_id     = copy_of(notes, record->key_id);
    copy->roles      = copy_of(notes, record->roles);
    copy->resource   = copy_of(notes, record->resource);
    copy->run        = copy_of(notes, record->run);
    copy->request_id = copy_of(notes, record->request_id);
    copy->address    = copy_of(notes, record->address);
    if (!record->write) return copy;
    Pb__AuditWrite *write = arena_alloc(notes->arena, sizeof *write);
    ASSERT(write);
    *write                   = *record->write;
    const char **const all[] = {&write->function, &write->connection, &write->method, &write->host,
                                &write->path,     &write->class_,     &write->task,   &write->job};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) *all[i] = copy_of(notes, *all[i]);
    write->run = write->namespace_ = "";
    const str hmac          = {(const char *)write->params_hmac.data, write->params_hmac.len};
    write->params_hmac.data = (uint8_t *)(uintptr_t)arena_strdup(notes->arena, hmac);
    copy->write             = write;
    return copy;
}

static void add(struct notes *notes, Pb__AuditRecord *record)
{
    CLEANUP(buf_done) struct buf key = buf_init(KEY_MAX);
    bool is_nobodys                  = strcmp(record->code, "unauthenticated") == 0;
    if (is_nobodys && notes->count >= AUDIT_NOTES_MAX / 2) record->key_id = record->resource = "";
    print_key(record, &key);
    bool is_single         = record->write || key.is_full;
    Pb__AuditRecord *alike = is_single ? NULL : map_get(notes->alike, buf_str(&key));
    if (alike) {
        if (alike->count == 0) alike->count = 1;
        alike->count++;
        return;
    }
    if (notes->count == AUDIT_NOTES_MAX) {
        notes->lost++;
        return;
    }
    Pb__AuditRecord *copy          = record_copy(notes, record);
    notes->records[notes->count++] = copy;
    if (!is_single) (void)map_put(notes->alike, buf_str(&key), copy);
}

static void note(struct audit *audit, Pb__AuditRecord *record)
{
    (void)pthread_mutex_lock(&audit->mutex);
    add(audit->fresh, record);
    (void)pthread_mutex_unlock(&audit->mutex);
}

/* --- handing over ------------------------------------------------------------------------------
 */

static void on_told(const struct rpc_answer *answer, void *context)
{
    struct audit *audit   = context;
    struct notes *leaving = NULL;
    bool is_refused       = answer->code == STATUS_INVALID_ARGUMENT;
    if (is_refused) log_write(LOG_ERROR, "audit.lost", LOG_TEXT_OF("error", answer->detail));
    (void)pthread_mutex_lock(&audit->mutex);
    audit->is_telling = false;
    if (answer->code == STATUS_OK || is_refused) { /* else the timer tells it again */
        leaving        = audit->leaving;
        audit->leaving = NULL;
    }
    (void)pthread_mutex_unlock(&audit->mutex);
    notes_free(leaving);
}

/* What did not fit is a record as well. */
static void note_lost(struct notes *notes)
{
    Pb__AuditRecord *record = arena_alloc(notes->arena, sizeof *record);
    if (notes->lost == 0 || !record) return;
    *record                        = (Pb__AuditRecord)PB__AUDIT_RECORD__INIT;
    record->time_us                = clock_unix_us();
    record->action                 = "auditLost";
    record->result                 = "lost";
    record->count                  = notes->lost;
    notes->records[notes->count++] = record;
    log_write(LOG_WARN, "audit.lost", LOG_INT("records", notes->lost));
}

/* The next to leave; NULL: nothing is to be told now. What was told and not taken goes again, as
 * the same request. */
static struct notes *take(struct audit *audit)
{
    (void)pthread_mutex_lock(&audit->mutex);
    if (!audit->leaving && audit->fresh->count > 0) {
        audit->leaving = audit->fresh;
        audit->fresh   = notes_new();
        note_lost(audit->leaving);
        api_random_id(audit->leaving->id);
    }
    struct notes *leaving = audit->is_telling ? NULL : audit->leaving;
    if (leaving) audit->is_telling = true;
    (void)pthread_mutex_unlock(&audit->mutex);
    return leaving;
}

static void tell(struct audit *audit)
{
    struct notes *notes   = take(audit);
    Pb__NoteAudit message = PB__NOTE_AUDIT__INIT;
    if (!notes) return;
    message.records                  = notes->records;
    message.n_records                = notes->count;
    const struct rpc_request request = {.service    = &pb__audits__descriptor,
                                        .method     = "Note",
                                        .message    = &message,
                                        .request_id = str_from(notes->id),
                                        .done       = on_told,
                                        .context    = audit};
    if (api_call_scheduler(audit->api, &request, NULL) == STATUS_OK) return;
    (void)pthread_mutex_lock(&audit->mutex);
    audit->is_telling = false;
    (void)pthread_mutex_unlock(&audit->mutex);
}

static void on_timer(void *context)
{
    struct audit *audit = context;
    int64_t every_ms    = audit->is_stopping ? STOPPING_MS : AUDIT_EVERY_MS;
    tell(audit);
    loop_timer_set(audit->api->home, &audit->timer, loop_now_ms(audit->api->home) + every_ms);
}

struct audit *audit_new(struct api *api, bool is_on)
{
    struct audit *audit = mem_new(1, sizeof *audit);
    audit->api          = api;
    audit->is_on        = is_on;
    audit->fresh        = notes_new();
    (void)pthread_mutex_init(&audit->mutex, NULL);
    return audit;
}

void audit_freep(struct audit **ref)
{
    struct audit *audit = *ref;
    if (!audit) return;
    notes_free(audit->fresh);
    notes_free(audit->leaving);
    (void)pthread_mutex_destroy(&audit->mutex);
    free(audit);
    *ref = NULL;
}

void audit_start(struct audit *audit)
{
    if (!audit->is_on) return;
    audit->timer = (struct loop_timer){.fire = on_timer, .context = audit};
    loop_timer_set(audit->api->home, &audit->timer, loop_now_ms(audit->api->home) + AUDIT_EVERY_MS);
}

void audit_stop(struct audit *audit)
{
    if (!audit->is_on) return;
    audit->is_stopping = true;
    on_timer(audit);
}

bool audit_is_told(struct audit *audit)
{
    (void)pthread_mutex_lock(&audit->mutex);
    bool is_told = audit->fresh->count == 0 && !audit->leaving;
    (void)pthread_mutex_unlock(&audit->mutex);
    return is_told;
}

/* --- calls -------------------------------------------------------------------------------------
 */

/* A run may go by an id of its caller's, which may be anything: the scheduler knows the run's own.
 */
static bool has_foreign_id(const struct api_call *call)
{
    bool is_run = str_starts_with(str_from(call->route->path), str_from(RUN_PATH));
    return is_run && !id_is_valid(call->params[0]);
}

void audit_name(struct api_call *call)
{
    CLEANUP(buf_done) struct buf text = buf_init(PATH_MAX_BYTES);
    str path                          = str_from(call->path);
    if (has_foreign_id(call)) {
        size_t end = (size_t)(call->params[0].ptr + call->params[0].len - path.ptr);
        (void)buf_put_text(&text, RUN_PATH);
        (void)buf_put_str(&text, str_slice(path, end, path.len));
        path = buf_str(&text);
    }
    str head       = str_slice(path, 0, AUDIT_RESOURCE_MAX);
    call->resource = api_text(call, str_slice(head, 0, utf8_valid_prefix(head)));
}

struct rpc_deed audit_deed(const struct api_call *call)
{
    const struct route *route = call->route;
    const struct audit *audit = call->api->audit;
    if (!audit || !audit->is_on || !route || route->audit != AUDIT_COMMAND) {
        return (struct rpc_deed){};
    }
    return (struct rpc_deed){.action   = str_from(route->operation),
                             .resource = str_from(call->resource),
                             .address  = str_from(call->peer),
                             .asked_as = str_from(call->request_id)};
}

void audit_leave_out(struct api_call *call)
{
    call->resource = NULL;
}

/* What of an answer is noted; NULL: nothing. */
static const char *result_of(const struct api_call *call, int http_status)
{
    enum audit_by by = call->route->audit;
    if (http_status == 401 || http_status == 403) return "refused";
    if (by == AUDIT_NONE || http_status == 424) return NULL; /* 424: done, and the run failed */
    if (http_status >= 500) return "failed";
    if (http_status >= 400) return "refused";
    return by == AUDIT_GATEWAY ? "done" : NULL;
}

static Pb__AuditRecord record_of(struct api_call *call, struct buf *roles)
{
    Pb__AuditRecord record = PB__AUDIT_RECORD__INIT;
    bool is_known          = *call->identity.key_id != '\0';
    role_list(call->identity.roles, roles);
    record.time_us    = clock_unix_us();
    record.namespace_ = is_known ? api_namespace(call) : "";
    record.key_id     = is_known ? call->identity.key_id : call->claimed_key;
    record.roles      = roles->ptr ? roles->ptr : "";
    record.action     = call->route->operation;
    record.resource   = call->resource;
    record.request_id = call->request_id;
    record.address    = call->peer;
    return record;
}

void audit_answered(struct api_call *call, int http_status)
{
    struct audit *audit = call->api->audit;
    if (!audit || !audit->is_on || !call->route || !call->resource) return;
    const char *result = result_of(call, http_status);
    if (!result) return;
    CLEANUP(buf_done) struct buf roles = buf_init(ROLES_MAX);
    Pb__AuditRecord record             = record_of(call, &roles);
    record.result                      = result;
    if (http_status >= 400) {
        record.http_status = (uint32_t)http_status;
        record.code        = call->refused_as ? call->refused_as : "";
    }
    note(audit, &record);
}

static const char *result_of_write(const Pb__AuditWrite *write)
{
    if (strcmp(write->class_, "ok") == 0) return "done";
    return strcmp(write->class_, "unknown") == 0 ? "unknown" : "failed";
}

void audit_writes(struct api_call *call, Pb__AuditWrite *const *writes, size_t count)
{
    struct audit *audit                = call->api->audit;
    CLEANUP(buf_done) struct buf roles = buf_init(ROLES_MAX);
    if (!audit || !audit->is_on) return;
    Pb__AuditRecord record = record_of(call, &roles);
    record.action          = "outsideWrite";
    for (size_t i = 0; i < count; i++) {
        record.time_us = writes[i]->time_us;
        record.write   = writes[i];
        record.result  = result_of_write(writes[i]);
        note(audit, &record);
    }
}
