/**
 * tables: what a partition keeps, and under which keys.
 *
 * Integers in keys are big-endian and texts are escaped (store/key.h), so keys sort by their parts.
 * Keys of the tables that grow with the work only ever grow, so that writing them appends
 * (docs/architecture.md, "Keys"). Values are the messages of proto/record.proto, except where
 * noted.
 */
#ifndef SCHEDULER_TABLES_H
#define SCHEDULER_TABLES_H

#include "base/status.h"
#include "store/key.h"

enum table {
    TABLE_META,         /* name -> see partition.c, provider_key_row(), worker_drain_row(),
                         * erasures.h */
    TABLE_JOURNAL,      /* sequence of the partition (u64) -> entry, see journal.h */
    TABLE_RUN_HEADS,    /* run id -> RunHead: small and hot; of runs that have not ended */
    TABLE_RUNS,         /* run id -> RunView: what lists show, and at the end the head. Ids sort by
                         * creation */
    TABLE_RUN_INDEX,    /* see run_index.h -> nothing */
    TABLE_SNAPSHOTS,    /* run id -> RunSnapshot: the state at a sequence */
    TABLE_PAYLOADS,     /* sequence (u64) -> the bytes themselves */
    TABLE_JOBS,         /* job id -> JobRecord; open jobs and those in a dead letter queue */
    TABLE_READY,        /* namespace, queue, 9 - priority (u8), due (u64), sequence (u64)
                         * -> ReadyRecord; every open job, leased or not */
    TABLE_QUEUES,       /* namespace, queue -> QueueRecord: settings; absent: the defaults */
    TABLE_TIMERS,       /* due in us (u64), run id -> nothing: the run wants to be woken */
    TABLE_APPROVALS,    /* approval id -> ApprovalRecord. Ids sort by creation */
    TABLE_DEAD_LETTERS, /* namespace, queue, sequence (u64) -> DeadLetterRecord */
    TABLE_DEFINITIONS,  /* digest (32 bytes) -> source of every definition a run is pinned to */
    TABLE_REQUESTS,     /* see requests.h -> RequestRecord: what was done and answered lately */
    TABLE_CLIENT_IDS,   /* namespace, client id -> ClientIdRecord */
    TABLE_IDEMPOTENCY,  /* namespace, API key, idempotency key -> IdempotencyRecord */
    TABLE_START_KEYS,   /* namespace, workflow, idempotencyKey of the document -> ClientIdRecord */
    TABLE_OUTBOX,       /* partition (u16), sequence (u64) -> Message, on its way there */
    TABLE_INBOX,        /* partition (u16) -> sequence (u64) of the last message taken from it */
    TABLE_WATCHERS,     /* run id, text -> WatcherRecord: who is to be told of its end */
    TABLE_SCHEDULES,    /* namespace, name -> ScheduleView; partition 0 */
    TABLE_SCHEDULE_DUE, /* due in us (u64), namespace, name -> nothing; partition 0 */
    TABLE_SCHEDULE_TYPES,   /* namespace, type (empty: any), name -> nothing: events of this type
                             * start runs of that workflow; partition 0 */
    TABLE_SCHEDULE_BATCHES, /* namespace, name, batch (u64) -> ScheduleBatchRecord; partition 0 */
    TABLE_SCHEDULE_EVENTS,  /* namespace, name, batch (u64), number (u64) -> ScheduleEventRecord;
                             * partition 0 */
    TABLE_WORKFLOWS,        /* namespace, name, version -> WorkflowRecord; partition 0 */
    TABLE_API_KEYS,         /* key id -> ApiKey (system.proto); partition 0 */
    TABLE_FUNCTIONS,  /* name, version -> description (JSON, function_catalog.h); partition 0 */
    TABLE_ASSISTANTS, /* namespace, name -> AssistantRecord (assistant.proto); partition 0 */
    TABLE_ASSISTANT_VERSIONS, /* namespace, name, version (u32) -> AssistantView; partition 0 */
    TABLE_LISTENERS,          /* who waits for events: event_index.h */
    TABLE_LISTENER_KEYS,   /* run id, slot (u32) -> ListenerRecord: its keys in TABLE_LISTENERS */
    TABLE_BUFFERED_EVENTS, /* namespace, type, taken (u8), event id -> KeptEventRecord */
    TABLE_EVENT_TAKERS,    /* event id, run id -> nothing */
    TABLE_EVENT_TYPES,   /* namespace, type (empty: any) -> nothing: some workflow listens to it */
    TABLE_EVENT_IDS,     /* namespace, source and id -> when it came (u64) */
    TABLE_SUBSCRIPTIONS, /* id -> Subscription (subscription.proto); partition 0 */
    TABLE_DELIVERIES,    /* subscription, run, sequence (u64), number (u32) -> DeliveryRecord */
    TABLE_OPERATIONS,    /* id -> OperationRecord: work on many runs */
    TABLE_SLOTS,         /* group -> SlotRecord */
    TABLE_SLOT_WAITERS,  /* group, run id -> nothing: pending */
    TABLE_DELETIONS,     /* run id -> DeletionRecord: it is out of sight, and rows are left */
    TABLE_EVENT_WORK,    /* event id -> EventWorkRecord: has not reached all listeners yet */
    TABLE_BREAKERS,   /* target -> BreakerRecord (breaker.proto); elsewhere than in partition 0 what
                       * that has said of those that are shut */
    TABLE_LIMITS,     /* limit -> LimitRecord (limit.proto); elsewhere than in partition 0 what it
                       * has been given */
    TABLE_CALL_CACHE, /* namespace, digest -> CacheEntry (call_cache.proto); partition 0 */
    TABLE_CALL_CACHE_ORDER,   /* call_cache_internal.h -> nothing; partition 0 */
    TABLE_CALL_CACHE_CALLERS, /* namespace, digest -> CacheLead; the same and job id ->
                               * CacheWaiter; partition 0 */
    TABLE_CALL_CACHE_TOTALS,  /* namespace -> CacheTotals; partition 0 */
    TABLE_REDRIVES,           /* run id, idempotency key of a call -> RedriveRecord: what is known
                               * of it when its job is gone */
    TABLE_REDO,               /* store/redo.h: what was committed and is not in the archive yet */
    TABLE_BUDGETS, /* namespace, name -> BudgetView (budget.proto); elsewhere than in partition 0
                    * what that has said of them */
    TABLE_BUDGET_ASKS,   /* job id -> BudgetAskRecord; partition 0 */
    TABLE_MODEL_PRICES,  /* model, as jobs name it -> ModelPrice */
    TABLE_LETTER_INDEX,  /* dead_letters.h -> key of a row in TABLE_DEAD_LETTERS */
    TABLE_RUN_PURSES,    /* run id -> BudgetView; partition 0 */
    TABLE_USAGE,         /* day (u32), names -> UsageRecord (usage.proto) */
    TABLE_USAGE_SOURCES, /* source -> UsageSource; partition 0 */
    TABLE_UNSAID_LEASES, /* job id, number of the lease (u32) -> UnsaidLeaseRecord */
    TABLE_FILES,         /* file_store.h, as the next two; partition 0 */
    TABLE_FILE_PIECES,
    TABLE_FILE_DUE,
    TABLE_AUDIT, /* number (u64) -> hash, AuditRecord (audit_chain.h); partition 0 */
    TABLE_COUNT,
};

