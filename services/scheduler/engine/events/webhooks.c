#include "scheduler/engine/events/webhooks.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "scheduler/run/lifecycle.h"
#include "scheduler/tables/dead_letters.h"
#include "scheduler/tables/subscriptions.h"
#include "json/json_text.h"
#include "json/json_write.h"

enum {
    ATTEMPTS_MAX   = 8, /* the first one and a retry after each wait below */
    HTTP_GONE      = 410,
    INPUT_MAX      = 2 << 20, /* bytes */
    JITTER_PERCENT = 10,
};
#define SECOND_US          INT64_C(1'000'000)
#define ATTEMPT_TIMEOUT_US (30 * SECOND_US)

static const int64_t waits_us[ATTEMPTS_MAX - 1] = {
    5 * SECOND_US,    30 * SECOND_US,       120 * SECOND_US,       600 * SECOND_US,
    3600 * SECOND_US, 6 * 3600 * SECOND_US, 24 * 3600 * SECOND_US,
};

/* --- lanes -------------------------------------------------------------------------------------
 * Of one subscription and one run: its first delivery has a job, the others wait behind it.
 */

static void lane_key(struct key *key, str subscription, str run)
{
    id_key(key, subscription);
    key_put_id(key, run);
}

/* The first delivery of a lane; NULL: it is empty. `*ret_key` is its key. */
static status lane_first(struct engine *engine, const struct key *lane, struct key *ret_key,
                         Pb__DeliveryRecord **ret_record, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(lane)};
    bytes key                                    = {};
    bytes row                                    = {};
    *ret_record                                  = NULL;
    TRY(cursor_open(engine->txn, TABLE_DELIVERIES, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "deliveries cannot be read");
    key_begin(ret_key);
    memcpy(ret_key->data, key.ptr, key.len);
    ret_key->len = key.len;
    return record_read(row, &pb__delivery_record__descriptor, engine->arena, ret_record, reterr);
}

/* Its job says where it belongs: {"subscription", "run", "namespace"}. */
static status job_add(struct engine *engine, str subscription, str run, const char *namespace,
                      const char *event_id, struct error *reterr)
{
    struct id id =
        id_next(&engine->ids, engine->now_us / 1000, (uint32_t)prng_next(&engine->random));
    Pb__LeasedJob leased   = PB__LEASED_JOB__INIT;
    leased.id              = id.text;
    leased.queue           = WEBHOOK_QUEUE;
    leased.function        = WEBHOOK_FUNCTION;
    leased.run             = text_in(engine->arena, run);
    leased.namespace_      = namespace;
    leased.attempt         = 1;
    leased.attempts_max    = ATTEMPTS_MAX;
    leased.idempotency_key = event_id;
    leased.priority        = PRIORITY_DEFAULT;
    leased.iteration       = text_in(engine->arena, subscription);

    Pb__JobRecord record      = PB__JOB_RECORD__INIT;
    record.job                = &leased;
    record.sequence           = engine->ready_next++;
    record.due_us             = engine->now_us;
    record.queued_us          = engine->now_us;
    record.attempt_timeout_us = ATTEMPT_TIMEOUT_US;
    TRY(engine_job_put(engine, &record, reterr));

    struct queue *queue = job_queue_at(engine->queues, (str){}, str_from(WEBHOOK_QUEUE));
    struct open_job job = {
        .id        = id,
        .queue     = queue,
        .line      = job_line_at(engine->queues, queue, subscription), /* they take turns */
        .priority  = PRIORITY_DEFAULT,
        .sequence  = record.sequence,
        .due_us    = record.due_us,
        .queued_us = record.queued_us,
    };
    memcpy(job.run.text, subscription.ptr, ID_LEN); /* it is no run's: not held with one */
    struct open_job *added = open_job_add(engine->queues, &job, engine->now_us);
    if (!added) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "over %d open jobs", QUEUE_JOBS_MAX);
    return engine_ready_put(engine, added, reterr);
}

static status lane_go_on(struct engine *engine, const Pb__JobRecord *record, struct error *reterr)
{
    struct key lane;
    struct key key;
    Pb__DeliveryRecord *first = NULL;
    str subscription          = str_from(record->job->iteration);
    str run                   = str_from(record->job->run);
    lane_key(&lane, subscription, run);
    TRY(lane_first(engine, &lane, &key, &first, reterr));
    if (!first) return STATUS_OK;
    return job_add(engine, subscription, run, record->job->namespace_, first->event_id, reterr);
}

static status lane_drop(struct engine *engine, const Pb__JobRecord *record, struct error *reterr)
{
    struct key lane;
    lane_key(&lane, str_from(record->job->iteration), str_from(record->job->run));
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = key_bytes(&lane)};
    TRY(cursor_open(engine->txn, TABLE_DELIVERIES, &scan, &cursor, reterr));
    for (;;) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "deliveries cannot be read");
        TRY(cursor_delete(cursor, reterr));
    }
}

