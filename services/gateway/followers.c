#include "gateway/followers.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"
#include "gateway/view.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    FOLLOWERS_MAX = 5'000,
    READ_COUNT    = 200,     /* events per read */
    FRAME_MAX     = 4 << 20, /* bytes of one event */
    RUN_TEXT_MAX  = 128,
};

/* Which events a client wants: a bit per group. */
static const struct {
    const char *name;
    const char *prefix; /* of the type */
} groups[] = {
    {"run", "run."},
    {"task", "task."},
    {"job", "job."},
    {"approval", "approval."},
    {"signal", "signal."},
    {"signal", "event."},
    {"compensation", "compensation."},
    {"progress", "progress"},
};
enum { ALL_GROUPS = 0xff };

struct follower {
    struct api_waiter head; /* first: it is what call->waiter points to */
    struct followers *all;
    struct api_call *call;      /* a reference */
    char run[RUN_TEXT_MAX + 1]; /* as asked for, then the generated id */
    const char *namespace;      /* lives as long as the call */
    uint64_t position;          /* the last event that was sent */
    uint32_t progress_permille; /* that was sent */
    unsigned groups;
    bool is_resumed; /* the client said where it stands */
    bool is_started; /* the stream has begun */
    bool is_reading;
    bool is_moved;         /* something happened while reading */
    bool is_over;          /* forgotten while reading: freed by the answer */
    struct follower *next; /* another one of the same run */
};

struct followers {
    struct api *api;
    struct map *by_run; /* generated id -> first follower */
    atomic_size_t count;
};

static void follower_read(struct follower *follower);

struct followers *followers_new(struct api *api)
{
    struct followers *followers = mem_new(1, sizeof *followers);
    followers->api              = api;
    followers->by_run           = map_new(FOLLOWERS_MAX);
    return followers;
}

static void follower_free(struct follower *follower)
{
    atomic_fetch_sub(&follower->all->count, 1);
    if (follower->call->waiter == &follower->head) follower->call->waiter = NULL;
    api_call_unref(follower->call);
    free(follower);
}

void followers_freep(struct followers **ref)
{
    struct followers *followers = *ref;
    if (!followers) return;
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    while (map_next(followers->by_run, &cursor, &key, &value)) {
        for (struct follower *follower = value; follower;) {
            struct follower *next = follower->next;
            follower_free(follower);
            follower = next;
        }
    }
    map_free(followers->by_run);
    free(followers);
    *ref = NULL;
}

size_t followers_count(const struct followers *followers)
{
    return atomic_load(&followers->count);
}

/* --- the set -----------------------------------------------------------------------------------
 */

static void put_first(struct map *map, const char *run, struct follower *first)
{
    if (!first) return;
    bool is_kept = map_put(map, str_from(run), first);
    ASSERT(is_kept); /* FOLLOWERS_MAX is checked before one is made */
}

static void link_follower(struct follower *follower)
{
    struct map *map = follower->all->by_run;
    follower->next  = map_remove(map, str_from(follower->run));
    put_first(map, follower->run, follower);
}

static void unlink_follower(struct follower *follower)
{
    if (!follower->is_started) return; /* it is linked when its stream begins */
    struct map *map        = follower->all->by_run;
    struct follower *first = map_remove(map, str_from(follower->run));
    struct follower **link = &first;
    while (*link && *link != follower) link = &(*link)->next;
    if (*link) *link = follower->next;
    put_first(map, follower->run, first);
}

static void on_forget(struct api_waiter *head)
{
    struct follower *follower = (struct follower *)head;
    unlink_follower(follower);
    follower->call->waiter = NULL;
    if (follower->is_reading) {
        follower->is_over = true;
    } else {
        follower_free(follower);
    }
}

/* --- frames ------------------------------------------------------------------------------------
 */

static bool is_wanted(const struct follower *follower, const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (str_starts_with(str_from(type), str_from(groups[i].prefix))) {
            return follower->groups & 1U << i;
        }
    }
    return true;
}

static void send_text(struct follower *follower, str text)
{
    if (text.len == 0) return;
    CLEANUP(httpd_buffer_unrefp) struct httpd_buffer *buffer = httpd_buffer_new(text);
    httpd_stream_send(follower->all->api->httpd, follower->call->handle, buffer, HTTPD_MUST);
}

static void print_event(const Pb__HistoryEvent *event, struct buf *out)
{
    (void)buf_printf(out, "id: %" PRIu64 "\nevent: %s\ndata: ", event->sequence, event->type);
    struct json_writer w = json_writer_init(out);
    view_event(&w, event);
    (void)buf_put_text(out, "\n\n");
}

static void print_progress(struct follower *follower, const Pb__RunHistory *history,
                           struct buf *out)
{
    if (history->progress_permille == follower->progress_permille) return;
    if (!is_wanted(follower, "progress")) return;
    follower->progress_permille = history->progress_permille;
    (void)buf_put_text(out, "event: progress\ndata: ");
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_member(&w, "percent");
    json_write_value(&w, json_real((double)history->progress_permille / 10));
    if (*history->phase) json_put_text(&w, "phase", str_from(history->phase));
    json_end_object(&w);
    (void)buf_put_text(out, "\n\n");
}

