#include "scheduler/engine/audit/engine_audit.h"

#include "base/utf8.h"
#include "file.pb-c.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "subscription.pb-c.h"

enum {
    TEXT_MAX      = 512,   /* bytes of one text of a record; the rest is cut off */
    MEMBERS_MAX   = 64,    /* names, of an approval that was edited */
    WRITES_MAX    = 200,   /* of one report */
    MESSAGE_MAX   = 1'000, /* records */
    REMOVE_MAX    = 500,   /* records, in a turn */
    REMOVE_MS     = 20,    /* between such turns */
    REMOVE_REST_S = 60,    /* after all that were old */
};
#define RUNS      "/v1/runs/"
#define RUN_NAMED RUNS "{id}" /* the caller has named it by an id of its own */

/* --- into the log ------------------------------------------------------------------------------
 */

static status append(struct engine *engine, Pb__AuditRecord *record, struct error *reterr)
{
    record->noted_us = engine->now_us;
    return audit_append(engine->txn, &engine->audit.end, record, engine->arena, reterr);
}

/* `record` lives as long as the turn. */
static status add(struct engine *engine, Pb__AuditRecord *record, struct error *reterr)
{
    bool is_usual = strcmp(record->result, "done") == 0;
    engine->audit.done += is_usual;
    if (!is_usual) count_audit(engine->options.metrics, str_from(record->result), 1);
    if (engine->partition->index == 0) return append(engine, record, reterr);
    pointers_push(&engine->audit.waiting, record);
    return STATUS_OK;
}

static status tell(struct engine *engine, void **items, size_t count, struct error *reterr)
{
    Pb__AuditRecords records = PB__AUDIT_RECORDS__INIT;
    Pb__Message message      = PB__MESSAGE__INIT;
    records.records          = arena_alloc(engine->arena, count * sizeof *records.records);
    if (!records.records) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) records.records[i] = items[i];
    records.n_records     = count;
    message.content_case  = PB__MESSAGE__CONTENT_AUDIT_RECORDS;
    message.audit_records = &records;
    return engine_tell(engine, 0, &message, reterr);
}

status engine_audit_settle(struct engine *engine, struct error *reterr)
{
    struct pointers *waiting = &engine->audit.waiting;
    count_audit(engine->options.metrics, str_from("done"), engine->audit.done);
    engine->audit.done = 0;
    for (size_t at = 0; at < waiting->count;) {
        size_t left  = waiting->count - at;
        size_t count = left < MESSAGE_MAX ? left : MESSAGE_MAX;
        TRY(tell(engine, waiting->items + at, count, reterr));
        at += count;
    }
    waiting->count = 0;
    return STATUS_OK;
}

status engine_take_audit(struct engine *engine, const Pb__AuditRecords *records,
                         struct error *reterr)
{
    for (size_t i = 0; i < records->n_records; i++) {
        TRY(append(engine, records->records[i], reterr));
    }
    return STATUS_OK;
}

/* --- texts -------------------------------------------------------------------------------------
 */

static const char *text_of(struct engine *engine, str text)
{
    str head         = str_slice(text, 0, TEXT_MAX);
    const char *copy = text_in(engine->arena, str_slice(head, 0, utf8_valid_prefix(head)));
    return copy ? copy : "";
}

static void clip(struct engine *engine, const char **text)
{
    if (strlen(*text) > TEXT_MAX) *text = text_of(engine, str_from(*text));
}

/* A worker may say what it likes, but not at any length. */
static void clip_write(struct engine *engine, Pb__AuditWrite *write)
{
    const char **texts[] = {&write->function, &write->connection, &write->method, &write->host,
                            &write->path,     &write->class_,     &write->task,   &write->job};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) clip(engine, texts[i]);
    if (write->params_hmac.len > SHA256_SIZE) write->params_hmac.len = SHA256_SIZE;
    write->namespace_ = ""; /* the record has them */
    write->run        = "";
}

static void clip_record(struct engine *engine, Pb__AuditRecord *record)
{
    const char **texts[] = {&record->namespace_, &record->key_id, &record->roles,  &record->action,
                            &record->resource,   &record->run,    &record->result, &record->code,
                            &record->request_id, &record->address};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) clip(engine, texts[i]);
    if (record->write) clip_write(engine, record->write);
}

/* --- commands ----------------------------------------------------------------------------------
 */

