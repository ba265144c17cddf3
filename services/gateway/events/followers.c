#include "gateway/events/followers.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"
#include "gateway/api/view.h"
#include "gateway/events/event_frames.h"
#include "gateway/events/run_output.h"
#include "rpc/rpc_hint.h"

#include <stdlib.h>

enum {
    FOLLOWERS_MAX = 5'000,
    READ_COUNT    = 200,      /* events per read */
    FRAMES_MAX    = 32 << 20, /* bytes of the events of one read; RPC carries 18 MiB */
    RUN_TEXT_MAX  = 128,
};

struct follower {
    struct api_waiter head; /* first: it is what call->waiter points to */
    struct followers *all;
    struct api_call *call;      /* a reference */
    char run[RUN_TEXT_MAX + 1]; /* as asked for, then the generated id */
    const char *namespace;      /* lives as long as the call */
    uint64_t position;          /* the last event that was sent */
    uint32_t progress_permille; /* that was sent, as the next */
    uint64_t jobs_number;       /* the last of what jobs say of their progress */
    unsigned groups;
    bool is_resumed; /* the client said where it stands */
    bool is_started; /* the stream has begun */
    bool is_reading;
    bool is_moved;             /* something happened while reading */
    bool is_over;              /* forgotten while reading: freed by the answer */
    struct follower *next;     /* another one of the same run */
    struct loop_notice notice; /* `answer` is there */
    struct rpc_answer *answer; /* of the read under way; owned */
    struct run_output *output; /* owned; NULL: it is not wanted */
};

struct followers {
    struct api *api;
    struct map *by_run; /* generated id -> first follower */
    atomic_size_t count;
};

static void follower_read(struct follower *follower);
static void on_read(void *context);

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
    run_output_free(follower->output);
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

