#include "gateway/api/view.h"

#include "base/clock.h"

#include "base/attr.h"
#include "base/hash.h"
#include "base/money.h"
#include "json/json_text.h"

enum {
    DIGEST_MAX = 32, /* bytes */
};

/* clang-format off */
static const char *const run_statuses[] = {
    [PB__RUN_STATUS__RUN_STATUS_UNSPECIFIED] = "unspecified",
    [PB__RUN_STATUS__RUN_STATUS_DRAFT]       = "draft",
    [PB__RUN_STATUS__RUN_STATUS_PENDING]     = "pending",
    [PB__RUN_STATUS__RUN_STATUS_RUNNING]     = "running",
    [PB__RUN_STATUS__RUN_STATUS_WAITING]     = "waiting",
    [PB__RUN_STATUS__RUN_STATUS_SUSPENDED]   = "suspended",
    [PB__RUN_STATUS__RUN_STATUS_COMPLETED]   = "completed",
    [PB__RUN_STATUS__RUN_STATUS_FAULTED]     = "faulted",
    [PB__RUN_STATUS__RUN_STATUS_CANCELLED]   = "cancelled",
    [PB__RUN_STATUS__RUN_STATUS_TERMINATED]  = "terminated",
};

static const char *const approval_statuses[] = {
    [PB__APPROVAL_STATUS__APPROVAL_STATUS_UNSPECIFIED] = "unspecified",
    [PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING]     = "pending",
    [PB__APPROVAL_STATUS__APPROVAL_STATUS_APPROVED]    = "approved",
    [PB__APPROVAL_STATUS__APPROVAL_STATUS_REJECTED]    = "rejected",
    [PB__APPROVAL_STATUS__APPROVAL_STATUS_EXPIRED]     = "expired",
    [PB__APPROVAL_STATUS__APPROVAL_STATUS_CANCELLED]   = "cancelled",
};
/* clang-format on */

/* A peer may run a newer release: a number we do not know is shown as such, not a crash. */
static const char *name_of(const char *const *names, size_t count, unsigned value)
{
    return value < count ? names[value] : "unknown";
}

const char *run_status_name(Pb__RunStatus run_status)
{
    return name_of(run_statuses, ARRAY_LEN(run_statuses), (unsigned)run_status);
}

const char *approval_status_name(Pb__ApprovalStatus approval_status)
{
    return name_of(approval_statuses, ARRAY_LEN(approval_statuses), (unsigned)approval_status);
}

bool run_status_parse(str name, Pb__RunStatus *ret_status)
{
    for (unsigned i = 1; i < ARRAY_LEN(run_statuses); i++) {
        if (str_is(name, run_statuses[i])) {
            *ret_status = (Pb__RunStatus)i;
            return true;
        }
    }
    return false;
}

bool approval_status_parse(str name, Pb__ApprovalStatus *ret_status)
{
    for (unsigned i = 1; i < ARRAY_LEN(approval_statuses); i++) {
        if (str_is(name, approval_statuses[i])) {
            *ret_status = (Pb__ApprovalStatus)i;
            return true;
        }
    }
    return false;
}

bool run_status_is_final(Pb__RunStatus run_status)
{
    return run_status >= PB__RUN_STATUS__RUN_STATUS_COMPLETED;
}

static str str_of(ProtobufCBinaryData data)
{
    return (str){.ptr = (const char *)data.data, .len = data.len};
}

void view_text_if(struct json_writer *w, const char *key, const char *text)
{
    if (*text) json_put_text(w, key, str_from(text));
}

void view_time_if(struct json_writer *w, const char *key, int64_t unix_us)
{
    if (unix_us > 0) json_put_time(w, key, unix_us);
}

void view_json_if(struct json_writer *w, const char *key, ProtobufCBinaryData document)
{
    if (document.len > 0) json_put_raw(w, key, str_of(document));
}

static void put_digest(struct json_writer *w, ProtobufCBinaryData digest)
{
    char hex[2 * DIGEST_MAX + 1] = "";
    if (digest.len <= DIGEST_MAX) hex_encode(digest.data, digest.len, hex);
    json_put_text(w, "digest", str_from(hex));
}