/* What a gateway asks on its own account, and pieces of something that is recorded as a whole. */
static bool is_change(enum command_kind kind)
{
    switch (kind) {
    case COMMAND_LEASE:
    case COMMAND_LEASE_GIVE_UP:
    case COMMAND_HEARTBEAT:
    case COMMAND_REPORT:
    case COMMAND_APPEND_FILE:
    case COMMAND_NOTE_KEYS:
    case COMMAND_LEASE_LIMITS:
    case COMMAND_PASS_LIMITS:
    case COMMAND_HOLD_LIMITS:
    case COMMAND_RESERVE_RUN:
    case COMMAND_REPORT_USAGE:
    case COMMAND_NOTE_AUDIT:
    case COMMAND_MESSAGES:
    case COMMAND_STAND: return false;
    default: return true;
    }
}

static bool has_made(const Pb__StartedRun *started)
{
    return started->created || *started->event_id;
}

static bool is_done(const struct engine *engine, const struct command *command)
{
    if (command->code != STATUS_OK || command->is_replayed || engine->is_done_before) return false;
    if (command->kind == COMMAND_START) return has_made(command->response);
    if (command->kind == COMMAND_IMPORT_RUN) {
        return ((const Pb__ImportedRun *)command->response)->created;
    }
    if (command->kind == COMMAND_BULK) {
        return !((const Pb__OperationView *)command->response)->dry_run;
    }
    return is_change(command->kind);
}

/* The run that it was about; "": none. */
static const char *run_of(const struct command *command)
{
    switch (command->kind) {
    case COMMAND_START:
    case COMMAND_RESET: {
        const Pb__StartedRun *started = command->response;
        return started->run ? started->run->id : command->run.text;
    }
    case COMMAND_IMPORT_RUN: return ((const Pb__ImportedRun *)command->response)->id;
    default: return command->run.text;
    }
}

/* What it made, to stand behind the path; "": nothing. */
static const char *made_by(const struct command *command)
{
    switch (command->kind) {
    case COMMAND_PUT_KEY:
    case COMMAND_CREATE_KEY: return ((const Pb__ApiKey *)command->response)->id;
    case COMMAND_BEGIN_FILE: return ((const Pb__StoredFile *)command->response)->id;
    case COMMAND_SUBSCRIBE: return ((const Pb__Subscription *)command->response)->id;
    case COMMAND_BULK: return ((const Pb__OperationView *)command->response)->id;
    default: return "";
    }
}

/* Of a new run nothing: that it is the run's own is known to readers, and there are many. */
static const char *resource_of(struct engine *engine, const struct command *command,
                               const char *run)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    const char *given                 = command->deed.resource;
    const char *made                  = made_by(command);
    if (command->kind == COMMAND_START || command->kind == COMMAND_IMPORT_RUN) return "";
    if (str_starts_with(str_from(given), str_from(RUN_NAMED))) {
        (void)buf_printf(&text, RUNS "%s%s", run, given + sizeof RUN_NAMED - 1);
    } else if (*made) {
        (void)buf_printf(&text, "%s/%s", given, made);
    } else {
        return given;
    }
    return text_in(engine->arena, buf_str(&text));
}

static void add_member(struct engine *engine, Pb__AuditRecord *record, const char *before, str name)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    bool fits                         = buf_printf(&text, "%s" STR_FMT, before, STR_ARG(name));
    if (record->n_members == MEMBERS_MAX || !fits) return;
    const char *copy = text_in(engine->arena, buf_str(&text));
    if (copy) record->members[record->n_members++] = copy;
}

/* Which members of an approval somebody gave another value. */
static void note_members(struct engine *engine, const struct command *command,
                         Pb__AuditRecord *record)
{
    json patch      = command->value_count > 0 ? command->values[0] : json_invalid();
    json payload    = json_get_text(patch, "payload");
    record->members = arena_alloc(engine->arena, MEMBERS_MAX * sizeof *record->members);
    if (!record->members) return;
    for (size_t i = 0; i < json_count(patch); i++) {
        add_member(engine, record, "", json_key_at(patch, i));
    }
    for (size_t i = 0; json_is(payload, JSON_OBJECT) && i < json_count(payload); i++) {
        add_member(engine, record, "payload.", json_key_at(payload, i));
    }
}

/* Of the run, where the caller may go anywhere. */
static status namespace_of(struct engine *engine, const struct command *command, const char *run,
                           str *ret_namespace, struct error *reterr)
{
    Pb__RunView *row = NULL;
    *ret_namespace   = command->namespace;
    if (!str_is(command->namespace, "*") || !id_is_valid(str_from(run))) return STATUS_OK;
    if (command->kind == COMMAND_START) {
        row = ((const Pb__StartedRun *)command->response)->run;
    } else {
        status got = engine_run_row(engine, str_from(run), &row, reterr);
        if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) return STATUS_OK;
        TRY(got);
    }
    if (row) *ret_namespace = str_from(row->namespace_);
    return STATUS_OK;
}

