#include "telemetry/telemetry.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "httpd/httpd.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { HEALTH_TEXT_MAX = 1024 /* bytes */ };

struct watch {
    const char *name;
    telemetry_turned_fn *turned_ms;
    const void *context;
};

struct telemetry {
    struct telemetry_options options;
    struct loop *loop;
    struct httpd *httpd;
    atomic_bool is_started;
    atomic_bool is_ready;
    _Atomic(const char *) reason, note;
    pthread_mutex_t mutex; /* guards all below */
    struct watch watches[TELEMETRY_WATCHES_MAX];
    size_t watch_count;
};

static void lock(struct telemetry *telemetry)
{
    int failed = pthread_mutex_lock(&telemetry->mutex);
    ASSERT(failed == 0);
}

static void unlock(struct telemetry *telemetry)
{
    int failed = pthread_mutex_unlock(&telemetry->mutex);
    ASSERT(failed == 0);
}

/* --- what is asked ---------------------------------------------------------------------------- */

static void answer(struct telemetry *telemetry, struct httpd_handle handle, int http_status,
                   const char *type, str body)
{
    const struct httpd_field fields[] = {
        {str_from("Content-Type"), str_from(type)},
        {str_from("Cache-Control"), str_from("no-store")},
    };
    const struct httpd_response response = {.http_status = http_status,
                                            .fields      = fields,
                                            .field_count = ARRAY_LEN(fields),
                                            .body        = body};
    httpd_respond(telemetry->httpd, handle, &response);
}

/* `detail` is static text of ours without characters that JSON escapes. */
static void answer_health(struct telemetry *telemetry, struct httpd_handle handle, bool is_fine,
                          const char *detail)
{
    CLEANUP(buf_done) struct buf text = buf_init(HEALTH_TEXT_MAX);
    (void)buf_printf(&text, "{\"status\":\"%s\",\"service\":\"%s\"", is_fine ? "ok" : "not ok",
                     telemetry->options.service);
    if (!is_fine) (void)buf_printf(&text, ",\"detail\":\"%s\"", detail);
    const char *note = atomic_load(&telemetry->note);
    if (note) (void)buf_printf(&text, ",\"note\":\"%s\"", note);
    (void)buf_put_text(&text, "}\n");
    answer(telemetry, handle, is_fine ? 200 : 503, "application/json", buf_str(&text));
}

/* Returns the name of a thread that does not turn any more, or NULL. */
static const char *find_stuck(struct telemetry *telemetry)
{
    int64_t now_ms    = clock_mono_ms();
    const char *stuck = NULL;
    lock(telemetry);
    for (size_t i = 0; i < telemetry->watch_count && !stuck; i++) {
        const struct watch *watch = &telemetry->watches[i];
        int64_t turned_ms         = watch->turned_ms((void *)(uintptr_t)watch->context);
        if (now_ms - turned_ms > LOOP_LIVE_MAX_MS) stuck = watch->name;
    }
    unlock(telemetry);
    return stuck;
}

static void answer_live(struct telemetry *telemetry, struct httpd_handle handle)
{
    const char *stuck = find_stuck(telemetry);
    answer_health(telemetry, handle, stuck == NULL, stuck);
}

static void answer_ready(struct telemetry *telemetry, struct httpd_handle handle)
{
    answer_health(telemetry, handle, atomic_load(&telemetry->is_ready),
                  atomic_load(&telemetry->reason));
}

static void answer_startup(struct telemetry *telemetry, struct httpd_handle handle)
{
    answer_health(telemetry, handle, atomic_load(&telemetry->is_started), "starting");
}

static void answer_metrics(struct telemetry *telemetry, struct httpd_handle handle)
{
    CLEANUP(buf_done) struct buf text = buf_init(METRICS_TEXT_MAX);
    bool has_room                     = metrics_write(telemetry->options.metrics, &text);
    str body = has_room ? buf_str(&text) : str_from("# more than the limit of 16 MiB\n");
    answer(telemetry, handle, has_room ? 200 : 500, "text/plain; version=0.0.4; charset=utf-8",
           body);
}

static const struct page {
    const char *path;
    void (*answer)(struct telemetry *telemetry, struct httpd_handle handle);
} pages[] = {
    {"/health/live", answer_live},
    {"/health/ready", answer_ready},
    {"/health/startup", answer_startup},
    {"/metrics", answer_metrics},
};

