#include "tool-adapter/connections/hosts.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/robots.h"

#include <stdlib.h>

enum {
    ROBOTS_BODY_MAX = 10 << 20,
    ROBOTS_TOTAL_MS = 20'000,
    ROBOTS_URL_MAX  = 512,
    KEY_MAX         = ROBOTS_URL_MAX + HTTP_PROXY_MAX,
    AGENT_MAX       = 300
};

struct host {
    struct hosts *hosts;
    char *key; /* owned: origin and proxy, behind a sign for private addresses */
    size_t origin_len;
    char *robots_url, *proxy; /* owned; the proxy's may be empty */
    bool allow_private;
    char user_agent[AGENT_MAX];
    struct robots *robots; /* NULL: not known */
    int64_t robots_until_ms;
    struct http_call *call; /* that reads it */
    struct buf text;
    enum verdict failure; /* TURN_GRANTED: robots.txt is known */
    status code;
    struct error why;
    unsigned active;
    int64_t next_ms; /* no request begins before */
    struct turn *first, *last;
    struct turn *at_tollgate; /* the first one, which waits there */
    size_t turns;             /* waiting or open */
    struct loop_timer timer;
};

struct hosts {
    struct loop *loop;
    struct http_client *http;
    struct tollgates *tollgates;
    struct map *by_key;
};

/* --- hosts ------------------------------------------------------------------------------------ */

static void host_free(struct host *host)
{
    if (host->call) http_call_cancel(host->call);
    loop_timer_clear(host->hosts->loop, &host->timer);
    robots_free(host->robots);
    buf_done(&host->text);
    free(host->robots_url);
    free(host->proxy);
    free(host->key);
    free(host);
}

struct hosts *hosts_new(struct loop *loop, struct http_client *http, struct tollgates *tollgates)
{
    struct hosts *hosts = mem_new(1, sizeof *hosts);
    hosts->loop         = loop;
    hosts->http         = http;
    hosts->tollgates    = tollgates;
    hosts->by_key       = map_new(HOSTS_MAX);
    return hosts;
}

void hosts_freep(struct hosts **hosts)
{
    if (!*hosts) return;
    size_t cursor = 0;
    str key;
    void *host;
    while (map_next((*hosts)->by_key, &cursor, &key, &host)) {
        ASSERT(((struct host *)host)->turns == 0);
        host_free(host);
    }
    map_free((*hosts)->by_key);
    free(*hosts);
}

/* Forgets those that nobody waits at, all at once: it happens once in HOSTS_MAX new ones. */
static void forget_idle(struct hosts *hosts)
{
    size_t cursor = 0;
    str key;
    void *host;
    while (map_next(hosts->by_key, &cursor, &key, &host)) {
        if (((struct host *)host)->turns > 0) continue;
        (void)map_remove(hosts->by_key, key);
        host_free(host);
    }
}

static void pump_soon(struct host *host)
{
    loop_timer_set(host->hosts->loop, &host->timer, loop_now_ms(host->hosts->loop));
}

/* --- robots.txt ------------------------------------------------------------------------------- */

static enum http_flow take_robots(str data, void *context)
{
    struct host *host = context;
    (void)buf_put_str(&host->text, str_slice(data, 0, ROBOTS_SIZE_MAX - host->text.len));
    return HTTP_GO_ON;
}

static void robots_came(const struct http_result *result, void *context)
{
    struct host *host = context;
    int http_status   = result->answer.http_status;
    host->call        = NULL;
    host->failure     = TURN_GRANTED;
    int64_t kept_ms   = HOST_KEPT_MS;
    if (result->code != STATUS_OK) {
        host->failure = TURN_UNREACHABLE;
        host->code    = result->code;
        host->why     = result->error;
        kept_ms       = HOST_RETRY_MS;
    } else if (http_status >= 200 && http_status <= 299) {
        host->robots = robots_read(buf_str(&host->text), WEB_PRODUCT);
    } else {
        /* A redirect that leads nowhere counts as "not there", as the RFC says. */
        host->robots = robots_for_status(http_status < 400 ? 404 : http_status);
        if (http_status >= 500) {
            host->failure = TURN_UNREADABLE;
            kept_ms       = HOST_RETRY_MS;
        }
    }
    buf_done(&host->text);
    host->robots_until_ms = loop_now_ms(host->hosts->loop) + kept_ms;
    pump_soon(host);
}

