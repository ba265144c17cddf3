/* What time and lost connections do to the calls of a set. */
#include "base/clock.h"
#include "rpc/client_internal.h"

enum { DUE_MAX = 64, CANCEL_IDS_MAX = 64 };

/* Calls that are taken out of their batches, to be answered without the mutex. */
struct due {
    struct call calls[DUE_MAX];
    unsigned count;
    uint64_t cancel_ids[CANCEL_IDS_MAX]; /* the server is told */
    size_t cancel_count;
};

void lane_set_look_again(struct lane_set *set)
{
    (void)pthread_mutex_lock(&set->mutex);
    set->earliest_ms = 0;
    (void)pthread_mutex_unlock(&set->mutex);
}

void lane_set_lost(struct lane_set *set)
{
    (void)pthread_mutex_lock(&set->mutex);
    for (struct lane *lane = set->lanes; lane; lane = lane->next) {
        /* NNG keeps an unsent request for the next connection; receives fail by themselves. */
        if (lane->state == LANE_SENDING) nng_aio_cancel(lane->aio);
    }
    set->earliest_ms = 0;
    (void)pthread_mutex_unlock(&set->mutex);
    client_clock_wake(set->endpoint->client, 0);
}

static status verdict_on(const struct call *call, bool waits_for_link, int64_t now_ms)
{
    if (call->is_cancelled) return STATUS_CANCELLED;
    if (call->deadline_ms <= now_ms) return STATUS_DEADLINE_EXCEEDED;
    if (waits_for_link && call->connect_by_ms <= now_ms) return STATUS_UNAVAILABLE;
    return STATUS_OK;
}

static int64_t next_of(const struct call *call, bool waits_for_link)
{
    bool is_sooner = waits_for_link && call->connect_by_ms < call->deadline_ms;
    return is_sooner ? call->connect_by_ms : call->deadline_ms;
}

/* Under the mutex. What the server does not know of, or answers soon, is given up. False: `due` is
 * full. */
static bool stop(struct call *call, uint64_t wire_id, bool is_long, struct due *due)
{
    if (!call->is_stopping) return true;
    if (is_long && due->cancel_count == CANCEL_IDS_MAX) return false;
    if (is_long) due->cancel_ids[due->cancel_count++] = wire_id;
    call->is_stopping  = false;
    call->is_cancelled = call->is_cancelled || !is_long;
    return true;
}

/* Under the mutex. False: `due` is full. `is_sent`: the server may know of the batch. */
static bool collect(struct lane_set *set, struct outgoing *batch, bool is_sent, int64_t now_ms,
                    struct due *due, int64_t *next_ms)
{
    bool waits_for_link = !is_sent && !link_is_up(set->link);
    for (unsigned i = 0; i < batch->count; i++) {
        struct call *call = &batch->calls[i];
        if (!call->done) continue;
        bool is_long = is_sent && set->frames_max == 1;
        if (!stop(call, batch->first_wire_id + i, is_long, due)) return false;
        if (waits_for_link && call->connect_by_ms == 0) {
            /* It came while we were connected. Never sent, but only what may be repeated waits. */
            call->connect_by_ms = call->is_repeatable ? now_ms + CONNECT_WAIT_MS : 1;
        }
        if (verdict_on(call, waits_for_link, now_ms) == STATUS_OK) {
            int64_t at_ms = next_of(call, waits_for_link);
            if (at_ms < *next_ms) *next_ms = at_ms;
            continue;
        }
        if (due->count == DUE_MAX || due->cancel_count == CANCEL_IDS_MAX) return false;
        if (is_long && call->is_cancelled) {
            due->cancel_ids[due->cancel_count++] = batch->first_wire_id + i;
        }
        due->calls[due->count] = *call;
        /* What the answer will be, kept where it is no longer needed. */
        due->calls[due->count++].offset = (size_t)verdict_on(call, waits_for_link, now_ms);
        call->done                      = NULL;
        batch->unanswered--;
    }
    return true;
}

/* Under the mutex: waiting batches that nobody waits for any more need not be sent. */
static void drop_answered(struct lane_set *set)
{
    struct outgoing **link = &set->first;
    struct outgoing *last  = NULL;
    while (*link) {
        struct outgoing *batch = *link;
        if (batch->unanswered > 0) {
            last = batch;
            link = &batch->next;
            continue;
        }
        *link = batch->next;
        set->waiting_calls -= batch->count;
        set->waiting_size -= batch->frames.len;
        lane_set_recycle(set, batch);
    }
    set->last = last;
}