void view_money(struct json_writer *w, const char *key, int64_t usd_nanos)
{
    CLEANUP(buf_done) struct buf text = buf_init(MONEY_TEXT_MAX);
    (void)money_print(usd_nanos, &text);
    json_put_text(w, key, buf_str(&text));
}

static void put_labels(struct json_writer *w, Pb__Label *const *labels, size_t count)
{
    if (count == 0) return;
    json_member(w, "labels");
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        json_put_text(w, labels[i]->key, str_from(labels[i]->value));
    }
    json_end_object(w);
}

static void put_usage(struct json_writer *w, const Pb__Usage *usage)
{
    json_member(w, "usage");
    json_begin_object(w);
    json_put_int(w, "input_tokens", usage ? usage->input_tokens : 0);
    json_put_int(w, "output_tokens", usage ? usage->output_tokens : 0);
    if (usage && usage->cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN) {
        json_member(w, "cost_usd");
        json_write_null(w);
    } else {
        view_money(w, "cost_usd", usage ? usage->cost_usd_nanos : 0);
    }
    if (usage && usage->simulated) json_put_bool(w, "simulated", true);
    json_end_object(w);
}

static void put_progress(struct json_writer *w, const Pb__RunView *run, int64_t now_us)
{
    json_member(w, "progress");
    json_begin_object(w);
    json_member(w, "percent");
    json_write_value(w, json_real((double)run->progress_permille / 10));
    view_text_if(w, "phase", run->phase);
    int64_t from = run->started_us > 0 ? run->started_us : run->created_us;
    int64_t to   = run->ended_us > 0 ? run->ended_us : now_us;
    json_member(w, "elapsed_seconds");
    int64_t elapsed_ms = to > from ? (to - from) / 1000 : 0;
    json_write_value(w, json_real((double)elapsed_ms / 1000));
    json_end_object(w);
}

static void put_waiting(struct json_writer *w, const Pb__RunView *run)
{
    if (run->n_waiting_for == 0) return;
    json_member(w, "waiting_for");
    json_begin_array(w);
    for (size_t i = 0; i < run->n_waiting_for; i++) {
        const Pb__Waiting *waiting = run->waiting_for[i];
        json_begin_object(w);
        json_put_text(w, "kind", str_from(waiting->kind));
        view_text_if(w, "task", waiting->task);
        view_time_if(w, "since", waiting->since_us);
        view_text_if(w, "detail", waiting->detail);
        view_time_if(w, "due_at", waiting->due_us);
        view_text_if(w, "state", waiting->state);
        view_text_if(w, "reason", waiting->reason);
        view_text_if(w, "advice", waiting->advice);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_compensation(struct json_writer *w, const Pb__Compensation *undone)
{
    if (!undone) return;
    const char *state = undone->failed > 0 ? "failed" : "completed";
    if (undone->done + undone->failed < undone->total) state = "running";
    json_member(w, "compensation");
    json_begin_object(w);
    json_put_text(w, "state", str_from(state));
    json_put_int(w, "done", undone->done);
    json_put_int(w, "failed", undone->failed);
    json_put_int(w, "total", undone->total);
    json_end_object(w);
}

static void put_budget(struct json_writer *w, const Pb__RunView *run)
{
    if (run->budget_usd_nanos == 0 && run->budget_tokens == 0) return;
    json_member(w, "budget");
    json_begin_object(w);
    if (run->budget_usd_nanos > 0) view_money(w, "usd", run->budget_usd_nanos);
    if (run->budget_tokens > 0) json_put_int(w, "tokens", run->budget_tokens);
    json_end_object(w);
}

void view_run(struct json_writer *w, const Pb__RunView *run, int64_t now_us)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(run->id));
    view_text_if(w, "client_id", run->client_id);
    json_put_text(w, "namespace", str_from(run->namespace_));
    json_member(w, "workflow");
    json_begin_object(w);
    json_put_text(w, "name", str_from(run->workflow));
    json_put_text(w, "version", str_from(run->version));
    put_digest(w, run->digest);
    json_end_object(w);
    json_put_text(w, "status", str_from(run_status_name(run->status)));
    json_put_time(w, "created_at", run->created_us);
    view_time_if(w, "started_at", run->started_us);
    view_time_if(w, "ended_at", run->ended_us);
    view_time_if(w, "erased_at", run->erased_us);
    view_time_if(w, "deadline", run->deadline_us);
    put_labels(w, run->labels, run->n_labels);
    json_put_int(w, "priority", run->priority);
    put_budget(w, run);
    if (*run->parent_run) {
        json_member(w, "parent");
        json_begin_object(w);
        json_put_text(w, "run", str_from(run->parent_run));
        json_put_text(w, "task", str_from(run->parent_task));
        json_end_object(w);
    }
    if (*run->forked_run) {
        json_member(w, "forked_from");
        json_begin_object(w);
        json_put_text(w, "run", str_from(run->forked_run));
        if (run->forked_sequence > 0) {
            json_put_int(w, "sequence", (int64_t)run->forked_sequence);
        }
        json_end_object(w);
    }
    view_json_if(w, "input", run->input_json);
    view_json_if(w, "output", run->output_json);
    view_json_if(w, "error", run->error_json);
    put_progress(w, run, now_us);
    put_waiting(w, run);
    put_compensation(w, run->compensation);
    put_usage(w, run->usage);
    view_text_if(w, "created_by", run->created_by);
    view_text_if(w, "trace_id", run->trace_id);
    json_put_int(w, "last_sequence", (int64_t)run->last_sequence);
    json_end_object(w);
}