static void ask_for_robots(struct host *host)
{
    robots_free(TAKE(host->robots));
    const struct http_header agent     = {.name  = str_from("User-Agent"),
                                          .value = str_from(host->user_agent)};
    const struct http_handlers handler = {
        .on_data = take_robots, .on_done = robots_came, .context = host};
    const struct http_request request = {.url           = str_from(host->robots_url),
                                         .headers       = &agent,
                                         .header_count  = 1,
                                         .timeouts      = {.total_ms = ROBOTS_TOTAL_MS},
                                         .body_max      = ROBOTS_BODY_MAX,
                                         .redirects_max = HTTP_REDIRECTS_MAX,
                                         .allow_private = host->allow_private,
                                         .proxy         = str_from(host->proxy),
                                         .is_compressed = true};
    host->text                        = buf_init(ROBOTS_SIZE_MAX);
    host->code = http_call_start(host->hosts->http, &request, &handler, &host->call, &host->why);
    if (host->code == STATUS_OK) return;
    host->failure         = TURN_UNREACHABLE;
    host->robots_until_ms = loop_now_ms(host->hosts->loop) + HOST_RETRY_MS;
    pump_soon(host);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void leave_queue(struct host *host, struct turn *turn)
{
    *(turn->previous ? &turn->previous->next : &host->first) = turn->next;
    *(turn->next ? &turn->next->previous : &host->last)      = turn->previous;
    turn->previous = turn->next = NULL;
}

static void on_tollgate(bool may_go, void *context);

/* Others may have begun a request a moment ago. True: it may go. */
static bool pass_tollgate(struct host *host, struct turn *turn)
{
    CLEANUP(buf_done) struct buf name = buf_init(ROBOTS_URL_MAX);
    const struct tollgate_rules rules = {.starts           = turn->delay_ms > 0 ? 1 : 0,
                                         .starts_period_us = turn->delay_ms * 1'000};
    if (!host->hosts->tollgates) return true;
    turn->pass = (struct tollgate_pass){.decided = on_tollgate, .context = turn};
    (void)buf_printf(&name, "host:%.*s", (int)host->origin_len, host->key + 1);
    bool waits = tollgate_enter(host->hosts->tollgates, buf_str(&name), &rules, &turn->pass) ==
                 TOLLGATE_WAIT;
    if (waits) host->at_tollgate = turn;
    return !waits;
}

static void take_slot(struct host *host, struct turn *turn)
{
    host->active++;
    turn->has_slot = true;
    host->next_ms  = loop_now_ms(host->hosts->loop) + turn->delay_ms;
}

/* Decides about the first that waits; false if it has to wait on. */
static bool decide(struct host *host, struct turn *turn)
{
    int64_t now_ms = loop_now_ms(host->hosts->loop);
    turn->delay_ms = host->robots ? robots_delay_ms(host->robots) : 0;
    turn->verdict  = host->failure;
    turn->code     = host->code;
    turn->why      = host->why;
    if (host->failure != TURN_GRANTED) return true;
    if (!robots_allows(host->robots, str_from(turn->target))) {
        turn->verdict = TURN_FORBIDDEN;
        return true;
    }
    if (!turn->wants_slot) return true;
    if (host->active == HOST_CONNECTIONS_MAX) return false;
    if (now_ms < host->next_ms) {
        loop_timer_set(host->hosts->loop, &host->timer, host->next_ms);
        return false;
    }
    if (!pass_tollgate(host, turn)) return false;
    take_slot(host, turn);
    return true;
}

/* `ready` may end this turn and begin others, also here: they only set the timer. */
static void be_ready(struct host *host, struct turn *turn)
{
    leave_queue(host, turn);
    if (host->first) pump_soon(host);
    turn->ready(turn);
}

static void on_tollgate(bool, void *context)
{
    struct turn *turn = context;
    struct host *host = turn->host;
    host->at_tollgate = NULL;
    take_slot(host, turn);
    be_ready(host, turn);
}

static void pump(void *context)
{
    struct host *host = context;
    if (host->call || !host->first || host->at_tollgate) return;
    if (loop_now_ms(host->hosts->loop) >= host->robots_until_ms) {
        ask_for_robots(host);
        return;
    }
    struct turn *turn = host->first;
    if (decide(host, turn)) be_ready(host, turn);
}

static status host_of(struct hosts *hosts, const struct url *url, const struct turn_rules *rules,
                      struct host **ret_host, struct error *reterr)
{
    CLEANUP(buf_done) struct buf key = buf_init(KEY_MAX);
    (void)buf_put_byte(&key, rules->allow_private ? '+' : '-');
    (void)url_put_origin(&key, url);
    size_t origin_len = key.len - 1;
    (void)buf_put_byte(&key, ' ');
    (void)buf_put_str(&key, rules->proxy);
    *ret_host = map_get(hosts->by_key, buf_str(&key));
    if (*ret_host) return STATUS_OK;
    if (map_count(hosts->by_key) == HOSTS_MAX) forget_idle(hosts);
    if (map_count(hosts->by_key) == HOSTS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "pages of %d hosts are being read",
                    HOSTS_MAX);
    }
    CLEANUP(buf_done) struct buf robots = buf_init(ROBOTS_URL_MAX);
    (void)buf_put_str(&robots, str_slice(buf_str(&key), 1, origin_len + 1));
    (void)buf_put_text(&robots, "/robots.txt");
    struct host *host = mem_new(1, sizeof *host);
    *host             = (struct host){.hosts         = hosts,
                                      .origin_len    = origin_len,
                                      .proxy         = mem_dup(rules->proxy.ptr, rules->proxy.len),
                                      .allow_private = rules->allow_private};
    host->timer       = (struct loop_timer){.fire = pump, .context = host};
    size_t len        = rules->user_agent.len < AGENT_MAX ? rules->user_agent.len : AGENT_MAX - 1;
    memcpy(host->user_agent, rules->user_agent.ptr, len);
    bool is_put      = map_put(hosts->by_key, buf_str(&key), host);
    host->key        = buf_take(&key);
    host->robots_url = buf_take(&robots);
    ASSERT(is_put);
    *ret_host = host;
    return STATUS_OK;
}

status turn_begin(struct hosts *hosts, struct turn *turn, const struct url *url,
                  const struct turn_rules *rules, struct error *reterr)
{
    struct host *host = NULL;
    TRY(host_of(hosts, url, rules, &host, reterr));
    CLEANUP(buf_done) struct buf target = buf_init(HTTP_URL_MAX + 2);
    (void)buf_put_str(&target, url->path.len > 0 ? url->path : str_from("/"));
    if (url->query.len > 0) {
        (void)buf_put_byte(&target, '?');
        (void)buf_put_str(&target, url->query);
    }
    turn->host                                       = host;
    turn->wants_slot                                 = rules->wants_slot;
    turn->has_slot                                   = false;
    turn->pass                                       = (struct tollgate_pass){};
    turn->target                                     = buf_take(&target);
    turn->next                                       = NULL;
    turn->previous                                   = host->last;
    *(host->last ? &host->last->next : &host->first) = turn;
    host->last                                       = turn;
    host->turns++;
    pump_soon(host);
    return STATUS_OK;
}

void turn_end(struct turn *turn)
{
    struct host *host = turn->host;
    if (!host) return;
    bool is_waiting = turn->previous || turn->next || host->first == turn;
    if (is_waiting) leave_queue(host, turn);
    if (host->at_tollgate == turn) host->at_tollgate = NULL;
    tollgate_leave(&turn->pass, 0);
    if (turn->has_slot) host->active--;
    host->turns--;
    free(turn->target);
    turn->host     = NULL;
    turn->target   = NULL;
    turn->has_slot = false;
    if (host->first) pump_soon(host);
}