/** In the order of enum table, then NULL: for store_open(). */
extern const char *const table_names[TABLE_COUNT + 1];

/** A key that is one generated id, which must be valid. */
void id_key(struct key *key, str id);

/** Of a lease: that of its job, and its number. */
void lease_row_key(struct key *key, str job, uint32_t number);

/** Where an open job stands in its queue. */
struct ready_place {
    str namespace; /* empty: one of tutti's own queues */
    str queue;
    uint8_t priority; /* 0..9 */
    int64_t due_us;
    uint64_t sequence;
};
enum { JOB_PRIORITY_MAX = 9 };

void ready_key(struct key *key, const struct ready_place *place);

/** Reads such a key. The texts are views of `ret_namespace` and `ret_queue`. False: damaged. */
bool ready_key_read(bytes raw, struct key_text *ret_namespace, struct key_text *ret_queue,
                    struct ready_place *ret_place);

void queue_key(struct key *key, str namespace, str queue);
void timer_key(struct key *key, int64_t due_us, str run);
bool timer_key_read(bytes raw, int64_t *ret_due_us, struct id *ret_run);
void dead_letter_key(struct key *key, str namespace, str queue, uint64_t sequence);
/** `text` empty: the prefix of all of a run. */
void redrive_key(struct key *key, str run, str text);
void client_id_key(struct key *key, str namespace, str client_id);
void idempotency_key(struct key *key, str namespace, str api_key, str text);
void start_key_key(struct key *key, str namespace, str workflow, str text);

/** `who` empty: the prefix of all watchers of a run. */
void watcher_key(struct key *key, str run, str who);
void schedule_key(struct key *key, str namespace, str name);
void schedule_due_key(struct key *key, int64_t due_us, str namespace, str name);
bool schedule_due_key_read(bytes raw, int64_t *ret_due_us, struct key_text *ret_namespace,
                           struct key_text *ret_name);

/** `name`, `version` empty: the prefix of all below. */
void workflow_key(struct key *key, str namespace, str name, str version);
void api_key_key(struct key *key, str id);

/** In TABLE_META, of a ProviderKey; partition 0. `provider` empty: the prefix of all. */
void provider_key_row(struct key *key, str provider);

/** In TABLE_META, of a WorkerDrainRecord. `worker` empty: the prefix of all. */
void worker_drain_row(struct key *key, str worker);

void function_key(struct key *key, str name, str version);

/** `target` empty: the prefix of all. */
void breaker_key(struct key *key, str target);
void limit_key(struct key *key, str name);

/** `name` empty: the prefix of all of the namespace. */
void budget_key(struct key *key, str namespace, str name);
void model_price_key(struct key *key, str model);

/** `name` empty: the prefix of all of the namespace; `version` 0: of the assistant itself, and the
 * prefix of its versions. */
void assistant_key(struct key *key, str namespace, str name, uint32_t version);

/** Says whether a queue belongs to tutti's own workers, which serve all namespaces: "tools", "llm"
 * and what follows them after a dot. */
bool queue_is_own(str queue);

/** Of jobs whose task names none. */
#define QUEUE_DEFAULT "default"

#endif
