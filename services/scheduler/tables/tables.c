#include "scheduler/tables/tables.h"

#include "base/assert.h"

/* One table a line. */
/* clang-format off */
const char *const table_names[TABLE_COUNT + 1] = {
    [TABLE_META]         = "meta",
    [TABLE_JOURNAL]      = "journal",
    [TABLE_RUN_HEADS]    = "run_heads",
    [TABLE_RUNS]         = "runs",
    [TABLE_RUN_INDEX]    = "run_index",
    [TABLE_SNAPSHOTS]    = "snapshots",
    [TABLE_PAYLOADS]     = "payloads",
    [TABLE_JOBS]         = "jobs",
    [TABLE_READY]        = "ready",
    [TABLE_QUEUES]       = "queues",
    [TABLE_TIMERS]       = "timers",
    [TABLE_APPROVALS]    = "approvals",
    [TABLE_DEAD_LETTERS] = "dead_letters",
    [TABLE_DEFINITIONS]  = "definitions",
    [TABLE_REQUESTS]     = "requests",
    [TABLE_CLIENT_IDS]   = "client_ids",
    [TABLE_IDEMPOTENCY]  = "idempotency",
    [TABLE_START_KEYS]   = "start_keys",
    [TABLE_LISTENERS]    = "listeners",
    [TABLE_LISTENER_KEYS] = "listener_keys",
    [TABLE_BUFFERED_EVENTS] = "buffered_events",
    [TABLE_EVENT_TAKERS] = "event_takers",
    [TABLE_EVENT_TYPES]  = "event_types",
    [TABLE_EVENT_IDS]    = "event_ids",
    [TABLE_SUBSCRIPTIONS] = "subscriptions",
    [TABLE_DELIVERIES] = "deliveries",
    [TABLE_EVENT_WORK]   = "event_work",
    [TABLE_OPERATIONS]   = "operations",
    [TABLE_SLOTS]        = "slots",
    [TABLE_SLOT_WAITERS] = "slot_waiters",
    [TABLE_DELETIONS]    = "deletions",
    [TABLE_BREAKERS]     = "breakers",
    [TABLE_LIMITS]       = "limits",
    [TABLE_OUTBOX]       = "outbox",
    [TABLE_INBOX]        = "inbox",
    [TABLE_WATCHERS]     = "watchers",
    [TABLE_SCHEDULES]    = "schedules",
    [TABLE_SCHEDULE_DUE] = "schedule_due",
    [TABLE_SCHEDULE_TYPES] = "schedule_types",
    [TABLE_SCHEDULE_BATCHES] = "schedule_batches",
    [TABLE_SCHEDULE_EVENTS] = "schedule_events",
    [TABLE_WORKFLOWS]    = "workflows",
    [TABLE_API_KEYS]     = "api_keys",
    [TABLE_FUNCTIONS]    = "functions",
    [TABLE_ASSISTANTS]   = "assistants",
    [TABLE_ASSISTANT_VERSIONS] = "assistant_versions",
    [TABLE_CALL_CACHE] = "call_cache",
    [TABLE_CALL_CACHE_ORDER] = "call_cache_order",
    [TABLE_CALL_CACHE_CALLERS] = "call_cache_callers",
    [TABLE_CALL_CACHE_TOTALS] = "call_cache_totals",
    [TABLE_REDRIVES]     = "redrives",
    [TABLE_REDO] = "redo",
    [TABLE_BUDGETS]      = "budgets",
    [TABLE_BUDGET_ASKS]  = "budget_asks",
    [TABLE_MODEL_PRICES] = "model_prices",
    [TABLE_LETTER_INDEX] = "letter_index",
    [TABLE_RUN_PURSES]   = "run_purses",
    [TABLE_USAGE]        = "usage",
    [TABLE_USAGE_SOURCES] = "usage_sources",
    [TABLE_UNSAID_LEASES] = "unsaid_leases",
    [TABLE_FILES]        = "files",
    [TABLE_FILE_PIECES]  = "file_pieces",
    [TABLE_FILE_DUE]     = "file_due",
    [TABLE_AUDIT] = "audit",
    [TABLE_COUNT]        = NULL,
};
/* clang-format on */

void id_key(struct key *key, str id)
{
    key_begin(key);
    key_put_id(key, id);
}

void lease_row_key(struct key *key, str job, uint32_t number)
{
    key_begin(key);
    key_put_id(key, job);
    key_put_u32(key, number);
}

void ready_key(struct key *key, const struct ready_place *place)
{
    ASSERT(place->priority <= JOB_PRIORITY_MAX);
    ASSERT(place->due_us >= 0);
    key_begin(key);
    key_put_text(key, place->namespace);
    key_put_text(key, place->queue);
    key_put_u8(key, (uint8_t)(JOB_PRIORITY_MAX - place->priority));
    key_put_u64(key, (uint64_t)place->due_us);
    key_put_u64(key, place->sequence);
}

bool ready_key_read(bytes raw, struct key_text *ret_namespace, struct key_text *ret_queue,
                    struct ready_place *ret_place)
{
    bytes rest          = raw;
    uint8_t urgency     = 0;
    uint64_t due_us     = 0;
    uint64_t sequence   = 0;
    bool is_well_formed = key_take_text(&rest, ret_namespace) && key_take_text(&rest, ret_queue) &&
                          key_take_u8(&rest, &urgency) && key_take_u64(&rest, &due_us) &&
                          key_take_u64(&rest, &sequence) && rest.len == 0;
    if (!is_well_formed || urgency > JOB_PRIORITY_MAX || due_us > INT64_MAX) return false;
    if (ret_namespace->is_digest || ret_queue->is_digest) return false;