void view_event(struct json_writer *w, const Pb__HistoryEvent *event)
{
    json_begin_object(w);
    json_put_int(w, "sequence", (int64_t)event->sequence);
    json_put_time(w, "time", event->time_us);
    json_put_text(w, "type", str_from(event->type));
    view_text_if(w, "task", event->task);
    view_text_if(w, "iteration", event->iteration);
    view_text_if(w, "job", event->job);
    if (event->attempt > 0) json_put_int(w, "attempt", event->attempt);
    view_json_if(w, "data", event->data_json);
    json_end_object(w);
}

void view_approval(struct json_writer *w, const Pb__ApprovalView *approval)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(approval->id));
    json_put_text(w, "run", str_from(approval->run));
    json_put_text(w, "namespace", str_from(approval->namespace_));
    view_text_if(w, "workflow", approval->workflow);
    json_put_text(w, "task", str_from(approval->task));
    json_put_text(w, "title", str_from(approval->title));
    json_put_text(w, "status", str_from(approval_status_name(approval->status)));
    json_put_texts(w, "approvers", approval->approvers, approval->n_approvers);
    view_json_if(w, "form", approval->form_json);
    view_json_if(w, "payload", approval->payload_json);
    json_put_time(w, "created_at", approval->created_us);
    view_time_if(w, "due_at", approval->due_us);
    view_time_if(w, "decided_at", approval->decided_us);
    view_text_if(w, "decided_by", approval->decided_by);
    view_text_if(w, "comment", approval->comment);
    view_json_if(w, "data", approval->data_json);
    json_put_bool(w, "editable", approval->editable);
    json_put_bool(w, "changed", approval->changed);
    json_end_object(w);
}

void view_finding(struct json_writer *w, const Pb__Finding *finding)
{
    json_begin_object(w);
    view_text_if(w, "code", finding->code);
    view_text_if(w, "severity", finding->severity);
    json_put_text(w, "pointer", str_from(finding->pointer));
    if (finding->line > 0) json_put_int(w, "line", finding->line);
    if (finding->column > 0) json_put_int(w, "column", finding->column);
    json_put_text(w, "detail", str_from(finding->detail));
    view_text_if(w, "hint", finding->hint);
    json_end_object(w);
}