static void begin_stream(struct follower *follower)
{
    const struct httpd_field fields[] = {
        {str_from("Content-Type"), str_from("text/event-stream")},
        {str_from("Cache-Control"), str_from("no-store")},
        {str_from("X-Accel-Buffering"), str_from("no")},
        {str_from("X-Request-Id"), str_from(follower->call->request_id)},
    };
    const struct httpd_response response = {.http_status = 200,
                                            .fields      = fields,
                                            .field_count = ARRAY_LEN(fields),
                                            .body        = str_from("retry: 2000\n\n")};
    atomic_store(&follower->call->is_answered, true);
    httpd_stream_start(follower->all->api->httpd, follower->call->handle, &response, true);
    follower->is_started = true;
    link_follower(follower);
}

static void end_stream(struct follower *follower, Pb__RunStatus run_status)
{
    CLEANUP(buf_done) struct buf frame = buf_init(FRAME_MAX);
    (void)buf_printf(&frame, "event: end\ndata: {\"status\":\"%s\"}\n\n",
                     run_status_name(run_status));
    send_text(follower, buf_str(&frame));
    httpd_stream_end(follower->all->api->httpd, follower->call->handle);
    unlink_follower(follower);
    follower_free(follower);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static void send_events(struct follower *follower, const Pb__RunHistory *history)
{
    CLEANUP(buf_done) struct buf frames = buf_init(FRAME_MAX);
    for (size_t i = 0; i < history->n_events; i++) {
        const Pb__HistoryEvent *event = history->events[i];
        if (event->sequence <= follower->position) continue;
        follower->position = event->sequence;
        if (!is_wanted(follower, event->type)) continue;
        size_t before = frames.len;
        print_event(event, &frames);
        if (!frames.is_full) continue;
        frames.len = before; /* what fitted goes out first, then this one alone */
        send_text(follower, buf_str(&frames));
        buf_done(&frames);
        print_event(event, &frames);
    }
    print_progress(follower, history, &frames);
    send_text(follower, buf_str(&frames));
}

/* Nothing to tell any more to a client that knows the end: 204 stops it from coming back. */
static bool is_at_end(const struct follower *follower, const Pb__RunHistory *history)
{
    return run_status_is_final(history->status) && follower->position >= history->last_sequence;
}

static void on_history(struct follower *follower, const Pb__RunHistory *history)
{
    if (!follower->is_started) {
        if (follower->is_resumed && is_at_end(follower, history)) {
            api_respond(follower->call, 204, NULL, (str){}, NULL, 0);
            follower_free(follower);
            return;
        }
        if (strlen(history->run_id) == ID_LEN) {
            memcpy(follower->run, history->run_id, ID_LEN + 1);
        }
        begin_stream(follower);
    }
    send_events(follower, history);
    if (is_at_end(follower, history)) {
        end_stream(follower, history->status);
    } else if (follower->is_moved || follower->position < history->last_sequence) {
        follower_read(follower);
    }
}

struct reading {
    struct follower *follower;
    struct rpc_answer *answer; /* owned */
};

static void on_read(void *context)
{
    struct reading *reading   = context;
    struct follower *follower = reading->follower;
    follower->is_reading      = false;
    if (follower->is_over) {
        follower_free(follower);
    } else if (reading->answer->code == STATUS_OK) {
        on_history(follower, reading->answer->message);
    } else if (!follower->is_started) {
        api_fail_answer(follower->call, reading->answer);
        follower_free(follower);
    } /* else: the scheduler is away; the next refresh reads again */
    rpc_answer_free(reading->answer);
    free(reading);
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct follower *follower = context;
    struct reading *reading   = mem_new(1, sizeof *reading);
    *reading = (struct reading){.follower = follower, .answer = rpc_answer_keep(answer)};
    if (loop_post(follower->all->api->home, on_read, reading) == STATUS_OK) return;
    rpc_answer_free(reading->answer);
    free(reading);
}

static void follower_read(struct follower *follower)
{
    if (follower->is_reading) {
        follower->is_moved = true;
        return;
    }
    follower->is_moved      = false;
    Pb__ReadHistory message = PB__READ_HISTORY__INIT;
    message.id              = follower->run;
    message.namespace_      = follower->namespace;
    message.after           = follower->position;
    message.count_max       = READ_COUNT;

    const struct rpc_request request = {
        .service   = &pb__runs__descriptor,
        .method    = "History",
        .message   = &message,
        .partition = api_partition_of(follower->call, str_from(follower->run)),
        .namespace = str_from(follower->namespace),
        .done      = on_answer,
        .context   = follower,
    };
    struct error error   = {};
    status code          = rpc_client_call(follower->all->api->scheduler, &request, NULL, &error);
    follower->is_reading = code == STATUS_OK;
    if (code == STATUS_OK || follower->is_started) return;
    api_fail(follower->call, code, &error);
    follower_free(follower);
}

/* --- begin -------------------------------------------------------------------------------------
 */

static bool parse_position(str text, uint64_t *ret_position)
{
    uint64_t value = 0;
    size_t i       = 0;
    for (; i < text.len && text.ptr[i] != '~'; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 18) return false;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret_position = value;
    return i > 0;
}

static bool parse_groups(str text, unsigned *ret_groups)
{
    unsigned bits = 0;
    size_t from   = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != ',') continue;
        unsigned found = 0;
        for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
            if (str_is(str_slice(text, from, i), groups[g].name)) found |= 1U << g;
        }
        if (found == 0) return false;
        bits |= found;
        from = i + 1;
    }
    *ret_groups = bits;
    return true;
}