/* --- from events to deliveries -----------------------------------------------------------------
 */

bool engine_has_subscribers(const struct engine *engine)
{
    return subscriptions_exist(engine->options.subscriptions);
}

struct telling {
    struct engine *engine;
    const struct live_run *live;
    const struct event *event;
    const struct subscription_set *set;
    Pb__RunView *row; /* for labels; NULL: not read yet */
    uint32_t count;   /* CloudEvents of this event so far */
};

static status has_label(struct telling *telling, const Pb__Subscription *subscription,
                        bool *ret_has, struct error *reterr)
{
    struct engine *engine = telling->engine;
    *ret_has              = !*subscription->label_key;
    if (*ret_has) return STATUS_OK;
    if (!telling->row) telling->row = telling->live->row;
    if (!telling->row) {
        /* A run's first commit makes its row at the end: its labels come with the next event. */
        status got = run_row_get(engine->txn, str_from(telling->live->id.text), engine->arena,
                                 &telling->row, reterr);
        if (got == STATUS_NOT_FOUND) return STATUS_OK;
        TRY(got);
    }
    for (size_t i = 0; i < telling->row->n_labels; i++) {
        const Pb__Label *label = telling->row->labels[i];
        *ret_has |= strcmp(label->key, subscription->label_key) == 0 &&
                    strcmp(label->value, subscription->label_value) == 0;
    }
    return STATUS_OK;
}

static status delivery_put(const struct telling *telling, const Pb__Subscription *subscription,
                           const struct lifecycle *made, struct error *reterr)
{
    struct engine *engine     = telling->engine;
    str run                   = str_from(telling->live->id.text);
    Pb__DeliveryRecord record = PB__DELIVERY_RECORD__INIT;
    record.event_id           = text_in(engine->arena, made->id);
    record.type               = made->type;
    record.source             = text_in(engine->arena, made->source);
    record.subject            = text_in(engine->arena, made->subject);
    record.time_us            = made->time_us;
    record.iteration          = text_in(engine->arena, made->iteration);
    record.data_json          = bytes_in(engine->arena, made->data);

    struct key lane;
    struct key key;
    Pb__DeliveryRecord *first = NULL;
    lane_key(&lane, str_from(subscription->id), run);
    TRY(lane_first(engine, &lane, &key, &first, reterr));
    key = lane;
    key_put_u64(&key, telling->event->sequence);
    key_put_u32(&key, telling->count);
    TRY(record_put(engine->txn, TABLE_DELIVERIES, key_bytes(&key), &record.base, reterr));
    if (first) return STATUS_OK; /* behind it */
    return job_add(engine, str_from(subscription->id), run, subscription->namespace_,
                   record.event_id, reterr);
}

static status tell(const struct lifecycle *made, struct error *reterr, void *context)
{
    struct telling *telling         = context;
    const struct workflow *workflow = run_workflow(telling->live->run);
    telling->count++;
    for (size_t i = 0; i < telling->set->count; i++) {
        const Pb__Subscription *subscription = telling->set->items[i];
        bool is_its =
            strcmp(subscription->namespace_, workflow->namespace_) == 0 &&
            (!*subscription->workflow || strcmp(subscription->workflow, workflow->name) == 0) &&
            subscription_wants(subscription, str_from(made->type));
        bool has_its_label = false;
        if (is_its) TRY(has_label(telling, subscription, &has_its_label, reterr));
        if (has_its_label) TRY(delivery_put(telling, subscription, made, reterr));
    }
    return STATUS_OK;
}

status engine_tell_subscribers(struct engine *engine, const struct live_run *live,
                               const struct event *event, struct error *reterr)
{
    CLEANUP(subscription_set_unrefp)
    const struct subscription_set *set = subscriptions_take(engine->options.subscriptions);
    struct telling telling = {.engine = engine, .live = live, .event = event, .set = set};
    return lifecycle_visit(live->run, event, tell, &telling, reterr);
}

/* --- jobs --------------------------------------------------------------------------------------
 */

bool job_is_delivery(const struct open_job *job)
{
    return str_is(job->queue->name, WEBHOOK_QUEUE);
}

static status job_close(struct engine *engine, struct open_job *job, struct error *reterr)
{
    struct key key;
    id_key(&key, str_from(job->id.text));
    TRY(txn_delete(engine->txn, TABLE_JOBS, key_bytes(&key), reterr));
    TRY(engine_ready_delete(engine, job, reterr));
    open_job_remove(engine->queues, job);
    return STATUS_OK;
}

static const Pb__Subscription *find(const struct subscription_set *set, const char *id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i]->id, id) == 0) return set->items[i];
    }
    return NULL;
}