/* If word of it is lost, the next hint or refresh reads on. */
static void on_resume(struct api_waiter *head)
{
    struct follower *follower = (struct follower *)head;
    if (follower->is_started && follower->is_moved) follower_read(follower);
    run_output_resume(follower->output);
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

/* One read is with the client before the next is asked for: the client is taken for slow from here
 * on until the server tells otherwise. A large history outgrows any limit of a stream before that
 * word could come. */
static void send_text(struct follower *follower, str text)
{
    if (text.len == 0) return;
    CLEANUP(httpd_buffer_unrefp) struct httpd_buffer *buffer = httpd_buffer_new(text);
    atomic_store(&follower->call->is_slow, true);
    httpd_stream_send(follower->all->api->httpd, follower->call->handle, buffer, HTTPD_PACED);
}

static void begin_stream(struct follower *follower)
{
    const struct httpd_field fields[] = {
        {str_from("Content-Type"), str_from("text/event-stream")},
        {str_from("Cache-Control"), str_from("no-store")},
        {str_from("X-Accel-Buffering"), str_from("no")},
        {str_from("X-Content-Type-Options"), str_from("nosniff")},
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
    bool is_heard = follower->all->api->llm && event_is_wanted(follower->groups, "output");
    if (is_heard) {
        follower->output = run_output_new(follower->call, follower->run, &follower->position);
    }
}

static void say_goodbye(struct follower *follower)
{
    send_text(follower, str_from("event: goaway\nretry: 1000\ndata: {}\n\n"));
    httpd_stream_end(follower->all->api->httpd, follower->call->handle);
}

/* The call is over for us: nobody is told anything more. */
static void drop(struct follower *follower)
{
    unlink_follower(follower);
    follower_free(follower);
}

static void end_stream(struct follower *follower, Pb__RunStatus run_status)
{
    CLEANUP(buf_done) struct buf frame = buf_init(FRAMES_MAX);
    (void)buf_printf(&frame, "event: end\ndata: {\"status\":\"%s\"}\n\n",
                     run_status_name(run_status));
    send_text(follower, buf_str(&frame));
    httpd_stream_end(follower->all->api->httpd, follower->call->handle);
    drop(follower);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static void put_jobs(struct follower *follower, const Pb__RunHistory *history, struct buf *frames)
{
    for (size_t i = 0; i < history->n_jobs; i++) {
        const Pb__JobProgress *job = history->jobs[i];
        if (job->number > follower->jobs_number) follower->jobs_number = job->number;
        event_frame_job_progress(job, frames);
    }
}

static void send_events(struct follower *follower, const Pb__RunHistory *history)
{
    CLEANUP(buf_done) struct buf frames = buf_init(FRAMES_MAX);
    for (size_t i = 0; i < history->n_events; i++) {
        const Pb__HistoryEvent *event = history->events[i];
        if (event->sequence <= follower->position) continue;
        follower->position = event->sequence;
        if (!event_is_wanted(follower->groups, event->type)) continue;
        event_frame_print(event, &frames);
    }
    ASSERT(!frames.is_full); /* an answer of 18 MiB whose documents are carried as they are */
    bool has_moved = history->progress_permille != follower->progress_permille;
    if (has_moved && event_is_wanted(follower->groups, "progress")) {
        follower->progress_permille = history->progress_permille;
        event_frame_progress(history->progress_permille, history->phase, &frames);
    }
    put_jobs(follower, history, &frames);
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
    uint64_t before = follower->position;
    run_output_ask(follower->output);
    send_events(follower, history);
    if (is_at_end(follower, history)) {
        end_stream(follower, history->status);
    } else if (atomic_load(&follower->all->api->is_draining)) {
        say_goodbye(follower);
    } else if (follower->is_moved ||
               (follower->position < history->last_sequence && follower->position > before)) {
        follower_read(follower);
    }
}

/* A run that cannot be read any more will not come back: it was deleted, or its journal trimmed. */
static void on_refused(struct follower *follower)
{
    const struct rpc_answer *answer = follower->answer;
    bool is_lost = answer->code == STATUS_NOT_FOUND || answer->code == STATUS_OUT_OF_RANGE;
    if (!follower->is_started) {
        api_fail_answer(follower->call, answer);
        follower_free(follower);
    } else if (is_lost) {
        say_goodbye(follower); /* the client comes back and is told why */
        drop(follower);
    } /* else: the scheduler is away; the next refresh reads again */
}

static void on_read(void *context)
{
    struct follower *follower                           = context;
    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = follower->answer;
    follower->is_reading                                = false;
    if (follower->is_over) {
        follower_free(follower);
    } else if (api_call_is_gone(follower->call)) {
        drop(follower);
    } else if (answer->code == STATUS_OK) {
        on_history(follower, answer->message);
    } else {
        on_refused(follower);
    }
}

/* A notice cannot be refused as a post can, so a busy loop loses no follower. */
static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct follower *follower = context;
    follower->answer          = rpc_answer_keep(answer);
    loop_notify(follower->all->api->home, &follower->notice);
}

static void follower_read(struct follower *follower)
{
    if (follower->is_reading || atomic_load(&follower->call->is_slow)) {
        follower->is_moved = true;
        return;
    }
    follower->is_moved      = false;
    Pb__ReadHistory message = PB__READ_HISTORY__INIT;
    message.id              = follower->run;
    message.namespace_      = follower->namespace;
    message.after           = follower->position;
    message.count_max       = READ_COUNT;
    message.wants_jobs      = event_is_wanted(follower->groups, "job.");
    message.jobs_after      = follower->jobs_number;

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
    follower->is_reading = true;
    status code          = api_call_scheduler(follower->all->api, &request, &error);
    if (code == STATUS_OK) return;
    follower->is_reading = false;
    if (follower->is_started) return; /* the next refresh reads again */
    api_fail(follower->call, code, &error);
    follower_free(follower);
}

/* --- begin -------------------------------------------------------------------------------------
 */

static bool read_request(struct api_call *call, struct follower *follower)
{
    str text         = httpd_request_field(call->request, "last-event-id");
    follower->groups = EVENT_GROUPS_ALL;
    if (text.len > 0 || api_query(call, "after", &text)) {
        follower->is_resumed = true;
        if (!event_position_parse(text, &follower->position)) {
            api_fail_with(call, "invalid_request", (str){},
                          "Last-Event-ID and `after`: an id of an event is a number");
            return false;
        }
    }
    if (api_query(call, "types", &text) && !event_groups_parse(text, &follower->groups)) {
        api_fail_with(
            call, "invalid_request", (str){},
            "types: a list of run, task, job, approval, signal, child, compensation, progress, "
            "output");
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
    if (atomic_load(&call->api->is_draining)) {
        api_fail_with(call, "draining", (str){}, "this gateway is stopping; come back");
        return;
    }
    if (followers_count(all) >= FOLLOWERS_MAX) {
        api_fail_with(call, "quota_exceeded", (str){}, "this gateway has %d followers already",
                      FOLLOWERS_MAX);
        return;
    }
    struct follower *follower = mem_new(1, sizeof *follower);
    *follower = (struct follower){.head   = {.forget = on_forget, .resume = on_resume},
                                  .all    = all,
                                  .call   = call,
                                  .notice = {.run = on_read, .context = follower}};
    if (!read_request(call, follower)) {
        free(follower);
        return;
    }
    (void)api_call_ref(call);
    bool is_first = atomic_fetch_add(&all->count, 1) == 0;
    if (is_first && all->api->hints) rpc_subscriber_wake(all->api->hints); /* now they are wanted */
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

void followers_hint(struct followers *followers, Pb__RunHints *hints)
{
    if (followers_count(followers) > 0 && hints->n_hints > 0) {
        post_hinted(followers, hints);
    } else {
        pb__run_hints__free_unpacked(hints, NULL);
    }
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
            say_goodbye(follower);
        }
    }
}