static bool route(struct httpd_handle handle, const struct httpd_request *request,
                  struct httpd_route *ret_route, void *context)
{
    (void)ret_route; /* no bodies */
    struct telemetry *telemetry = context;
    bool is_read                = str_is(request->method, "GET") || str_is(request->method, "HEAD");
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (str_is(request->path, pages[i].path) && is_read) return true;
    }
    answer(telemetry, handle, is_read ? 404 : 405, "text/plain", str_from("no such page\n"));
    return false;
}

static void handle_request(struct httpd_handle handle, struct httpd_request *request, void *user,
                           void *context)
{
    (void)user;
    CLEANUP(httpd_request_freep) struct httpd_request *owned = request;
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (!str_is(owned->path, pages[i].path)) continue;
        pages[i].answer(context, handle);
        return;
    }
    ASSERT(false); /* route() lets nothing else pass */
}

/* --- start and stop --------------------------------------------------------------------------- */

status telemetry_start(const struct telemetry_options *options, struct telemetry **ret_telemetry,
                       struct error *reterr)
{
    ASSERT(options->service != NULL);
    ASSERT(options->metrics != NULL);
    CLEANUP(telemetry_stopp) struct telemetry *telemetry = mem_new(1, sizeof *telemetry);
    telemetry->options                                   = *options;
    telemetry->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    atomic_store(&telemetry->reason, "starting");
    TRY(loop_new(NULL, &telemetry->loop, reterr));

    const struct httpd_options http = {
        .host            = options->host,
        .port            = options->port,
        .loops           = &telemetry->loop,
        .loop_count      = 1,
        .handlers        = {.route = route, .handle = handle_request},
        .context         = telemetry,
        .connections_max = TELEMETRY_CONNECTIONS_MAX,
    };
    TRY(httpd_start(&http, &telemetry->httpd, reterr));
    TRY(loop_start(telemetry->loop, "admin", reterr));
    *ret_telemetry = TAKE(telemetry);
    return STATUS_OK;
}

void telemetry_stop(struct telemetry *telemetry)
{
    if (!telemetry) return;
    if (telemetry->loop) {
        loop_stop(telemetry->loop);
        loop_join(telemetry->loop);
    }
    httpd_free(telemetry->httpd);
    loop_free(telemetry->loop);
    free(telemetry);
}

void telemetry_stopp(struct telemetry **telemetry)
{
    telemetry_stop(*telemetry);
    *telemetry = NULL;
}

uint16_t telemetry_port(const struct telemetry *telemetry)
{
    return httpd_port(telemetry->httpd);
}

/* --- what is told ----------------------------------------------------------------------------- */

void telemetry_set_started(struct telemetry *telemetry)
{
    atomic_store(&telemetry->is_started, true);
}

void telemetry_set_ready(struct telemetry *telemetry, bool is_ready, const char *reason)
{
    atomic_store(&telemetry->reason, reason ? reason : "not ready");
    atomic_store(&telemetry->is_ready, is_ready);
}

void telemetry_set_note(struct telemetry *telemetry, const char *note)
{
    atomic_store(&telemetry->note, note);
}

bool telemetry_is_ready(const struct telemetry *telemetry)
{
    return atomic_load(&telemetry->is_ready);
}

void telemetry_watch(struct telemetry *telemetry, const char *name, telemetry_turned_fn *turned_ms,
                     void *context)
{
    lock(telemetry);
    ASSERT(telemetry->watch_count < TELEMETRY_WATCHES_MAX);
    telemetry->watches[telemetry->watch_count++] =
        (struct watch){.name = name, .turned_ms = turned_ms, .context = context};
    unlock(telemetry);
}

static int64_t loop_turned(void *context)
{
    return loop_turned_ms(context);
}

void telemetry_watch_loop(struct telemetry *telemetry, const char *name, struct loop *loop)
{
    telemetry_watch(telemetry, name, loop_turned, loop);
}

void telemetry_unwatch(struct telemetry *telemetry, const void *context)
{
    lock(telemetry);
    size_t kept = 0;
    for (size_t i = 0; i < telemetry->watch_count; i++) {
        if (telemetry->watches[i].context == context) continue;
        telemetry->watches[kept++] = telemetry->watches[i];
    }
    telemetry->watch_count = kept;
    unlock(telemetry);
}
