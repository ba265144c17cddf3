/**
 * command: what the engine thread is asked to do, and what it answers.
 *
 * Services make commands on their own threads, with everything checked and parsed that needs no
 * state of the partition; the engine decides, and calls `done` after the commit. The caller owns
 * request, response and arena, which are borrowed until `done` is called; `done` owns the command
 * again.
 */
#ifndef SCHEDULER_COMMAND_H
#define SCHEDULER_COMMAND_H

#include "base/arena.h"
#include "base/id.h"
#include "base/status.h"
#include "scheduler/engine/mailbox.h"
#include "workflow/workflow.h"
#include "json/json.h"

#include <stdint.h>

/** "request -> response"; what else of the command counts stands behind it. */
enum command_kind {
    /* Runs. Pb__StartRun -> Pb__StartedRun; workflow, values[0] = input, values[1] = data of the
     * signal */
    COMMAND_START,
    COMMAND_RETRY,        /* Pb__RetryRun -> Pb__RunView; run, values[0] = patch */
    COMMAND_FAIL_RUN,     /* Pb__FailRun -> Pb__RunView; run */
    COMMAND_CANCEL,       /* Pb__CancelRun -> Pb__RunView; run */
    COMMAND_TERMINATE,    /* Pb__StopRun -> Pb__RunView; run */
    COMMAND_SUSPEND,      /* likewise */
    COMMAND_RESUME,       /* likewise */
    COMMAND_COMPENSATE,   /* likewise */
    COMMAND_RESET,        /* Pb__ResetRun -> Pb__StartedRun; run */
    COMMAND_EDIT_RUN,     /* Pb__EditRun -> Pb__RunView; run, values[0] = patch */
    COMMAND_APPROVE_RUN,  /* Pb__ApproveRun -> Pb__RunView; run, start_key */
    COMMAND_ERASE_RUN,    /* Pb__EraseRun -> Pb__RunView; run */
    COMMAND_SET_VARIABLE, /* Pb__SetRunVariable -> Pb__RunVariables; run, values[0] */
    COMMAND_DELETE_RUN,   /* Pb__DeleteRun -> Pb__DeletedRun; run */
    COMMAND_IMPORT_RUN,   /* struct kept_run -> Pb__ImportedRun; its `run` is taken if it is new */
    COMMAND_BULK,         /* Pb__StartBulk -> Pb__OperationView */
    COMMAND_SIGNAL,       /* Pb__SignalRun -> Pb__SignalledRun; run, values[0] = data */

    /* Approvals, events, subscriptions. */
    COMMAND_DECIDE,      /* Pb__DecideApproval -> Pb__ApprovalView; run, values[0] = data */
    COMMAND_EDIT,        /* Pb__EditApproval -> Pb__ApprovalView; run, values[0] = patch */
    COMMAND_PUBLISH,     /* Pb__PublishEvents -> Pb__PublishedEvents; values = events */
    COMMAND_SUBSCRIBE,   /* Pb__Subscription -> Pb__Subscription */
    COMMAND_UNSUBSCRIBE, /* Pb__DeleteSubscription -> Pb__SubscriptionGone */

    /* Jobs and queues. COMMAND_LEASE may be answered much later. */
    COMMAND_LEASE,         /* Pb__LeaseJobs -> Pb__LeasedJobs */
    COMMAND_LEASE_GIVE_UP, /* the caller of the COMMAND_LEASE with this id has gone */
    COMMAND_HEARTBEAT,     /* Pb__Heartbeats -> Pb__HeartbeatAnswers */
    COMMAND_REPORT,        /* Pb__JobReports -> Pb__JobReportAnswers; values: see below */
    COMMAND_CANCEL_JOB,    /* Pb__CancelJob -> Pb__CancelledJob */
    COMMAND_LOOK_AT_JOB,   /* Pb__GetJob -> Pb__JobView, filled by its rows: how it stands is mended
                            */
    COMMAND_SET_QUEUE,     /* Pb__SetQueue -> Pb__QueueView, of which what is set is filled in */
    COMMAND_DRAIN_WORKER,  /* Pb__DrainWorkerRequest -> Pb__WorkerStatus */
    COMMAND_REDRIVE,       /* Pb__RedriveDeadLetter -> Pb__RedrivenDeadLetter (may be NULL);
                            * values[0] = patch */
    COMMAND_DROP_LETTER,   /* Pb__DropDeadLetter -> Pb__DroppedDeadLetter */