    *ret_place = (struct ready_place){
        .namespace = {ret_namespace->data, ret_namespace->len},
        .queue     = {ret_queue->data, ret_queue->len},
        .priority  = (uint8_t)(JOB_PRIORITY_MAX - urgency),
        .due_us    = (int64_t)due_us,
        .sequence  = sequence,
    };
    return true;
}

void breaker_key(struct key *key, str target)
{
    key_begin(key);
    if (target.len > 0) key_put_text(key, target);
}

void limit_key(struct key *key, str name)
{
    breaker_key(key, name);
}

void budget_key(struct key *key, str namespace, str name)
{
    key_begin(key);
    key_put_text(key, namespace);
    if (name.len > 0) key_put_text(key, name);
}

void model_price_key(struct key *key, str model)
{
    key_begin(key);
    key_put_text(key, model);
}

void queue_key(struct key *key, str namespace, str queue)
{
    key_begin(key);
    key_put_text(key, namespace);
    key_put_text(key, queue);
}

void timer_key(struct key *key, int64_t due_us, str run)
{
    ASSERT(due_us >= 0);
    key_begin(key);
    key_put_u64(key, (uint64_t)due_us);
    key_put_id(key, run);
}

bool timer_key_read(bytes raw, int64_t *ret_due_us, struct id *ret_run)
{
    bytes rest      = raw;
    uint64_t due_us = 0;
    struct id run   = {};
    if (!key_take_u64(&rest, &due_us) || due_us > INT64_MAX) return false;
    if (!key_take_id(&rest, &run) || rest.len > 0) return false;
    *ret_due_us = (int64_t)due_us;
    *ret_run    = run;
    return true;
}

void dead_letter_key(struct key *key, str namespace, str queue, uint64_t sequence)
{
    queue_key(key, namespace, queue);
    key_put_u64(key, sequence);
}

void redrive_key(struct key *key, str run, str text)
{
    key_begin(key);
    key_put_id(key, run);
    if (text.len > 0) key_put_text(key, text);
}

void client_id_key(struct key *key, str namespace, str client_id)
{
    key_begin(key);
    key_put_text(key, namespace);
    key_put_text(key, client_id);
}

void idempotency_key(struct key *key, str namespace, str api_key, str text)
{
    key_begin(key);
    key_put_text(key, namespace);
    key_put_text(key, api_key);
    key_put_text(key, text);
}

void start_key_key(struct key *key, str namespace, str workflow, str text)
{
    key_begin(key);
    key_put_text(key, namespace);
    key_put_text(key, workflow);
    key_put_text(key, text);
}

void watcher_key(struct key *key, str run, str who)
{
    key_begin(key);
    key_put_id(key, run);
    if (who.len > 0) key_put_text(key, who);
}

void schedule_key(struct key *key, str namespace, str name)
{
    key_begin(key);
    key_put_text(key, namespace);
    key_put_text(key, name);
}

void schedule_due_key(struct key *key, int64_t due_us, str namespace, str name)
{
    ASSERT(due_us >= 0);
    key_begin(key);
    key_put_u64(key, (uint64_t)due_us);
    key_put_text(key, namespace);
    key_put_text(key, name);
}

bool schedule_due_key_read(bytes raw, int64_t *ret_due_us, struct key_text *ret_namespace,
                           struct key_text *ret_name)
{
    bytes rest      = raw;
    uint64_t due_us = 0;
    bool is_read    = key_take_u64(&rest, &due_us) && key_take_text(&rest, ret_namespace) &&
                   key_take_text(&rest, ret_name) && rest.len == 0;
    if (!is_read || due_us > INT64_MAX) return false;
    *ret_due_us = (int64_t)due_us;
    return true;
}

void workflow_key(struct key *key, str namespace, str name, str version)
{
    key_begin(key);
    key_put_text(key, namespace);
    if (name.len == 0) return;
    key_put_text(key, name);
    if (version.len > 0) key_put_text(key, version);
}

void api_key_key(struct key *key, str id)
{
    key_begin(key);
    key_put_text(key, id);
}

void provider_key_row(struct key *key, str provider)
{
    key_begin(key);
    key_put_text(key, str_from("provider_key"));
    if (provider.len > 0) key_put_text(key, provider);
}

void worker_drain_row(struct key *key, str worker)
{
    key_begin(key);
    key_put_text(key, str_from("worker_drain"));
    if (worker.len > 0) key_put_text(key, worker);
}

void function_key(struct key *key, str name, str version)
{
    key_begin(key);
    key_put_text(key, name);
    key_put_text(key, version);
}

void assistant_key(struct key *key, str namespace, str name, uint32_t version)
{
    key_begin(key);
    key_put_text(key, namespace);
    if (name.len == 0) return;
    key_put_text(key, name);
    if (version > 0) key_put_u32(key, version);
}

bool queue_is_own(str queue)
{
    return str_is(queue, "tools") || str_is(queue, "llm") ||
           str_starts_with(queue, str_from("tools.")) || str_starts_with(queue, str_from("llm."));
}