/* Under the mutex. False: there is more than fits. */
static bool collect_all(struct lane_set *set, int64_t now_ms, struct due *due)
{
    int64_t next_ms = INT64_MAX;
    bool is_all     = true;
    for (struct outgoing *batch = set->first; batch && is_all; batch = batch->next) {
        is_all = collect(set, batch, false, now_ms, due, &next_ms);
    }
    for (struct lane *lane = set->lanes; lane && is_all; lane = lane->next) {
        if (lane->batch) is_all = collect(set, lane->batch, true, now_ms, due, &next_ms);
    }
    drop_answered(set);
    bool gathers = set->first && set->gather_until_ms > now_ms;
    if (gathers && set->gather_until_ms < next_ms) next_ms = set->gather_until_ms;
    if (is_all) set->earliest_ms = next_ms;
    return is_all;
}

static const char *detail_of(status code)
{
    switch (code) {
    case STATUS_CANCELLED: return "given up by the caller";
    case STATUS_DEADLINE_EXCEEDED: return "no answer before the deadline";
    default: return "not connected";
    }
}

/* Calls that were never sent go to another endpoint as soon as one is there. */
static void move_waiting(struct lane_set *set)
{
    while (!link_is_up(&set->endpoint->main) &&
           client_has_better(set->endpoint->client, set->endpoint)) {
        (void)pthread_mutex_lock(&set->mutex);
        struct outgoing *batch = lane_set_pop(set);
        (void)pthread_mutex_unlock(&set->mutex);
        if (!batch) return;
        deliver_elsewhere(set, batch);
        outgoing_free(batch);
    }
}

int64_t lane_set_watch(struct lane_set *set, int64_t now_ms)
{
    struct rpc_client *client = set->endpoint->client;
    struct due due;
    int64_t earliest_ms;
    bool is_all;
    move_waiting(set);
    do {
        due.count        = 0;
        due.cancel_count = 0;
        is_all           = true;
        (void)pthread_mutex_lock(&set->mutex);
        if (set->earliest_ms <= now_ms) is_all = collect_all(set, now_ms, &due);
        earliest_ms     = set->earliest_ms;
        bool is_overdue = set->first && set->gather_until_ms > 0 && set->gather_until_ms <= now_ms;
        (void)pthread_mutex_unlock(&set->mutex);

        if (is_overdue) lane_set_flush(set);
        if (due.cancel_count > 0) {
            client_send_cancel(set->endpoint, due.cancel_ids, due.cancel_count);
        }
        for (unsigned i = 0; i < due.count; i++) {
            status code = (status)due.calls[i].offset;
            if (code == STATUS_DEADLINE_EXCEEDED) atomic_fetch_add(&client->counters.timeouts, 1);
            const char *name = code == STATUS_UNAVAILABLE ? RPC_NOT_SENT : "";
            call_fail(set->endpoint, &due.calls[i], code, name, detail_of(code));
        }
    } while (!is_all);
    return earliest_ms;
}

/* NULL: it is not there, or over. */
static struct call *call_in(const struct outgoing *batch, uint64_t id)
{
    for (unsigned i = 0; batch && i < batch->count; i++) {
        if (batch->calls[i].id == id && batch->calls[i].done) return &batch->calls[i];
    }
    return NULL;
}

/* Under the mutex: a call that is to be looked at soon. */
static struct call *call_at(struct lane_set *set, uint64_t id)
{
    struct call *call = NULL;
    for (struct outgoing *batch = set->first; batch && !call; batch = batch->next) {
        call = call_in(batch, id);
    }
    for (struct lane *lane = set->lanes; lane && !call; lane = lane->next) {
        call = call_in(lane->batch, id);
    }
    if (call) set->earliest_ms = 0;
    return call;
}

bool lane_set_cancel(struct lane_set *set, uint64_t id)
{
    (void)pthread_mutex_lock(&set->mutex);
    struct call *call = call_at(set, id);
    if (call) call->is_cancelled = true;
    (void)pthread_mutex_unlock(&set->mutex);
    return call;
}

bool lane_set_end(struct lane_set *set, uint64_t id)
{
    (void)pthread_mutex_lock(&set->mutex);
    struct call *call = call_at(set, id);
    if (call) {
        call->is_stopping   = true;
        call->is_repeatable = false; /* nobody wants it done */
    }
    (void)pthread_mutex_unlock(&set->mutex);
    return call;
}

static void cancel_batch(struct outgoing *batch)
{
    for (unsigned i = 0; i < batch->count; i++) batch->calls[i].is_cancelled = true;
}

void lane_set_cancel_all(struct lane_set *set)
{
    (void)pthread_mutex_lock(&set->mutex);
    for (struct outgoing *batch = set->first; batch; batch = batch->next) cancel_batch(batch);
    for (struct lane *lane = set->lanes; lane; lane = lane->next) {
        if (lane->batch) cancel_batch(lane->batch);
    }
    set->earliest_ms = 0;
    (void)pthread_mutex_unlock(&set->mutex);
}