    /* The system partition. Of functions there is one value each, invalid: nothing to write; the
     * engine makes those invalid that it refuses. */
    COMMAND_PUT_WORKFLOW,       /* Pb__PutWorkflow -> Pb__PutWorkflowAnswer; workflow */
    COMMAND_DELETE_WORKFLOW,    /* Pb__WorkflowVersion -> Pb__DeletedWorkflow */
    COMMAND_PUT_KEY,            /* Pb__ApiKey -> Pb__ApiKey */
    COMMAND_CREATE_KEY,         /* Pb__CreateKey -> Pb__ApiKey */
    COMMAND_ROTATE_KEY,         /* Pb__RotateKey -> Pb__ApiKey */
    COMMAND_REVOKE_KEY,         /* Pb__KeyAt -> Pb__ApiKey */
    COMMAND_NOTE_KEYS,          /* Pb__KeysUsed -> Pb__KeysUsedAnswer */
    COMMAND_PUT_PROVIDER_KEY,   /* Pb__ProviderKey -> Pb__ProviderKey */
    COMMAND_DROP_PROVIDER_KEY,  /* Pb__DeleteProviderKey -> Pb__DeletedProviderKey */
    COMMAND_REGISTER_FUNCTIONS, /* Pb__RegisterFunctions -> Pb__RegisteredFunctions; values */
    COMMAND_PUT_ASSISTANT,      /* Pb__PutAssistant -> Pb__PutAssistantAnswer; values[0] =
                                 * definition, values[1] = labels */
    COMMAND_DELETE_ASSISTANT,   /* Pb__DeleteAssistantVersion -> Pb__AssistantView */
    COMMAND_BEGIN_FILE,         /* Pb__BeginFile -> Pb__StoredFile */
    COMMAND_APPEND_FILE,        /* Pb__AppendFile -> Pb__StoredFile */
    COMMAND_DELETE_FILE,        /* Pb__FileAt -> Pb__StoredFile */
    COMMAND_PUT_SCHEDULE,       /* Pb__PutSchedule -> Pb__ScheduleView */
    COMMAND_PAUSE_SCHEDULE,     /* Pb__PauseSchedule -> Pb__ScheduleView */
    COMMAND_TRIGGER_SCHEDULE,   /* Pb__TriggerSchedule -> Pb__TriggeredSchedule */
    COMMAND_BACKFILL_SCHEDULE,  /* Pb__BackfillSchedule -> Pb__BackfilledSchedule */
    COMMAND_DELETE_SCHEDULE,    /* Pb__DeleteSchedule -> Pb__DeletedSchedule */
    COMMAND_SET_BREAKER,        /* Pb__SetBreaker -> Pb__BreakerView */
    COMMAND_REPORT_BREAKERS,    /* Pb__BreakerReport -> Pb__BreakerList */
    COMMAND_SET_LIMIT,          /* Pb__SetLimit -> Pb__LimitView */
    COMMAND_LEASE_LIMITS,       /* Pb__LeaseLimits -> Pb__LeasedLimits */
    COMMAND_PASS_LIMITS,        /* Pb__PassLimits -> Pb__PassedLimits */
    COMMAND_HOLD_LIMITS,        /* Pb__HoldLimits -> Pb__HeldLimits */
    COMMAND_CLEAR_CALL_CACHE,   /* Pb__ClearCache -> Pb__ClearedCache */
    COMMAND_PUT_BUDGET,         /* Pb__PutBudget -> Pb__BudgetView */
    COMMAND_DELETE_BUDGET,      /* Pb__DeleteBudget -> Pb__DeletedBudget */
    COMMAND_RESERVE_BUDGETS,    /* Pb__ReserveBudgets -> Pb__ReservedBudgets */
    COMMAND_SETTLE_BUDGETS,     /* Pb__SettleBudgets -> Pb__SettledBudgets */
    COMMAND_RESERVE_RUN,        /* Pb__ReserveRun -> Pb__ReservedRun */
    COMMAND_REPORT_USAGE,       /* Pb__UsageReport -> Pb__UsageReported */
    COMMAND_NOTE_AUDIT,         /* Pb__NoteAudit -> Pb__NotedAudit; its records are changed */

    /* Between engines, and around them. */
    COMMAND_MESSAGES, /* struct message_batch (outbox.h) -> nothing */
    COMMAND_STAND,    /* nothing; `done` may wait, and the engine with it (a barrier) */
};

/** Of a start that another run or a schedule ordered. */
struct start_origin {
    struct id child;  /* the id the run gets; empty text: any */
    struct id parent; /* empty text: none */
    const char *parent_task;
    uint32_t depth;
};

/** What a command is to the audit log (engine_audit.h); NULL as the action: it is not recorded. */
struct deed {
    const char *action;
    const char *resource;
    const char *key_id; /* of the caller's API key */
    const char *roles;
    const char *address;
    const char *asked_as; /* the id by which the caller knows the request */
};

struct command {
    struct mail mail; /* first */
    enum command_kind kind;
    const void *request;
    void *response;
    struct arena *arena; /* for the response */
    uint64_t id;         /* names a COMMAND_LEASE while it is parked */
    str request_id;      /* empty: none. The same one has an effect only once */
    str namespace;       /* of the caller */
    struct deed deed;    /* lives as long as `arena` */
    struct id run;       /* the generated id; services resolve client ids */

    const struct workflow *workflow; /* a reference of its own */
    json *values;                    /* owned, as is each of them; invalid: not given. Of a
                                      * COMMAND_REPORT two per report: output or error, and the
                                      * calls that undo it */
    size_t value_count;
    str start_key; /* of a COMMAND_START: as start_key.h; empty: none. Lives as long as `arena` */

    const struct start_origin *origin; /* of a COMMAND_START; NULL: a caller's. Lives as `arena` */

    status code;        /* the outcome */
    struct error error; /* if it is not OK */
    bool is_replayed;   /* the outcome is that of an earlier one with the same Idempotency-Key */

    /** Called once, on the engine thread; must not wait, but for a COMMAND_STAND. */
    void (*done)(struct command *command);
    void *context; /* for `done` */
};

/** Gives a command up: what it owns is released. `done` is not called. */
void command_release(struct command *command);

/** Sets the outcome. Returns OK, since a refusal is an answer and no failure of the engine. */
PRINTF_LIKE(4, 5)
status command_refuse(struct command *command, status code, const char *name, const char *format,
                      ...);

/** The command that holds this mail. */
struct command *command_of(struct mail *mail);

#endif