static void write_input(const Pb__Subscription *subscription, const Pb__DeliveryRecord *delivery,
                        struct buf *out)
{
    char secret[2 * SUBSCRIPTION_SECRET_MAX + 4] = "";
    struct json_writer w                         = json_writer_init(out);
    ASSERT(base64_size(subscription->secret.len) < sizeof secret);
    base64_encode(subscription->secret.data, subscription->secret.len, secret);
    json_begin_object(&w);
    json_put_text(&w, "url", str_from(subscription->url));
    json_put_text(&w, "secret", (str){secret, base64_size(subscription->secret.len)});
    json_put_text(&w, "id", str_from(delivery->event_id));
    json_put_text(&w, "type", str_from(delivery->type));
    json_put_text(&w, "source", str_from(delivery->source));
    json_put_text(&w, "subject", str_from(delivery->subject));
    json_put_time(&w, "time", delivery->time_us);
    if (*delivery->iteration) json_put_text(&w, "iteration", str_from(delivery->iteration));
    json_put_text(&w, "data", str_of(delivery->data_json));
    json_end_object(&w);
    explicit_bzero(secret, sizeof secret);
}

status engine_delivery_fill(struct engine *engine, struct open_job *job, Pb__JobRecord *record,
                            struct arena *arena, bool *ret_filled, struct error *reterr)
{
    struct key lane;
    struct key key;
    Pb__DeliveryRecord *delivery = NULL;
    CLEANUP(subscription_set_unrefp)
    const struct subscription_set *set   = subscriptions_take(engine->options.subscriptions);
    const Pb__Subscription *subscription = find(set, record->job->iteration);
    lane_key(&lane, str_from(record->job->iteration), str_from(record->job->run));
    TRY(lane_first(engine, &lane, &key, &delivery, reterr));
    *ret_filled = subscription && delivery;
    if (!*ret_filled) { /* it was deleted, or is off */
        TRY(lane_drop(engine, record, reterr));
        return job_close(engine, job, reterr);
    }
    CLEANUP(buf_done) struct buf input = buf_init(INPUT_MAX);
    write_input(subscription, delivery, &input);
    if (input.is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a delivery is too large");
    record->job->input_json = bytes_in(arena, buf_str(&input));
    return STATUS_OK;
}

static status retry(struct engine *engine, struct open_job *job, Pb__JobRecord *record,
                    struct error *reterr)
{
    int64_t wait_us   = waits_us[record->job->attempt - 1];
    int64_t jitter_us = wait_us / 100 * JITTER_PERCENT;
    wait_us += (int64_t)(prng_next(&engine->random) % (uint64_t)(jitter_us + 1));
    TRY(engine_ready_delete(engine, job, reterr));
    record->job->attempt++;
    record->due_us = engine->now_us + wait_us;
    open_job_return(engine->queues, job, record->due_us, engine->now_us);
    TRY(engine_job_put(engine, record, reterr));
    return engine_ready_put(engine, job, reterr);
}

static status bury(struct engine *engine, Pb__JobRecord *record, const Pb__DeliveryRecord *delivery,
                   json error, struct error *reterr)
{
    Pb__DeadLetterRecord letter = PB__DEAD_LETTER_RECORD__INIT;
    struct queue *queue =
        job_queue_at(engine->queues, str_from(record->job->namespace_), str_from(WEBHOOK_LETTERS));
    record->job->input_json = delivery->data_json;
    record->job->task       = delivery->type;
    letter.job              = record;
    letter.time_us          = engine->now_us;
    TRY(json_in(engine->arena, error, &letter.error_json, reterr));
    struct key key;
    dead_letter_key(&key, queue->namespace, queue->name, engine->dead_next++);
    queue->dead_count++;
    log_write(LOG_WARN, "webhook.dead", LOG_TEXT_OF("subscription", record->job->iteration),
              LOG_TEXT_OF("event", delivery->event_id));
    return letter_put(engine->txn, key_bytes(&key), &letter, reterr);
}

static status switch_off(struct engine *engine, const char *subscription, struct error *reterr)
{
    Pb__SubscriptionOff content = PB__SUBSCRIPTION_OFF__INIT;
    Pb__Message message         = PB__MESSAGE__INIT;
    content.id                  = subscription;
    if (engine->partition->index == 0) return engine_subscription_off(engine, &content, reterr);
    message.content_case     = PB__MESSAGE__CONTENT_SUBSCRIPTION_OFF;
    message.subscription_off = &content;
    return engine_tell(engine, 0, &message, reterr);
}

status engine_delivery_settle(struct engine *engine, struct open_job *job, json error,
                              struct error *reterr)
{
    struct key lane;
    struct key key;
    Pb__JobRecord *record        = NULL;
    Pb__DeliveryRecord *delivery = NULL;
    TRY(engine_job_row(engine, str_from(job->id.text), engine->arena, &record, reterr));
    lane_key(&lane, str_from(record->job->iteration), str_from(record->job->run));
    TRY(lane_first(engine, &lane, &key, &delivery, reterr));