static bool read_request(struct api_call *call, struct follower *follower)
{
    str text         = httpd_request_field(call->request, "last-event-id");
    follower->groups = ALL_GROUPS;
    if (text.len > 0 || api_query(call, "after", &text)) {
        follower->is_resumed = true;
        if (!parse_position(text, &follower->position)) {
            api_fail_with(call, "invalid_request", (str){},
                          "Last-Event-ID and `after`: an id of an event is a number");
            return false;
        }
    }
    if (api_query(call, "types", &text) && !parse_groups(text, &follower->groups)) {
        api_fail_with(call, "invalid_request", (str){},
                      "types: a list of run, task, job, approval, signal, compensation, progress");
        return false;
    }
    str run = call->params[0];
    if (run.len > RUN_TEXT_MAX) {
        api_fail_with(call, "not_found", (str){}, "there is no such run");
        return false;
    }
    memcpy(follower->run, run.ptr, run.len);
    return true;
}

void followers_add(struct api_call *call)
{
    struct followers *all = call->api->followers;
    if (api_call_is_gone(call)) return;
    if (followers_count(all) >= FOLLOWERS_MAX || atomic_load(&call->api->is_draining)) {
        api_fail_with(call, "quota_exceeded", (str){}, "this gateway has %d followers already",
                      FOLLOWERS_MAX);
        return;
    }
    struct follower *follower = mem_new(1, sizeof *follower);
    *follower = (struct follower){.head = {.forget = on_forget}, .all = all, .call = call};
    if (!read_request(call, follower)) {
        free(follower);
        return;
    }
    (void)api_call_ref(call);
    atomic_fetch_add(&all->count, 1);
    follower->namespace = api_namespace(call);
    call->waiter        = &follower->head;
    follower_read(follower);
}

/* --- hints -------------------------------------------------------------------------------------
 */

struct hinted {
    struct followers *followers;
    Pb__RunHints *hints; /* owned; NULL: everybody reads */
};

static void read_run(struct followers *followers, str run)
{
    struct follower *follower = map_get(followers->by_run, run);
    while (follower) {
        struct follower *next = follower->next;
        follower_read(follower);
        follower = next;
    }
}

static void on_hinted(void *context)
{
    struct hinted *hinted       = context;
    struct followers *followers = hinted->followers;
    if (hinted->hints) {
        for (size_t i = 0; i < hinted->hints->n_hints; i++) {
            read_run(followers, str_from(hinted->hints->hints[i]->run_id));
        }
        pb__run_hints__free_unpacked(hinted->hints, NULL);
    } else {
        size_t cursor = 0;
        str key       = {};
        void *value   = NULL;
        while (map_next(followers->by_run, &cursor, &key, &value)) read_run(followers, key);
    }
    free(hinted);
}

static void post_hinted(struct followers *followers, Pb__RunHints *hints)
{
    struct hinted *hinted = mem_new(1, sizeof *hinted);
    *hinted               = (struct hinted){.followers = followers, .hints = hints};
    if (loop_post(followers->api->home, on_hinted, hinted) == STATUS_OK) return;
    if (hints) pb__run_hints__free_unpacked(hints, NULL);
    free(hinted); /* a lost hint; the refresh comes */
}

void followers_hint(struct followers *followers, bytes hints)
{
    if (followers_count(followers) == 0) return;
    Pb__RunHints *unpacked = pb__run_hints__unpack(NULL, hints.len, hints.ptr);
    if (unpacked) post_hinted(followers, unpacked);
}

void followers_refresh(struct followers *followers)
{
    if (followers_count(followers) > 0) post_hinted(followers, NULL);
}

void followers_drain(struct followers *followers)
{
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    while (map_next(followers->by_run, &cursor, &key, &value)) {
        for (struct follower *follower = value; follower; follower = follower->next) {
            send_text(follower, str_from("event: goaway\nretry: 1000\ndata: {}\n\n"));
            httpd_stream_end(followers->api->httpd, follower->call->handle);
        }
    }
}