status engine_audit_command(struct engine *engine, const struct command *command,
                            struct error *reterr)
{
    const struct deed *deed = &command->deed;
    if (!engine->options.audit.is_on || !deed->action) return STATUS_OK;
    if (!is_done(engine, command)) return STATUS_OK;
    Pb__AuditRecord *record = arena_alloc(engine->arena, sizeof *record);
    const char *run         = run_of(command);
    str namespace           = {};
    TRY(namespace_of(engine, command, run, &namespace, reterr));
    if (!record) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *record            = (Pb__AuditRecord)PB__AUDIT_RECORD__INIT;
    record->time_us    = engine->now_us;
    record->namespace_ = text_of(engine, namespace);
    record->key_id     = deed->key_id;
    record->roles      = deed->roles;
    record->action     = deed->action;
    record->resource   = resource_of(engine, command, run);
    record->run        = run;
    record->result     = "done";
    record->request_id = deed->asked_as;
    record->address    = deed->address;
    if (!record->resource) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    clip_record(engine, record);
    if (command->kind == COMMAND_EDIT) note_members(engine, command, record);
    return add(engine, record, reterr);
}

/* --- writes of workers, refusals of gateways ---------------------------------------------------
 */

static const char *result_of(const Pb__AuditWrite *write)
{
    if (strcmp(write->class_, "ok") == 0) return "done";
    return strcmp(write->class_, "unknown") == 0 ? "unknown" : "failed";
}

/* Who started the run answers for what it writes. */
static status note_actor(struct engine *engine, Pb__AuditRecord *record, struct error *reterr)
{
    Pb__RunView *row = NULL;
    if (!id_is_valid(str_from(record->run))) return STATUS_OK;
    status got = engine_run_row(engine, str_from(record->run), &row, reterr);
    if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) return STATUS_OK;
    TRY(got);
    record->key_id     = text_of(engine, str_from(row->created_by));
    record->namespace_ = text_of(engine, str_from(row->namespace_));
    return STATUS_OK;
}

static status add_write(struct engine *engine, const Pb__AuditWrite *given, struct error *reterr)
{
    Pb__AuditRecord *record = arena_alloc(engine->arena, sizeof *record);
    Pb__AuditWrite *write   = arena_alloc(engine->arena, sizeof *write);
    if (!record || !write) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *record            = (Pb__AuditRecord)PB__AUDIT_RECORD__INIT;
    *write             = *given;
    record->time_us    = given->time_us > 0 ? given->time_us : engine->now_us;
    record->namespace_ = text_of(engine, str_from(given->namespace_));
    record->run        = text_of(engine, str_from(given->run));
    record->action     = "outsideWrite";
    record->result     = result_of(given);
    record->write      = write;
    clip_write(engine, write);
    TRY(note_actor(engine, record, reterr));
    return add(engine, record, reterr);
}

status engine_audit_report(struct engine *engine, const Pb__JobReport *report, struct error *reterr)
{
    if (!engine->options.audit.is_on) return STATUS_OK;
    for (size_t i = 0; i < report->n_writes && i < WRITES_MAX; i++) {
        TRY(add_write(engine, report->writes[i], reterr));
    }
    return STATUS_OK;
}

status engine_note_audit(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__NoteAudit *request = command->request;
    engine_answer(engine, command);
    for (size_t i = 0; engine->options.audit.is_on && i < request->n_records; i++) {
        clip_record(engine, request->records[i]);
        TRY(add(engine, request->records[i], reterr));
    }
    return STATUS_OK;
}

/* --- old records -------------------------------------------------------------------------------
 */

int64_t engine_audit_due_us(const struct engine *engine)
{
    bool removes = engine->partition->index == 0 && engine->options.audit.keep_us > 0;
    return removes ? engine->audit.sweep_us : INT64_MAX;
}

status engine_audit_go_on(struct engine *engine, struct error *reterr)
{
    int64_t before_us = engine->now_us - engine->options.audit.keep_us;
    size_t count      = 0;
    if (engine->now_us < engine_audit_due_us(engine)) return STATUS_OK;
    TRY(audit_remove(engine->txn, before_us, REMOVE_MAX, engine->arena, &count, reterr));
    bool is_over           = count < REMOVE_MAX;
    engine->audit.sweep_us = engine->now_us + (is_over ? REMOVE_REST_S * INT64_C(1'000'000)
                                                       : REMOVE_MS * INT64_C(1'000));
    return STATUS_OK;
}

status engine_audit_recover(struct engine *engine, struct error *reterr)
{
    engine->audit.waiting.count = 0;
    engine->audit.done          = 0;
    return audit_end_read(engine->txn, &engine->audit.end, reterr);
}