static void put_schedule(struct json_writer *w, const Pb__ScheduleView *schedule)
{
    json_member(w, "schedule");
    json_begin_object(w);
    json_put_text(w, "kind", str_from(schedule->kind));
    json_put_text(w, "version", str_from(schedule->version));
    view_time_if(w, "next_at", schedule->next_us);
    view_time_if(w, "last_at", schedule->last_us);
    view_text_if(w, "last_run", schedule->last_run);
    view_text_if(w, "last_error", schedule->last_error);
    if (strcmp(schedule->kind, "on") == 0) {
        json_put_int(w, "events_held", (int64_t)schedule->events_held);
    }
    json_end_object(w);
}

void view_workflow(struct json_writer *w, const Pb__WorkflowView *workflow,
                   Pb__Finding *const *warnings, size_t warning_count)
{
    json_begin_object(w);
    json_put_text(w, "namespace", str_from(workflow->namespace_));
    json_put_text(w, "name", str_from(workflow->name));
    json_put_text(w, "version", str_from(workflow->version));
    view_text_if(w, "title", workflow->title);
    put_digest(w, workflow->digest);
    json_put_time(w, "created_at", workflow->created_us);
    view_text_if(w, "created_by", workflow->created_by);
    if (workflow->n_versions > 0) {
        json_put_texts(w, "versions", workflow->versions, workflow->n_versions);
    }
    if (workflow->schedule) put_schedule(w, workflow->schedule);
    view_json_if(w, "definition", workflow->definition_json);
    if (warning_count > 0) {
        json_member(w, "warnings");
        json_begin_array(w);
        for (size_t i = 0; i < warning_count; i++) view_finding(w, warnings[i]);
        json_end_array(w);
    }
    json_end_object(w);
}

void view_assistant(struct json_writer *w, const Pb__AssistantView *assistant)
{
    CLEANUP(json_unrefp) json definition = json_invalid();
    (void)json_parse(str_of(assistant->definition_json), NULL, &definition, NULL, NULL);
    json_begin_object(w);
    json_put_text(w, "namespace", str_from(assistant->namespace_));
    json_put_text(w, "name", str_from(assistant->name));
    json_put_int(w, "version", assistant->version);
    json_put_time(w, "created_at", assistant->created_us);
    view_text_if(w, "created_by", assistant->created_by);
    put_labels(w, assistant->labels, assistant->n_labels);
    for (size_t i = 0; i < json_count(definition); i++) {
        json_member_str(w, json_key_at(definition, i));
        json_write_value(w, json_value_at(definition, i));
    }
    json_end_object(w);
}

void view_dead_letter(struct json_writer *w, const Pb__DeadLetterView *letter)
{
    json_begin_object(w);
    json_put_text(w, "job", str_from(letter->job));
    json_put_text(w, "queue", str_from(letter->queue));
    json_put_text(w, "namespace", str_from(letter->namespace_));
    json_put_text(w, "run", str_from(letter->run));
    json_put_text(w, "workflow", str_from(letter->workflow));
    json_put_text(w, "task", str_from(letter->task));
    view_text_if(w, "iteration", letter->iteration);
    view_text_if(w, "function", letter->function);
    json_put_int(w, "attempts", letter->attempts);
    json_put_time(w, "time", letter->time_us);
    json_put_int(w, "redrives", letter->redrives);
    json_put_bool(w, "unknown_outcome", letter->unknown_outcome);
    if (letter->run_gone) json_put_bool(w, "run_gone", true);
    view_text_if(w, "target", letter->target);
    view_json_if(w, "input", letter->input_json);
    view_json_if(w, "error", letter->error_json);
    json_end_object(w);
}

void view_dead_letter_group(struct json_writer *w, const Pb__DeadLetterGroup *group)
{
    json_begin_object(w);
    json_put_text(w, "error_type", str_from(group->error_type));
    json_put_text(w, "function", str_from(group->function));
    json_put_int(w, "count", group->count);
    json_put_time(w, "first_at", group->first_us);
    json_put_time(w, "last_at", group->last_us);
    json_end_object(w);
}