    int64_t http_status = 0;
    bool is_ok          = error.kind == JSON_INVALID;
    (void)json_to_int(json_get_text(error, "status"), &http_status);
    if (!is_ok && delivery && http_status == HTTP_GONE) {
        TRY(switch_off(engine, record->job->iteration, reterr));
        TRY(lane_drop(engine, record, reterr));
        return job_close(engine, job, reterr);
    }
    if (!is_ok && delivery && record->job->attempt < ATTEMPTS_MAX) {
        return retry(engine, job, record, reterr);
    }
    TRY(job_close(engine, job, reterr));
    if (!delivery) return STATUS_OK;
    if (!is_ok) TRY(bury(engine, record, delivery, error, reterr));
    TRY(txn_delete(engine->txn, TABLE_DELIVERIES, key_bytes(&key), reterr));
    return lane_go_on(engine, record, reterr);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static status row_get(struct engine *engine, const char *id, Pb__Subscription **ret_row,
                      struct error *reterr)
{
    struct key key;
    id_key(&key, str_from(id));
    *ret_row   = NULL;
    status got = record_get(engine->txn, TABLE_SUBSCRIPTIONS, key_bytes(&key),
                            &pb__subscription__descriptor, engine->arena, ret_row, NULL);
    if (got == STATUS_OK || got == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, got, "a subscription cannot be read");
}

status engine_subscribe(struct engine *engine, struct command *command, struct error *reterr)
{
    uint64_t count = 0;
    engine_answer(engine, command);
    TRY(txn_count(engine->txn, TABLE_SUBSCRIPTIONS, &count, reterr));
    if (count >= SUBSCRIPTIONS_MAX) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                              "there are %d subscriptions; no more fit", SUBSCRIPTIONS_MAX);
    }
    struct id id =
        id_next(&engine->ids, engine->now_us / 1000, (uint32_t)prng_next(&engine->random));
    Pb__Subscription row = *(const Pb__Subscription *)command->request;
    row.id               = text_in(engine->arena, str_from(id.text));
    row.created_us       = engine->now_us;
    row.off              = false;
    struct key key;
    id_key(&key, str_from(id.text));
    TRY(record_put(engine->txn, TABLE_SUBSCRIPTIONS, key_bytes(&key), &row.base, reterr));
    engine->hub.has_new_subscriptions      = true;
    *(Pb__Subscription *)command->response = row;
    return STATUS_OK;
}

status engine_subscription_recall(struct engine *engine, Pb__Subscription *view,
                                  struct arena *arena, struct error *reterr)
{
    Pb__Subscription *row = NULL;
    TRY(row_get(engine, view->id, &row, reterr));
    if (!row) return STATUS_OK;
    view->secret = bytes_in(arena, (str){(const char *)row->secret.data, row->secret.len});
    return STATUS_OK;
}

status engine_unsubscribe(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__DeleteSubscription *request = command->request;
    Pb__Subscription *row                 = NULL;
    engine_answer(engine, command);
    TRY(row_get(engine, request->id, &row, reterr));
    bool is_its =
        row && (str_is(command->namespace, "*") || str_is(command->namespace, row->namespace_));
    if (!is_its) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found",
                              "there is no such subscription");
    }
    struct key key;
    id_key(&key, str_from(request->id));
    engine->hub.has_new_subscriptions = true; /* its lanes end with their next job */
    return txn_delete(engine->txn, TABLE_SUBSCRIPTIONS, key_bytes(&key), reterr);
}

status engine_subscription_off(struct engine *engine, const Pb__SubscriptionOff *message,
                               struct error *reterr)
{
    Pb__Subscription *row = NULL;
    if (!id_is_valid(str_from(message->id))) return STATUS_OK;
    TRY(row_get(engine, message->id, &row, reterr));
    if (!row) return STATUS_OK;
    log_write(LOG_WARN, "subscription.off", LOG_TEXT_OF("subscription", message->id));
    row->off                          = true;
    engine->hub.has_new_subscriptions = true;
    struct key key;
    id_key(&key, str_from(message->id));
    return record_put(engine->txn, TABLE_SUBSCRIPTIONS, key_bytes(&key), &row->base, reterr);
}

void engine_subscriptions_refresh(struct engine *engine)
{
    if (!engine->hub.has_new_subscriptions) return;
    engine->hub.has_new_subscriptions = false;
    struct error error                = {};
    if (subscriptions_load(engine->options.subscriptions, engine->store, &error) != STATUS_OK) {
        log_write(LOG_ERROR, "subscriptions.unreadable", LOG_TEXT_OF("error", error.text));
    }
}