void view_worker(struct json_writer *w, const Pb__WorkerStatus *worker)
{
    json_begin_object(w);
    json_put_text(w, "name", str_from(worker->name));
    json_put_text(w, "kind", str_from(worker->kind));
    json_put_texts(w, "queues", worker->queues, worker->n_queues);
    json_put_int(w, "slots", worker->slots);
    json_put_int(w, "busy", worker->busy);
    json_put_time(w, "last_seen_at", worker->last_seen_us);
    json_put_bool(w, "draining", worker->draining);
    json_put_bool(w, "drained", worker->draining && worker->busy == 0);
    json_end_object(w);
}

void view_rate(struct json_writer *w, uint32_t count, int64_t period_us)
{
    if (count > 0) view_count_per(w, "rate", count, period_us);
}

void view_count_per(struct json_writer *w, const char *member, uint32_t count, int64_t period_us)
{
    char per[TIME_TEXT_SIZE];
    duration_format(period_us, per);
    json_member(w, member);
    json_begin_object(w);
    json_put_int(w, "count", count);
    json_put_text(w, "per", str_from(per));
    json_end_object(w);
}

bool view_rate_read(json rate, uint32_t *ret_count, int64_t *ret_period_us)
{
    int64_t number = 0;
    if (!json_is(rate, JSON_OBJECT)) return true;
    if (json_to_int(json_get_text(rate, "count"), &number)) *ret_count = (uint32_t)number;
    return duration_parse(json_str(json_get_text(rate, "per")), ret_period_us);
}

void view_queue_settings(struct json_writer *w, const Pb__QueueView *queue)
{
    json_put_bool(w, "paused", queue->paused);
    json_put_bool(w, "purging", queue->purging);
    json_put_bool(w, "redriving", queue->redriving);
    if (*queue->redrive_json) {
        json_member(w, "redrive");
        json_write_raw(w, str_from(queue->redrive_json));
    }
    if (queue->concurrency > 0) json_put_int(w, "concurrency", queue->concurrency);
    view_rate(w, queue->rate_count, queue->rate_period_us);
    if (queue->key_concurrency == 0 && queue->key_rate_count == 0) return;
    json_member(w, "per_key");
    json_begin_object(w);
    if (queue->key_concurrency > 0) json_put_int(w, "concurrency", queue->key_concurrency);
    view_rate(w, queue->key_rate_count, queue->key_rate_period_us);
    json_end_object(w);
}

void view_queue(struct json_writer *w, const Pb__QueueView *queue, int64_t now_us)
{
    json_begin_object(w);
    json_put_text(w, "name", str_from(queue->name));
    json_put_int(w, "depth", (int64_t)queue->depth);
    json_put_int(w, "delayed", (int64_t)queue->delayed);
    json_put_int(w, "held", (int64_t)queue->held);
    json_put_int(w, "in_flight", (int64_t)queue->running);
    json_put_int(w, "running", (int64_t)queue->running);
    json_put_int(w, "dead_letters", (int64_t)queue->dead_letters);
    json_put_int(w, "workers", (int64_t)queue->workers);
    json_put_int(w, "slots", (int64_t)(queue->slots + queue->external_slots));
    bool is_old    = queue->oldest_us > 0 && now_us > queue->oldest_us;
    int64_t age_ms = is_old ? (now_us - queue->oldest_us) / 1000 : 0;
    json_member(w, "oldest_age_seconds");
    json_write_value(w, json_real((double)age_ms / 1000));
    json_member(w, "completed_per_second");
    json_write_value(w, json_real(queue->completed_per_second));
    json_member(w, "failed_per_second");
    json_write_value(w, json_real(queue->failed_per_second));
    view_queue_settings(w, queue);
    json_end_object(w);
}

const char *view_breaker_state(Pb__BreakerState state)
{
    switch (state) {
    case PB__BREAKER_STATE__BREAKER_STATE_OPEN: return "open";
    case PB__BREAKER_STATE__BREAKER_STATE_HALF_OPEN: return "half_open";
    default: return "closed";
    }
}
